package optimized

import (
	"math"

	"github.com/goldenloss/goldenloss/reference/loss"
)

// SmoothL1 is the smooth L1 loss. See loss.SmoothL1.
func SmoothL1[T loss.Float](out []T, grad, in *loss.SmoothL1[T], dOut []T) {
	var g *loss.Pair[T]
	if grad != nil {
		g = &grad.Pair
	}
	z := float64(len(in.Pred.Data))
	if inverse := 1 / in.Beta; inverse > 0x1p-1021 && inverse < 0x1p1021 {
		elementwise(out, g, &in.Pair, in.Reduction, z, dOut, 3, smoothKernel[T]{in.Beta, inverse})
		return
	}
	// Where 1/beta is not a normal number, the division itself.
	elementwise(out, g, &in.Pair, in.Reduction, z, dOut, 3, dividedKernel[T]{in.Beta})
}

type smoothKernel[T loss.Float] struct{ beta, inverse float64 }

// items are q^2/(2 beta) + (a - q) with a = |e| and q = min(a, beta); their derivative is e/beta within [-1, 1].
func (k smoothKernel[T]) items(l, d []float64, pred, target []T) {
	beta, half, inverse := k.beta, k.inverse/2, k.inverse
	pred, target = pred[:len(l)], target[:len(l)]
	for j := range l {
		a := math.Abs(float64(pred[j]) - float64(target[j]))
		q := least(a, beta)
		l[j] = q*half*q + (a - q)
	}
	if len(d) == 0 {
		return
	}
	d = d[:len(l)]
	for j := range d { // faster than in one loop
		d[j] = within((float64(pred[j])-float64(target[j]))*inverse, 1)
	}
}

type dividedKernel[T loss.Float] struct{ beta float64 }

func (k dividedKernel[T]) items(l, d []float64, pred, target []T) {
	for j := range l {
		e := float64(pred[j]) - float64(target[j])
		a := math.Abs(e)
		inside := a < k.beta
		l[j] = a - k.beta/2
		if inside {
			l[j] = (a / k.beta) * a / 2
		}
		if len(d) > 0 {
			d[j] = sign(e)
			if inside {
				d[j] = e / k.beta
			}
		}
	}
}
