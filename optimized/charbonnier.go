package optimized

import (
	"math"

	"github.com/goldenloss/goldenloss/reference/loss"
)

// Charbonnier is the Charbonnier loss. See loss.Charbonnier.
func Charbonnier[T loss.Float](out []T, grad, in *loss.Charbonnier[T], dOut []T) {
	var g *loss.Pair[T]
	if grad != nil {
		g = &grad.Pair
	}
	z := float64(len(in.Pred.Data))
	k := charbonnier{in.Eps, in.Alpha, in.Offset && in.Eps > 0}
	switch {
	case k.alpha == 1:
		square := squareKernel[T]{1, 2, k.eps * k.eps}
		if k.offset {
			square.add = 0
		}
		elementwise(out, g, &in.Pair, in.Reduction, z, dOut, 2, square)
	case k.alpha == 0.5 && k.eps == 0:
		elementwise(out, g, &in.Pair, in.Reduction, z, dOut, 2, absoluteKernel[T]{})
	case k.alpha == 0.5:
		elementwise(out, g, &in.Pair, in.Reduction, z, dOut, 5, rootKernel[T]{k})
	case k.offset:
		elementwise(out, g, &in.Pair, in.Reduction, z, dOut, 25, shiftedKernel[T]{k})
	default:
		elementwise(out, g, &in.Pair, in.Reduction, z, dOut, 15, powerKernel[T]{k})
	}
}

// charbonnier holds the parameters. Its methods take the elements, one at a time, whose squares leave the range of numbers.
type charbonnier struct {
	eps, alpha float64
	offset     bool // and eps is not 0
}

// Sums of squares in this range have lost nothing to underflow.
const (
	leastSquares = 0x1p-700
	mostSquares  = 0x1p700
)

type rootKernel[T loss.Float] struct{ charbonnier }

// items are h = sqrt(e^2 + eps^2), or e^2/(h + eps) with offset; their derivative is e/h.
func (k rootKernel[T]) items(l, d []float64, pred, target []T) {
	var e [strip]float64
	n := len(l)
	differences(e[:n], pred, target)
	square, rare := k.eps*k.eps, false
	for j, e := range e[:n] {
		s := e*e + square
		rare = rare || !(s >= leastSquares && s <= mostSquares)
		l[j] = math.Sqrt(s)
	}
	for j := range d {
		d[j] = e[j] / l[j]
	}
	if k.offset {
		for j, e := range e[:n] {
			l[j] = e * (e / (l[j] + k.eps))
		}
	}
	if rare {
		k.rare(l, d, e[:n])
	}
}

type powerKernel[T loss.Float] struct{ charbonnier }

// items are l = s^alpha with s = e^2 + eps^2; their derivative is 2 alpha e l/s.
func (k powerKernel[T]) items(l, d []float64, pred, target []T) {
	var e, s, y, m [strip]float64
	n := len(l)
	differences(e[:n], pred, target)
	square, rare := k.eps*k.eps, false
	for j, e := range e[:n] {
		s[j] = e*e + square
		rare = rare || !(s[j] >= leastSquares && s[j] <= mostSquares)
		y[j] = s[j]
	}
	logarithms[T](y[:n])
	for j := range n {
		y[j] *= k.alpha
	}
	exponentials[T](l, m[:n], y[:n])
	for j := range d {
		d[j] = 2 * k.alpha * e[j] * (l[j] / s[j])
	}
	if rare {
		k.rare(l, d, e[:n])
	}
}

type shiftedKernel[T loss.Float] struct{ charbonnier }

// items are c (exp(y) - 1) with c = eps^(2 alpha), y = alpha log1p(w) and w = (e/eps)^2; their derivative is 2 alpha e c exp(y)/(1 + w)
// over eps^2. A large w would enlarge the error of y: then the difference of two powers loses less.
func (k shiftedKernel[T]) items(l, d []float64, pred, target []T) {
	var e, w, y, t, m [strip]float64
	n := len(l)
	differences(e[:n], pred, target)
	unit := 1 / k.eps
	c := math.Pow(k.eps, 2*k.alpha)
	rare := !(k.eps > 0x1p-300 && k.eps < 0x1p300)
	for j, e := range e[:n] {
		x := e * unit
		w[j] = x * x
		if !(w[j] <= 1e16) {
			rare, w[j] = true, 0
		}
		y[j] = k.alpha * log1p[T](w[j])
	}
	exponentials[T](t[:n], m[:n], y[:n])
	for j := range l {
		l[j] = -c * m[j]
	}
	slope := 2 * k.alpha * c * unit
	for j := range d {
		d[j] = slope * (e[j] * unit) * (t[j] / (1 + w[j]))
	}
	if rare {
		k.rare(l, d, e[:n])
	}
}

// rare does again what the kernels cannot do.
func (k *charbonnier) rare(l, d, e []float64) {
	fits := !k.offset || k.eps > 0x1p-300 && k.eps < 0x1p300
	for j, e := range e {
		s := e*e + k.eps*k.eps
		if fits && s >= leastSquares && s <= mostSquares && !(k.offset && k.alpha != 0.5 && math.Abs(e/k.eps) >= 0.99e8) {
			continue
		}
		v, slope := k.item(e)
		l[j] = v
		if len(d) > 0 {
			d[j] = slope
		}
	}
}

// item takes powers of numbers near 1 and of 2: h = 2^n sqrt(r).
func (k *charbonnier) item(e float64) (l, d float64) {
	a := math.Abs(e)
	switch {
	case e != e:
		return e, e
	case a > math.MaxFloat64 && k.alpha == 0.5:
		return a, math.Copysign(1, e)
	case a > math.MaxFloat64 && k.alpha < 0.5:
		return a, 0
	case a > math.MaxFloat64:
		return a, e
	case a == 0 && k.eps == 0:
		return 0, 0
	}
	_, n := math.Frexp(max(a, k.eps))
	x, y := math.Ldexp(a, -n), math.Ldexp(k.eps, -n)
	r := x*x + y*y
	if k.alpha == 0.5 {
		h := math.Ldexp(math.Sqrt(r), n)
		if k.offset {
			return e * (e / (h + k.eps)), e / h
		}
		return h, e / h
	}
	l, d = scaledPower(1, r, n, k.alpha), 2*k.alpha*scaledPower(e, r, n, k.alpha-1)
	if !k.offset {
		return l, d
	}
	y, n = math.Frexp(k.eps)
	if q := a / k.eps; q <= 1e8 {
		return scaledPower(math.Expm1(k.alpha*math.Log1p(q*q)), y*y, n, k.alpha), d
	}
	return l - scaledPower(1, y*y, n, k.alpha), d
}

// scaledPower is m (r 4^n)^p, where neither r nor the power need be in range. Half of the power of two meets m first.
func scaledPower(m, r float64, n int, p float64) float64 {
	half := math.Exp2(float64(n) * p)
	return m * half * math.Pow(r, p) * half
}
