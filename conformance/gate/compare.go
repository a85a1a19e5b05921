// Package gate says whether an implementation computes every loss right. It compares with golden files element by element, within
// tolerances that follow from the error scale stored beside each expected number, and it watches how the implementation behaves:
// that it writes all of its outputs and nothing else, leaves its inputs alone, and answers the same every time.
package gate

import (
	"fmt"
	"math"
)

// Class is an accuracy class: got passes if |got - want| <= C u s + u |want| + eta.
type Class struct {
	Name  string
	C     float64
	Usual bool // s is the larger of scale and scale_usual
}

var (
	Tight    = Class{"A", 2, false} // as good as a careful evaluation
	Standard = Class{"B", 8, false} // what the code of this project owes
	Usual    = Class{"C", 64, true} // the usual formula, in any order of summation
)

// Classes lists the accuracy classes, best first.
var Classes = []Class{Tight, Standard, Usual}

// format is a floating-point type.
type format struct {
	name          string
	u             float64 // unit roundoff
	eta, min, max float64 // smallest subnormal, smallest normal, largest
	round         func(float64) float64
}

var (
	float64Format = format{"float64", 0x1p-53, 0x1p-1074, 0x1p-1022, math.MaxFloat64, func(x float64) float64 { return x }}
	float32Format = format{"float32", 0x1p-24, 0x1p-149, 0x1p-126, math.MaxFloat32, func(x float64) float64 { return float64(float32(x)) }}
)

// expected is one element of an expectation.
type expected struct {
	want, scale, usual float64
	lower, upper       float64 // equal to want except on a kink
}

// tolerance of an element whose want is finite.
func (f *format) tolerance(e expected, c Class) float64 {
	s := e.scale
	if c.Usual {
		s = math.Max(s, e.usual)
	}
	return c.C*f.u*s + f.u*math.Abs(e.want) + f.eta
}

// judge returns the error of got in units of the bound; at most 1 is right. NaN never is, except where NaN is wanted.
func (f *format) judge(e expected, c Class, got float64) float64 {
	if math.IsNaN(e.want) {
		return wrongUnless(math.IsNaN(got))
	}
	if math.IsInf(e.want, 0) {
		return wrongUnless(got == e.want)
	}
	tol := f.tolerance(e, c)
	lower, upper := f.round(e.lower), f.round(e.upper)
	if math.IsInf(got, 0) {
		// Right where the expectation overflows, or is within the tolerance of doing so.
		reach := math.Copysign(1, got) * f.edge(e, got)
		return wrongUnless(reach+tol > f.max)
	}
	if got >= lower && got <= upper {
		return 0
	}
	low, high := lower-got, got-upper
	if math.IsInf(lower, 0) || math.IsInf(upper, 0) { // the expectation overflows the format, got is finite
		low, high = e.lower-got, got-e.upper
	}
	d := math.Max(low, high)
	if !(d <= tol) {
		return worse(d / tol)
	}
	return d / tol
}

// edge is the end of the accepted interval on the side of an infinity.
func (f *format) edge(e expected, inf float64) float64 {
	if inf > 0 {
		return e.upper
	}
	return e.lower
}

func wrongUnless(ok bool) float64 {
	if ok {
		return 0
	}
	return math.Inf(1)
}

// worse keeps a failed comparison above 1 whatever rounding or NaN made of the quotient.
func worse(ratio float64) float64 {
	if ratio > 1 {
		return ratio
	}
	return math.Inf(1)
}

// weak reports whether the tolerance of an element is so wide that the comparison says little.
func (f *format) weak(e expected, c Class) bool {
	w := f.round(e.want)
	if w == 0 || math.IsNaN(w) || math.IsInf(w, 0) {
		return false
	}
	return f.tolerance(e, c) > math.Abs(w)/4+64*f.eta
}

// ulps is the distance of got from want in units in the last place of want, for reports.
func (f *format) ulps(want, got float64) string {
	if math.IsNaN(want) || math.IsNaN(got) || math.IsInf(want, 0) || math.IsInf(got, 0) {
		return "-"
	}
	_, e := math.Frexp(f.round(want))
	ulp := math.Max(math.Ldexp(2*f.u, e-1), f.eta)
	return fmt.Sprintf("%.3g", math.Abs(got-f.round(want))/ulp)
}
