package optimized

import (
	"math"

	"github.com/goldenloss/goldenloss/reference/loss"
)

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

// logAway is log x for x >= 0 outside of (1/2, 1), where the two terms cancel.
func logAway[T loss.Float](x float64) float64 {
	if !(x >= 0x1p-1022 && x <= math.MaxFloat64) {
		return logOf(x)
	}
	b := math.Float64bits(x)
	n := float64(int(b>>52) - 1023)
	f := math.Float64frombits(b<<12>>12|oneBits) - 1
	if single[T]() {
		return n*math.Ln2 + unitLog1p32(f)
	}
	return n*ln2 + (unitLog1p64(f) + n*ln2Low)
}
