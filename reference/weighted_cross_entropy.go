package reference

import "github.com/goldenloss/goldenloss/reference/loss"

// weightedRows lists the positions of the modes class and pixel, and the denominator of mean.
func weightedRows(in *loss.WeightedCrossEntropy[float64]) (rows []ceRow, z float64) {
	rows, sum, count := labelRows(in.Logits, in.Target.Data, in.Ignored(), func(i int, y int64) float64 {
		if in.Mode == "pixel" {
			return in.PixelWeight.Data[i]
		}
		return in.ClassWeight.Data[y]
	})
	if in.Normalize == "weight" {
		return rows, sum
	}
	return rows, count
}

// binaryPos returns the item of an element and its derivative.
func binaryPos(in *loss.WeightedCrossEntropy[float64], i int) (l, d float64) {
	y := in.TargetValue.Data[i]
	return sigmoidCrossEntropy(in.Logits.Data[i], in.PosWeight*y, 1-y)
}

// WeightedCrossEntropy is the value of the weighted cross-entropy.
func WeightedCrossEntropy(in *loss.WeightedCrossEntropy[float64]) []float64 {
	if in.Mode != "binary_pos" {
		rows, z := weightedRows(in)
		return reduce(in.Reduction, ceItems(rows), z)
	}
	items := make([]float64, len(in.Logits.Data))
	for i := range items {
		items[i], _ = binaryPos(in, i)
	}
	return reduce(in.Reduction, items, float64(len(items)))
}

// WeightedCrossEntropyGrad is its vector-Jacobian product.
func WeightedCrossEntropyGrad(in *loss.WeightedCrossEntropy[float64], dOut []float64) *loss.WeightedCrossEntropy[float64] {
	g := &loss.WeightedCrossEntropy[float64]{Mode: in.Mode, Logits: zeros(in.Logits)}
	if in.Mode != "binary_pos" {
		rows, z := weightedRows(in)
		ceGradient(g.Logits.Data, rows, itemWeights(in.Reduction, len(rows), z, dOut))
		return g
	}
	n := len(in.Logits.Data)
	for i, w := range itemWeights(in.Reduction, n, float64(n), dOut) {
		_, d := binaryPos(in, i)
		g.Logits.Data[i] = w * d
	}
	return g
}
