package optimized

import (
	"math"

	"github.com/goldenloss/goldenloss/reference/loss"
)

// The sum of squares of a distance that needs no scaling lies between these.
const (
	leastSum = 0x1p-900
	mostSum  = 0x1p1000
)

// squaredDistances returns the sums of (x-y+eps)^2 and (x-z+eps)^2.
func squaredDistances[T loss.Float](x, y, z []T, eps float64) (xy, xz float64) {
	y, z = y[:len(x)], z[:len(x)]
	var xy1, xz1 float64
	j := 0
	for ; j+1 < len(x); j += 2 {
		x0, x1 := float64(x[j]), float64(x[j+1])
		u0, u1 := x0-float64(y[j])+eps, x1-float64(y[j+1])+eps
		v0, v1 := x0-float64(z[j])+eps, x1-float64(z[j+1])+eps
		xy += u0 * u0
		xy1 += u1 * u1
		xz += v0 * v0
		xz1 += v1 * v1
	}
	if j < len(x) {
		u, v := float64(x[j])-float64(y[j])+eps, float64(x[j])-float64(z[j])+eps
		xy += u * u
		xz += v * v
	}
	return xy + xy1, xz + xz1
}

// squaredDistance returns the sum of (x-y+eps)^2.
func squaredDistance[T loss.Float](x, y []T, eps float64) float64 {
	y = y[:len(x)]
	var s, s1 float64
	j := 0
	for ; j+1 < len(x); j += 2 {
		u0, u1 := float64(x[j])-float64(y[j])+eps, float64(x[j+1])-float64(y[j+1])+eps
		s += u0 * u0
		s1 += u1 * u1
	}
	if j < len(x) {
		u := float64(x[j]) - float64(y[j]) + eps
		s += u * u
	}
	return s + s1
}

func shifted[T loss.Float](v []float64, x, y []T, eps float64) {
	x, y = x[:len(v)], y[:len(v)]
	for j := range v {
		v[j] = float64(x[j]) - float64(y[j]) + eps
	}
}

// pnorm is the p-norm of v; powers is scratch of the same length.
func pnorm(v, powers []float64, p float64) float64 {
	top := 0.0
	for _, x := range v {
		top = max(top, math.Abs(x))
	}
	if top == 0 || !(top <= math.MaxFloat64) || math.IsInf(p, 1) {
		return top
	}
	b := powers[:len(v)]
	if p == 1 {
		for j, x := range v {
			b[j] = math.Abs(x)
		}
		return pairwise(b)
	}
	_, e := math.Frexp(top)
	unit := math.Ldexp(1, -max(e, -1000))
	for j, x := range v {
		b[j] = powerOf(math.Abs(x)*unit, p)
	}
	s := pairwise(b)
	if p == 2 {
		return math.Sqrt(s) / unit
	}
	return math.Pow(s, 1/p) / unit
}

// powerOf is x^p for x >= 0; products for the exponents that are in use.
func powerOf(x, p float64) float64 {
	switch p {
	case 0.5:
		return math.Sqrt(x)
	case 1:
		return x
	case 1.5:
		return x * math.Sqrt(x)
	case 2:
		return x * x
	case 3:
		return x * x * x
	case 4:
		return x * x * (x * x)
	}
	return math.Pow(x, p)
}

// pnormSlopes replaces v by the derivative of its p-norm n.
func pnormSlopes(v []float64, n, p float64) {
	switch {
	case n == 0:
		clear(v)
	case p == 1:
		for j, x := range v {
			v[j] = sign(x)
		}
	case math.IsInf(p, 1):
		for found, j := false, 0; j < len(v); j++ {
			x := v[j]
			v[j] = 0
			if !found && math.Abs(x) == n {
				v[j], found = sign(x), true
			}
		}
	case n > math.MaxFloat64:
		for j, x := range v {
			v[j] = 0
			if math.IsInf(x, 0) {
				v[j] = sign(x)
			}
		}
	default:
		for j, x := range v {
			q := math.Abs(x) / n
			if p != 2 {
				q = powerOf(q, p-1)
			}
			v[j] = math.Copysign(q, x)
		}
	}
}
