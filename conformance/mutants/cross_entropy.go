package mutants

import (
	"math"

	"github.com/goldenloss/goldenloss/reference/loss"
)

const (
	logOfSum         = "logarithm of the whole sum"
	noMaximum        = "exponentials without the maximum"
	minusOne         = "probability minus one"
	meanOfAllRows    = "mean over ignored rows too"
	meanUnweighted   = "mean over the number of rows"
	smoothByTarget   = "smoothing weighted by the target class"
	smoothOthers     = "smoothing over the other classes"
	ignoredTimesZero = "ignored rows times zero"
	renormalized     = "target_prob renormalized"
	plainResidual    = "gradient p - q"
	classesLast      = "classes on the last axis"
	meanByTargetProb = "mean over the weights of target_prob"
)

var crossEntropyFlaws = []flaw{
	{logOfSum, "takes log(sum exp) with the maximum inside, which loses a small loss"},
	{noMaximum, "does not subtract the maximum, so logits of 1000 overflow"},
	{minusOne, "takes p - 1 at the target, which cancels for a sure prediction"},
	{meanOfAllRows, "divides the mean by the number of rows, ignored ones included"},
	{meanUnweighted, "divides the weighted mean by the number of rows that count instead of their weights"},
	{smoothByTarget, "weights the smoothing term of every class by the weight of the target class"},
	{smoothOthers, "spreads the smoothing over the C-1 other classes"},
	{ignoredTimesZero, "multiplies ignored rows and classes of weight 0 by 0, which keeps their NaN"},
	{renormalized, "divides target_prob by its sum"},
	{plainResidual, "gives p - q, which holds only where weights and probabilities sum to 1"},
	{classesLast, "reads logits of [N, C, d] as [N, d, C]"},
	{meanByTargetProb, "divides the mean for distributions by the sum of w q as for indices"},
}

func crossEntropy(out []float64, grad, in *loss.CrossEntropy[float64], dOut []float64, flaw string) {
	n, classes := in.Logits.Shape[0], in.Logits.Shape[1]
	space := loss.Size(in.Logits.Shape[2:])
	rows := n * space
	at := func(row, c int) int { // of class c
		if flaw == classesLast {
			return row*classes + c
		}
		return (row/space*classes+c)*space + row%space
	}
	weight := func(c int) float64 {
		if in.ClassWeight.Given() {
			return in.ClassWeight.Data[c]
		}
		return 1
	}
	a, k := in.LabelSmoothing, float64(classes)
	items := make([]float64, rows)
	coefficients := make([][]float64, rows) // of -logp, nil for a row that does not take part
	z, kept := 0.0, 0.0
	for row := range rows {
		t := make([]float64, classes)
		if in.Target.Given() {
			y := in.Target.Data[row]
			if y == in.Ignored() || weight(int(y)) == 0 && a == 0 {
				continue
			}
			for c := range t {
				t[c] = a / k * weight(c)
				if flaw == smoothByTarget {
					t[c] = a / k * weight(int(y))
				}
				if flaw == smoothOthers && classes > 1 {
					t[c] = a / (k - 1) * weight(c)
					if c == int(y) {
						t[c] = 0
					}
				}
			}
			t[y] += (1 - a) * weight(int(y))
			z += weight(int(y))
		} else {
			q := make([]float64, classes)
			for c := range q {
				q[c] = in.TargetProb.Data[(row/space*classes+c)*space+row%space]
			}
			if s := total(q); flaw == renormalized && s > 0 {
				for c := range q {
					q[c] /= s
				}
			}
			for c := range t {
				if weight(c) > 0 {
					t[c] = weight(c) * ((1-a)*q[c] + a/k)
				}
			}
			z++
			if flaw == meanByTargetProb {
				z += total(t) - 1
			}
		}
		kept++
		coefficients[row] = t
	}
	if flaw == meanOfAllRows {
		z = float64(rows)
	}
	if flaw == meanUnweighted {
		z = kept
	}
	x, e := make([]float64, classes), make([]float64, classes)
	for row, t := range coefficients {
		if t == nil {
			if flaw == ignoredTimesZero {
				for c := range classes {
					grad.Logits.Data[at(row, c)] = 0 * in.Logits.Data[at(row, c)]
					items[row] += 0 * in.Logits.Data[at(row, c)]
				}
			}
			continue
		}
		top := 0
		for c := range x {
			if x[c] = in.Logits.Data[at(row, c)]; x[c] > x[top] {
				top = c
			}
		}
		m := x[top]
		if flaw == noMaximum {
			m = 0
		}
		for c := range e {
			e[c] = math.Exp(x[c] - m)
		}
		without := func(k int) float64 { // sum of all exponentials but one
			s := 0.0
			for c := range e {
				if c != k {
					s += e[c]
				}
			}
			return s
		}
		rest := without(top)
		s := e[top] + rest
		c := share(in.Reduction, dOut, row, z)
		sum := total(t)
		for k := range x {
			var logp float64
			switch flaw {
			case logOfSum:
				logp = x[k] - (m + math.Log(s))
			case noMaximum:
				logp = x[k] - math.Log(s)
			default:
				logp = -((m - x[k]) + math.Log1p(rest))
			}
			if t[k] != 0 || flaw == ignoredTimesZero {
				items[row] -= t[k] * logp
			}
			g := e[k]/s*(sum-t[k]) - t[k]*without(k)/s
			if flaw == minusOne {
				g = e[k]/s*(sum-t[k]) + t[k]*(e[k]/s-1)
			}
			if flaw == plainResidual {
				g = e[k]/s - t[k]
			}
			grad.Logits.Data[at(row, k)] = c * g
		}
	}
	reduce(out, in.Reduction, items, z)
}
