package optimized

import (
	"math"

	"github.com/goldenloss/goldenloss/reference/loss"
)

// ceWidth is the number of neighboring positions that are worked on together: a strip of every class plane stays in cache.
const ceWidth = 64

type ceTask[T loss.Float] struct {
	logits, prob, weight, out, g []T
	target                       []int64
	ignored                      int64
	smooth                       float64
	classes, inner, strips       int
	w                            weights[T]
	partial                      []float64
}

// CrossEntropy is the softmax cross-entropy. See loss.CrossEntropy.
func CrossEntropy[T loss.Float](out []T, grad, in *loss.CrossEntropy[T], dOut []T) {
	k := take[ceTask[T]]()
	n := in.Logits.Shape[0]
	k.classes, k.inner = in.Logits.Shape[1], loss.Size(in.Logits.Shape[2:])
	k.logits, k.prob, k.weight, k.target = in.Logits.Data, in.TargetProb.Data, in.ClassWeight.Data, in.Target.Data
	k.ignored, k.smooth = in.Ignored(), in.LabelSmoothing
	z := k.denominator(n * k.inner)
	k.w = newWeights(in.Reduction, dOut, z)
	if in.Reduction == loss.None {
		k.out = out
	}
	if grad != nil {
		k.g = grad.Logits.Data
	}
	k.strips = ceilDiv(k.inner, ceWidth)
	k.partial = grown(k.partial, n*k.strips)
	each(n*k.strips, k)
	finish(out, in.Reduction, k.partial, z)
	*k = ceTask[T]{partial: k.partial}
	give(k)
}

// denominator is the sum of the weights of the targets that are not ignored, or the number of positions.
func (k *ceTask[T]) denominator(n int) float64 {
	if k.prob != nil {
		return float64(n)
	}
	var z running
	for _, y := range k.target {
		if y != k.ignored {
			z.add(k.weightOf(int(y)))
		}
	}
	return z.value()
}

func (k *ceTask[T]) weightOf(c int) float64 {
	if k.weight == nil {
		return 1
	}
	return float64(k.weight[c])
}

// coefficient is what multiplies -log p_c at element at of class c, with target y.
func (k *ceTask[T]) coefficient(c, at int, y int64) float64 {
	w := k.weightOf(c)
	if w == 0 {
		return 0
	}
	q := 0.0
	if k.prob != nil {
		q = float64(k.prob[at])
	} else if y == int64(c) {
		q = 1
	}
	if k.smooth != 0 {
		q = q*(1-k.smooth) + k.smooth/float64(k.classes)
	}
	return w * q
}

// ceStrip holds the running statistics of the positions of a strip.
type ceStrip struct {
	top    [ceWidth]float64 // largest logit
	at     [ceWidth]int     // its lowest class
	rest   [ceWidth]float64 // sum of exp(x - top) without the largest
	low    [ceWidth]float64 // part of rest that is not yet added
	bad    [ceWidth]bool    // the softmax does not exist
	infs   [ceWidth]int
	skip   [ceWidth]bool
	label  [ceWidth]int64
	value  [ceWidth]float64
	qTop   [ceWidth]float64 // largest coefficient
	qAt    [ceWidth]int
	qRest  [ceWidth]float64 // sum of the others
	anyNaN [ceWidth]bool
}

