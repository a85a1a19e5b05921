package mutants

import (
	"math"

	"github.com/goldenloss/goldenloss/reference/loss"
)

const (
	plainCosh    = "logarithm of cosh"
	oneForm      = "one form for all errors"
	withoutLog2  = "without log 2"
	hyperQuot    = "tanh of two exponentials"
	decayQuot    = "tanh without expm1"
	sloppySquare = "half of the square up to 1/4"
)

var logCoshFlaws = []flaw{
	{plainCosh, "gives log(cosh(e)), which overflows above 710 and is 0 near 0"},
	{oneForm, "gives |e| + log1p(exp(-2|e|)) - log 2 for all e, which cancels near 0"},
	{withoutLog2, "leaves out log 2"},
	{hyperQuot, "gives the gradient (exp(e) - exp(-e))/(exp(e) + exp(-e)), which overflows"},
	{decayQuot, "gives the gradient (1-t)/(1+t) with t = exp(-2|e|), which cancels near 0"},
	{sloppySquare, "gives e^2/2 and e for errors below 1/4"},
	{targetLikePred, "gives target the gradient of pred, without the minus"},
}

func logCosh(out []float64, grad, in *loss.LogCosh[float64], dOut []float64, flaw string) {
	onPairs(out, &grad.Pair, &in.Pair, in.Reduction, dOut, func(p, t float64) (l, d float64) {
		e := p - t
		a := math.Abs(e)
		tail := math.Exp(-2 * a)
		large := a + math.Log1p(tail) - math.Ln2
		l, d = large, math.Tanh(e)
		if a < 1 {
			s := math.Sinh(a / 2)
			l = math.Log1p(2 * s * s)
		}
		switch {
		case flaw == plainCosh && e-e == 0:
			l = math.Log(math.Cosh(e))
		case flaw == oneForm:
			l = large
		case flaw == withoutLog2:
			l += math.Ln2
		case flaw == hyperQuot && e-e == 0:
			d = (math.Exp(e) - math.Exp(-e)) / (math.Exp(e) + math.Exp(-e))
		case flaw == decayQuot:
			d = math.Copysign((1-tail)/(1+tail), e)
		case flaw == sloppySquare && a < 0.25:
			l, d = a*a/2, e
		}
		return l, d
	})
	oneSided(flaw, &grad.Pair)
}
