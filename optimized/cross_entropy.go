package optimized

import (
	"math"

	"github.com/goldenloss/goldenloss/reference/loss"
)

// ceChunk is the number of logits of a chunk, at least one row.
const ceChunk = 8192

// ceTask is every loss on rows of logits or probabilities [samples, classes, inner].
type ceTask[T loss.Float] struct {
	logits, prob, out, g []T
	weight, pixel        []T // of the classes or of the rows
	target               []int64
	ignored              int64
	keep, floor          float64 // a coefficient is keep q + floor
	cold                 float64 // 1/temperature
	focal                bool
	gamma                float64
	clips, shares        bool // probabilities in place of logits, clipped at eps, normalized
	eps                  float64
	classes, inner, rows int // rows of a chunk, neighbors of one sample
	perSample            int // chunks
	w                    weights[T]
	partial              []float64
	counting, plainCount bool // first pass: the denominator, by weights or by number
}

// denominator says by what the mean of a softmax loss divides.
type denominator int

const (
	byRows    denominator = iota // their number
	byLabels                     // the number of those that are not ignored
	byWeights                    // the sum of the weights of those
)

// CrossEntropy is the softmax cross-entropy. See loss.CrossEntropy.
func CrossEntropy[T loss.Float](out []T, grad, in *loss.CrossEntropy[T], dOut []T) {
	k := take[ceTask[T]]()
	k.logits, k.prob, k.weight, k.target = in.Logits.Data, in.TargetProb.Data, in.ClassWeight.Data, in.Target.Data
	k.ignored, k.keep, k.floor, k.cold = in.Ignored(), 1-in.LabelSmoothing, in.LabelSmoothing/float64(in.Logits.Shape[1]), 1
	if grad != nil {
		k.g = grad.Logits.Data
	}
	by := byWeights
	if k.prob != nil {
		by = byRows
	}
	k.solve(out, in.Reduction, in.Logits.Shape, 1, by, dOut)
}

// solve runs a task along an axis of logits of the given shape and gives it back.
func (k *ceTask[T]) solve(out []T, r loss.Reduction, shape []int, axis int, by denominator, dOut []T) {
	var samples int
	samples, k.classes, k.inner = loss.AlongAxis(shape, axis)
	if r == loss.None {
		k.out = out
	}
	k.rows = max(1, ceChunk/max(k.classes, 1))
	z := float64(samples * k.inner)
	length := k.inner // of the rows that lie one after the other
	if k.inner == 1 {
		length, samples = samples, 1
	}
	k.perSample = ceilDiv(length, k.rows)
	chunks := samples * k.perSample
	k.partial = grown(k.partial, chunks)
	if r == loss.Mean && by != byRows {
		k.counting, k.plainCount = true, by == byLabels || k.weight == nil && k.pixel == nil
		each(chunks, 2*k.rows, k)
		k.counting = false
		z = pairwise(k.partial)
	}
	k.w = newWeights(r, dOut, z)
	each(chunks, 6*k.rows*k.classes, k)
	finish(out, r, k.partial, z)
	*k = ceTask[T]{partial: k.partial}
	give(k)
}

func (k *ceTask[T]) run(i int) {
	// Rows lo to hi lie one after the other, in one sample unless inner is 1.
	lo, hi := i*k.rows, min((i+1)*k.rows, len(k.logits)/max(k.classes, 1))
	if k.inner != 1 {
		sample, at := i/k.perSample*k.inner, i%k.perSample*k.rows
		lo, hi = sample+at, sample+min(at+k.rows, k.inner)
	}
	if k.counting {
		k.partial[i] = k.count(lo, hi)
		return
	}
	s := take[ceScratch[T]]()
	s.e, s.q, s.l = grown(s.e, k.classes), grown(s.q, k.classes), grown(s.l, hi-lo)
	switch {
	case k.inner == 1:
		for row := lo; row < hi; row++ {
			from, to := row*k.classes, (row+1)*k.classes
			s.l[row-lo] = k.row(s, row, k.logits[from:to], cut(k.prob, from, to), cut(k.g, from, to))
		}
	case k.prob == nil && k.floor == 0 && k.cold == 1:
		k.planes(s, lo, hi)
	case !k.clips:
		k.spreadPlanes(s, lo, hi)
	default:
		k.block(s, lo, hi)
	}
	if k.out != nil {
		store(k.out[lo:], s.l)
	}
	k.partial[i] = pairwise(s.l)
	give(s)
}

// cut is x[from:to], nil for nil.
func cut[T any](x []T, from, to int) []T {
	if x == nil {
		return nil
	}
	return x[from:to]
}

