package reference

import (
	"math"

	"github.com/goldenloss/goldenloss/reference/loss"
)

// tverskyRatio is TP/(TP + alpha_fp FP + beta_fn FN), both smoothed.
func tverskyRatio(in *loss.Tversky[float64]) ratio {
	return ratio{
		sums: func(list []entry) (num, den, x float64) {
			var tp, fp, fn accumulator
			for _, e := range list {
				if in.Intersection == "l1" {
					tp.add(math.Min(e.p, e.t))
					fp.add(math.Max(e.gap(), 0))
					fn.add(math.Max(-e.gap(), 0))
				} else {
					tp.addProduct(e.p, e.t)
					fp.addProduct(e.p, 1-e.t)
					fn.addProduct(e.t, e.miss)
				}
			}
			lost := in.AlphaFP*fp.value() + in.BetaFN*fn.value()
			return tp.value() + in.SmoothNr, tp.value() + lost + in.SmoothDr, lost + (in.SmoothDr - in.SmoothNr)
		},
		slopes: func(e entry) (dNum, dX float64) {
			if in.Intersection == "l1" {
				h := below(e.p, e.t)
				return h, in.AlphaFP*(1-h) - in.BetaFN*h
			}
			return e.t, in.AlphaFP*(1-e.t) - in.BetaFN*e.t
		},
	}
}

// Tversky is the value of the Tversky loss.
func Tversky(in *loss.Tversky[float64]) []float64 {
	return newOverlap(&in.Overlap).value(in.Reduction, tverskyRatio(in))
}

// TverskyGrad is its vector-Jacobian product.
func TverskyGrad(in *loss.Tversky[float64], dOut []float64) *loss.Tversky[float64] {
	return &loss.Tversky[float64]{Overlap: newOverlap(&in.Overlap).grad(in.Reduction, tverskyRatio(in), dOut)}
}
