package optimized

import (
	"math"

	"github.com/goldenloss/goldenloss/reference/loss"
)

// partialLSE stands for top + log(1+rest), a logarithm of a sum of exponentials whose largest exponent is top.
type partialLSE struct{ top, rest float64 }

// merge adds the sum of another.
func (a *partialLSE) merge(b partialLSE) {
	if b.top > a.top {
		*a, b = b, *a
	}
	if b.top > math.Inf(-1) {
		a.rest += (1 + b.rest) * (expNeg64(b.top-a.top) * expScale)
	}
}

// lseOf is the logarithm of the sum of the exponentials of a line, which it destroys. -Inf stands for an absent entry.
func lseOf[T loss.Float](line []float64) partialLSE {
	top, at := math.Inf(-1), 0
	for j, v := range line {
		if v > top {
			top, at = v, j
		}
	}
	if math.IsInf(top, -1) {
		return partialLSE{top, 0}
	}
	expAll[T](line, line, top)
	line[at] = 0
	return partialLSE{top, pairwise(line) * expScale}
}

// unitRow fills u with z/max(||z||, eps), or with z, and returns the norm and whether all of z is finite.
func unitRow[T loss.Float](u []float64, z []T, normalize bool, eps float64) (length float64, finite bool) {
	top := 0.0
	for _, v := range z {
		top = max(top, math.Abs(float64(v)))
	}
	if !(top <= math.MaxFloat64) {
		return math.NaN(), false
	}
	unit := 1.0
	if top > 0x1p500 || top < 0x1p-400 && top > 0 { // squares leave the range
		_, e := math.Frexp(top)
		unit = math.Ldexp(1, -max(e, -1000))
	}
	u = u[:len(z)]
	for j, v := range z {
		u[j] = float64(v) * unit
	}
	squares := 0.0
	for rest := u; len(rest) > 0; rest = rest[min(strip, len(rest)):] {
		squares += norm(rest[:min(strip, len(rest))], false)
	}
	length = math.Sqrt(squares) / unit
	if normalize {
		unit *= max(length, eps)
	}
	for j := range u {
		u[j] /= unit
	}
	return length, true
}

// pullUnit takes the gradient of a row of u back to z, whose norm is given.
func pullUnit[T loss.Float](g []T, u, du []float64, length float64, normalize bool, eps float64) {
	switch {
	case !normalize:
		store(g, du)
	case length > eps:
		along := 0.0
		for d, v := range du {
			along += v * u[d]
		}
		for d, v := range du {
			g[d] = T((v - along*u[d]) / length)
		}
	default:
		for d, v := range du {
			g[d] = T(v / eps)
		}
	}
}

// transpose writes the m rows of n elements of a, which begin stride apart, as the columns of b, whose rows begin strideB apart.
func transpose(b []float64, strideB int, a []float64, stride, m, n int) {
	for i := range m {
		for j, v := range a[i*stride:][:n] {
			b[j*strideB+i] = v
		}
	}
}
