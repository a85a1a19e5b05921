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
	var a, t, m [strip]float64
	n := len(l)
	differences(a[:n], pred, target)
	decaysOfTwice[T](t[:n], m[:n], a[:n])
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

// differences fills e with pred - target.
func differences[T loss.Float](e []float64, pred, target []T) {
	pred, target = pred[:len(e)], target[:len(e)]
	for j := range e {
		e[j] = float64(pred[j]) - float64(target[j])
	}
}

// decaysOfTwice fills t with exp(-2|e|) and m with 1 - exp(-2|e|), each with relative accuracy: the distance of an entry of the table
// from 1 is exact.
func decaysOfTwice[T loss.Float](t, m, e []float64) {
	t, m = t[:len(e)], m[:len(e)]
	if single[T]() {
		for j := range e {
			x := -2 * math.Abs(e[j])
			if x < expLeast {
				x = expLeast
			}
			z := x*perLn2 + round
			k := math.Float64bits(z)
			r := x - (z-round)*(math.Ln2/64)
			s := math.Float64frombits(expTable[k%64].bits+k<<46) * expScale
			p := s * (r * (1 + r*(1./2+r*(1./6))))
			t[j], m[j] = s+p, (1-s)-p
		}
		return
	}
	for j := range e {
		x := -2 * math.Abs(e[j])
		if x < expLeast {
			x = expLeast
		}
		z := x*perLn2 + round
		k := math.Float64bits(z)
		entry := &expTable[k%64]
		s := math.Float64frombits(entry.bits+k<<46) * expScale
		z -= round
		r := x - z*(ln2/64) - z*(ln2Low/64)
		p := s * (entry.low + (r + r*r*(1./2+r*(1./6+r*(1./24+r*(1./120+r*(1./720)))))))
		t[j], m[j] = s+p, (1-s)-p
	}
}
