package mutants

import (
	"math"

	"github.com/goldenloss/goldenloss/reference/loss"
)

const (
	smoothScale  = "smooth L1 scale"
	halfOffset   = "linear branch without the half"
	unitSlope    = "slope 1 outside"
	pseudoHuber  = "pseudo-Huber"
	clampDrops   = "clamp drops NaN"
	doubledCore  = "core without the half"
	squareInSize = "square of every error"
)

var huberFlaws = []flaw{
	{smoothScale, "gives the smooth L1 loss, which is this one divided by delta"},
	{halfOffset, "gives delta (|e| - delta) outside, so the branches do not meet"},
	{unitSlope, "gives the slope 1 outside"},
	{pseudoHuber, "gives delta^2 (sqrt(1 + (e/delta)^2) - 1)"},
	{clampDrops, "clamps with comparisons, which takes NaN for delta in the gradient"},
	{doubledCore, "gives e^2 inside"},
	{squareInSize, "chooses the branch after it squared e, so that large errors overflow"},
	{targetLikePred, "gives target the gradient of pred, without the minus"},
}

func huber(out []float64, grad, in *loss.Huber[float64], dOut []float64, flaw string) {
	delta := in.Delta
	onPairs(out, &grad.Pair, &in.Pair, in.Reduction, dOut, func(p, t float64) (l, d float64) {
		e := p - t
		a := math.Abs(e)
		if a > delta {
			l, d = delta*(a-delta/2), math.Copysign(delta, e)
			switch flaw {
			case halfOffset:
				l = delta * (a - delta)
			case unitSlope:
				d = sign(e)
			case squareInSize:
				l = math.Sqrt(e*e)*delta - delta*delta/2
			}
		} else {
			l, d = e*e/2, e
			if flaw == doubledCore {
				l = e * e
			}
		}
		switch {
		case flaw == smoothScale:
			l, d = l/delta, d/delta
		case flaw == pseudoHuber:
			h := math.Hypot(1, e/delta)
			l, d = delta*delta*(h-1), e/h
		case flaw == clampDrops && e != e:
			d = delta
		}
		return l, d
	})
	oneSided(flaw, &grad.Pair)
}
