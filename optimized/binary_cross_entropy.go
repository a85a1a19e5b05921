package optimized

import (
	"math"

	"github.com/goldenloss/goldenloss/reference/loss"
)

// BinaryCrossEntropy is the binary cross-entropy of probabilities. See loss.BinaryCrossEntropy.
func BinaryCrossEntropy[T loss.Float](out []T, grad, in *loss.BinaryCrossEntropy[T], dOut []T) {
	k := take[spreadTask[T]]()
	k.start(fromProb, in.Prob, in.Target, out, in.Reduction, dOut, len(in.Prob.Data))
	k.weight.reset(in.Weight, in.Prob.Shape)
	k.guard = newGuard(&in.BernoulliGuard)
	if grad != nil {
		k.g = grad.Prob.Data
	}
	k.finish(out, in.Reduction, 8)
}

const sqrtHalf = 0x3fe6a09e667f3bcd // bits of sqrt(1/2)

// logsNear fills l with log(a), given f = a-1, which may have more digits where a is near 1. With a = 2^n (1+r), r within
// [sqrt(1/2)-1, sqrt(2)-1), and s = r/(2+r), log(1+r) = 2 atanh(s) = r - s (r - 2 s^2 (1/3 + s^2/5 + ...)). l may be a.
func logsNear[T loss.Float](l, a, f []float64) {
	a, f = a[:len(l)], f[:len(l)]
	for j := range l {
		x, r := a[j], f[j]
		if !(x >= 0x1p-1022) {
			l[j] = logOf(x)
			continue
		}
		b := math.Float64bits(x)
		n := int64(b-sqrtHalf) >> 52
		if n != 0 {
			r = math.Float64frombits(b-uint64(n)<<52) - 1
		}
		s := r / (2 + r)
		z := s * s
		var tail float64
		if single[T]() {
			tail = z * (2./3 + z*(2./5+z*(2./7+z*(2./9))))
		} else {
			tail = z * (2./3 + z*(2./5+z*(2./7+z*(2./9+z*(2./11+z*(2./13+z*(2./15+z*(2./17+z*(2./19)))))))))
		}
		l[j] = float64(n)*ln2 + (r - s*(r-tail) + float64(n)*ln2Low)
	}
}
