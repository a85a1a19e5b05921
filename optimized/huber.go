package optimized

import (
	"math"

	"github.com/goldenloss/goldenloss/reference/loss"
)

// Huber is the Huber loss. See loss.Huber.
func Huber[T loss.Float](out []T, grad, in *loss.Huber[T], dOut []T) {
	var g *loss.Pair[T]
	if grad != nil {
		g = &grad.Pair
	}
	elementwise(out, g, &in.Pair, in.Reduction, float64(len(in.Pred.Data)), dOut, 2, huberKernel[T]{in.Delta})
}

type huberKernel[T loss.Float] struct{ delta float64 }

// items are q (|e| - q/2) with q = min(|e|, delta); their derivative is e within [-delta, delta].
func (k huberKernel[T]) items(l, d []float64, pred, target []T) {
	delta := k.delta
	pred, target = pred[:len(l)], target[:len(l)]
	if len(d) == 0 {
		for j := range l {
			a := math.Abs(float64(pred[j]) - float64(target[j]))
			q := least(a, delta)
			l[j] = q * (a - q*0.5)
		}
		return
	}
	d = d[:len(l)]
	for j := range l { // the same numbers, q with the sign of e
		e := float64(pred[j]) - float64(target[j])
		q := within(e, delta)
		l[j] = q * (e - q*0.5)
		d[j] = q
	}
}
