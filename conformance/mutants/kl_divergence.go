package mutants

import (
	"math"

	"github.com/goldenloss/goldenloss/reference/loss"
)

const (
	expandedLog       = "p log p - p log q"
	zeroTimesLogQ     = "zero target times infinity"
	directionSwapped  = "direction exchanged"
	correction        = "q - p added"
	lastAxisMean      = "batchmean over all axes but the last"
	slopeOfOne        = "target gradient without one"
	logSlope          = "gradient of the target for that of its logarithm"
	slopeNotNaN       = "gradient -p at NaN"
	clippedTarget     = "target clipped"
	zeroSlope         = "finite gradient at a target of zero"
	underflowedTarget = "logarithm of subnormal targets"
	gradientNormal    = "gradient q - p"
)

var klDivergenceFlaws = []flaw{
	{expandedLog, "computes p log p - p log q, which cancels where P is next to Q"},
	{zeroTimesLogQ, "multiplies a target of 0 by infinite logarithms, which gives NaN"},
	{directionSwapped, "computes KL(Q || P)"},
	{correction, "adds q - p, as SciPy's kl_div"},
	{lastAxisMean, "divides batchmean by the product of all axes but the last"},
	{slopeOfOne, "gives log p - log q as the gradient of p"},
	{logSlope, "gives the gradient of p where that of log p is asked"},
	{slopeNotNaN, "gives the gradient -p where log q is NaN"},
	{clippedTarget, "clips p to [1e-7, 1], as Keras"},
	{zeroSlope, "gives the gradient 0 at p = 0"},
	{underflowedTarget, "takes 0 for targets below the normal numbers"},
	{gradientNormal, "gives q - p, the gradient of the logits, for that of log q"},
}

func klDivergence(out []float64, grad, in *loss.KLDivergence[float64], dOut []float64, flaw string) {
	n := len(in.LogQ.Data)
	z := float64(n)
	if in.Reduction == loss.BatchMean {
		z = float64(in.LogQ.Shape[0])
		if flaw == lastAxisMean {
			z = 1
			for _, d := range in.LogQ.Shape[:len(in.LogQ.Shape)-1] {
				z *= float64(d)
			}
		}
	}
	items := make([]float64, n)
	for i, x := range in.LogQ.Data {
		t := in.Target.Data[i]
		l, dx, dt := divergenceTerm(x, t, in.LogTarget, flaw)
		items[i] = l
		c := share(in.Reduction, dOut, i, z)
		grad.LogQ.Data[i], grad.Target.Data[i] = c*dx, c*dt
	}
	reduce(out, in.Reduction, items, z)
}

func divergenceTerm(x, t float64, logTarget bool, flaw string) (l, dx, dt float64) {
	p, lp := t, math.Log(t)
	if logTarget {
		p, lp = math.Exp(t), t
	} else if t > 0 && t < 0x1p-1022 {
		lp = math.Log(t*0x1p60) - 60*math.Ln2
		if flaw == underflowedTarget {
			p, lp = 0, math.Inf(-1)
		}
	}
	if flaw == clippedTarget {
		p = math.Max(1e-7, math.Min(p, 1))
		lp = math.Log(p)
	}
	if flaw == directionSwapped {
		q := math.Exp(x)
		return q * (x - lp), q * (x - lp + 1), -q / p
	}
	l, dx, dt = p*(lp-x), -p, lp+1-x
	if flaw == slopeOfOne {
		dt = lp - x
	}
	if logTarget && flaw != logSlope {
		dt *= p
	}
	switch {
	case x != x || t != t:
		l, dt = math.NaN(), math.NaN()
		if flaw != slopeNotNaN {
			dx = math.NaN()
		}
		return l, dx, dt
	case p == 0 && flaw != zeroTimesLogQ:
		l, dx = 0, 0
		if logTarget || flaw == zeroSlope {
			dt = 0
		}
	case flaw == expandedLog:
		l = p*lp - p*x
	}
	if flaw == correction {
		l, dx, dt = l+math.Exp(x)-p, dx+math.Exp(x), dt-1
	}
	if flaw == gradientNormal {
		dx += math.Exp(x)
	}
	return l, dx, dt
}
