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

// focalRow is w u^gamma (-log p) of the class y, u = 1 - p as a sum without it. Its derivatives are the exponentials times one number,
// and another at y.
func (k *ceTask[T]) focalRow(s *ceScratch[T], x, g []T, y int, w, c float64) float64 {
	top, at, rest := s.softmax(x, 1)
	total, others, p := 1+rest, rest, 1.0
	l := log1p[T](rest)
	if y != at {
		l += top - float64(x[y])
		p = s.e[y] * expScale
		others = 1 + (rest - p)
	}
	p /= total
	u := others / total
	f := w * power(u, k.gamma)
	if g == nil {
		return f * l
	}
	c *= f
	if c != c || rest != rest {
		fill(g, T(c+rest))
		return f * l
	}
	pull := 0.0 // gamma p (-log p)
	if p != 0 {
		pull = k.gamma * p * l
	}
	each := 0.0 // times an exponential
	if others != 0 {
		each = c * (pull/others + 1/total)
	}
	g = g[:len(s.e)]
	for i, e := range s.e {
		g[i] = T(e * expScale * each)
	}
	g[at] = T(each)
	g[y] = T(-c * (pull + u))
	return f * l
}
