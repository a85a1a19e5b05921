package optimized

import (
	"math/rand/v2"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/goldenloss/goldenloss/reference/loss"
)

// TestKeptScores: losses on a matrix of similarities give the same bits whether they keep it or compute it again.
func TestKeptScores(t *testing.T) {
	defer func(n, b, m int) { nceKeep, nceKeepBlock, crossModalKeep = n, b, m }(nceKeep, nceKeepBlock, crossModalKeep)
	r := rand.New(rand.NewPCG(5, 6))
	matrix := func(rows, cols int) loss.Tensor[float64] {
		x := loss.Make[float64](rows, cols)
		for i := range x.Data {
			x.Data[i] = r.NormFloat64()
		}
		return x
	}
	same := func(c *call[float64]) {
		nceKeep, crossModalKeep = 1<<30, 1<<30
		want := c.run(7)
		nceKeep, crossModalKeep = 0, 0
		require.Equal(t, want, c.run(7))
		nceKeepBlock = 0
		require.Equal(t, want, c.run(7))
		nceKeepBlock = 1 << 20
	}
	for _, size := range [][3]int{{1, 1, 1}, {50, 3, 2}, {7, 130, 40}, {130, 200, 150}} {
		n, m, dims := size[0], size[1], size[2]
		queue, batch := loss.New[float64, loss.InfoNCE[float64]](), loss.New[float64, loss.InfoNCE[float64]]()
		queue.Query, queue.Key, queue.Queue = matrix(n, dims), matrix(n, dims), matrix(m, dims)
		queue.NormalizeQueue = true
		batch.Negatives, batch.Query, batch.Key = "in_batch", queue.Query, queue.Key
		same(newCall(t, loss.Fused[float64](InfoNCE[float64]), queue))
		same(newCall(t, loss.Fused[float64](InfoNCE[float64]), batch))
		for _, mining := range []string{"all", "hardest"} {
			p := loss.New[float64, loss.CrossModalRanking[float64]]()
			p.Mining, p.Image, p.Text = mining, queue.Query, queue.Key
			same(newCall(t, loss.Fused[float64](CrossModalRanking[float64]), p))
		}
	}
}

// TestRankingByTwoWays: rows that are sorted and swept give the counts of the double loop.
func TestRankingByTwoWays(t *testing.T) {
	r := rand.New(rand.NewPCG(7, 8))
	for _, n := range []int{2, 3, 15, 16, 17, 31, 33, 64, 100, 197} {
		for _, theta := range []float64{0, 0.125, 0.3, 5} {
			p := loss.New[float32, loss.AttentionRanking[float32]]()
			p.Reduction, p.Theta, p.Pred, p.Target = loss.Sum, theta, loss.Make[float32](1, 1, 1, n), loss.Make[float32](1, 1, 1, n)
			for i := range n {
				p.Pred.Data[i], p.Target.Data[i] = float32(r.IntN(40))/16, r.Float32()
			}
			out, g := make([]float32, 1), loss.New[float32, loss.AttentionRanking[float32]]()
			g.Pred = loss.Make[float32](1, 1, 1, n)
			AttentionRanking(out, g, p, []float32{1})
			w := &rankingRow{}
			w.grow(n)
			clear(w.n)
			w.theta = theta
			pairs(w, p.Pred.Data, p.Target.Data, true)
			require.InEpsilon(t, w.sum.value()+1, float64(out[0])+1, 1e-6)
			for i, c := range w.n {
				require.Equal(t, float32(c), g.Pred.Data[i], "%d of %d, theta %g", i, n, theta)
			}
		}
	}
}
