package optimized

import "github.com/goldenloss/goldenloss/reference/loss"

// coldExpAll fills e with exp((x - top) cold) 2^expBias, none of x being larger than top.
func coldExpAll[T loss.Float](e []float64, x []T, top, cold float64) {
	x = x[:len(e)]
	if single[T]() {
		for i := range e {
			e[i] = expNeg32((float64(x[i]) - top) * cold)
		}
		return
	}
	for i := range e {
		e[i] = expNeg64((float64(x[i]) - top) * cold)
	}
}

// by is the denominator that a parameter normalize names.
func by(normalize string) denominator {
	switch normalize {
	case "weight":
		return byWeights
	case "count":
		return byLabels
	}
	return byRows
}
