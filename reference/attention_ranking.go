package reference

import (
	"math"

	"github.com/goldenloss/goldenloss/reference/loss"
)

// attentionRankingRow returns the item of row i and its derivative by the entries of pred.
func attentionRankingRow(in *loss.AttentionRanking[float64], i int) (float64, []float64) {
	w := in.Pred.Shape[3]
	q, a := in.Pred.Data[i*w:(i+1)*w], in.Target.Data[i*w:(i+1)*w]
	slope := make([]float64, w)
	var sum accumulator
	for i := range q {
		for j := i + 1; j < w; j++ {
			order := sign(a[i] - a[j]) // NaN for equal infinities
			switch u := math.Max(0, in.Theta-(q[i]-q[j])*order); {
			case math.IsNaN(q[i]) || math.IsNaN(q[j]):
				sum.add(math.NaN())
			case order == 0 && in.Ties == "constant":
				sum.add(in.Theta)
			case order != 0:
				sum.add(u)
				if u > 0 {
					slope[i] -= order
					slope[j] += order
				}
			}
		}
	}
	item := sum.value()
	if math.IsNaN(item) {
		fillNaN(slope)
	}
	return item, slope
}

// AttentionRanking is the value of the order-preserving loss.
func AttentionRanking(in *loss.AttentionRanking[float64]) []float64 {
	items := make([]float64, loss.Size(in.Pred.Shape[:3]))
	for i := range items {
		items[i], _ = attentionRankingRow(in, i)
	}
	return reduce(in.Reduction, items, float64(len(items)))
}

// AttentionRankingGrad is its vector-Jacobian product.
func AttentionRankingGrad(in *loss.AttentionRanking[float64], dOut []float64) *loss.AttentionRanking[float64] {
	g := &loss.AttentionRanking[float64]{Pred: zeros(in.Pred)}
	n, w := loss.Size(in.Pred.Shape[:3]), in.Pred.Shape[3]
	c := itemWeights(in.Reduction, n, float64(n), dOut)
	for i := range c {
		_, slope := attentionRankingRow(in, i)
		for k, d := range slope {
			g.Pred.Data[i*w+k] = c[i] * d
		}
	}
	return g
}
