package mutants

import (
	"math"
	"slices"

	"github.com/goldenloss/goldenloss/reference/loss"
)

// flaw is a mistake in the arithmetic of a loss.
type flaw struct{ name, does string }

// formula computes value and gradient. An empty flaw is none.
type formula[P any] func(out []float64, grad, in P, dOut []float64, flaw string)

// flawed makes a mutant of every flaw of a formula. The formula is plain; so that nothing but its flaw kills the mutant, it has the
// answer of the base wherever the formula answers the same with and without the flaw.
func flawed[L any, P loss.Of[float64, L]](id string, f formula[P], flaws []flaw) hand {
	mutants := func(base implementation) []Mutant {
		var list []Mutant
		for _, w := range flaws {
			run := func(out []float64, grad, in problem, dOut []float64) {
				base.Run(out, grad, in, dOut)
				right, rightGrad := evaluate(f, in.(P), dOut, "")
				wrong, wrongGrad := evaluate(f, in.(P), dOut, w.name)
				replaceChanged(out, right, wrong)
				if grad == nil {
					return
				}
				r, w := gradients(rightGrad), gradients(wrongGrad)
				for _, g := range gradients(grad) {
					i := slices.IndexFunc(r, func(x gradient) bool { return x.name == g.name })
					replaceChanged(g.data, r[i].data, w[i].data)
				}
			}
			list = append(list, Mutant{w.name, w.does, loss.Impl[float64]{ID: base.ID, New: base.New, Run: run}, always})
		}
		return list
	}
	return hand{id, mutants, func(in problem, dOut []float64) []float64 {
		out, grad := evaluate(f, in.(P), dOut, "")
		for _, g := range gradients(grad) {
			out = append(out, g.data...)
		}
		return out
	}}
}

func evaluate[L any, P loss.Of[float64, L]](f formula[P], in P, dOut []float64, flaw string) ([]float64, problem) {
	out := make([]float64, loss.Size(in.Out()))
	grad := P(new(L))
	loss.NewGrad[float64](in, grad)
	f(out, grad, in, dOut, flaw)
	return out, grad
}

// replaceChanged takes the elements of wrong that differ from right.
func replaceChanged(dst, right, wrong []float64) {
	for i := range dst {
		if right[i] != wrong[i] && !(math.IsNaN(right[i]) && math.IsNaN(wrong[i])) {
			dst[i] = wrong[i]
		}
	}
}

// total is a compensated sum, so that a mutant with many items is not killed by its summation.
func total(xs []float64) float64 {
	sum, low := 0.0, 0.0
	for _, x := range xs {
		s := sum + x
		if math.Abs(sum) >= math.Abs(x) {
			low += (sum - s) + x
		} else {
			low += (x - s) + sum
		}
		sum = s
	}
	if math.IsInf(sum, 0) || math.IsNaN(sum) {
		return sum
	}
	return sum + low
}

// reduce writes the value; z is the denominator of mean.
func reduce(out []float64, r loss.Reduction, items []float64, z float64) {
	switch r {
	case loss.None:
		copy(out, items)
	case loss.Sum:
		out[0] = total(items)
	default:
		out[0] = total(items) / z
	}
}

// share is the weight that an item has in the gradient.
func share(r loss.Reduction, dOut []float64, i int, z float64) float64 {
	switch r {
	case loss.None:
		return dOut[i]
	case loss.Sum:
		return dOut[0]
	}
	return dOut[0] / z
}

// sign is 0 at 0 and NaN at NaN.
func sign(x float64) float64 {
	switch {
	case x > 0:
		return 1
	case x < 0:
		return -1
	}
	return x
}

func sigmoid(x float64) float64 {
	if x >= 0 {
		return 1 / (1 + math.Exp(-x))
	}
	return math.Exp(x) / (1 + math.Exp(x))
}

func softplus(x float64) float64 { return math.Max(x, 0) + math.Log1p(math.Exp(-math.Abs(x))) }
