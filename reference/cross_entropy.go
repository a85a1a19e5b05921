package reference

import (
	"math"

	"github.com/goldenloss/goldenloss/reference/loss"
)

// ceRow is one position: its logits and the coefficients q of -log p. A row that does not participate has nil logits.
type ceRow struct {
	x, q []float64
	at   func(c int) int
}

// ceRows lists the positions and the denominator of mean.
func ceRows(in *loss.CrossEntropy[float64]) (rows []ceRow, z float64) {
	n, classes, inner := in.Logits.Shape[0], in.Logits.Shape[1], loss.Size(in.Logits.Shape[2:])
	a := in.LabelSmoothing
	var weights accumulator
	for i := range n * inner {
		row := ceRow{at: func(c int) int { return (i/inner*classes+c)*inner + i%inner }}
		weight := func(c int) float64 {
			if in.ClassWeight.Given() {
				return in.ClassWeight.Data[c]
			}
			return 1
		}
		if in.Target.Given() {
			y := in.Target.Data[i]
			if y == in.Ignored() {
				rows = append(rows, row)
				continue
			}
			weights.add(weight(int(y)))
		} else {
			weights.add(1)
		}
		participates := !in.Target.Given()
		row.q = make([]float64, classes)
		for c := range row.q {
			w := weight(c)
			if w == 0 {
				continue // whatever the target holds
			}
			t := 0.0
			if in.TargetProb.Given() {
				t = in.TargetProb.Data[row.at(c)]
			} else if in.Target.Data[i] == int64(c) {
				t = 1
			}
			if q := (1-a)*t + a/float64(classes); q != 0 || in.TargetProb.Given() { // a class that no row asks for may weigh NaN
				row.q[c] = w * q
			}
			participates = participates || row.q[c] != 0
		}
		if participates {
			row.x = make([]float64, classes)
			for c := range row.x {
				row.x[c] = in.Logits.Data[row.at(c)]
			}
		}
		rows = append(rows, row)
	}
	return rows, weights.value()
}

// labelRows lists the positions of logits [N, C, d1, ..., dk] with one class each, whose coefficient is the weight of the position, and
// sums and counts these weights. A position that is ignored or of weight 0 does not participate.
func labelRows(logits loss.Tensor[float64], target []int64, ignored int64, weight func(i int, y int64) float64) (rows []ceRow, sum, count float64) {
	outer, classes, inner := loss.AlongAxis(logits.Shape, 1)
	rows = make([]ceRow, outer*inner)
	var weights accumulator
	for i := range rows {
		row := &rows[i]
		row.at = func(c int) int { return (i/inner*classes+c)*inner + i%inner }
		y := target[i]
		if y == ignored {
			continue
		}
		w := weight(i, y)
		weights.add(w)
		count++
		if w == 0 {
			continue
		}
		row.x, row.q = make([]float64, classes), make([]float64, classes)
		for c := range classes {
			row.x[c] = logits.Data[row.at(c)]
		}
		row.q[y] = w
	}
	return rows, weights.value(), count
}

// CrossEntropy is the value of the softmax cross-entropy.
func CrossEntropy(in *loss.CrossEntropy[float64]) []float64 {
	rows, z := ceRows(in)
	return reduce(in.Reduction, ceItems(rows), z)
}

// CrossEntropyGrad is its vector-Jacobian product.
func CrossEntropyGrad(in *loss.CrossEntropy[float64], dOut []float64) *loss.CrossEntropy[float64] {
	g := &loss.CrossEntropy[float64]{Logits: zeros(in.Logits)}
	rows, z := ceRows(in)
	ceGradient(g.Logits.Data, rows, itemWeights(in.Reduction, len(rows), z, dOut))
	return g
}

// ceItems is sum q_k (-log p_k) of every row.
func ceItems(rows []ceRow) []float64 {
	items := make([]float64, len(rows))
	for i, row := range rows {
		if row.x == nil {
			continue
		}
		s := newSoftmax(row.x)
		var l accumulator
		for c, q := range row.q {
			if q != 0 {
				l.add(q * s.negLogProb(c))
			}
		}
		items[i] = l.value()
		if s.bad {
			items[i] = math.NaN()
		}
	}
	return items
}

// ceGradient is p_k sum q - q_k, computed as p_k (the other q) - q_k (the other p), times the weight of the row.
func ceGradient(g []float64, rows []ceRow, weights []float64) {
	for i, row := range rows {
		if row.x == nil {
			continue
		}
		s := newSoftmax(row.x)
		otherP, otherQ := s.others(), without(row.q)
		for k := range row.x {
			d := s.prob(k) * otherQ[k]
			if row.q[k] != 0 {
				d -= row.q[k] * otherP[k]
			}
			if s.bad || math.IsNaN(otherQ[k]) || math.IsNaN(row.q[k]) {
				d = math.NaN()
			}
			g[row.at(k)] = weights[i] * d
		}
	}
}