func (k *ceTask[T]) run(i int) {
	s := take[ceStrip]()
	sample, first := i/k.strips, i%k.strips*ceWidth
	n := min(ceWidth, k.inner-first)
	base := sample*k.classes*k.inner + first
	pos := sample*k.inner + first
	for j := range n {
		s.top[j], s.at[j], s.rest[j], s.low[j], s.bad[j], s.infs[j] = math.Inf(-1), 0, 0, 0, false, 0
		s.value[j], s.qTop[j], s.qAt[j], s.qRest[j], s.anyNaN[j] = 0, 0, 0, 0, false
		s.skip[j], s.label[j] = false, -1
		if k.prob == nil {
			s.label[j] = k.target[pos+j]
			s.skip[j] = s.label[j] == k.ignored
		}
	}
	// The coefficients: their largest and the sum of the others, so that the sum without any one of them does not cancel.
	for c := range k.classes {
		for j := range n {
			if s.skip[j] {
				continue
			}
			switch q := k.coefficient(c, base+c*k.inner+j, s.label[j]); {
			case q > s.qTop[j]:
				s.qRest[j] += s.qTop[j]
				s.qTop[j], s.qAt[j] = q, c
			default:
				s.qRest[j] += q
			}
		}
	}
	for j := range n {
		// A row of indices whose weights are all 0 does not participate, whatever its logits are.
		s.skip[j] = s.skip[j] || k.prob == nil && s.qTop[j] == 0 && s.qRest[j] == 0
	}
	for c := range k.classes {
		x := k.logits[base+c*k.inner:][:n]
		for j, v := range x {
			if f := float64(v); f > s.top[j] {
				s.top[j], s.at[j] = f, c
			} else if f != f {
				s.bad[j] = true
			}
			if math.IsInf(float64(v), 1) {
				s.infs[j]++
			}
		}
	}
	for j := range n {
		s.bad[j] = s.bad[j] || s.infs[j] > 1 || k.classes > 1 && math.IsInf(s.top[j], -1)
	}
	for c := range k.classes {
		x := k.logits[base+c*k.inner:][:n]
		for j, v := range x {
			if c != s.at[j] {
				s.low[j] += math.Exp(float64(v) - s.top[j])
			}
		}
		if c%64 == 63 {
			for j := range n {
				s.rest[j] += s.low[j]
				s.low[j] = 0
			}
		}
	}
	for j := range n {
		s.rest[j] += s.low[j]
		s.low[j] = math.Log1p(s.rest[j])
	}
	// -log p_c = (top - x_c) + log1p(rest)
	for c := range k.classes {
		x := k.logits[base+c*k.inner:][:n]
		for j, v := range x {
			if s.skip[j] {
				continue
			}
			if k.prob == nil && k.smooth == 0 && int64(c) != s.label[j] {
				continue
			}
			if q := k.coefficient(c, base+c*k.inner+j, s.label[j]); q != 0 {
				l := s.low[j]
				if c != s.at[j] {
					l += s.top[j] - float64(v)
				}
				s.value[j] += q * l
			}
		}
	}
	for j := range n {
		switch {
		case s.skip[j]:
			s.value[j] = 0
		case s.bad[j]:
			s.value[j] = math.NaN()
		}
		if k.out != nil {
			k.out[pos+j] = T(s.value[j])
		}
	}
	if k.g != nil {
		k.gradient(s, base, pos, n)
	}
	k.partial[i] = pairwise(s.value[:n])
	give(s)
}

// gradient is p_k (the other coefficients) - q_k (the other p).
func (k *ceTask[T]) gradient(s *ceStrip, base, pos, n int) {
	for c := range k.classes {
		for j := range n {
			at := base + c*k.inner + j
			if s.skip[j] {
				k.g[at] = 0
				continue
			}
			q := k.coefficient(c, at, s.label[j])
			e := 1.0
			others := s.rest[j] // of the exponentials
			if c != s.at[j] {
				e = math.Exp(float64(k.logits[at]) - s.top[j])
				if k.classes > 1 {
					others = 1 + (s.rest[j] - e)
				}
			}
			rest := s.qRest[j] // of the coefficients
			if c != s.qAt[j] {
				rest = s.qTop[j] + (s.qRest[j] - q)
			}
			d := e * rest
			if q != 0 {
				d -= q * others
			}
			d /= 1 + s.rest[j]
			if s.bad[j] || s.value[j] != s.value[j] {
				d = math.NaN()
			}
			k.g[at] = T(d * k.w.at(pos+j))
		}
	}
}
