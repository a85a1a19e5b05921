package mutants

import (
	"math"

	"github.com/goldenloss/goldenloss/reference/loss"
)

const (
	differenceReversed = "n - a in place of a - n"
	epsInsideRoot      = "eps inside the root"
	epsForgotten       = "eps forgotten"
	signedSums         = "no absolute value"
	squaredDistances   = "squared distances"
	plainSquares       = "squares without scaling"
	largerWithSwap     = "larger distance with swap"
	swapGradient       = "swap without its gradient"
	tieToAnchor        = "tie of swap to the anchor"
	unitOfZero         = "unit vector of 0"
	tieShared          = "tied maxima share"
	positiveDetached   = "gradient of the negative alone"
	anchorLikePositive = "gradient of the anchor from the positive alone"
	euclideanSlope     = "order of the norm 2 in the gradient"
	hundredForInfinity = "p = Inf as p = 100"
)

var tripletFlaws = []flaw{
	{differenceReversed, "subtracts the anchor from the negative, which shows through eps"},
	{epsInsideRoot, "adds eps to the sum under the root, not to every difference"},
	{epsForgotten, "has no eps"},
	{signedSums, "sums differences for p = 1 without absolute values"},
	{squaredDistances, "compares squared distances"},
	{plainSquares, "does not scale before it raises to the power p"},
	{largerWithSwap, "takes the larger of the two distances to the negative"},
	{swapGradient, "sends the gradient of the distance to the negative to the anchor, also where the positive is nearer"},
	{tieToAnchor, "gives the whole gradient to the anchor where both distances to the negative are equal"},
	{unitOfZero, "divides by a distance of 0"},
	{tieShared, "splits the gradient of the largest coordinate among equals"},
	{positiveDetached, "gives no gradient through the distance to the positive"},
	{anchorLikePositive, "gives the anchor no gradient through the distance to the negative"},
	{euclideanSlope, "differentiates every norm like the Euclidean"},
	{hundredForInfinity, "takes 100 for an infinite order"},
	{activeOnKink, "is active where the hinge is exactly 0, as PyTorch is"},
	{comparedWithNaN, "asks whether the hinge is positive, which is false for NaN"},
	{meanOfActive, "divides the mean by the number of triplets that are not 0"},
}

// orderedNorm returns the p-norm of v and its derivative.
func orderedNorm(v []float64, p, eps float64, flaw string) (float64, []float64) {
	d := make([]float64, len(v))
	top, bad := 0.0, false
	for _, x := range v {
		bad = bad || x != x
		top = math.Max(top, math.Abs(x))
	}
	m := top
	if m == 0 || math.IsInf(m, 0) || flaw == plainSquares {
		m = 1
	}
	if flaw == hundredForInfinity && math.IsInf(p, 1) {
		p = 100
	}
	var n float64
	terms := make([]float64, len(v))
	for k, x := range v {
		terms[k] = math.Pow(math.Abs(x/m), p)
		if flaw == signedSums && p == 1 {
			terms[k] = x / m
		}
	}
	n = total(terms)
	if flaw == epsInsideRoot {
		n += eps
	}
	if n = m * math.Pow(n, 1/p); math.IsInf(p, 1) {
		n = top
	}
	ties := 0.0
	for _, x := range v {
		if math.Abs(x) == top {
			ties++
		}
	}
	q := p
	if flaw == euclideanSlope {
		q = 2
	}
	for k, x := range v {
		switch {
		case bad:
			d[k] = math.NaN()
		case n == 0 && flaw != unitOfZero:
		case math.IsInf(q, 1):
			if math.Abs(x) == top {
				d[k] = sign(x)
				if flaw == tieShared {
					d[k] /= ties
					continue
				}
				return n, d
			}
		case q == 1:
			if d[k] = sign(x); flaw == signedSums {
				d[k] = 1
			}
		case math.IsInf(x, 0):
			d[k] = sign(x)
		default:
			d[k] = sign(x) * math.Pow(math.Abs(x)/n, q-1)
		}
	}
	if flaw == squaredDistances {
		for k := range d {
			d[k] *= 2 * n
		}
		n *= n
	}
	return n, d
}

func triplet(out []float64, grad, in *loss.Triplet[float64], dOut []float64, flaw string) {
	n, dims := in.Anchor.Shape[0], in.Anchor.Shape[1]
	eps := in.Eps
	if flaw == epsForgotten {
		eps = 0
	}
	items, active := make([]float64, n), 0.0
	g := make([]float64, 3*n*dims) // by item, not yet weighted
	for i := range n {
		distance := func(x, y []float64) (float64, []float64) {
			v := make([]float64, dims)
			for k := range v {
				if v[k] = x[i*dims+k] - y[i*dims+k]; flaw != epsInsideRoot {
					v[k] += eps
				}
			}
			return orderedNorm(v, in.P, eps, flaw)
		}
		a, p, q := in.Anchor.Data, in.Positive.Data, in.Negative.Data
		ap, dap := distance(a, p)
		an, dan := distance(a, q)
		if flaw == differenceReversed {
			an, dan = distance(q, a)
			for k := range dan {
				dan[k] = -dan[k]
			}
		}
		dpn, far, share := make([]float64, dims), an, 0.0
		if in.Swap {
			var pn float64
			pn, dpn = distance(p, q)
			switch {
			case pn != pn:
				far = pn
			case pn < an && flaw != largerWithSwap, pn > an && flaw == largerWithSwap:
				if far, share = pn, 1; flaw == swapGradient {
					share = 0
				}
			case pn == an && flaw != tieToAnchor:
				share = 0.5
			}
		}
		u := in.Margin + ap - far
		switch {
		case u != u && flaw != comparedWithNaN:
			items[i] = u
			for k := range 3 * dims {
				g[3*i*dims+k] = u
			}
			continue
		case u > 0:
			items[i] = u
			active++
		case u == 0 && flaw == activeOnKink:
		default:
			continue
		}
		for k := range dims {
			to := g[3*(i*dims+k):]
			pull, push, side := dap[k], (1-share)*dan[k], share*dpn[k]
			if flaw == positiveDetached {
				pull = 0
			}
			to[0], to[1], to[2] = pull-push, -pull-side, push+side
			if flaw == anchorLikePositive {
				to[0] = pull
			}
		}
	}
	z := float64(n)
	if flaw == meanOfActive {
		z = active
	}
	for j := range n * dims {
		c := share(in.Reduction, dOut, j/dims, z)
		grad.Anchor.Data[j], grad.Positive.Data[j], grad.Negative.Data[j] = c*g[3*j], c*g[3*j+1], c*g[3*j+2]
	}
	reduce(out, in.Reduction, items, z)
}
