package optimized

import (
	"math"

	"github.com/goldenloss/goldenloss/reference/loss"
)

// LogCosh is the log-cosh loss. See loss.LogCosh.
func LogCosh[T loss.Float](out []T, grad, in *loss.LogCosh[T], dOut []T) {
	var g *loss.Pair[T]
	if grad != nil {
		g = &grad.Pair
	}
	elementwise(out, g, &in.Pair, in.Reduction, float64(len(in.Pred.Data)), dOut, 9, logCoshKernel[T]{})
}

type logCoshKernel[T loss.Float] struct{}

// items share t = exp(-2|e|) and m = 1 - t: the derivative tanh|e| is m/(1+t). The value is half of log1p(sinh(e)^2) with sinh(e)^2 =
// m^2/(4t) near 0, and |e| - log 2 + log1p(t) elsewhere.
func (logCoshKernel[T]) items(l, d []float64, pred, target []T) {
	var a, x, t, m [strip]float64
	n := len(l)
	differences(a[:n], pred, target)
	for j := range n {
		if x[j] = -2 * math.Abs(a[j]); x[j] < expLeast {
			x[j] = expLeast
		}
	}
	exponentials[T](t[:n], m[:n], x[:n])
	for j := range d {
		d[j] = math.Copysign(m[j]/(1+t[j]), a[j])
	}
	const near = 0x1.cp-1 // sinh(near)^2 < 1
	limit := math.Float64bits(near)
	for j := range l {
		a := math.Abs(a[j])
		low := uint64(int64(math.Float64bits(a)-limit) >> 63) // a mask of ones where a < near
		square := math.Float64bits(m[j] * m[j] / (4 * t[j]))
		tail := math.Float64bits(t[j])
		l[j] = math.Float64frombits(tail ^ (tail^square)&low) // what log1p is taken of
		t[j] = math.Float64frombits(math.Float64bits(a-math.Ln2) &^ low)
		m[j] = math.Float64frombits(oneBits - low&(1<<52)) // 1, or 1/2 below
	}
	tails[T](l, l)
	for j := range l {
		l[j] = t[j] + m[j]*l[j]
	}
}
