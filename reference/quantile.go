package reference

import (
	"math"

	"github.com/goldenloss/goldenloss/reference/loss"
)

// Quantile is the value of the pinball loss.
func Quantile(in *loss.Quantile[float64]) []float64 {
	items := make([]float64, len(in.Pred.Data))
	for i := range items {
		u, tau := deviation(in, i)
		switch {
		case u > 0:
			items[i] = coefTimes(tau, u) * in.Scale
		case u < 0:
			items[i] = coefTimes(1-tau, -u) * in.Scale
		default:
			items[i] = math.Abs(u) // 0, NaN
		}
	}
	return reduce(in.Reduction, items, float64(len(items)))
}

// QuantileGrad is its vector-Jacobian product.
func QuantileGrad(in *loss.Quantile[float64], dOut []float64) *loss.Quantile[float64] {
	g := &loss.Quantile[float64]{Pred: zeros(in.Pred), Target: zeros(in.Target)}
	c := itemWeights(in.Reduction, len(in.Pred.Data), float64(len(in.Pred.Data)), dOut)
	sums := make([]accumulator, len(in.Target.Data))
	for i := range c {
		u, tau := deviation(in, i)
		slope := u // 0, NaN
		if u > 0 {
			slope = in.Scale * tau
		} else if u < 0 {
			slope = -in.Scale * (1 - tau)
		}
		g.Pred.Data[i] = -c[i] * slope
		sums[i/len(in.Taus)].addProduct(c[i], slope)
	}
	for i := range sums {
		g.Target.Data[i] = sums[i].value()
	}
	return g
}

// deviation is u = target - pred of item i, and its tau.
func deviation(in *loss.Quantile[float64], i int) (u, tau float64) {
	k := len(in.Taus)
	return in.Target.Data[i/k] - in.Pred.Data[i], in.Taus[i%k]
}

// coefTimes is c x, 0 for a coefficient of 0 and infinite x.
func coefTimes(c, x float64) float64 {
	if c == 0 {
		return 0
	}
	return c * x
}
