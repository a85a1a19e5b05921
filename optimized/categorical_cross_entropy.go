package optimized

import (
	"math"

	"github.com/goldenloss/goldenloss/reference/loss"
)

// CategoricalCrossEntropy is the cross-entropy of normalized and clipped probabilities. See loss.CategoricalCrossEntropy.
func CategoricalCrossEntropy[T loss.Float](out []T, grad, in *loss.CategoricalCrossEntropy[T], dOut []T) {
	k := take[ceTask[T]]()
	k.logits, k.prob = in.Prob.Data, in.TargetProb.Data
	k.keep, k.floor = 1, 0
	if a := in.LabelSmoothing; a != 0 {
		_, classes, _ := loss.AlongAxis(in.Prob.Shape, in.Axis)
		k.keep, k.floor = 1-a, a/float64(classes)
	}
	k.clips, k.shares, k.eps = true, in.Normalize, in.Eps
	if grad != nil {
		k.g = grad.Prob.Data
	}
	k.solve(out, in.Reduction, in.Prob.Shape, in.Axis, byRows, dOut)
}

// clipped is the loss of probabilities x with the coefficients s.q, which it replaces by those of the classes that are not clipped.
func (k *ceTask[T]) clipped(s *ceScratch[T], x, g []T, c float64) float64 {
	p, q := s.e[:len(x)], s.q[:len(x)]
	m, at := float64(x[0]), 0
	for i, v := range x {
		p[i] = float64(v)
		if p[i] > m {
			m, at = p[i], i
		}
	}
	// The sum without the largest: what is left of the sum without any one then loses nothing.
	p[at] = 0
	rest := pairwise(p)
	p[at] = m
	total := m + rest
	if !(total <= math.MaxFloat64) || k.shares && total == 0 {
		fill(g, T(math.NaN()))
		return math.NaN()
	}
	var sum running
	for lo := 0; lo < len(q); lo += strip {
		part := 0.0
		for i, y := range q[lo:min(lo+strip, len(q))] {
			if y == 0 {
				continue
			}
			i += lo
			l, inside := k.share(p[i], m, rest, total, i == at)
			part += y * l
			if !inside {
				q[i] = 0
			}
		}
		sum.add(part)
	}
	l := sum.value()
	switch {
	case g == nil:
	case l != l:
		fill(g, T(l))
	case k.shares:
		k.clippedSlope(p, q, g, m, rest, total, at, c)
	default:
		for i, y := range q {
			d := 0.0
			if y != 0 {
				d = -y / p[i] * c
			}
			g[i] = T(d)
		}
	}
	return l
}

// share is -log of the clipped p/total, or p, and whether the clamp passes. m is the largest of the row and rest the sum of the others.
func (k *ceTask[T]) share(p, m, rest, total float64, largest bool) (l float64, inside bool) {
	o, left := p, 1-p
	if k.shares {
		o, left = p/total, (m+(rest-p))/total
		if largest {
			left = rest / total
		}
	}
	switch {
	case k.eps > 0 && o < k.eps:
		return -math.Log(k.eps), false
	case k.eps > 0 && left < k.eps:
		return -math.Log1p(-k.eps), false
	case o > 0.5 && (o < 1 || k.shares): // a share may round to 1
		return -math.Log1p(-left), true
	case k.shares && o < 0x1p-1000: // the quotient may be 0
		return logOf(total) - logOf(p), true
	}
	return -logAway[T](o), true
}

// clippedSlope fills in (sum of the other q - q (what is left of the sum)/p)/sum.
func (k *ceTask[T]) clippedSlope(p, q []float64, g []T, m, rest, total float64, at int, c float64) {
	qTop, qAt := q[0], 0
	for i, y := range q {
		if y > qTop {
			qTop, qAt = y, i
		}
	}
	q[qAt] = 0
	qRest := pairwise(q)
	q[qAt] = qTop
	g = g[:len(q)]
	all := T((qTop + qRest) / total * c)
	for i, y := range q {
		if y == 0 {
			g[i] = all
			continue
		}
		left, others := m+(rest-p[i]), qTop+(qRest-y)
		if i == at {
			left = rest
		}
		if i == qAt {
			others = qRest
		}
		g[i] = T((others - y*(left/p[i])) / total * c)
	}
}
