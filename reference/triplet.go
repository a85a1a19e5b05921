package reference

import (
	"math"

	"github.com/goldenloss/goldenloss/reference/loss"
)

// pnorm is the p-norm of v, scaled by its largest entry.
func pnorm(v []float64, p float64) float64 {
	if p == 2 {
		return norm(v)
	}
	m := 0.0
	for _, x := range v {
		m = max(m, math.Abs(x)) // not math.Max, which is Inf for Inf and NaN
	}
	if m == 0 || math.IsNaN(m) || math.IsInf(m, 0) || math.IsInf(p, 1) {
		return m
	}
	var a accumulator
	for _, x := range v {
		if p == 1 {
			a.add(math.Abs(x))
		} else {
			a.add(math.Pow(math.Abs(x/m), p))
		}
	}
	if p == 1 {
		return a.value()
	}
	return m * math.Pow(a.value(), 1/p)
}

// pnormGrad is the derivative of the p-norm: sign(v_k) (|v_k|/||v||)^(p-1).
func pnormGrad(v []float64, p float64) []float64 {
	d := make([]float64, len(v))
	n := pnorm(v, p)
	for k, x := range v {
		switch {
		case p == 1:
			d[k] = sign(x)
		case math.IsInf(p, 1):
			if math.Abs(x) == n {
				d[k] = sign(x)
				return d
			}
		case math.IsInf(x, 0): // the limit, for one infinite entry
			d[k] = sign(x)
		case n > 0 && p == 2:
			d[k] = x / n
		case n > 0:
			d[k] = sign(x) * math.Pow(math.Abs(x)/n, p-1)
		}
	}
	return d
}

// tripletRow returns the differences of a triplet, whose norms are the distances, and the item.
func tripletRow(in *loss.Triplet[float64], i int) (ap, an, pn []float64, item float64) {
	dims := in.Anchor.Shape[1]
	row := func(x []float64) []float64 { return x[i*dims : (i+1)*dims] }
	difference := func(x, y []float64) []float64 {
		v := make([]float64, dims)
		for k := range v {
			v[k] = x[k] - y[k] + in.Eps
		}
		return v
	}
	a, p, n := row(in.Anchor.Data), row(in.Positive.Data), row(in.Negative.Data)
	ap, an, pn = difference(a, p), difference(a, n), difference(p, n)
	negative := pnorm(an, in.P)
	if in.Swap {
		negative = math.Min(negative, pnorm(pn, in.P))
	}
	return ap, an, pn, math.Max(0, in.Margin+pnorm(ap, in.P)-negative)
}

// Triplet is the value of the triplet margin loss.
func Triplet(in *loss.Triplet[float64]) []float64 {
	items := make([]float64, in.Anchor.Shape[0])
	for i := range items {
		_, _, _, items[i] = tripletRow(in, i)
	}
	return reduce(in.Reduction, items, float64(len(items)))
}

// TripletGrad is its vector-Jacobian product.
func TripletGrad(in *loss.Triplet[float64], dOut []float64) *loss.Triplet[float64] {
	g := &loss.Triplet[float64]{Anchor: zeros(in.Anchor), Positive: zeros(in.Positive), Negative: zeros(in.Negative)}
	n, dims := in.Anchor.Shape[0], in.Anchor.Shape[1]
	c := itemWeights(in.Reduction, n, float64(n), dOut)
	for i := range n {
		ap, an, pn, item := tripletRow(in, i)
		if item == 0 {
			continue
		}
		swapped := 0.0 // the share of d(p, n)
		if in.Swap {
			switch a, p := pnorm(an, in.P), pnorm(pn, in.P); {
			case p < a:
				swapped = 1
			case p == a:
				swapped = 0.5
			}
		}
		dap, dan, dpn := pnormGrad(ap, in.P), pnormGrad(an, in.P), pnormGrad(pn, in.P)
		for k := range dims {
			at := i*dims + k
			if math.IsNaN(item) {
				g.Anchor.Data[at], g.Positive.Data[at], g.Negative.Data[at] = item, item, item
				continue
			}
			g.Anchor.Data[at] = c[i] * (dap[k] - (1-swapped)*dan[k])
			g.Positive.Data[at] = c[i] * (-dap[k] - swapped*dpn[k])
			g.Negative.Data[at] = c[i] * ((1-swapped)*dan[k] + swapped*dpn[k])
		}
	}
	return g
}
