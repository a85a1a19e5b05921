package mutants

import (
	"math"

	"github.com/goldenloss/goldenloss/reference/loss"
)

const (
	topSubtracted   = "upper clip by 1 - eps"
	topInFloat32    = "upper clip in float32"
	clippedFirst    = "clipped before normalized"
	sumConstant     = "sum not differentiated"
	throughClip     = "gradient through the clip"
	strictClip      = "no gradient at the clip"
	epsInLog        = "eps added to the share"
	lowerOnly       = "no upper clip"
	shareLogarithm  = "logarithm of shares next to 1"
	slopeDifference = "1/s minus 1/p"
	zeroLogZero     = "0 log 0 not dropped"
	onesClipped     = "values above 1 clipped without eps"
	emptyRow        = "sum of 0 taken for 1"
	smoothAfter     = "smoothing of the row sum"
)

var categoricalCrossEntropyFlaws = []flaw{
	{topSubtracted, "takes log(1 - eps), whose digits are those of 1, for log1p(-eps)"},
	{topInFloat32, "clips at the float32 number next to 1 - eps"},
	{clippedFirst, "clips probabilities and then divides by their sum"},
	{sumConstant, "takes the sum of the row for a constant in the gradient"},
	{throughClip, "gives the gradient of the logarithm also where the clamp holds"},
	{strictClip, "gives no gradient where a share is exactly eps or 1 - eps"},
	{epsInLog, "takes log(p/s + eps) in place of a clamp"},
	{lowerOnly, "clips from below alone"},
	{shareLogarithm, "takes log(p/s) where p/s rounds to 1"},
	{slopeDifference, "takes 1/s - y/p, which cancels for a sure row"},
	{zeroLogZero, "multiplies log 0 by a target of 0"},
	{onesClipped, "clips at 1 where eps is 0"},
	{emptyRow, "divides a row of zeros by 1"},
	{renormalized, "divides target_prob by its sum"},
	{smoothOthers, "spreads the smoothing over the C-1 other classes"},
	{smoothAfter, "adds a/C times the sum of the target row in place of a/C"},
	{classesFirst, "takes axis 1 for the axis of the classes, whichever is asked"},
}

func categoricalCrossEntropy(out []float64, grad, in *loss.CategoricalCrossEntropy[float64], dOut []float64, flaw string) {
	axis := in.Axis
	if flaw == classesFirst && len(in.Prob.Shape) > 1 {
		axis = 1
	}
	outer, classes, inner := loss.AlongAxis(in.Prob.Shape, axis)
	items := make([]float64, outer*inner)
	for i := range items {
		p, y := make([]float64, classes), make([]float64, classes)
		at := func(c int) int { return (i/inner*classes+c)*inner + i%inner }
		for c := range p {
			p[c], y[c] = in.Prob.Data[at(c)], in.TargetProb.Data[at(c)]
		}
		smooth(y, in.LabelSmoothing, flaw)
		l, d := clippedRow(p, y, in.Eps, in.Normalize, flaw)
		items[i] = l
		for c := range d {
			grad.Prob.Data[at(c)] = d[c] * share(in.Reduction, dOut, min(i, len(dOut)-1), float64(len(items)))
		}
	}
	reduce(out, in.Reduction, items, float64(len(items)))
}

func smooth(y []float64, a float64, flaw string) {
	s, k := total(y), float64(len(y))
	for c := range y {
		if flaw == renormalized && s > 0 {
			y[c] /= s
		}
		floor := a / k
		if flaw == smoothAfter {
			floor *= s
		}
		if flaw == smoothOthers && k > 1 {
			floor = a / (k - 1)
			if y[c] == 1 {
				floor = 0
			}
		}
		y[c] = y[c]*(1-a) + floor
	}
}

func clippedRow(p, y []float64, eps float64, normalize bool, flaw string) (l float64, d []float64) {
	k := len(p)
	d = make([]float64, k)
	if flaw == clippedFirst && eps > 0 {
		clamped := make([]float64, k)
		for c := range p {
			clamped[c] = math.Max(eps, math.Min(p[c], 1-eps))
		}
		p, eps = clamped, 0
	}
	rest := make([]float64, k)
	for c := range p {
		for j := range p {
			if j != c {
				rest[c] += p[j]
			}
		}
	}
	s, valid := 1.0, true
	if normalize {
		s = total(p)
		if s == 0 && flaw == emptyRow {
			s = 1
		}
		valid = s != 0
	}
	for c := range p {
		valid = valid && !math.IsInf(p[c], 0) && !math.IsNaN(p[c]) && !math.IsNaN(y[c])
	}
	if !valid {
		for c := range d {
			d[c] = math.NaN()
		}
		return math.NaN(), d
	}
	passed := make([]float64, k)
	for c := range p {
		o, left := p[c]/s, 1-p[c]
		if normalize {
			left = rest[c] / s
		}
		if y[c] == 0 && flaw != zeroLogZero {
			continue
		}
		low, high := o < eps, left < eps
		if flaw == strictClip {
			low, high = o <= eps, left <= eps
		}
		if flaw == topInFloat32 {
			high = o > float64(float32(1-eps))
		}
		if eps == 0 {
			low, high = false, flaw == onesClipped && o > 1
		}
		if flaw == lowerOnly {
			high = false
		}
		passed[c] = y[c]
		term := -math.Log(o)
		if o > 0.5 && normalize && flaw != shareLogarithm {
			term = -math.Log1p(-left)
		}
		switch {
		case flaw == epsInLog:
			term = -math.Log(o + eps)
		case low:
			term, passed[c] = -math.Log(eps), 0
		case high && flaw == topSubtracted:
			term, passed[c] = -math.Log(1-eps), 0
		case high && flaw == topInFloat32:
			term, passed[c] = -math.Log(float64(float32(1-eps))), 0
		case high:
			term, passed[c] = -math.Log1p(-eps), 0
		}
		if flaw == throughClip {
			passed[c] = y[c]
		}
		l += y[c] * term
	}
	for j := range d {
		others := 0.0
		for c := range passed {
			if c != j {
				others += passed[c]
			}
		}
		switch {
		case !normalize || flaw == sumConstant:
			if passed[j] != 0 {
				d[j] = -passed[j] / p[j]
			}
		case flaw == slopeDifference:
			d[j] = (others + passed[j]) / s
			if passed[j] != 0 {
				d[j] -= passed[j] / p[j]
			}
		case passed[j] == 0:
			d[j] = others / s
		default:
			d[j] = (others - passed[j]*(rest[j]/p[j])) / s
		}
	}
	return l, d
}