// count sums the weights of the rows that are not ignored, or counts them.
func (k *ceTask[T]) count(lo, hi int) float64 {
	if k.plainCount {
		n := 0
		for _, y := range k.target[lo:hi] {
			if y != k.ignored {
				n++
			}
		}
		return float64(n)
	}
	var z running
	for i, y := range k.target[lo:hi] {
		if y != k.ignored {
			z.add(k.labelWeight(lo+i, y))
		}
	}
	return z.value()
}

// labelWeight is the weight of a row with class y, which is not ignored.
func (k *ceTask[T]) labelWeight(row int, y int64) float64 {
	switch {
	case k.weight != nil:
		return float64(k.weight[y])
	case k.pixel != nil:
		return float64(k.pixel[row])
	}
	return 1
}

type ceScratch[T loss.Float] struct {
	e, q, l    []float64 // of a row: exponentials, coefficients; the losses
	x, prob, g []T       // transposed blocks
	planeScratch
}

// block copies rows whose classes are k.inner apart to where they are dense, and their gradients back.
func (k *ceTask[T]) block(s *ceScratch[T], lo, hi int) {
	n, c := hi-lo, k.classes
	from := lo/k.inner*c*k.inner + lo%k.inner
	s.x = grown(s.x, n*c)
	gather(s.x, k.logits[from:], c, k.inner)
	if k.prob != nil {
		s.prob = grown(s.prob, n*c)
		gather(s.prob, k.prob[from:], c, k.inner)
	}
	if k.g != nil {
		s.g = grown(s.g, n*c)
	}
	for j := range n {
		var prob, g []T
		if k.prob != nil {
			prob = s.prob[j*c : (j+1)*c]
		}
		if k.g != nil {
			g = s.g[j*c : (j+1)*c]
		}
		s.l[j] = k.row(s, lo+j, s.x[j*c:(j+1)*c], prob, g)
	}
	if k.g != nil {
		scatter(k.g[from:], s.g, c, k.inner)
	}
}

// gather fills rows of c elements from columns that are stride apart, scatter does the reverse.
func gather[T any](rows, x []T, c, stride int) {
	n := len(rows) / c
	for i := range c {
		for j, v := range x[i*stride:][:n] {
			rows[j*c+i] = v
		}
	}
}

func scatter[T any](x, rows []T, c, stride int) {
	n := len(rows) / c
	for i := range c {
		col := x[i*stride:][:n]
		for j := range col {
			col[j] = rows[j*c+i]
		}
	}
}

// row returns the loss of a row and fills its gradient g, if not nil.
func (k *ceTask[T]) row(s *ceScratch[T], row int, x, prob, g []T) float64 {
	c := 0.0
	if g != nil {
		c = k.w.at(row)
	}
	if prob != nil {
		k.coefficients(s.q[:len(prob)], prob)
		if k.clips {
			return k.clipped(s, x, g, c)
		}
		return k.spread(s, x, g, c)
	}
	y := k.target[row]
	w := 0.0
	if y != k.ignored {
		w = k.labelWeight(row, y)
	}
	if y == k.ignored || k.floor == 0 && w == 0 {
		clear(g)
		return 0
	}
	if k.floor == 0 {
		return k.index(s, x, g, int(y), w, c)
	}
	for i := range s.q {
		s.q[i] = k.coefficient(i, 0)
	}
	s.q[y] = k.coefficient(int(y), 1)
	return k.spread(s, x, g, c)
}

// coefficients fills q with those of a row of targets.
func (k *ceTask[T]) coefficients(q []float64, prob []T) {
	switch {
	case k.weight != nil:
		for i, v := range prob {
			q[i] = k.coefficient(i, float64(v))
		}
	case k.floor != 0:
		for i, v := range prob {
			q[i] = float64(v)*k.keep + k.floor
		}
	default:
		for i, v := range prob {
			q[i] = float64(v)
		}
	}
}

// coefficient is what multiplies -log p of class i, whose target is q.
func (k *ceTask[T]) coefficient(i int, q float64) float64 {
	if k.floor != 0 {
		q = q*k.keep + k.floor
	}
	if k.weight == nil {
		return q
	}
	if k.weight[i] == 0 {
		return 0
	}
	return q * float64(k.weight[i])
}

