package optimized

import (
	"math"
	"slices"

	"github.com/goldenloss/goldenloss/reference/loss"
)

type attentionTask[T loss.Float] struct {
	in                                            *loss.AttentionTarget[T]
	out, gz, ga                                   []T
	layers, samples, heads, queries, keys, stride int // stride is the number of attention weights of a layer and sample
	classes, chunk                                int // samples of a chunk of the second phase
	second                                        bool
	counts                                        []bool    // of the layers
	a, items                                      []float64 // terms [L, N]; items
	w                                             weights[T]
	entropy                                       ceTask[T]
}

// AttentionTarget is the attention-target loss. The first phase works on the pairs of a layer and a sample, the second on samples. See
// loss.AttentionTarget.
func AttentionTarget[T loss.Float](out []T, grad, in *loss.AttentionTarget[T], dOut []T) {
	k := take[attentionTask[T]]()
	s := in.Attn.Shape
	k.in, k.layers, k.samples, k.heads, k.queries, k.keys, k.stride = in, s[0], s[1], s[2], s[3], s[4], s[2]*s[3]*s[4]
	k.classes = in.Logits.Shape[1]
	k.w = newWeights(in.Reduction, dOut, float64(k.samples))
	k.entropy.cold = 1
	if in.Reduction == loss.None {
		k.out = out
	}
	if grad != nil {
		k.gz, k.ga = grad.Logits.Data, grad.Attn.Data
	}
	k.counts = grown(k.counts, k.layers)
	for l := range k.counts {
		k.counts[l] = in.Lambda != 0 && in.Counts(l)
	}
	k.a, k.items = grown(k.a, k.layers*k.samples), grown(k.items, k.samples)
	cost := 1
	if in.FromScores {
		cost = 6
	}
	k.second = false
	each(k.layers*k.samples, cost*k.stride, k)
	k.second, k.chunk = true, max(1, ceChunk/max(k.classes, 1))
	each(ceilDiv(k.samples, k.chunk), 6*ceChunk, k)
	finish(out, in.Reduction, k.items, float64(k.samples))
	k.in, k.out, k.gz, k.ga, k.w = nil, nil, nil, nil, weights[T]{}
	give(k)
}

// attentionScratch belongs to one pair.
type attentionScratch struct {
	targets []int
	e       []float64 // exponentials 2^expBias of all rows, relative to the largest target or to the largest other entry
	rows    []massOf
	hit     []float64 // exponentials of the targets of a row
	mass    []float64 // a column of logarithms
}

// massOf is a row of scores: the logarithm of its attention to the targets, and what exponentials of the targets and of the others
// must be multiplied by to give the derivative.
type massOf struct{ log, hit, miss float64 }

func (k *attentionTask[T]) run(i int) {
	s := take[attentionScratch]()
	if k.second {
		e := take[ceScratch[T]]()
		e.e = grown(e.e, k.classes)
		for n := i * k.chunk; n < min((i+1)*k.chunk, k.samples); n++ {
			k.item(n, s, e)
		}
		give(e)
	} else {
		k.a[i] = k.pair(i/k.samples, i%k.samples, s)
	}
	give(s)
}

// block returns the attention weights of a layer and sample, and their gradient.
func (k *attentionTask[T]) block(l, n int) (x, g []T) {
	at := (l*k.samples + n) * k.stride
	return k.in.Attn.Data[at : at+k.stride], cut(k.ga, at, at+k.stride)
}

// aim lists the target keys of a sample.
func (k *attentionTask[T]) aim(s *attentionScratch, n int) {
	s.targets = s.targets[:0]
	if k.in.TargetIndex.Given() {
		s.targets = append(s.targets, int(k.in.TargetIndex.Data[n]))
		return
	}
	for j, m := range k.in.TargetMask.Data[n*k.keys : (n+1)*k.keys] {
		if m {
			s.targets = append(s.targets, j)
		}
	}
}

