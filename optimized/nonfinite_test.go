package optimized

import (
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/goldenloss/goldenloss/reference"
	"github.com/goldenloss/goldenloss/reference/loss"
	"github.com/goldenloss/goldenloss/reference/loss/random"
)

// spoiledRounds is the number of spoiled problems of each loss.
const spoiledRounds = 400

// TestNonFinite spoils random problems with NaN, infinities and zeros: which outputs are NaN or infinite must be as in the reference.
// Golden cases have one such number at a time or few; here several meet, in all options.
func TestNonFinite(t *testing.T) {
	for _, row := range CPU {
		id := row.Float64.ID
		t.Run(id, func(t *testing.T) {
			m, ok := random.Lookup(id)
			require.True(t, ok)
			base := reference.All[slices.IndexFunc(reference.All, func(i loss.Impl[float64]) bool { return i.ID == id })]
			r := rand.New(rand.NewPCG(3, 9))
			compared := 0
			for range spoiledRounds {
				p := m.Problem(r, 10+r.IntN(200), r.IntN(2) == 0)
				spoil(r, p)
				if loss.Validate(p) != nil || open(p) {
					continue
				}
				compared++
				c := newCall(t, base, p)
				want, got := c.run(7), newCall(t, row.Float64, p).run(7)
				for k := range want {
					if w, g := math.Float64frombits(want[k]), math.Float64frombits(got[k]); !agree(w, g) {
						params := map[string]any{}
						for _, q := range loss.Params(p) {
							params[q.Name] = q.Value
						}
						require.Failf(t, "outputs differ", "%s: want %v, got %v; %v", c.name(k), w, g, params)
					}
				}
			}
			require.NotZero(t, compared)
		})
	}
}

// spoil overwrites up to two elements of every input.
func spoil(r *rand.Rand, p loss.Problem[float64]) {
	for _, f := range loss.Fields(p) {
		if f.Float == nil || len(f.Float.Data) == 0 {
			continue
		}
		for range r.IntN(3) {
			f.Float.Data[r.IntN(len(f.Float.Data))] = []float64{math.NaN(), math.Inf(1), math.Inf(-1), 0}[r.IntN(4)]
		}
	}
}

// open tells whether the definitions leave the outputs of a spoiled problem open.
func open(p loss.Problem[float64]) bool {
	// A mean over weights whose sum is NaN: a derivative of 0 over NaN may be 0 or NaN.
	overlap := func(o *loss.Overlap[float64], r loss.Reduction) bool {
		return r == loss.Mean && o.WeightNorm == "sum" && slices.ContainsFunc(o.ClassWeight.Data, math.IsNaN)
	}
	switch p := p.(type) {
	case *loss.Dice[float64]:
		return overlap(&p.Overlap, p.Reduction)
	case *loss.Jaccard[float64]:
		return overlap(&p.Overlap, p.Reduction)
	case *loss.Tversky[float64]:
		return overlap(&p.Overlap, p.Reduction)
	case *loss.Triplet[float64]:
		return p.Swap && p.P != 1 && p.P != 2 && !math.IsInf(p.P, 1) // zeros make distances equal, and roundings decide which is less
	}
	return false
}

// agree compares two outputs; a tolerance is for numbers alone.
func agree(w, g float64) bool {
	switch {
	case math.IsNaN(w) || math.IsNaN(g):
		return math.IsNaN(w) && math.IsNaN(g)
	case math.IsInf(w, 0) || math.IsInf(g, 0):
		return w == g
	}
	return math.Abs(w-g) <= 1e-7*(1+math.Abs(w))
}

// name says which input has output k as its gradient.
func (c *call[T]) name(k int) string {
	k -= len(c.out)
	for _, f := range c.vars {
		if k >= 0 && k < len(f.Float.Data) {
			return "gradient by " + f.Name
		}
		k -= len(f.Float.Data)
	}
	return "value"
}
