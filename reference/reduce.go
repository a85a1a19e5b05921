// Package reference computes every loss and its gradient plainly, in float64, with care for accuracy and none for speed. Each
// function follows the formula and the special cases that the loss package documents.
//
// X returns the value: one element, or the items with reduction none. XGrad returns the vector-Jacobian product with a cotangent of
// the shape of the value, in the Var tensors of a new struct.
package reference

import (
	"math"

	"github.com/goldenloss/goldenloss/reference/loss"
)

// accumulator is a compensated sum (Neumaier): its error does not grow with the number of terms.
type accumulator struct{ sum, err float64 }

func (a *accumulator) add(x float64) {
	s := a.sum + x
	if math.Abs(a.sum) >= math.Abs(x) {
		a.err += (a.sum - s) + x
	} else {
		a.err += (x - s) + a.sum
	}
	a.sum = s
}

// addProduct adds x y with the rounding error of the product.
func (a *accumulator) addProduct(x, y float64) {
	p := x * y
	a.add(p)
	if e := math.FMA(x, y, -p); !math.IsNaN(e) {
		a.err += e
	}
}

func (a *accumulator) value() float64 {
	if math.IsInf(a.sum, 0) || math.IsNaN(a.sum) { // the correction is Inf-Inf
		return a.sum
	}
	return a.sum + a.err
}

func sum(xs []float64) float64 {
	var a accumulator
	for _, x := range xs {
		a.add(x)
	}
	return a.value()
}

func dot(x, y []float64) float64 {
	var a accumulator
	for i := range x {
		a.addProduct(x[i], y[i])
	}
	return a.value()
}

// reduce turns items into the value; z is the denominator of mean.
func reduce(r loss.Reduction, items []float64, z float64) []float64 {
	switch r {
	case loss.None:
		return items
	case loss.Sum:
		return []float64{sum(items)}
	}
	return []float64{sum(items) / z}
}

// itemWeights returns, for each of n items, the derivative of cotangent times value with respect to the item.
func itemWeights(r loss.Reduction, n int, z float64, dOut []float64) []float64 {
	c := make([]float64, n)
	for i := range c {
		switch r {
		case loss.None:
			c[i] = dOut[i]
		case loss.Sum:
			c[i] = dOut[0]
		default:
			c[i] = dOut[0] / z
		}
	}
	return c
}

// zeros returns a tensor of zeros shaped like x.
func zeros(x loss.Tensor[float64]) loss.Tensor[float64] {
	return loss.Make[float64](append([]int{}, x.Shape...)...)
}

func sign(x float64) float64 {
	switch {
	case x > 0:
		return 1
	case x < 0:
		return -1
	}
	return x // 0 and NaN
}

// softplus is log(1 + exp(z)).
func softplus(z float64) float64 { return math.Max(z, 0) + math.Log1p(math.Exp(-math.Abs(z))) }

// sigmoid is 1/(1 + exp(-z)).
func sigmoid(z float64) float64 {
	q := math.Exp(-math.Abs(z))
	if z >= 0 {
		return 1 / (1 + q)
	}
	return q / (1 + q)
}

// log is math.Log, which is wrong for subnormal numbers on some processors.
func log(x float64) float64 {
	if x > 0 && x < 0x1p-1022 {
		return math.Log(x*0x1p54) - 54*math.Ln2
	}
	return math.Log(x)
}

// norm is the Euclidean norm; large and small coordinates do not overflow or vanish.
func norm(v []float64) float64 {
	m := 0.0
	for _, x := range v {
		m = max(m, math.Abs(x)) // not math.Max, which is Inf for Inf and NaN
	}
	if m == 0 || math.IsNaN(m) || math.IsInf(m, 0) {
		return m
	}
	_, e := math.Frexp(m)
	var a accumulator
	for _, x := range v {
		y := math.Ldexp(x, -e)
		a.addProduct(y, y)
	}
	return math.Ldexp(math.Sqrt(a.value()), e)
}

// without returns, for each k, the sum of all x but x_k.
func without(x []float64) []float64 {
	out := make([]float64, len(x))
	var left, right accumulator
	for k := range x {
		out[k] = left.value()
		left.add(x[k])
	}
	for k := len(x) - 1; k >= 0; k-- {
		out[k] += right.value()
		right.add(x[k])
	}
	return out
}

// softmax is a row of logits relative to its maximum: e_c = exp(x_c - m), and rest the sum of all e but that of the maximum.
type softmax struct {
	x, e []float64
	top  int
	rest float64
	bad  bool // NaN, several +Inf, or nothing but -Inf
}

func newSoftmax(x []float64) softmax {
	s := softmax{x: x, e: make([]float64, len(x))}
	infs := 0
	for c, v := range x {
		if v > x[s.top] {
			s.top = c
		}
		if math.IsInf(v, 1) {
			infs++
		}
		s.bad = s.bad || math.IsNaN(v)
	}
	s.bad = s.bad || infs > 1 || len(x) > 1 && math.IsInf(x[s.top], -1)
	var rest accumulator
	for c, v := range x {
		if c == s.top {
			s.e[c] = 1
			continue
		}
		s.e[c] = math.Exp(v - x[s.top])
		rest.add(s.e[c])
	}
	s.rest = rest.value()
	return s
}

// negLogProb is -log p_k = (m - x_k) + log1p(rest).
func (s *softmax) negLogProb(k int) float64 {
	l := math.Log1p(s.rest)
	if k == s.top {
		return l
	}
	return (s.x[s.top] - s.x[k]) + l
}

func (s *softmax) prob(k int) float64 { return s.e[k] / (1 + s.rest) }

// others returns 1 - p_k for every k, as the sum of the other e.
func (s *softmax) others() []float64 {
	o := without(s.e)
	o[s.top] = s.rest
	for k := range o {
		o[k] /= 1 + s.rest
	}
	return o
}
