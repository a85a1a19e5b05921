package reference

import (
	"math"

	"github.com/goldenloss/goldenloss/reference/loss"
)

// contrastivePair returns the difference of pair i and whether the pair is similar.
func contrastivePair(in *loss.Contrastive[float64], i int) (delta []float64, similar bool) {
	dims := in.X1.Shape[1]
	delta = make([]float64, dims)
	for k := range delta {
		delta[k] = in.X1.Data[i*dims+k] - in.X2.Data[i*dims+k]
	}
	return delta, in.Y.Data[i] == (in.SimilarLabel == 1)
}

// Contrastive is the value of the contrastive loss on pairs.
func Contrastive(in *loss.Contrastive[float64]) []float64 {
	items := make([]float64, in.X1.Shape[0])
	for i := range items {
		delta, similar := contrastivePair(in, i)
		if similar {
			items[i] = in.Scale * dot(delta, delta)
		} else {
			gap := math.Max(0, in.Margin-norm(delta))
			items[i] = in.Scale * gap * gap
		}
	}
	return reduce(in.Reduction, items, float64(len(items)))
}

// ContrastiveGrad is its vector-Jacobian product.
func ContrastiveGrad(in *loss.Contrastive[float64], dOut []float64) *loss.Contrastive[float64] {
	g := &loss.Contrastive[float64]{X1: zeros(in.X1), X2: zeros(in.X2)}
	n, dims := in.X1.Shape[0], in.X1.Shape[1]
	c := itemWeights(in.Reduction, n, float64(n), dOut)
	for i := range n {
		delta, similar := contrastivePair(in, i)
		d := norm(delta)
		for k, e := range delta {
			var slope float64
			switch {
			case math.IsNaN(d):
				slope = d
			case similar:
				slope = c[i] * 2 * in.Scale * e
			case d > 0 && d < in.Margin:
				slope = -c[i] * 2 * in.Scale * (in.Margin - d) * (e / d)
			}
			g.X1.Data[i*dims+k], g.X2.Data[i*dims+k] = slope, -slope
		}
	}
	return g
}
