package mutants

import (
	"math"

	"github.com/goldenloss/goldenloss/reference/loss"
)

const (
	huberScale     = "Huber scale"
	noOffset       = "linear branch without offset"
	squareFirst    = "square before the division"
	smallBeta      = "absolute error below 1e-5"
	targetLikePred = "gradient of target like that of pred"
	signOfZero     = "sign of zero is one"
)

var smoothL1Flaws = []flaw{
	{huberScale, "gives the Huber loss, which is beta times this one"},
	{noOffset, "gives |e| where |e| - beta/2 is right, so the branches do not meet"},
	{squareFirst, "squares e before it divides by beta, which overflows and underflows"},
	{smallBeta, "takes beta below 1e-5 for 0"},
	{targetLikePred, "gives target the gradient of pred, without the minus"},
	{signOfZero, "gives the absolute error the slope 1 at the origin"},
}

func smoothL1(out []float64, grad, in *loss.SmoothL1[float64], dOut []float64, flaw string) {
	beta := in.Beta
	if flaw == smallBeta && beta < 1e-5 {
		beta = 0
	}
	n := len(in.Pred.Data)
	items := make([]float64, n)
	for i := range items {
		e := in.Pred.Data[i] - in.Target.Data[i]
		a := math.Abs(e)
		var d float64
		if a < beta {
			items[i], d = a*(a/beta)/2, e/beta
			if flaw == squareFirst {
				items[i] = e * e / (2 * beta)
			}
		} else {
			items[i], d = a-beta/2, sign(e)
			if flaw == noOffset {
				items[i] = a
			}
			if flaw == signOfZero && e == 0 {
				d = 1
			}
		}
		if flaw == huberScale {
			items[i], d = items[i]*beta, d*beta
		}
		d *= share(in.Reduction, dOut, i, float64(n))
		grad.Pred.Data[i], grad.Target.Data[i] = d, -d
		if flaw == targetLikePred {
			grad.Target.Data[i] = d
		}
	}
	reduce(out, in.Reduction, items, float64(n))
}