// softmax fills s.e with exp((x - top) cold) 2^expBias, 0 at the largest logit, which is at. With rest, the sum of the others, p of the
// largest is 1/(1+rest) and its logarithm -log1p(rest): both keep their digits when the largest is far ahead. rest is NaN where the
// softmax does not exist: NaN, several +Inf, nothing but -Inf.
func (s *ceScratch[T]) softmax(x []T, cold float64) (top float64, at int, rest float64) {
	m := x[0]
	for i, v := range x {
		if v > m {
			m, at = v, i
		}
	}
	top = float64(m)
	if len(x) == 1 {
		s.e[0] = 0
		if top != top {
			return top, 0, top
		}
		return top, 0, 0
	}
	if m != m { // the first logit is NaN
		return top, 0, top
	}
	if cold == 1 {
		expAll[T](s.e, x, top)
	} else {
		coldExpAll(s.e, x, top, cold)
	}
	s.e[at] = 0
	return top, at, pairwise(s.e) * expScale
}

// index is the loss of a row with one class y of weight w.
func (k *ceTask[T]) index(s *ceScratch[T], x, g []T, y int, w, c float64) float64 {
	top, at, rest := s.softmax(x, k.cold)
	l, each, own := k.term(rest, s.e[y]*expScale, (top-float64(x[y]))*k.cold, y == at, w, c)
	switch {
	case g == nil:
		return l
	case each != each:
		fill(g, T(each))
		return l
	}
	g = g[:len(s.e)]
	if tiny(each) {
		for i, e := range s.e {
			g[i] = T(e * expScale * each)
		}
	} else {
		f := each * expScale
		for i, e := range s.e {
			g[i] = T(e * f)
		}
	}
	g[at] = T(each)
	g[y] = T(own)
	return l
}

// term is the loss of a row with one class y of weight w. rest is the sum of the exponentials without the largest, which is 1, e the
// exponential of y, and gap how far y is below the largest; none of both counts where y is the largest. The derivatives are each
// times the exponential, and own at y.
func (k *ceTask[T]) term(rest, e, gap float64, largest bool, w, c float64) (l, each, own float64) {
	total, others := 1+rest, rest // others is total without y
	l = log1p[T](rest)
	if largest {
		e = 1
	} else {
		l += gap
		others = 1 + (rest - e)
	}
	if k.focal {
		return k.focalTerm(l, total, others, e, w, c)
	}
	c *= w * k.cold
	return l * w, c / total, -c * (others / total)
}

// tiny tells whether a factor of exponentials is so small that expScale would make it vanish.
func tiny(x float64) bool { return math.Abs(x) < 0x1p-700 }

// spread is the loss with the coefficients s.q.
func (k *ceTask[T]) spread(s *ceScratch[T], x, g []T, c float64) float64 {
	// The largest coefficient, and the sum of the others without it: leaving out any one then loses nothing.
	qTop, qAt := s.q[0], 0
	for i, q := range s.q {
		if q > qTop {
			qTop, qAt = q, i
		}
	}
	s.q[qAt] = 0
	qRest := pairwise(s.q)
	s.q[qAt] = qTop
	if k.prob == nil && qTop == 0 && qRest == 0 { // no class has a weight
		clear(g)
		return 0
	}
	top, at, rest := s.softmax(x, k.cold)
	tail := log1p[T](rest)
	// -log p of a class is (top - x) cold + tail.
	qMost := s.q[at]
	s.q[at] = 0
	var sum running
	for lo := 0; lo < len(x); lo += strip {
		part := 0.0
		for i, q := range s.q[lo:min(lo+strip, len(x))] {
			if q != 0 {
				part += q * ((top-float64(x[lo+i]))*k.cold + tail)
			}
		}
		sum.add(part)
	}
	s.q[at] = qMost
	if qMost != 0 {
		sum.add(qMost * tail)
	}
	l := sum.value()
	if rest != rest {
		l = rest
	}
	if g == nil {
		return l
	}
	f := c * k.cold / (1 + rest)
	if f != f || l != l {
		fill(g, T(math.NaN()))
		return l
	}
	// p_i Q - q_i = p_i (the other q) - q_i (the other p)
	g = g[:len(s.e)]
	q := s.q[:len(s.e)]
	slope := func(i int) {
		e, others := s.e[i]*expScale, 1+(rest-s.e[i]*expScale)
		if i == at {
			e, others = 1, rest
		}
		without := qTop + (qRest - q[i])
		if i == qAt {
			without = qRest
		}
		g[i] = T((e*without - q[i]*others) * f)
	}
	if math.IsInf(f, 0) { // a mean over weights that sum to 0
		for i := range g {
			slope(i)
		}
		return l
	}
	for i, e := range s.e {
		g[i] = T(e*(qTop+(qRest-q[i]))*(f*expScale) - q[i]*(1+(rest-e*expScale))*f)
	}
	slope(at)
	slope(qAt)
	return l
}

func fill[T any](x []T, v T) {
	for i := range x {
		x[i] = v
	}
}
