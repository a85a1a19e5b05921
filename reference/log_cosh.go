package reference

import (
	"math"

	"github.com/goldenloss/goldenloss/reference/loss"
)

// LogCosh is the value of the log-cosh loss.
func LogCosh(in *loss.LogCosh[float64]) []float64 {
	items := make([]float64, len(in.Pred.Data))
	for i := range items {
		a := math.Abs(in.Pred.Data[i] - in.Target.Data[i])
		if a <= 1 {
			s := math.Sinh(a / 2)
			items[i] = math.Log1p(2 * s * s) // cosh(a) - 1 = 2 sinh(a/2)^2
		} else {
			items[i] = a + math.Log1p(math.Exp(-2*a)) - math.Ln2
		}
	}
	return reduce(in.Reduction, items, float64(len(items)))
}

// LogCoshGrad is its vector-Jacobian product.
func LogCoshGrad(in *loss.LogCosh[float64], dOut []float64) *loss.LogCosh[float64] {
	return &loss.LogCosh[float64]{Pair: pairGrad(in.Reduction, in.Pair, dOut, math.Tanh)}
}
