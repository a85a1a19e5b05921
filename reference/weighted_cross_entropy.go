package reference

import (
	"math"

	"github.com/goldenloss/goldenloss/reference/loss"
)

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

// binaryPos returns P y sp(-x) + (1-y) sp(x) and its derivative (1-y) sigmoid(x) - P y sigmoid(-x). A coefficient of 0 drops its term.
func binaryPos(x, y, posWeight float64) (l, d float64) {
	a, b := posWeight*y, 1-y
	if math.IsNaN(x) || math.IsNaN(y) || math.IsInf(y, 0) {
		return math.NaN(), math.NaN()
	}
	if a != 0 {
		l += a * softplus(-x)
	}
	if b != 0 {
		l += b * softplus(x)
	}
	return l, b*sigmoid(x) - a*sigmoid(-x)
}

// WeightedCrossEntropy is the value of the weighted cross-entropy.
func WeightedCrossEntropy(in *loss.WeightedCrossEntropy[float64]) []float64 {
	if in.Mode != "binary_pos" {
		rows, z := weightedRows(in)
		return reduce(in.Reduction, ceItems(rows), z)
	}
	items := make([]float64, len(in.Logits.Data))
	for i, x := range in.Logits.Data {
		items[i], _ = binaryPos(x, in.TargetValue.Data[i], in.PosWeight)
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
	weights := itemWeights(in.Reduction, n, float64(n), dOut)
	for i, x := range in.Logits.Data {
		_, d := binaryPos(x, in.TargetValue.Data[i], in.PosWeight)
		g.Logits.Data[i] = weights[i] * d
	}
	return g
}
