package reference

import (
	"math"
	"slices"

	"github.com/goldenloss/goldenloss/reference/loss"
)

// softCrossEntropyRows lists the rows along the class axis, with logits divided by the temperature.
func softCrossEntropyRows(in *loss.SoftmaxCrossEntropy[float64]) []ceRow {
	outer, classes, inner := loss.AlongAxis(in.Logits.Shape, in.Axis)
	rows := make([]ceRow, outer*inner)
	for i := range rows {
		row := &rows[i]
		*row = ceRow{make([]float64, classes), make([]float64, classes), func(c int) int { return (i/inner*classes+c)*inner + i%inner }}
		for c := range classes {
			row.x[c], row.q[c] = in.Logits.Data[row.at(c)], in.TargetProb.Data[row.at(c)]
		}
		cool(row.x, in.Temperature)
	}
	return rows
}

// cool divides logits by a temperature. Their maximum, whose shift changes no softmax, is taken off first: large logits then lose
// no more than small ones.
func cool(x []float64, temperature float64) {
	top := slices.Max(x)
	if math.IsInf(top, 0) {
		top = 0
	}
	for c := range x {
		x[c] = (x[c] - top) / temperature
	}
}

// SoftmaxCrossEntropy is the value of the softmax cross-entropy with soft targets.
func SoftmaxCrossEntropy(in *loss.SoftmaxCrossEntropy[float64]) []float64 {
	rows := softCrossEntropyRows(in)
	return reduce(in.Reduction, ceItems(rows), float64(len(rows)))
}

// SoftmaxCrossEntropyGrad is its vector-Jacobian product.
func SoftmaxCrossEntropyGrad(in *loss.SoftmaxCrossEntropy[float64], dOut []float64) *loss.SoftmaxCrossEntropy[float64] {
	g := &loss.SoftmaxCrossEntropy[float64]{Logits: zeros(in.Logits)}
	rows := softCrossEntropyRows(in)
	weights := itemWeights(in.Reduction, len(rows), float64(len(rows)), dOut)
	for i := range weights {
		weights[i] /= in.Temperature
	}
	ceGradient(g.Logits.Data, rows, weights)
	return g
}
