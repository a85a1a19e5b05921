package reference

import (
	"math"

	"github.com/goldenloss/goldenloss/reference/loss"
)

// categoricalRow returns the item of a row and its gradient. y is smoothed already.
func categoricalRow(p, y []float64, eps float64, normalize bool) (l float64, d []float64) {
	d = make([]float64, len(p))
	s, rest := sum(p), without(p)
	valid := !(normalize && s == 0)
	for c := range p {
		valid = valid && !math.IsNaN(p[c]) && !math.IsInf(p[c], 0) && !math.IsNaN(y[c])
	}
	if !valid {
		for c := range d {
			d[c] = math.NaN()
		}
		return math.NaN(), d
	}
	var item accumulator
	inside := make([]float64, len(p)) // y where the clamp passes
	for c := range p {
		if y[c] == 0 {
			continue
		}
		o, left := p[c], 1-p[c] // left is 1 - o
		if normalize {
			o, left = p[c]/s, rest[c]/s
		}
		switch {
		case eps > 0 && o < eps:
			item.add(y[c] * -log(eps))
		case eps > 0 && left < eps:
			item.add(y[c] * -math.Log1p(-eps))
		default:
			inside[c] = y[c]
			if normalize && left < o {
				item.add(y[c] * -math.Log1p(-left))
			} else if normalize && o < 0x1p-1000 { // the quotient may be 0
				item.add(y[c] * (log(s) - log(p[c])))
			} else {
				item.add(y[c] * -log(o))
			}
		}
	}
	others := without(inside)
	for j := range d {
		switch {
		case normalize && inside[j] == 0:
			d[j] = others[j] / s
		case normalize: // (sum y - y_j s/p_j)/s
			d[j] = (others[j] - inside[j]*(rest[j]/p[j])) / s
		case inside[j] != 0:
			d[j] = -inside[j] / p[j]
		}
	}
	return item.value(), d
}

// categoricalRows calls row with the item and the gradient of every row.
func categoricalRows(in *loss.CategoricalCrossEntropy[float64], row func(i int, l float64, d []float64, at func(c int) int)) {
	outer, classes, inner := loss.AlongAxis(in.Prob.Shape, in.Axis)
	p, y := make([]float64, classes), make([]float64, classes)
	a := in.LabelSmoothing
	for i := range outer * inner {
		at := func(c int) int { return (i/inner*classes+c)*inner + i%inner }
		for c := range classes {
			p[c], y[c] = in.Prob.Data[at(c)], in.TargetProb.Data[at(c)]
			if a != 0 {
				y[c] = y[c]*(1-a) + a/float64(classes)
			}
		}
		l, d := categoricalRow(p, y, in.Eps, in.Normalize)
		if math.IsNaN(l) {
			fillNaN(d)
		}
		row(i, l, d, at)
	}
}

func rowsAlong(shape []int, axis int) int {
	outer, _, inner := loss.AlongAxis(shape, axis)
	return outer * inner
}

// CategoricalCrossEntropy is the value of the cross-entropy of normalized and clipped probabilities.
func CategoricalCrossEntropy(in *loss.CategoricalCrossEntropy[float64]) []float64 {
	items := make([]float64, rowsAlong(in.Prob.Shape, in.Axis))
	categoricalRows(in, func(i int, l float64, _ []float64, _ func(int) int) { items[i] = l })
	return reduce(in.Reduction, items, float64(len(items)))
}

// CategoricalCrossEntropyGrad is its vector-Jacobian product.
func CategoricalCrossEntropyGrad(in *loss.CategoricalCrossEntropy[float64], dOut []float64) *loss.CategoricalCrossEntropy[float64] {
	g := &loss.CategoricalCrossEntropy[float64]{Prob: zeros(in.Prob)}
	n := rowsAlong(in.Prob.Shape, in.Axis)
	weights := itemWeights(in.Reduction, n, float64(n), dOut)
	categoricalRows(in, func(i int, _ float64, d []float64, at func(int) int) {
		for c := range d {
			g.Prob.Data[at(c)] = weights[i] * d[c]
		}
	})
	return g
}