// item finishes a sample: cross-entropy and terms. A sample that is NaN has no gradient that is a number.
func (k *attentionTask[T]) item(n int, s *attentionScratch, e *ceScratch[T]) {
	from, to := n*k.classes, (n+1)*k.classes
	c := 0.0
	if k.gz != nil {
		c = k.w.at(n)
	}
	l := k.entropy.index(e, k.in.Logits.Data[from:to], cut(k.gz, from, to), int(k.in.Class.Data[n]), 1, c)
	var sum running
	for layer := range k.layers {
		if k.counts[layer] {
			sum.add(k.a[layer*k.samples+n])
		}
	}
	if a := sum.value(); a != 0 {
		l += k.in.Lambda * a
	}
	k.items[n] = l
	if k.out != nil {
		k.out[n] = T(l)
	}
	if l == l {
		return
	}
	nan := T(math.NaN())
	if k.gz != nil {
		fill(k.gz[from:to], nan)
	}
	if k.ga == nil || k.stride == 0 {
		return
	}
	k.aim(s, n)
	for layer := range k.layers {
		_, g := k.block(layer, n)
		switch {
		case !k.counts[layer] || len(s.targets) == 0:
		case k.in.FromScores:
			fill(g, nan)
		default:
			k.mark(g, s, nan)
		}
	}
}

// mark writes v at the target keys of all rows.
func (k *attentionTask[T]) mark(g []T, s *attentionScratch, v T) {
	for ; len(g) > 0; g = g[k.keys:] {
		for _, j := range s.targets {
			g[j] = v
		}
	}
}

// pair returns the term of a layer and sample and fills its gradient.
func (k *attentionTask[T]) pair(l, n int, s *attentionScratch) float64 {
	x, g := k.block(l, n)
	if !k.counts[l] {
		clear(g)
		return 0
	}
	c := 0.0
	if k.ga != nil {
		c = k.in.Lambda * k.w.at(n)
	}
	k.aim(s, n)
	perQuery := k.in.TargetIndex.Given()
	switch {
	case perQuery && k.heads*k.queries == 0:
		return math.NaN()
	case len(s.targets) == 0 || len(x) == 0:
		clear(g)
		return math.Inf(1)
	case k.in.FromScores:
		return k.scores(x, g, s, perQuery, c)
	case perQuery:
		return k.queriesOf(x, g, s.targets[0], c)
	}
	clear(g)
	var sum running
	var buf [strip]float64
	used := 0
	for ; len(x) > 0; x = x[k.keys:] {
		for _, j := range s.targets {
			buf[used] = float64(x[j])
			if used++; used == strip {
				sum.add(lanes(buf[:]))
				used = 0
			}
		}
	}
	sum.add(lanes(buf[:used]))
	k.mark(g, s, T(-c/sum.value()))
	return -logOf(sum.value())
}

// queriesOf is the term of attention query by query.
func (k *attentionTask[T]) queriesOf(x, g []T, t int, c float64) float64 {
	clear(g)
	var logs running
	rows := k.queries * k.keys // of one head, in elements
	for i := range k.queries {
		var sum running
		for at := i*k.keys + t; at < len(x); at += rows {
			sum.add(float64(x[at]))
		}
		v := sum.value()
		logs.add(logOf(v / float64(k.heads)))
		if g == nil {
			continue
		}
		d := T(-c / (float64(k.queries) * v))
		for at := i*k.keys + t; at < len(x); at += rows {
			g[at] = d
		}
	}
	return -logs.value() / float64(k.queries)
}

// scores is the term of scores.
func (k *attentionTask[T]) scores(x, g []T, s *attentionScratch, perQuery bool, c float64) float64 {
	n := k.heads * k.queries
	s.e, s.rows, s.hit, s.mass = grown(s.e, len(x)), grown(s.rows, n), grown(s.hit, len(s.targets)), grown(s.mass, n)
	for r := range s.rows {
		s.rows[r] = rowMass(s, x[r*k.keys:(r+1)*k.keys], s.e[r*k.keys:(r+1)*k.keys])
	}
	a := 0.0
	if perQuery {
		var logs running
		for i := range k.queries {
			logs.add(s.together(i, k.queries, k.heads, c/float64(k.queries)) - math.Log(float64(k.heads)))
		}
		a = -logs.value() / float64(k.queries)
	} else {
		a = -s.together(0, 1, n, c)
	}
	switch {
	case g == nil:
	case math.IsInf(a, 0):
		fill(g, T(math.NaN()))
	default:
		for r, m := range s.rows {
			g, e := g[r*k.keys:(r+1)*k.keys], s.e[r*k.keys:(r+1)*k.keys]
			for j, v := range e {
				g[j] = T(v * m.miss)
			}
			for _, j := range s.targets {
				g[j] = T(e[j] * m.hit)
			}
		}
	}
	return a
}

