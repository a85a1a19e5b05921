package mutants

import (
	"math"

	"github.com/goldenloss/goldenloss/reference/loss"
)

const (
	orderedPairs      = "ordered pairs"
	productForSign    = "product in place of the sign"
	tiesHaveOrder     = "ties taken for an order"
	tiesAlwaysCount   = "constant for ties always"
	targetWithin      = "targets within 1e-6 tied"
	meanOfColumns     = "mean over all scores"
	meanOfPairsInRow  = "mean over pairs"
	meanOfBatch       = "mean over the batch alone"
	neighborsOnly     = "neighbors alone"
	orderOfPred       = "order of pred kept in the target"
	differenceOfPairs = "difference of targets in place of theta"
)

var attentionRankingFlaws = []flaw{
	{orderedPairs, "sums over i and j, which counts every pair twice"},
	{productForSign, "multiplies by the difference of the targets in place of its sign"},
	{tiesHaveOrder, "takes the sign of 0 for 1"},
	{tiesAlwaysCount, "adds theta for ties that are to be skipped"},
	{targetWithin, "takes targets that differ by less than 1e-6 for tied"},
	{meanOfColumns, "divides the mean by the number of scores"},
	{meanOfPairsInRow, "divides every row by its number of pairs"},
	{meanOfBatch, "divides the mean by the batch size"},
	{neighborsOnly, "looks at neighboring columns alone"},
	{orderOfPred, "swaps the roles of pred and target"},
	{differenceOfPairs, "wants the difference of the targets, not theta"},
	{activeOnKink, "is active where a hinge is exactly 0"},
	{comparedWithNaN, "asks whether the hinge is positive, which is false for NaN"},
	{hingeSquared, "squares the hinges"},
	{softHinge, "takes softplus for max(0, .)"},
}

func attentionRanking(out []float64, grad, in *loss.AttentionRanking[float64], dOut []float64, flaw string) {
	w := in.Pred.Shape[3]
	n := len(in.Pred.Data) / w
	z := float64(n)
	switch flaw {
	case meanOfColumns:
		z *= float64(w)
	case meanOfBatch:
		z = float64(in.Pred.Shape[0])
	}
	items := make([]float64, n)
	for row := range items {
		q, a := in.Pred.Data[row*w:(row+1)*w], in.Target.Data[row*w:(row+1)*w]
		if flaw == orderOfPred {
			q, a = a, q
		}
		slopes := make([]float64, w)
		var terms []float64
		for i := range q {
			for j := range q {
				if j == i || j < i && flaw != orderedPairs || j != i+1 && flaw == neighborsOnly {
					continue
				}
				s := sign(a[i] - a[j])
				switch {
				case flaw == targetWithin && math.Abs(a[i]-a[j]) < 1e-6:
					s = 0
				case flaw == tiesHaveOrder && s == 0:
					s = 1
				}
				margin := in.Theta
				if flaw == differenceOfPairs {
					margin = math.Abs(a[i] - a[j])
				}
				if s == 0 {
					switch {
					case q[i] != q[i] || q[j] != q[j]:
						if flaw != comparedWithNaN {
							terms = append(terms, math.NaN())
						}
					case in.Ties == "constant" || flaw == tiesAlwaysCount:
						terms = append(terms, in.Theta)
					}
					continue
				}
				if flaw == productForSign {
					s = a[i] - a[j]
				}
				u := margin - (q[i]-q[j])*s
				slope := 1.0
				switch {
				case u != u && flaw == comparedWithNaN:
					continue
				case flaw == softHinge:
					u, slope = softplus(u), sigmoid(u)
				case u < 0 || u == 0 && flaw != activeOnKink:
					continue
				case flaw == hingeSquared:
					u, slope = u*u, 2*u
				}
				terms = append(terms, u)
				slopes[i] -= s * slope
				slopes[j] += s * slope
			}
		}
		scale := 1.0
		if flaw == meanOfPairsInRow {
			scale = 2 / float64(max(w*(w-1), 2))
		}
		items[row] = total(terms) * scale
		c := share(in.Reduction, dOut, row, z) * scale
		for k, d := range slopes {
			if grad.Pred.Data[row*w+k] = c * d; items[row] != items[row] {
				grad.Pred.Data[row*w+k] = items[row]
			}
		}
	}
	reduce(out, in.Reduction, items, z)
}
