package optimized

import "github.com/goldenloss/goldenloss/reference/loss"

// MSE is the squared error. See loss.MSE.
func MSE[T loss.Float](out []T, grad, in *loss.MSE[T], dOut []T) {
	var g *loss.Pair[T]
	if grad != nil {
		g = &grad.Pair
	}
	k := squareKernel[T]{1, 2, 0}
	if in.Half {
		k = squareKernel[T]{0.5, 1, 0}
	}
	elementwise(out, g, &in.Pair, in.Reduction, float64(len(in.Pred.Data)), dOut, 2, k)
}

// squareKernel is factor e^2 + add, whose derivative is slope e.
type squareKernel[T loss.Float] struct{ factor, slope, add float64 }

func (k squareKernel[T]) items(l, d []float64, pred, target []T) {
	pred, target = pred[:len(l)], target[:len(l)]
	if len(d) == 0 {
		for j := range l {
			e := float64(pred[j]) - float64(target[j])
			l[j] = e*k.factor*e + k.add
		}
		return
	}
	d = d[:len(l)]
	for j := range l {
		e := float64(pred[j]) - float64(target[j])
		l[j] = e*k.factor*e + k.add
		d[j] = k.slope * e
	}
}
