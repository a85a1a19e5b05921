package optimized

import "github.com/goldenloss/goldenloss/reference/loss"

// FocalSoftmax is the multi-class focal loss. See loss.FocalSoftmax.
func FocalSoftmax[T loss.Float](out []T, grad, in *loss.FocalSoftmax[T], dOut []T) {
	k := take[ceTask[T]]()
	k.logits, k.target, k.ignored, k.weight = in.Logits.Data, in.Target.Data, in.Ignored(), in.Alpha.Data
	k.keep, k.cold, k.focal, k.gamma = 1, 1, true, in.Gamma
	if grad != nil {
		k.g = grad.Logits.Data
	}
	k.solve(out, in.Reduction, in.Logits.Shape, 1, by(in.Normalize), dOut)
}

// focalTerm is w u^gamma l, l = -log p of the class y, e its exponential, p = e/total and u = others/total.
func (k *ceTask[T]) focalTerm(l, total, others, e, w, c float64) (value, each, own float64) {
	p, u := e/total, others/total
	f := w * power(u, k.gamma)
	c *= f
	pull := 0.0 // gamma p (-log p)
	if p != 0 {
		pull = k.gamma * p * l
	}
	each = c * 0 // c may be NaN
	if others != 0 {
		each = c * (pull/others + 1/total)
	}
	return f * l, each, -c * (pull + u)
}
