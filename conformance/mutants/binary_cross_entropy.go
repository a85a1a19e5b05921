package mutants

import (
	"math"

	"github.com/goldenloss/goldenloss/reference/loss"
)

const (
	logOfOneMinus    = "log(1-p)"
	zeroTimesLog     = "zero times log 0"
	itemFloored      = "item floored"
	slopeEpsAdded    = "grad_eps added"
	epsOfProb        = "grad_eps as a clamp of p"
	twoFractions     = "gradient as two fractions"
	openClamp        = "clamp passes no gradient at its ends"
	clampedGradient  = "gradient passes outside the clamp"
	subtractedClamp  = "1 minus the clamped probability"
	clipEpsAdded     = "clip_eps added to the probabilities"
	subnormalLog     = "logarithm of subnormal numbers"
	probMeanWeights  = "mean over the weights of the probabilities"
	probWeightTimes0 = "weight of zero times NaN of the probability"
)

var binaryCrossEntropyFlaws = []flaw{
	{logOfOneMinus, "computes log(1-p), which is 0 for small p"},
	{zeroTimesLog, "multiplies logarithms by coefficients of 0, which makes NaN of log 0 without a guard"},
	{itemFloored, "caps the item at -log_floor in place of each logarithm"},
	{slopeEpsAdded, "adds grad_eps to p (1-p) in place of taking the larger"},
	{epsOfProb, "takes the derivative at p clamped to [grad_eps, 1-grad_eps]"},
	{twoFractions, "computes -y/p + (1-y)/(1-p), which cancels where p is next to y"},
	{openClamp, "passes no gradient at the ends of the clamp"},
	{clampedGradient, "takes the gradient at the clamped p, outside the clamp too"},
	{subtractedClamp, "takes 1-p from the rounded 1-clip_eps, and clip_eps has lost its digits"},
	{clipEpsAdded, "takes log(p + clip_eps) in place of a clamp"},
	{subnormalLog, "takes 0 for p below the normal numbers"},
	{probMeanWeights, "divides the mean by the sum of the weights"},
	{probWeightTimes0, "multiplies by a weight of 0 in place of leaving out"},
}

func binaryCrossEntropy(out []float64, grad, in *loss.BinaryCrossEntropy[float64], dOut []float64, flaw string) {
	n := len(in.Prob.Data)
	items, slopes, weights := make([]float64, n), make([]float64, n), make([]float64, n)
	for i, p := range in.Prob.Data {
		y := in.Target.Data[i]
		w := binaryBroadcast(in.Weight, in.Prob.Shape, i, false)
		weights[i] = w
		if w == 0 && flaw != probWeightTimes0 {
			continue
		}
		items[i], slopes[i] = bernoulliTerm(in, p, y, flaw)
		items[i], slopes[i] = w*items[i], w*slopes[i]
	}
	z := float64(n)
	if flaw == probMeanWeights {
		z = total(weights)
	}
	for i, d := range slopes {
		grad.Prob.Data[i] = share(in.Reduction, dOut, i, z) * d
	}
	reduce(out, in.Reduction, items, z)
}

func bernoulliTerm(in *loss.BinaryCrossEntropy[float64], p, y float64, flaw string) (l, d float64) {
	if flaw == subnormalLog && p < 0x1p-1022 {
		p = 0
	}
	logP, logQ, q, passes := math.Log(p), math.Log1p(-p), 1-p, true
	if p > 0 && p < 0x1p-1022 {
		logP = math.Log(p*0x1p52) - 52*math.Ln2
	}
	if flaw == logOfOneMinus {
		logQ = math.Log(1 - p)
	}
	floor := math.Inf(-1)
	e := in.ClipEps
	switch {
	case in.Guard == "clip" && flaw == clipEpsAdded:
		logP, logQ = math.Log(p+e), math.Log(q+e)
	case in.Guard == "log_floor":
		floor = in.LogFloor
	case in.Guard == "clip" && p < e:
		p, q, logP, logQ, passes = e, 1-e, math.Log(e), math.Log1p(-e), false
	case in.Guard == "clip" && q < e:
		p, q, logP, logQ, passes = 1-e, e, math.Log1p(-e), math.Log(e), false
		if flaw == subtractedClamp {
			q = 1 - p
			logP, logQ = math.Log(p), math.Log(q)
		}
	case in.Guard == "clip" && (p == e || q == e) && flaw == openClamp:
		passes = false
	}
	lowP, lowQ := logP < floor, logQ < floor
	if flaw == itemFloored {
		lowP, lowQ = false, false
	}
	if lowP {
		logP = floor
	}
	if lowQ {
		logQ = floor
	}
	times := func(c, x float64) float64 {
		if c == 0 && x == x && flaw != zeroTimesLog {
			return 0
		}
		return c * x
	}
	l = -times(y, logP) - times(1-y, logQ)
	if flaw == itemFloored && in.Guard == "log_floor" {
		l = math.Min(l, -floor)
	}
	switch {
	case in.Guard == "log_floor" && in.GradMode == "torch":
		d = (p - y) / math.Max(p*(1-p), in.GradEps)
		if flaw == slopeEpsAdded {
			d = (p - y) / (p*(1-p) + in.GradEps)
		}
		if flaw == epsOfProb {
			c := math.Max(in.GradEps, math.Min(p, 1-in.GradEps))
			d = (c - y) / (c * (1 - c))
		}
	case l != l:
		d = l
	case !passes && flaw != clampedGradient:
		d = 0
	case lowP || lowQ || y == 0 || y == 1 || flaw == twoFractions:
		if y != 0 && !lowP {
			d -= y / p
		}
		if y != 1 && !lowQ {
			d += (1 - y) / q
		}
	default:
		d = (p - y) / (p * q)
	}
	return l, d
}
