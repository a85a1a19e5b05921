package mutants

import "github.com/goldenloss/goldenloss/reference/loss"

const (
	activeOnKink    = "active on the kink"
	comparedWithNaN = "comparison drops NaN"
	labelsReversed  = "labels reversed"
	marginTaken     = "margin subtracted"
	hingeSquared    = "hinge squared"
	meanOfActive    = "mean over active items"
	secondLikeFirst = "gradient of x2 like that of x1"
	labelOutside    = "label outside the hinge"
	softHinge       = "logistic in place of the hinge"
)

var marginRankingFlaws = []flaw{
	{activeOnKink, "gives the gradient -y where the hinge is exactly 0, as a clamp does"},
	{comparedWithNaN, "asks whether the hinge is positive, which is false for NaN"},
	{labelsReversed, "wants x2 larger where y is 1"},
	{marginTaken, "subtracts the margin"},
	{hingeSquared, "squares the hinge"},
	{meanOfActive, "divides the mean by the number of items that are not 0"},
	{secondLikeFirst, "gives x2 the gradient of x1, without the minus"},
	{labelOutside, "multiplies the hinge of x2 - x1 by the label"},
	{softHinge, "takes softplus for max(0, .)"},
}

func marginRanking(out []float64, grad, in *loss.MarginRanking[float64], dOut []float64, flaw string) {
	n := len(in.X1.Data)
	items, slopes := make([]float64, n), make([]float64, n) // by x2
	active := 0.0
	for i := range items {
		y := in.Y.Data[i]
		if flaw == labelsReversed {
			y = -y
		}
		margin := in.Margin
		if flaw == marginTaken {
			margin = -margin
		}
		u := margin + y*(in.X2.Data[i]-in.X1.Data[i])
		if flaw == labelOutside {
			u = margin + in.X2.Data[i] - in.X1.Data[i]
		}
		if u > 0 {
			active++
		}
		switch {
		case flaw == softHinge:
			items[i], slopes[i] = softplus(u), y*sigmoid(u)
		case u > 0:
			items[i], slopes[i] = u, y
			if flaw == hingeSquared {
				items[i], slopes[i] = u*u, 2*u*y
			}
			if flaw == labelOutside {
				items[i] *= y
			}
		case u == 0 && flaw == activeOnKink:
			slopes[i] = y
		case u != u && flaw != comparedWithNaN:
			items[i], slopes[i] = u, u
		}
	}
	z := float64(n)
	if flaw == meanOfActive {
		z = active
	}
	for i, d := range slopes {
		d *= share(in.Reduction, dOut, i, z)
		grad.X1.Data[i], grad.X2.Data[i] = -d, d
		if flaw == secondLikeFirst {
			grad.X2.Data[i] = -d
		}
	}
	reduce(out, in.Reduction, items, z)
}
