package mutants

import (
	"math"

	"github.com/goldenloss/goldenloss/reference/loss"
)

const (
	advLogs      = "logarithm of the sigmoid"
	advOneMinus  = "one minus the sigmoid"
	advLinear    = "softplus linear above 20"
	advHalf      = "smoothed label towards one half"
	advOther     = "gradient of the other generator"
	advZeroTimes = "zero coefficient times infinity"
	advFirstDim  = "mean of positions summed over samples"
)

var adversarialFlaws = []flaw{
	{advLogs, "takes the logarithm of sigmoid and of 1 - sigmoid, which is infinite or 0 for large logits"},
	{advOneMinus, "takes 1 - sigmoid(z) for sigmoid(-z) in the gradient"},
	{advLinear, "replaces softplus by the identity above 20"},
	{advHalf, "smooths the real label to 1 - s/2"},
	{advOther, "gives each generator the gradient of the other"},
	{advZeroTimes, "multiplies the softplus that does not count by 0, which is NaN at infinity"},
	{advFirstDim, "divides the mean by the first dim alone"},
}

// streamTerm is on softplus(z) + off softplus(-z) and its derivative.
func streamTerm(on, off, z float64, flaw string) (l, d float64) {
	plus, minus, up, down := softplus(z), softplus(-z), sigmoid(z), sigmoid(-z)
	switch {
	case flaw == advLogs:
		p := 1 / (1 + math.Exp(-z))
		plus, minus = -math.Log(1-p), -math.Log(p)
	case flaw == advOneMinus:
		down = 1 - up
	case flaw == advLinear && z > 20:
		plus = z
	case flaw == advLinear && z < -20:
		minus = -z
	}
	if on != 0 || flaw == advZeroTimes {
		l, d = l+on*plus, d+on*up
	}
	if off != 0 || flaw == advZeroTimes {
		l, d = l+off*minus, d-off*down
	}
	return l, d
}

func adversarial(out []float64, grad, in *loss.Adversarial[float64], dOut []float64, flaw string) {
	z := float64(len(in.Logits.Data))
	if flaw == advFirstDim && len(in.Logits.Shape) > 1 {
		z = float64(in.Logits.Shape[0])
	}
	s := in.LabelSmoothing
	if flaw == advHalf {
		s /= 2
	}
	items := make([]float64, len(in.Logits.Data))
	for i, x := range in.Logits.Data {
		var l, d float64
		role := in.Role
		switch role {
		case "d_real":
			l, d = streamTerm(s, 1-s, x, flaw)
		case "g_ns":
			l, d = streamTerm(0, 1, x, flaw)
			if flaw == advOther {
				d = -sigmoid(x)
			}
		default:
			l, d = streamTerm(1, 0, x, flaw)
			if role == "g_sat" {
				l, d = -l, -d
				if flaw == advOther {
					d = -sigmoid(-x)
				}
			}
		}
		items[i] = l
		grad.Logits.Data[i] = share(in.Reduction, dOut, i, z) * d
	}
	reduce(out, in.Reduction, items, z)
}
