package mutants

import (
	"math"

	"github.com/goldenloss/goldenloss/reference/loss"
)

const (
	slopeOfNaN = "gradient 0 at NaN"
	slopeOfInf = "gradient NaN at infinity"
	squareRoot = "root of the square"
)

// onPairs is a plain elementwise loss: item returns the value and the derivative by e = pred - target.
func onPairs(out []float64, grad, in *loss.Pair[float64], r loss.Reduction, dOut []float64, item func(p, t float64) (l, d float64)) {
	n := len(in.Pred.Data)
	items := make([]float64, n)
	for i := range items {
		l, d := item(in.Pred.Data[i], in.Target.Data[i])
		d *= share(r, dOut, i, float64(n))
		items[i], grad.Pred.Data[i], grad.Target.Data[i] = l, d, -d
	}
	reduce(out, r, items, float64(n))
}

// oneSided gives target the gradient of pred, without the minus.
func oneSided(flaw string, grad *loss.Pair[float64]) {
	if flaw == targetLikePred {
		copy(grad.Target.Data, grad.Pred.Data)
	}
}

var l1Flaws = []flaw{
	{signOfZero, "gives the slope 1 at the origin"},
	{slopeOfNaN, "gives the gradient 0 where an input is NaN, as a sign of two comparisons does"},
	{slopeOfInf, "divides e by |e| for the sign, which is NaN for an infinite error"},
	{squareRoot, "takes the root of e^2 for |e|, which overflows and underflows"},
	{targetLikePred, "gives target the gradient of pred, without the minus"},
}

func l1(out []float64, grad, in *loss.L1[float64], dOut []float64, flaw string) {
	onPairs(out, &grad.Pair, &in.Pair, in.Reduction, dOut, func(p, t float64) (l, d float64) {
		e := p - t
		l, d = math.Abs(e), sign(e)
		switch {
		case flaw == signOfZero && e == 0:
			d = 1
		case flaw == slopeOfNaN && e != e:
			d = 0
		case flaw == slopeOfInf && math.IsInf(e, 0):
			d = e / l
		case flaw == squareRoot:
			l = math.Sqrt(e * e)
		}
		return l, d
	})
	oneSided(flaw, &grad.Pair)
}
