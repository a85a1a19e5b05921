package reference

import (
	"math"

	"github.com/goldenloss/goldenloss/reference/loss"
)

// Huber is the value of the Huber loss.
func Huber(in *loss.Huber[float64]) []float64 {
	items := make([]float64, len(in.Pred.Data))
	for i := range items {
		a := math.Abs(in.Pred.Data[i] - in.Target.Data[i])
		if a <= in.Delta {
			items[i] = 0.5 * a * a
		} else {
			items[i] = in.Delta * (a - 0.5*in.Delta)
		}
	}
	return reduce(in.Reduction, items, float64(len(items)))
}

// HuberGrad is its vector-Jacobian product.
func HuberGrad(in *loss.Huber[float64], dOut []float64) *loss.Huber[float64] {
	return &loss.Huber[float64]{Pair: pairGrad(in.Reduction, in.Pair, dOut, func(e float64) float64 {
		return math.Max(-in.Delta, math.Min(e, in.Delta)) // NaN stays
	})}
}
