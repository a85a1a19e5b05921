package reference

import "github.com/goldenloss/goldenloss/reference/loss"

// pixelRows lists the positions and the denominator of mean.
func pixelRows(in *loss.PixelwiseCrossEntropy[float64]) (rows []ceRow, z float64) {
	rows, sum, count := labelRows(in.Logits, in.Target.Data, in.Ignored(), func(_ int, y int64) float64 {
		if in.ClassWeight.Given() {
			return in.ClassWeight.Data[y]
		}
		return 1
	})
	switch in.Normalize {
	case "weight":
		return rows, sum
	case "count":
		return rows, count
	}
	return rows, float64(len(rows))
}

// PixelwiseCrossEntropy is the value of the cross-entropy of label maps.
func PixelwiseCrossEntropy(in *loss.PixelwiseCrossEntropy[float64]) []float64 {
	rows, z := pixelRows(in)
	return reduce(in.Reduction, ceItems(rows), z)
}

// PixelwiseCrossEntropyGrad is its vector-Jacobian product.
func PixelwiseCrossEntropyGrad(in *loss.PixelwiseCrossEntropy[float64], dOut []float64) *loss.PixelwiseCrossEntropy[float64] {
	g := &loss.PixelwiseCrossEntropy[float64]{Logits: zeros(in.Logits)}
	rows, z := pixelRows(in)
	ceGradient(g.Logits.Data, rows, itemWeights(in.Reduction, len(rows), z, dOut))
	return g
}
