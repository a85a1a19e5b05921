package mutants

import (
	"math"

	"github.com/goldenloss/goldenloss/reference/loss"
)

const (
	slopeQuotient = "slope gamma (1-p)^(gamma-1)"
	meanOfTerms   = "mean over classes too"
	alphaInFocus  = "alpha inside the power"
	alphaOfFirst  = "alpha of class 0 complemented"
	oneLess       = "gamma minus one in the value"
)

var focalSoftmaxFlaws = []flaw{
	{detached, "does not differentiate (1-p)^gamma"},
	{onePredicted, "takes 1 - p by subtraction, which is 0 for a sure row"},
	{slopeQuotient, "takes gamma (1-p)^(gamma-1) p log p, which is 0 times infinity where 1-p is 0"},
	{logOfSum, "takes log(sum exp) with the maximum inside, which loses a small loss"},
	{noMaximum, "does not subtract the maximum, so logits of 1000 overflow"},
	{clippedProb, "clips probabilities to [1e-7, 1-1e-7] before the logarithm"},
	{meanOfTerms, "divides the mean by the number of classes too"},
	{alphaInFocus, "raises alpha to the power of gamma with the rest"},
	{alphaOfFirst, "gives class 0 the weight 1 - alpha, as MONAI does with one alpha"},
	{oneLess, "takes the power gamma - 1 in the value"},
	{countOfAll, "counts ignored rows too"},
	{countOfWeighted, "counts only rows whose alpha is not 0"},
	{ignoredTimesZero, "multiplies ignored rows and those of alpha 0 by 0, which keeps their NaN"},
	{classesLast, "reads logits of [N, C, d] as [N, d, C]"},
}

func focalSoftmax(out []float64, grad, in *loss.FocalSoftmax[float64], dOut []float64, flaw string) {
	outer, classes, inner := loss.AlongAxis(in.Logits.Shape, 1)
	at := func(i, c int) int {
		if flaw == classesLast {
			return i*classes + c
		}
		return (i/inner*classes+c)*inner + i%inner
	}
	n := outer * inner
	items, weights := make([]float64, n), make([]float64, n)
	z := 0.0
	for i, y := range in.Target.Data {
		kept := y != in.Ignored()
		if kept {
			weights[i] = 1
			if in.Alpha.Given() {
				weights[i] = in.Alpha.Data[y]
				if y == 0 && flaw == alphaOfFirst {
					weights[i] = 1 - weights[i]
				}
			}
		}
		switch {
		case in.Normalize == "weight":
			z += weights[i]
		case kept && (flaw != countOfWeighted || weights[i] != 0) || flaw == countOfAll:
			z++
		}
	}
	if flaw == meanOfTerms && in.Reduction == loss.Mean {
		z *= float64(classes)
	}
	for i, w := range weights {
		if w == 0 && flaw != ignoredTimesZero {
			continue
		}
		x := make([]float64, classes)
		for c := range x {
			x[c] = in.Logits.Data[at(i, c)]
		}
		l, d := focalSoftmaxRow(x, max(0, min(int(in.Target.Data[i]), classes-1)), in.Gamma, flaw)
		if w == 0 {
			l = 0 * total(x)
		}
		if flaw == alphaInFocus {
			w = math.Pow(w, in.Gamma)
		}
		items[i] = w * l
		for c := range d {
			grad.Logits.Data[at(i, c)] = w * d[c] * share(in.Reduction, dOut, i, z)
		}
	}
	reduce(out, in.Reduction, items, z)
}

// focalSoftmaxRow is (1-p_y)^gamma (-log p_y) of a row and its gradient.
func focalSoftmaxRow(x []float64, y int, gamma float64, flaw string) (l float64, d []float64) {
	q := make([]float64, len(x))
	q[y] = 1
	ce, slope := softRow(x, q, 1, flaw) // slope is p_k, and -(1-p_y) at y
	u, p := -slope[y], math.Exp(-ce)
	if flaw == onePredicted {
		u = 1 - p
	}
	if flaw == clippedProb {
		ce = -math.Log(math.Max(1e-7, math.Min(p, 1-1e-7)))
	}
	focus := math.Pow(u, gamma)
	if flaw == oneLess && gamma >= 1 {
		l = math.Pow(u, gamma-1) * ce
	} else {
		l = focus * ce
	}
	d = make([]float64, len(x))
	for k := range d {
		d[k] = focus * slope[k]
		if gamma == 0 || flaw == detached || p == 0 {
			continue
		}
		r := -1.0
		if k != y {
			if r = 0; slope[k] != 0 {
				r = slope[k] / u
			}
		}
		if flaw == slopeQuotient {
			d[k] += gamma * math.Pow(u, gamma-1) * p * ce * slope[k]
		} else {
			d[k] += gamma * focus * p * ce * r
		}
	}
	return l, d
}
