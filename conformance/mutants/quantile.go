package mutants

import "github.com/goldenloss/goldenloss/reference/loss"

const (
	tausSwapped   = "tau and 1-tau swapped"
	twiceScale    = "scale doubled"
	halfAtZero    = "slope between the sides at 0"
	productNaN    = "0 times infinity"
	dropNaN       = "NaN dropped"
	perTarget     = "mean per target"
	firstQuantile = "gradient of target from the first quantile"
	quantileFirst = "quantiles on the first axis"
	slopeUnscaled = "gradient without scale"
)

var quantileFlaws = []flaw{
	{tausSwapped, "weighs targets above with 1-tau and those below with tau"},
	{twiceScale, "multiplies by 2, as some libraries do"},
	{halfAtZero, "gives the slope (1-2 tau)/2 at 0, as the composition of two products does"},
	{productNaN, "multiplies an infinite error by a coefficient of 0"},
	{dropNaN, "gives 0 for an error that is neither above nor below 0"},
	{perTarget, "divides a mean by the number of targets"},
	{firstQuantile, "gives target the gradient of the first quantile alone"},
	{quantileFirst, "takes the first axis for that of the quantiles"},
	{slopeUnscaled, "leaves scale out of the gradient"},
}

func quantile(out []float64, grad, in *loss.Quantile[float64], dOut []float64, flaw string) {
	n, q := len(in.Pred.Data), len(in.Taus)
	z := float64(n)
	if flaw == perTarget {
		z /= float64(q)
	}
	items := make([]float64, n)
	sums := make([][]float64, len(in.Target.Data))
	for i, p := range in.Pred.Data {
		u, tau := in.Target.Data[i/q]-p, in.Taus[i%q]
		if flaw == quantileFirst {
			tau = in.Taus[i/(n/q)]
		}
		if flaw == tausSwapped {
			tau = 1 - tau
		}
		var l, d float64
		switch {
		case u > 0:
			l, d = tau*u, tau
		case u < 0:
			l, d = (tau-1)*u, tau-1
		case u == 0 || flaw == dropNaN:
			if flaw == halfAtZero {
				d = tau - 0.5
			}
		default:
			l, d = u, u
		}
		if d == 0 && u == u && flaw != productNaN {
			l = 0
		}
		s := in.Scale
		if flaw == twiceScale {
			s *= 2
		}
		items[i] = l * s
		if flaw != slopeUnscaled {
			d *= s
		}
		g := d * share(in.Reduction, dOut, i, z)
		grad.Pred.Data[i] = -g
		if flaw != firstQuantile || i%q == 0 {
			sums[i/q] = append(sums[i/q], g)
		}
	}
	for i, s := range sums {
		grad.Target.Data[i] = total(s)
	}
	reduce(out, in.Reduction, items, z)
}
