package reference

import (
	"math"

	"github.com/goldenloss/goldenloss/reference/loss"
)

// focalSoftmaxRows lists the positions, with alpha as their coefficient, and the denominator of mean.
func focalSoftmaxRows(in *loss.FocalSoftmax[float64]) (rows []ceRow, z float64) {
	rows, sum, count := labelRows(in.Logits, in.Target.Data, in.Ignored(), func(_ int, y int64) float64 {
		if in.Alpha.Given() {
			return in.Alpha.Data[y]
		}
		return 1
	})
	if in.Normalize == "weight" {
		return rows, sum
	}
	return rows, count
}

// FocalSoftmax is the value of the multi-class focal loss.
func FocalSoftmax(in *loss.FocalSoftmax[float64]) []float64 {
	rows, z := focalSoftmaxRows(in)
	items := make([]float64, len(rows))
	for i, row := range rows {
		if row.x == nil {
			continue
		}
		s, y := newSoftmax(row.x), in.Target.Data[i]
		items[i] = row.q[y] * math.Pow(s.others()[y], in.Gamma) * s.negLogProb(int(y))
		if s.bad {
			items[i] = math.NaN()
		}
	}
	return reduce(in.Reduction, items, z)
}

// FocalSoftmaxGrad is its vector-Jacobian product. With u = 1 - p_y and r the softmax of the other logits it is
// u^gamma (gamma p_y (-log p_y) r_k + p_k), and at y -u^gamma (gamma p_y (-log p_y) + u).
func FocalSoftmaxGrad(in *loss.FocalSoftmax[float64], dOut []float64) *loss.FocalSoftmax[float64] {
	g := &loss.FocalSoftmax[float64]{Logits: zeros(in.Logits)}
	rows, z := focalSoftmaxRows(in)
	weights := itemWeights(in.Reduction, len(rows), z, dOut)
	for i, row := range rows {
		if row.x == nil {
			continue
		}
		s, y := newSoftmax(row.x), int(in.Target.Data[i])
		u, p := s.others()[y], s.prob(y)
		focus := row.q[y] * math.Pow(u, in.Gamma)
		pull := 0.0
		if p != 0 {
			pull = in.Gamma * p * s.negLogProb(y)
		}
		for k := range row.x {
			var d float64
			switch {
			case s.bad || math.IsNaN(focus):
				d = math.NaN()
			case k == y:
				d = -focus * (pull + u)
			case s.e[k] != 0: // then u is not 0
				d = focus * (pull*(s.prob(k)/u) + s.prob(k))
			}
			g.Logits.Data[row.at(k)] = weights[i] * d
		}
	}
	return g
}
