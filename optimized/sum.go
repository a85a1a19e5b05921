package optimized

import (
	"math"

	"github.com/goldenloss/goldenloss/reference/loss"
)

// pairwise adds by halves: its error grows with the logarithm of the length.
func pairwise(x []float64) float64 {
	if len(x) <= 8 {
		s := 0.0
		for _, v := range x {
			s += v
		}
		return s
	}
	h := len(x) / 2
	return pairwise(x[:h]) + pairwise(x[h:])
}

// strip is a run of items whose values are summed by halves before they join a partial sum.
const strip = 256

// running adds strips one after the other, compensated.
type running struct{ s, c float64 }

func (r *running) add(x float64) {
	t := r.s + x
	if b := t - r.s; b == b && !math.IsInf(t, 0) { // the error of the addition (Knuth)
		r.c += (r.s - (t - b)) + (x - b)
	}
	r.s = t
}

func (r *running) value() float64 {
	if math.IsInf(r.s, 0) {
		return r.s
	}
	return r.s + r.c
}

// finish writes the value of a reduction from the partial sums of the chunks; with reduction none the items are there already.
func finish[T loss.Float](out []T, r loss.Reduction, partial []float64, z float64) {
	switch r {
	case loss.None:
	case loss.Sum:
		out[0] = T(pairwise(partial))
	default:
		out[0] = T(pairwise(partial) / z)
	}
}

// weights gives the derivative of cotangent times value with respect to an item.
type weights[T loss.Float] struct {
	dOut  []T
	none  bool
	fixed float64
}

func newWeights[T loss.Float](r loss.Reduction, dOut []T, z float64) weights[T] {
	w := weights[T]{dOut: dOut, none: r == loss.None}
	switch {
	case len(dOut) == 0 || w.none:
	case r == loss.Sum:
		w.fixed = float64(dOut[0])
	default:
		w.fixed = float64(dOut[0]) / z
	}
	return w
}

func (w *weights[T]) at(i int) float64 {
	if w.none {
		return float64(w.dOut[i])
	}
	return w.fixed
}

// wanted returns the data of a gradient tensor, nil where it is not wanted.
func wanted[T loss.Float](x *loss.Tensor[T]) []T {
	if x == nil {
		return nil
	}
	return x.Data
}
