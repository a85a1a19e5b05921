package mutants

import "github.com/goldenloss/goldenloss/reference/loss"

const (
	expandSquare  = "expanded square"
	halfSlope     = "gradient without the 2"
	halfOfValue   = "half of the value alone"
	dividedByRows = "divided by the rows"
)

var mseFlaws = []flaw{
	{expandSquare, "gives pred^2 - 2 pred target + target^2, which cancels"},
	{halfSlope, "gives the gradient e of half of the square beside the value of all of it"},
	{halfOfValue, "halves the value and not the gradient"},
	{dividedByRows, "divides a mean by the length of the first axis"},
	{targetLikePred, "gives target the gradient of pred, without the minus"},
}

func mse(out []float64, grad, in *loss.MSE[float64], dOut []float64, flaw string) {
	onPairs(out, &grad.Pair, &in.Pair, in.Reduction, dOut, func(p, t float64) (l, d float64) {
		e := p - t
		l, d = e*e, 2*e
		if flaw == expandSquare && e-e == 0 {
			l = p*p - 2*p*t + t*t
		}
		if in.Half {
			l = e * (e / 2)
			if flaw != halfOfValue {
				d = e
			}
		} else if flaw == halfSlope {
			d = e
		}
		return l, d
	})
	oneSided(flaw, &grad.Pair)
	byRows(flaw, out, &grad.Pair, in.Reduction)
}

// byRows divides a mean by the length of the first axis and not by the number of elements.
func byRows(flaw string, out []float64, grad *loss.Pair[float64], r loss.Reduction) {
	n := len(grad.Pred.Data)
	if flaw != dividedByRows || r != loss.Mean || n == 0 || len(grad.Pred.Shape) < 2 {
		return
	}
	by := float64(n) / float64(grad.Pred.Shape[0])
	for _, x := range [][]float64{out, grad.Pred.Data, grad.Target.Data} {
		for i := range x {
			x[i] *= by
		}
	}
}
