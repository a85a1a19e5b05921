package reference

import (
	"math"

	"github.com/goldenloss/goldenloss/reference/loss"
)

// L1 is the value of the absolute error.
func L1(in *loss.L1[float64]) []float64 {
	items := make([]float64, len(in.Pred.Data))
	for i := range items {
		items[i] = math.Abs(in.Pred.Data[i] - in.Target.Data[i])
	}
	return reduce(in.Reduction, items, float64(len(items)))
}

// L1Grad is its vector-Jacobian product.
func L1Grad(in *loss.L1[float64], dOut []float64) *loss.L1[float64] {
	return &loss.L1[float64]{Pair: pairGrad(in.Reduction, in.Pair, dOut, sign)}
}

// pairGrad is the vector-Jacobian product of an elementwise loss whose derivative by e = pred - target is slope(e).
func pairGrad(r loss.Reduction, in loss.Pair[float64], dOut []float64, slope func(e float64) float64) loss.Pair[float64] {
	g := loss.Pair[float64]{Pred: zeros(in.Pred), Target: zeros(in.Target)}
	c := itemWeights(r, len(in.Pred.Data), float64(len(in.Pred.Data)), dOut)
	for i := range c {
		d := c[i] * slope(in.Pred.Data[i]-in.Target.Data[i])
		g.Pred.Data[i], g.Target.Data[i] = d, -d
	}
	return g
}
