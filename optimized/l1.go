package optimized

import (
	"math"

	"github.com/goldenloss/goldenloss/reference/loss"
)

// L1 is the absolute error. See loss.L1.
func L1[T loss.Float](out []T, grad, in *loss.L1[T], dOut []T) {
	var g *loss.Pair[T]
	if grad != nil {
		g = &grad.Pair
	}
	elementwise(out, g, &in.Pair, in.Reduction, float64(len(in.Pred.Data)), dOut, 2, absoluteKernel[T]{})
}

type absoluteKernel[T loss.Float] struct{}

func (absoluteKernel[T]) items(l, d []float64, pred, target []T) {
	pred, target = pred[:len(l)], target[:len(l)]
	if len(d) == 0 {
		for j := range l {
			l[j] = math.Abs(float64(pred[j]) - float64(target[j]))
		}
		return
	}
	d = d[:len(l)]
	for j := range l {
		e := float64(pred[j]) - float64(target[j])
		d[j] = within(e*0x1p1000*0x1p100, 1) // the sign
		l[j] = d[j] * e
	}
}
