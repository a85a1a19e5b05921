package optimized

import (
	"math"

	"github.com/goldenloss/goldenloss/reference/loss"
)

// strip is the number of neighboring elements that a kernel works on at a time. A sum of as many terms loses little in any order.
const strip = 64

// lanes adds in four sums.
func lanes(x []float64) float64 {
	var a, b, c, d float64
	for ; len(x) >= 4; x = x[4:] {
		a += x[0]
		b += x[1]
		c += x[2]
		d += x[3]
	}
	for _, v := range x {
		a += v
	}
	return (a + b) + (c + d)
}

// pairwise adds by halves: its error grows with the logarithm of the length.
func pairwise(x []float64) float64 {
	if len(x) <= strip {
		return lanes(x)
	}
	h := len(x) / 2
	return pairwise(x[:h]) + pairwise(x[h:])
}

// running adds the sums of strips one after the other, compensated.
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

// scaled writes the derivatives d of the items lo, lo+1, ..., times their weights, to g.
func (w *weights[T]) scaled(g []T, d []float64, lo int) {
	g = g[:len(d)]
	if w.none {
		c := w.dOut[lo:][:len(d)]
		for j, v := range d {
			g[j] = T(v * float64(c[j]))
		}
		return
	}
	c := w.fixed
	for j, v := range d {
		g[j] = T(v * c)
	}
}

// store writes items to out.
func store[T loss.Float](out []T, l []float64) {
	out = out[:len(l)]
	for j, v := range l {
		out[j] = T(v)
	}
}
