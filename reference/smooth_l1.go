package reference

import (
	"math"

	"github.com/goldenloss/goldenloss/reference/loss"
)

// SmoothL1 is the value of the smooth L1 loss.
func SmoothL1(in *loss.SmoothL1[float64]) []float64 {
	items := make([]float64, len(in.Pred.Data))
	for i := range items {
		a := math.Abs(in.Pred.Data[i] - in.Target.Data[i])
		if a < in.Beta {
			items[i] = 0.5 * a * (a / in.Beta)
		} else {
			items[i] = a - 0.5*in.Beta
		}
	}
	return reduce(in.Reduction, items, float64(len(items)))
}

// SmoothL1Grad is its vector-Jacobian product.
func SmoothL1Grad(in *loss.SmoothL1[float64], dOut []float64) *loss.SmoothL1[float64] {
	g := &loss.SmoothL1[float64]{Pair: loss.Pair[float64]{Pred: zeros(in.Pred), Target: zeros(in.Target)}}
	c := itemWeights(in.Reduction, len(in.Pred.Data), float64(len(in.Pred.Data)), dOut)
	for i := range c {
		e := in.Pred.Data[i] - in.Target.Data[i]
		d := sign(e)
		if math.Abs(e) < in.Beta {
			d = e / in.Beta
		}
		g.Pred.Data[i] = c[i] * d
		g.Target.Data[i] = -c[i] * d
	}
	return g
}
