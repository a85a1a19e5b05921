package mutants

import (
	"math"

	"github.com/goldenloss/goldenloss/reference/loss"
)

const (
	plainEps     = "eps without the square"
	offsetByEps  = "offset eps"
	offsetLate   = "offset by a difference"
	squareLimits = "squares out of range"
	quotientZero = "0/0 at the origin"
	slopeOfHalf  = "slope of alpha 1/2"
	slopeOnce    = "slope without the 2"
	powerOfHypot = "power alpha of the hypotenuse"
)

var charbonnierFlaws = []flaw{
	{plainEps, "adds eps to the square of e, as BasicSR does"},
	{offsetByEps, "subtracts eps for every alpha"},
	{offsetLate, "subtracts eps^(2 alpha) from the rounded power, which cancels"},
	{squareLimits, "computes the sum of squares, which overflows and underflows"},
	{quotientZero, "divides e by the hypotenuse where both are 0"},
	{slopeOfHalf, "gives the slope e/h for every alpha"},
	{slopeOnce, "leaves the 2 out of the slope"},
	{powerOfHypot, "takes h^alpha for h^(2 alpha)"},
	{dividedByRows, "divides a mean by the length of the first axis, as LapSRN does"},
	{targetLikePred, "gives target the gradient of pred, without the minus"},
}

func charbonnier(out []float64, grad, in *loss.Charbonnier[float64], dOut []float64, flaw string) {
	eps, alpha := in.Eps, in.Alpha
	if flaw == plainEps {
		eps = math.Sqrt(eps)
	}
	p := 2 * alpha
	if flaw == powerOfHypot {
		p = alpha
	}
	onPairs(out, &grad.Pair, &in.Pair, in.Reduction, dOut, func(pred, target float64) (l, d float64) {
		e := pred - target
		h := math.Hypot(e, eps)
		if flaw == squareLimits && e-e == 0 {
			h = math.Sqrt(e*e + eps*eps)
		}
		unit := e / h
		if math.IsInf(e, 0) {
			unit = sign(e)
		}
		l, d = math.Pow(h, p), p*unit*math.Pow(h, p-1)
		if h == 0 {
			d = 0
			if flaw == quotientZero {
				d = unit
			}
		}
		switch {
		case flaw == slopeOfHalf:
			d = unit
		case flaw == slopeOnce:
			d /= 2
		}
		if !in.Offset || e-e != 0 {
			return l, d
		}
		switch {
		case flaw == offsetByEps:
			l -= eps
		case flaw == offsetLate || eps == 0 || math.Abs(e) > 1e8*eps:
			l -= math.Pow(eps, p)
		default:
			l = math.Pow(eps, p) * math.Expm1(p/2*math.Log1p(e/eps*(e/eps)))
		}
		return l, d
	})
	oneSided(flaw, &grad.Pair)
	byRows(flaw, out, &grad.Pair, in.Reduction)
}
