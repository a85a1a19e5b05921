package mutants

import (
	"math"

	"github.com/goldenloss/goldenloss/reference/loss"
)

const (
	ofDifferences   = "difference of sums"
	maskTimes       = "mask times zero"
	maskOnTarget    = "mask on the target alone"
	absentDropped   = "absent items not counted"
	backgroundFirst = "background dropped before the activation"
	noActivation    = "gradient of the activation missing"
	oneSmoothing    = "one smoothing term"
	denominator     = "denominator detached"
	tieOfMin        = "ties of the minimum go to pred"
	floorPasses     = "gradient through the denominator floor"
	halfSmoothing   = "smoothing counted half"
	minusScore      = "minus the score"
	backgroundTimes = "background times zero"
)

// overlapFlaws are mistakes of every overlap loss.
var overlapFlaws = []flaw{
	{maskTimes, "multiplies removed pixels by 0, which keeps their NaN"},
	{maskOnTarget, "sets the target to 0 where a pixel is removed and counts its prediction"},
	{absentDropped, "leaves items without target out of the mean instead of counting them as 0"},
	{backgroundFirst, "drops the background channel before the softmax"},
	{noActivation, "gives the gradient by the activated prediction"},
	{oneSmoothing, "adds smooth_nr to the denominator too"},
	{halfSmoothing, "halves both smoothing terms"},
	{minusScore, "gives minus the score, as nnU-Net"},
	{denominator, "does not differentiate the denominator"},
	{tieOfMin, "gives min(p, t) the slope 1 at p = t"},
	{floorPasses, "differentiates the denominator below its floor"},
}

// overlapSizes tells the overlap losses apart: Num = factor I, Den = base I + F, F = fp times what is too much + fn times what is missing.
type overlapSizes struct{ factor, base, power, fp, fn float64 }

