package mutants

import (
	"math"
	"slices"
)

const (
	dotForm      = "log-sum-exp minus dot product"
	warmGradient = "gradient without the temperature"
	squared      = "squared temperature"
	zeroTimesInf = "zero coefficients kept"
	cooledFirst  = "logits divided before the shift"
)

// softRow is sum q (-log softmax(x/T)) of a row and its gradient.
func softRow(x, q []float64, temperature float64, flaw string) (l float64, d []float64) {
	q = slices.Clone(q)
	if s := total(q); flaw == renormalized && s > 0 {
		for c := range q {
			q[c] /= s
		}
	}
	top := 0
	for c := range x {
		if x[c] > x[top] {
			top = c
		}
	}
	m := x[top]
	if flaw == noMaximum {
		m = 0
	}
	y, e := make([]float64, len(x)), make([]float64, len(x))
	for c := range x {
		y[c] = (x[c] - m) / temperature
		if flaw == cooledFirst {
			y[c] = x[c]/temperature - m/temperature
		}
		e[c] = math.Exp(y[c])
	}
	without := func(k int) float64 { // sum of all exponentials but one
		s := 0.0
		for c := range e {
			if c != k {
				s += e[c]
			}
		}
		return s
	}
	rest := without(top)
	s := e[top] + rest
	d = make([]float64, len(x))
	sum := total(q)
	for k := range x {
		logp := y[k] - math.Log1p(rest)
		if flaw == logOfSum || flaw == noMaximum {
			logp = y[k] - math.Log(s)
		}
		if q[k] != 0 || flaw == zeroTimesInf {
			l -= q[k] * logp
		}
		d[k] = e[k]/s*(sum-q[k]) - q[k]*without(k)/s
		switch flaw {
		case minusOne:
			d[k] = e[k]/s*(sum-q[k]) + q[k]*(e[k]/s-1)
		case plainResidual:
			d[k] = e[k]/s - q[k]
		}
		if flaw != warmGradient {
			d[k] /= temperature
		}
	}
	switch flaw {
	case dotForm:
		l = (m/temperature + math.Log(s)) * sum
		for k := range x {
			l -= q[k] * x[k] / temperature
		}
	case squared:
		l *= temperature * temperature
		for k := range d {
			d[k] *= temperature * temperature
		}
	}
	return l, d
}
