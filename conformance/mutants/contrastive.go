package mutants

import (
	"math"

	"github.com/goldenloss/goldenloss/reference/loss"
)

const (
	expandedSquare  = "expanded square"
	hingeNotSquared = "hinge not squared"
	squareInHinge   = "squared distance in the hinge"
	notUnitVector   = "difference in place of its direction"
	noFactorTwo     = "gradient without the 2"
	rootWithEps     = "eps under the root"
	meanOfSimilar   = "means of similar and dissimilar pairs"
	distanceItself  = "distance of similar pairs not squared"
	similarHasHinge = "margin for similar pairs"
)

var contrastiveFlaws = []flaw{
	{expandedSquare, "takes |x1|^2 + |x2|^2 - 2 x1.x2 for the squared distance, which cancels"},
	{hingeNotSquared, "does not square the hinge of dissimilar pairs"},
	{squareInHinge, "compares the squared distance with the margin"},
	{notUnitVector, "forgets to divide by the distance in the gradient of dissimilar pairs"},
	{noFactorTwo, "differentiates the squares without their factor 2"},
	{rootWithEps, "adds 1e-12 under the root, so that it has a derivative at 0"},
	{meanOfSimilar, "adds a mean over similar pairs and a mean over dissimilar pairs"},
	{distanceItself, "does not square the distance of similar pairs"},
	{similarHasHinge, "pulls similar pairs only where they are farther apart than the margin"},
	{unitOfZero, "divides by a distance of 0"},
	{plainSquares, "squares coordinates without scaling"},
	{comparedWithNaN, "asks whether the distance is below the margin, which is false for NaN"},
	{secondLikeFirst, "gives x2 the gradient of x1, without the minus"},
	{meanOfActive, "divides the mean by the number of pairs that are not 0"},
}

func contrastive(out []float64, grad, in *loss.Contrastive[float64], dOut []float64, flaw string) {
	n, dims := in.X1.Shape[0], in.X1.Shape[1]
	items, slopes := make([]float64, n), make([]float64, n*dims) // by x1, not yet weighted
	var active float64
	counts := [2]float64{}
	kind := make([]int, n)
	for i := range items {
		x, y := in.X1.Data[i*dims:(i+1)*dims], in.X2.Data[i*dims:(i+1)*dims]
		delta, m := make([]float64, dims), 0.0
		terms := make([]float64, dims)
		for k := range delta {
			delta[k] = x[k] - y[k]
			m = math.Max(m, math.Abs(delta[k]))
		}
		if m == 0 || math.IsInf(m, 0) || flaw == plainSquares {
			m = 1
		}
		for k, e := range delta {
			terms[k] = e / m * (e / m)
			if flaw == expandedSquare {
				terms[k] = x[k]/m*(x[k]/m) + y[k]/m*(y[k]/m) - 2*(x[k]/m)*(y[k]/m)
			}
		}
		d := math.Sqrt(total(terms))
		if flaw == rootWithEps {
			d = math.Sqrt(total(terms) + 1e-12/m/m)
		}
		d *= m
		similar := in.Y.Data[i] == (in.SimilarLabel == 1)
		if similar {
			kind[i] = 1
		}
		counts[kind[i]]++
		pull := 0.0 // by d, over d
		switch gap := in.Margin - d; {
		case d != d && !(flaw == comparedWithNaN && !similar):
			items[i], pull = d, d
		case similar && flaw == similarHasHinge:
			if d > in.Margin {
				items[i], pull = in.Scale*gap*gap, -2*in.Scale*gap/d
			}
		case similar && flaw == distanceItself:
			if items[i] = in.Scale * d; d > 0 {
				pull = in.Scale / d
			}
		case similar:
			items[i], pull = in.Scale*(d*d), 2*in.Scale
		case flaw == squareInHinge:
			if gap = in.Margin - d*d; gap > 0 {
				items[i], pull = in.Scale*gap*gap, -4*in.Scale*gap
			}
		case gap > 0:
			items[i] = in.Scale * gap * gap
			if pull = -2 * in.Scale * gap; flaw == hingeNotSquared {
				items[i], pull = in.Scale*gap, -in.Scale
			}
			switch {
			case flaw == notUnitVector:
			case d > 0 || flaw == unitOfZero:
				pull /= d
			default:
				pull = 0
			}
		}
		if items[i] > 0 {
			active++
		}
		if flaw == noFactorTwo {
			pull /= 2
		}
		for k, e := range delta {
			if slopes[i*dims+k] = pull * e; pull == 0 {
				slopes[i*dims+k] = 0
			}
		}
	}
	z := float64(n)
	if flaw == meanOfActive {
		z = active
	}
	for j, d := range slopes {
		c := share(in.Reduction, dOut, j/dims, z)
		if flaw == meanOfSimilar && in.Reduction == loss.Mean {
			c = dOut[0] / counts[kind[j/dims]]
		}
		grad.X1.Data[j], grad.X2.Data[j] = c*d, -c*d
		if flaw == secondLikeFirst {
			grad.X2.Data[j] = c * d
		}
	}
	if flaw == meanOfSimilar && in.Reduction == loss.Mean {
		for i := range items {
			items[i] *= z / counts[kind[i]]
		}
	}
	reduce(out, in.Reduction, items, z)
}
