package mutants

import (
	"math"

	"github.com/goldenloss/goldenloss/reference/loss"
)

const (
	softMargin       = "exponential of the margin"
	logOfOnePlus     = "log(1+q)"
	baseTwo          = "base 2"
	labelsZeroOne    = "labels 0 and 1"
	slopeWithoutSign = "gradient without the label"
	marginLinear     = "margin linear beyond 20"
)

var logisticFlaws = []flaw{
	{softMargin, "computes log1p(exp(-y v)) as PyTorch's soft_margin_loss, which overflows at -710, with the gradient NaN"},
	{logOfOnePlus, "computes log(1+q), which is 0 for a margin of 37"},
	{baseTwo, "divides by log 2"},
	{labelsZeroOne, "takes the loss of labels 0 and 1: softplus(v) - y v"},
	{slopeWithoutSign, "gives the slope of the label 1 for both labels"},
	{marginLinear, "takes the margin itself below -20, and 0 above 37"},
}

func logistic(out []float64, grad, in *loss.Logistic[float64], dOut []float64, flaw string) {
	n := len(in.Score.Data)
	items := make([]float64, n)
	for i, v := range in.Score.Data {
		y := in.Target.Data[i]
		z := -y * v
		l, d := softplus(z), -y*sigmoid(z)
		switch flaw {
		case softMargin:
			e := math.Exp(z)
			l, d = math.Log1p(e), -y*e/(1+e)
		case logOfOnePlus:
			l = math.Max(z, 0) + math.Log(1+math.Exp(-math.Abs(z)))
		case baseTwo:
			l, d = l/math.Ln2, d/math.Ln2
		case labelsZeroOne:
			l, d = softplus(v)-y*v, sigmoid(v)-y
		case slopeWithoutSign:
			d = -sigmoid(z)
		case marginLinear:
			if z > 20 {
				l, d = z, -y
			} else if z < -37 {
				l, d = 0, 0
			}
		}
		items[i] = l
		grad.Score.Data[i] = share(in.Reduction, dOut, i, float64(n)) * d
	}
	reduce(out, in.Reduction, items, float64(n))
}