// together returns the log-sum-exp of the masses of rows first, first+step, ..., and multiplies their factors by -c times their share.
func (s *attentionScratch) together(first, step, count int, c float64) float64 {
	mass := s.mass[:count]
	top, at := math.Inf(-1), 0
	for i := range mass {
		if mass[i] = s.rows[first+i*step].log; mass[i] > top {
			top, at = mass[i], i
		}
	}
	if math.IsInf(top, -1) && !slices.ContainsFunc(mass, math.IsNaN) {
		return top
	}
	for i, m := range mass {
		if mass[i] = expNeg64(m-top) * expScale; i == at {
			mass[i] = 0
		}
	}
	rest := pairwise(mass)
	mass[at] = 1
	c /= 1 + rest
	for i, share := range mass {
		r := &s.rows[first+i*step]
		r.hit, r.miss = -c*share*r.hit, c*share*r.miss
	}
	return top + log1p[float64](rest)
}

// rowMass fills e and returns the mass of a row of scores. The targets are in rising order; what lies between them are the others.
func rowMass[T loss.Float](s *attentionScratch, x []T, e []float64) massOf {
	least := T(math.Inf(-1))
	top, miss, from := least, 0, 0
	for i := range len(s.targets) + 1 {
		to := len(x)
		if i < len(s.targets) {
			to = s.targets[i]
		}
		for j, v := range x[from:to] {
			if v > top {
				top, miss = v, from+j
			}
		}
		from = to + 1
	}
	own, hit := least, 0
	for i, t := range s.targets {
		if v := x[t]; v > own {
			own, hit = v, i
		}
	}
	alone := len(x) == len(s.targets)
	if own-own != 0 || !alone && top-top != 0 {
		return massLimit(x, e, float64(top), float64(own), alone)
	}
	for i, t := range s.targets {
		s.hit[i] = expNeg[T](float64(x[t]) - float64(own))
	}
	s.hit[hit] = 0
	restHit, rest := pairwise(s.hit)*expScale, 0.0
	s.hit[hit] = 1 / expScale
	gap := math.Inf(-1)
	if !alone {
		expAll[T](e, x, float64(top))
		for _, t := range s.targets {
			e[t] = 0
		}
		e[miss] = 0
		rest = pairwise(e) * expScale
		e[miss] = 1 / expScale
		gap = (float64(top) - float64(own)) + (log1p[T](rest) - log1p[T](restHit))
	} else if restHit != restHit {
		gap = restHit
	}
	for i, t := range s.targets {
		e[t] = s.hit[i]
	}
	q := expNeg64(-math.Abs(gap)) * expScale
	up, _ := sigmoid(q, negative(gap))
	return massOf{-(max(gap, 0) + log1p[float64](q)), up / (1 + restHit) * expScale, up / (1 + rest) * expScale}
}

// massLimit is the mass of a row whose largest target or other score is not finite.
func massLimit[T loss.Float](x []T, e []float64, top, own float64, alone bool) massOf {
	clear(e)
	plus, minus := 0, 0
	for _, v := range x {
		switch v := float64(v); {
		case v != v:
			return massOf{v, v, v}
		case v > math.MaxFloat64:
			plus++
		case v < -math.MaxFloat64:
			minus++
		}
	}
	switch {
	case plus > 1 || minus == len(x) && minus > 1:
		nan := math.NaN()
		return massOf{nan, nan, nan}
	case !alone && (top > math.MaxFloat64 || plus == 0 && own < -math.MaxFloat64):
		return massOf{log: math.Inf(-1)}
	}
	return massOf{}
}
