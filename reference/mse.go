package reference

import "github.com/goldenloss/goldenloss/reference/loss"

// MSE is the value of the squared error.
func MSE(in *loss.MSE[float64]) []float64 {
	items := make([]float64, len(in.Pred.Data))
	for i := range items {
		e := in.Pred.Data[i] - in.Target.Data[i]
		items[i] = e * e
		if in.Half {
			items[i] = e * (e / 2)
		}
	}
	return reduce(in.Reduction, items, float64(len(items)))
}

// MSEGrad is its vector-Jacobian product.
func MSEGrad(in *loss.MSE[float64], dOut []float64) *loss.MSE[float64] {
	return &loss.MSE[float64]{Pair: pairGrad(in.Reduction, in.Pair, dOut, func(e float64) float64 {
		if in.Half {
			return e
		}
		return 2 * e
	})}
}
