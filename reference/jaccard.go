package reference

import "github.com/goldenloss/goldenloss/reference/loss"

// jaccardRatio is I/(I + F), both smoothed.
func jaccardRatio(in *loss.Jaccard[float64]) ratio {
	return ratio{
		sums: func(list []entry) (num, den, x float64) {
			i, f := sizes(&in.Overlap, in.Power, list)
			return i + in.SmoothNr, i + f + in.SmoothDr, f + (in.SmoothDr - in.SmoothNr)
		},
		slopes: func(e entry) (dNum, dX float64) { return sizeSlopes(&in.Overlap, in.Power, e) },
	}
}

// Jaccard is the value of the soft Jaccard loss.
func Jaccard(in *loss.Jaccard[float64]) []float64 {
	return newOverlap(&in.Overlap).value(in.Reduction, jaccardRatio(in))
}

// JaccardGrad is its vector-Jacobian product.
func JaccardGrad(in *loss.Jaccard[float64], dOut []float64) *loss.Jaccard[float64] {
	return &loss.Jaccard[float64]{Overlap: newOverlap(&in.Overlap).grad(in.Reduction, jaccardRatio(in), dOut)}
}
