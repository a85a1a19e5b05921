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
	var l float64
	if k.shares {
		l = k.shareTerms(p, q, m, rest, total, at)
	} else {
		l = k.plainTerms(p, q)
	}
	switch {
	case g == nil:
	case l != l:
		fill(g, T(l))
	case k.shares:
		clippedSlope(p, q, g, m, rest, total, at, c)
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

// shareTerms is the sum of q (-log of the clipped p/total), and leaves 0 of q where the clamp holds. m is the largest of p, which is at,
// and rest the sum of the others.
func (k *ceTask[T]) shareTerms(p, q []float64, m, rest, total float64, at int) float64 {
	var sum running
	if y := q[at]; y != 0 {
		left := rest / total // of 1
		switch {
		case k.eps > 0 && left < k.eps:
			sum.add(y * -math.Log1p(-k.eps))
			q[at] = 0
		case k.eps > 0 && m/total < k.eps:
			sum.add(y * -math.Log(k.eps))
			q[at] = 0
		case left < 0.5:
			sum.add(y * -math.Log1p(-left))
		default:
			sum.add(y * -logAway[T](m/total))
		}
	}
	low, near := -math.Log(k.eps), k.eps*(1+0x1p-50)
	inverse := 1 / total
	if !(inverse < 0x1p1000 && inverse > 0x1p-1000) { // every share by a quotient
		inverse, near = 0, 1
	}
	qAt := q[at]
	q[at] = 0
	for lo := 0; lo < len(q); lo += strip {
		part := 0.0
		for i, y := range q[lo:min(lo+strip, len(q))] {
			if y == 0 {
				continue
			}
			i += lo
			o := p[i] * inverse
			if o <= near { // next to eps the quotient decides
				if o = p[i] / total; o < k.eps {
					part += y * low
					q[i] = 0
					continue
				}
			}
			if o < 0x1p-1000 { // the quotient may be 0
				part += y * (logOf(total) - logOf(p[i]))
				continue
			}
			part -= y * logAway[T](o)
		}
		sum.add(part)
	}
	q[at] = qAt
	return sum.value()
}

// plainTerms is the sum of q (-log of the clipped p), and leaves 0 of q where the clamp holds.
func (k *ceTask[T]) plainTerms(p, q []float64) float64 {
	var sum running
	for lo := 0; lo < len(q); lo += strip {
		part := 0.0
		for i, y := range q[lo:min(lo+strip, len(q))] {
			if y == 0 {
				continue
			}
			i += lo
			switch o := p[i]; {
			case k.eps > 0 && o < k.eps:
				part += y * -math.Log(k.eps)
				q[i] = 0
			case k.eps > 0 && 1-o < k.eps:
				part += y * -math.Log1p(-k.eps)
				q[i] = 0
			case o > 0.5 && o < 1:
				part += y * -math.Log1p(o-1)
			default:
				part -= y * logAway[T](o)
			}
		}
		sum.add(part)
	}
	return sum.value()
}

// clippedSlope fills in (sum of the other q - q (what is left of the sum)/p)/total.
func clippedSlope[T loss.Float](p, q []float64, g []T, m, rest, total float64, at int, c float64) {
	qTop, qAt := q[0], 0
	for i, y := range q {
		if y > qTop {
			qTop, qAt = y, i
		}
	}
	q[qAt] = 0
	qRest := pairwise(q)
	q[qAt] = qTop
	g, p = g[:len(q)], p[:len(q)]
	slope := func(i int) {
		y, left, others := q[i], m+(rest-p[i]), qTop+(qRest-q[i])
		if i == at {
			left = rest
		}
		if i == qAt {
			others = qRest
		}
		if y != 0 {
			others -= y * (left / p[i])
		}
		g[i] = T(others / total * c)
	}
	if !(total > 0x1p-500 && total < 0x1p500) {
		for i := range g {
			slope(i)
		}
		return
	}
	f := c / total
	all := T((qTop + qRest) * f)
	for i, y := range q {
		if y == 0 {
			g[i] = all
		} else {
			g[i] = T((qTop + (qRest - y) - y*((m+(rest-p[i]))/p[i])) * f)
		}
	}
	slope(at)
	slope(qAt)
}
