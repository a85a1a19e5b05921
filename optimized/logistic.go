package optimized

import (
	"math"

	"github.com/goldenloss/goldenloss/reference/loss"
)

// Logistic is the logistic loss. See loss.Logistic.
func Logistic[T loss.Float](out []T, grad, in *loss.Logistic[T], dOut []T) {
	k := take[spreadTask[T]]()
	k.start(ofMargin, in.Score, in.Target, out, in.Reduction, dOut, len(in.Score.Data))
	if grad != nil {
		k.g = grad.Score.Data
	}
	k.finish(out, in.Reduction, 6)
}

// missed is a mask of ones where the margin y v is negative or -0.
func missed(v, y float64) uint64 { return negative(v) ^ negative(y) }

// marginItems fills l with max(-y v, 0) + log(1 + exp(-|v|)), given the logarithm.
func marginItems[T loss.Float](l []float64, v, y []T, tail []float64) {
	v, y, tail = v[:len(l)], y[:len(l)], tail[:len(l)]
	for j := range l {
		v := float64(v[j])
		l[j] = math.Float64frombits(math.Float64bits(math.Abs(v))&missed(v, float64(y[j]))) + tail[j]
	}
}

// marginSlopes fills d with -y sigmoid(-y v), given exp(-|v|).
func marginSlopes[T loss.Float](d []float64, v, y []T, q []float64) {
	v, y, q = v[:len(d)], y[:len(d)], q[:len(d)]
	for j := range d {
		y := float64(y[j])
		_, down := sigmoid(q[j], missed(float64(v[j]), y))
		d[j] = -y * down
	}
}