func overlapLoss(out, grad []float64, in *loss.Overlap[float64], r loss.Reduction, s overlapSizes, dOut []float64, flaw string) {
	fp, fn := s.fp, s.fn
	n, channels := in.Pred.Shape[0], in.Pred.Shape[1]
	space := loss.Size(in.Pred.Shape[2:])
	first := 0
	if !in.IncludeBackground {
		first = 1
	}
	at := func(i, c, s int) int { return (i*channels+c)*space + s }
	kept := func(i, s int) bool {
		return !(in.Mask.Given() && !in.Mask.Data[i*space+s]) &&
			!(in.TargetLabel.Given() && in.IgnoreIndex.Set && in.TargetLabel.Data[i*space+s] == int64(in.IgnoreIndex.Value))
	}
	from := 0 // first channel of the softmax
	if flaw == backgroundFirst {
		from = first
	}
	p := activate(in, from)
	target := func(i, c, s int) float64 {
		if in.Target.Given() {
			return in.Target.Data[at(i, c, s)]
		}
		if in.TargetLabel.Data[i*space+s] == int64(c) {
			return 1
		}
		return 0
	}
	item := func(i, c int) int {
		switch in.Omega {
		case "per_channel":
			return c - first
		case "per_sample":
			return i
		case "global":
			return 0
		}
		return i*(channels-first) + c - first
	}
	items := make([]float64, loss.Size(in.Items()))
	list := func() []float64 { return make([]float64, len(items)) }
	inter, diff, sizes, targets := list(), list(), list(), list()
	each := func(f func(item, at int, p, t float64, kept bool)) {
		for i := range n {
			if flaw == backgroundTimes && first == 1 {
				for s := range space {
					diff[item(i, 1)] += 0 * p[at(i, 0, s)]
				}
			}
			for c := first; c < channels; c++ {
				for s := range space {
					t := target(i, c, s)
					f(item(i, c), at(i, c, s), p[at(i, c, s)], t, kept(i, s))
				}
			}
		}
	}
	each(func(k, _ int, p, t float64, kept bool) {
		if !kept {
			switch flaw {
			case maskTimes:
				inter[k] += 0 * p
			case maskOnTarget:
				diff[k] += fp * math.Pow(math.Abs(p), s.power)
				sizes[k] += math.Pow(p, s.power)
			}
			return
		}
		targets[k] += t
		sizes[k] += math.Pow(p, s.power) + math.Pow(t, s.power)
		switch {
		case in.Intersection == "l1":
			inter[k] += math.Min(p, t)
			diff[k] += fp*math.Max(p-t, 0) + fn*math.Max(t-p, 0)
		case s.power == 2:
			inter[k] += p * t
			diff[k] += (p - t) * (p - t)
		default:
			inter[k] += p * t
			diff[k] += fp*p*(1-t) + fn*t*(1-p)
		}
	})
	smoothNr, smoothDr := in.SmoothNr, in.SmoothDr
	switch flaw {
	case oneSmoothing:
		smoothDr = in.SmoothNr
	case halfSmoothing:
		smoothNr, smoothDr = in.SmoothNr/2, in.SmoothDr/2
	}
	weights := make([]float64, len(items))
	for k := range weights {
		weights[k] = 1
		if in.ClassWeight.Given() {
			weights[k] = in.ClassWeight.Data[k%len(in.ClassWeight.Data)]
		}
	}
	z := float64(len(items))
	if in.WeightNorm == "sum" && in.ClassWeight.Given() {
		z = total(weights)
	}
	if flaw == absentDropped && in.Absent == "zero" {
		for k := range items {
			if targets[k] == 0 {
				z -= weights[k]
			}
		}
	}
	num, den, gap := list(), list(), list() // gap = den - num
	outer, scale := list(), list()          // cotangent of an item, derivative of its form
	floored := make([]bool, len(items))
	for k := range items {
		num[k] = s.factor*inter[k] + smoothNr
		den[k] = s.base*inter[k] + diff[k] + smoothDr
		gap[k] = diff[k] + smoothDr - smoothNr
		if flaw == ofDifferences {
			den[k] = sizes[k] + (s.base-2)*inter[k] + smoothDr
		}
		if flaw == ofDifferences || s.factor != s.base {
			gap[k] = den[k] - num[k]
		}
		scale[k] = 1
		if den[k] < in.DenFloor {
			den[k], gap[k], floored[k] = in.DenFloor, in.DenFloor-num[k], flaw != floorPasses
		}
		lost, score := gap[k]/den[k], num[k]/den[k]
		switch {
		case in.Absent == "zero" && targets[k] == 0 || weights[k] == 0:
			scale[k] = 0
			continue
		case den[k] == 0:
			items[k], scale[k] = in.EmptyValue*weights[k], 0
			continue
		case in.Form == "log" && score < in.LogFloor:
			items[k], scale[k] = -math.Log(in.LogFloor), 0
		case in.Form == "log" && lost < 0.5:
			items[k], scale[k] = -math.Log1p(-lost), 1/score
		case in.Form == "log":
			items[k], scale[k] = -math.Log(score), 1/score
		default:
			if items[k] = lost; flaw == minusScore {
				items[k] = -score
			}
		}
		items[k] *= weights[k]
		outer[k] = share(r, dOut, k, z) * weights[k]
	}
	g := make([]float64, len(p))
	each(func(k, at int, p, t float64, kept bool) {
		if !kept && flaw != maskOnTarget || scale[k] == 0 {
			return
		}
		if !kept {
			t = 0
		}
		var dI, dF float64
		switch {
		case in.Intersection == "l1":
			dI = 0.5
			if p != t {
				dI = (1 - sign(p-t)) / 2
			} else if flaw == tieOfMin {
				dI = 1
			}
			dF = fp*(1-dI) - fn*dI
			if flaw == tieOfMin && p == t {
				dF = (fp - fn) / 2
			}
		case s.power == 2:
			dI, dF = t, 2*(p-t)
		default:
			dI, dF = t, fp*(1-t)-fn*t
		}
		dNum, dDen, dGap := s.factor*dI, s.base*dI+dF, dF+(s.base-s.factor)*dI
		if floored[k] || flaw == denominator {
			dGap, dDen = -dNum, 0
		}
		g[at] = outer[k] * scale[k] * (dGap - gap[k]/den[k]*dDen) / den[k]
	})
	if flaw == noActivation {
		copy(grad, g)
	} else {
		deactivate(in, grad, p, g, from)
	}
	reduce(out, r, items, z)
}

// activate returns the memberships; the softmax begins at channel from.
func activate(in *loss.Overlap[float64], from int) []float64 {
	p := make([]float64, len(in.Pred.Data))
	copy(p, in.Pred.Data)
	switch in.Activation {
	case "sigmoid":
		for i, x := range p {
			p[i] = sigmoid(x)
		}
	case "softmax":
		columns(in, from, func(at []int) {
			m, s := math.Inf(-1), 0.0
			for _, i := range at {
				m = math.Max(m, in.Pred.Data[i])
			}
			for _, i := range at {
				p[i] = math.Exp(in.Pred.Data[i] - m)
				s += p[i]
			}
			for _, i := range at {
				p[i] /= s
			}
		})
	}
	return p
}

// deactivate turns the gradient by the memberships into that by the input.
func deactivate(in *loss.Overlap[float64], grad, p, g []float64, from int) {
	switch in.Activation {
	case "none":
		copy(grad, g)
	case "sigmoid":
		for i, x := range in.Pred.Data {
			grad[i] = g[i] * p[i] * sigmoid(-x)
		}
	case "softmax":
		columns(in, from, func(at []int) {
			for _, i := range at {
				for _, k := range at {
					grad[i] += p[i] * p[k] * (g[i] - g[k])
				}
			}
		})
	}
}

// columns calls f with the indices of the channels of every pixel.
func columns(in *loss.Overlap[float64], from int, f func(at []int)) {
	channels, space := in.Pred.Shape[1], loss.Size(in.Pred.Shape[2:])
	for i := range in.Pred.Shape[0] {
		for s := range space {
			var at []int
			for c := from; c < channels; c++ {
				at = append(at, (i*channels+c)*space+s)
			}
			f(at)
		}
	}
}
