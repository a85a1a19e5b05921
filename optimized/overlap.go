package optimized

import (
	"math"

	"github.com/goldenloss/goldenloss/reference/loss"
)

const overlapChunk = 4096 // pixels

// overlapForm is what tells the overlap losses apart: Num = double I + smooth_nr, Den = Num + F + smoothing.
type overlapForm struct {
	double   float64
	power    int
	weighted bool    // F is fp times the false positives plus fn times the false negatives
	fp, fn   float64 // ones unless weighted
}

// overlapSums are what an item of an overlap loss sums: intersection, difference F, target.
type overlapSums struct{ inter, diff, target running }

func (s *overlapSums) add(inter, diff, target float64) {
	s.inter.add(inter)
	s.diff.add(diff)
	s.target.add(target)
}

// slope says how an item's loss changes with an entry: atI dI + atF dF.
type slope struct {
	atI, atF float64
	bad      bool // the item is NaN
	idle     bool // no gradient
}

type overlapTask[T loss.Float] struct {
	in              *loss.Overlap[T]
	form            overlapForm
	pred, target, g []T
	classes, inner  int
	drop, perSample int           // dropped channels, chunks of a sample
	sums            []overlapSums // [N, perSample, C]
	value           []float64     // per item
	slopes          []slope
	raw             bool // no activation
	back            bool // second pass
}

// overlap computes an overlap loss: sums, then gradients that are an affine function of prediction and target per item.
func overlap[T loss.Float](out []T, grad, in *loss.Overlap[T], r loss.Reduction, form overlapForm, dOut []T) {
	k := take[overlapTask[T]]()
	n := in.Pred.Shape[0]
	k.in, k.form, k.pred, k.target = in, form, in.Pred.Data, in.Target.Data
	k.classes, k.inner = in.Pred.Shape[1], loss.Size(in.Pred.Shape[2:])
	k.drop, k.raw = k.classes-in.Channels(), in.Activation == "none"
	k.perSample = ceilDiv(k.inner, overlapChunk)
	chunks, cost := n*k.perSample, 5*k.classes*min(k.inner, overlapChunk)
	k.sums = grown(k.sums, chunks*k.classes)
	each(chunks, cost, k)
	items := k.item(n-1, k.classes-1) + 1
	k.value, k.slopes = grown(k.value, items), grown(k.slopes, items)
	k.gather(n)
	z := k.denominator()
	finish(out, r, k.value, z)
	if r == loss.None {
		store(out, k.value)
	}
	if grad != nil && grad.Pred.Data != nil {
		k.g = grad.Pred.Data
		w := newWeights(r, dOut, z)
		for i := range k.slopes {
			c := w.at(i)
			k.slopes[i].atI *= c
			k.slopes[i].atF *= c
		}
		k.back = true
		each(chunks, 2*cost, k)
	}
	*k = overlapTask[T]{sums: k.sums, value: k.value, slopes: k.slopes}
	give(k)
}

// item is the number of the item that channel c of sample n belongs to.
func (k *overlapTask[T]) item(n, c int) int {
	switch k.in.Omega {
	case "per_sample_per_channel":
		return n*(k.classes-k.drop) + c - k.drop
	case "per_channel":
		return c - k.drop
	case "per_sample":
		return n
	}
	return 0
}

// first is where the sums of item i are collected: among those of the first chunk that has a part of it.
func (k *overlapTask[T]) first(i int) int {
	channels := k.classes - k.drop
	switch k.in.Omega {
	case "per_sample_per_channel":
		return i/channels*k.perSample*k.classes + k.drop + i%channels
	case "per_channel":
		return k.drop + i
	case "per_sample":
		return i*k.perSample*k.classes + k.drop
	}
	return k.drop
}

// gather adds up the sums of the n samples and finishes the items.
func (k *overlapTask[T]) gather(n int) {
	for s := range n {
		for ch := range k.perSample {
			for c := k.drop; c < k.classes; c++ {
				from, to := (s*k.perSample+ch)*k.classes+c, k.first(k.item(s, c))
				if from != to {
					v := &k.sums[from]
					k.sums[to].add(v.inter.value(), v.diff.value(), v.target.value())
				}
			}
		}
	}
	for i := range k.value {
		v := &k.sums[k.first(i)]
		k.finishItem(i, v.inter.value(), v.diff.value(), v.target.value())
	}
}

func (k *overlapTask[T]) denominator() float64 {
	if !k.in.ClassWeight.Given() || k.in.WeightNorm != "sum" {
		return float64(len(k.value))
	}
	var z running
	for i := range k.value {
		z.add(k.weight(i))
	}
	return z.value()
}

func (k *overlapTask[T]) weight(i int) float64 {
	if !k.in.ClassWeight.Given() {
		return 1
	}
	return float64(k.in.ClassWeight.Data[i%(k.classes-k.drop)])
}

// finishItem turns the sums of item i into its loss and slope.
func (k *overlapTask[T]) finishItem(i int, inter, diff, target float64) {
	in, w := k.in, k.weight(i)
	k.value[i], k.slopes[i] = 0, slope{idle: true}
	bad := (inter + diff + target) * 0 // NaN unless all are finite
	switch {
	case w == 0:
		return
	case bad != bad || w != w:
		k.value[i], k.slopes[i] = math.NaN(), slope{bad: true}
		return
	case in.Absent == "zero" && target == 0:
		return
	}
	inter *= k.form.double
	num, gap := inter+in.SmoothNr, diff+(in.SmoothDr-in.SmoothNr)
	den := inter + diff + in.SmoothDr
	fixed := den < in.DenFloor // the denominator is constant
	switch {
	case fixed:
		den, gap = in.DenFloor, in.DenFloor-num
	case den == 0 && in.DenFloor == 0:
		k.value[i] = w * in.EmptyValue
		return
	}
	miss, score := gap/den, num/den
	l, by := miss, den // the slopes are (score dF - miss dNum)/by
	if in.Form == "log" {
		switch {
		case score < in.LogFloor:
			k.value[i] = -w * logOf(in.LogFloor)
			return
		case miss < 0.5:
			l = -math.Log1p(-miss)
		default:
			l = -logOf(score)
		}
		by = num
	}
	k.value[i] = w * l
	k.slopes[i] = slope{atI: -k.form.double * miss / by * w, atF: score / by * w}
	if fixed {
		k.slopes[i] = slope{atI: -k.form.double / by * w}
	}
}

// overlapScratch holds a strip of pixels: what belongs to channel c begins at c*strip.
type overlapScratch struct {
	p, miss, d []float64 // memberships, 1 minus them, derivatives with respect to them
	t          [strip]float64
	removed    [strip]bool
}

func (k *overlapTask[T]) run(i int) {
	s := take[overlapScratch]()
	s.p, s.miss, s.d = grown(s.p, k.classes*strip), grown(s.miss, k.classes*strip), grown(s.d, k.classes*strip)
	sample, at := i/k.perSample, i%k.perSample*overlapChunk
	sums := k.sums[i*k.classes : (i+1)*k.classes]
	if !k.back {
		clear(sums)
	}
	for end := min(at+overlapChunk, k.inner); at < end; at += strip {
		n := min(strip, end-at)
		any := k.remove(s.removed[:n], sample*k.inner+at)
		if k.back {
			k.pull(s, sample, at, n, any)
		} else {
			k.add(s, sums, sample, at, n, any)
		}
	}
	give(s)
}

// remove marks the pixels that do not count and reports whether there are any. The first is pixel pos.
func (k *overlapTask[T]) remove(removed []bool, pos int) (any bool) {
	clear(removed)
	if k.in.Mask.Given() {
		for j, keep := range k.in.Mask.Data[pos:][:len(removed)] {
			removed[j] = !keep
			any = any || !keep
		}
	}
	if k.in.IgnoreIndex.Set && k.target == nil {
		ignored := int64(k.in.IgnoreIndex.Value)
		for j, y := range k.in.TargetLabel.Data[pos:][:len(removed)] {
			if y == ignored {
				removed[j], any = true, true
			}
		}
	}
	return any
}

// activate fills the memberships of channel c and 1 minus them; softmax fills all channels at the first.
func (k *overlapTask[T]) activate(s *overlapScratch, sample, c, at, n int) (p, miss []float64) {
	x := k.pred[(sample*k.classes+c)*k.inner+at:][:n]
	p, miss = s.p[c*strip:][:n], s.miss[c*strip:][:n]
	switch k.in.Activation {
	case "softmax":
	case "sigmoid":
		decays(p, x)
		for j, q := range p {
			p[j], miss[j] = sigmoid(q, negative(float64(x[j])))
		}
	default:
		for j, v := range x {
			p[j], miss[j] = float64(v), 1-float64(v)
		}
	}
	return p, miss
}

// softmax fills the memberships of all channels and 1 minus them.
func (k *overlapTask[T]) softmax(s *overlapScratch, sample, at, n int) {
	var top, rest, ones [strip]float64
	for c := range k.classes {
		x := k.pred[(sample*k.classes+c)*k.inner+at:][:n]
		if c == 0 {
			for j, v := range x {
				top[j] = float64(v)
			}
		}
		for j, v := range x {
			top[j] = max(top[j], float64(v))
		}
	}
	limit := false // a pixel whose largest logit is infinite
	for j := range n {
		limit = limit || math.IsInf(top[j], 0)
	}
	// The exponentials are summed in two parts: those that are 1, among them the largest, and the others.
	for c := range k.classes {
		x := k.pred[(sample*k.classes+c)*k.inner+at:][:n]
		e := s.p[c*strip:][:n]
		switch {
		case limit:
			for j, v := range x {
				d := float64(v) - top[j]
				if float64(v) == top[j] && (d != d && top[j] > 0 || k.classes == 1) {
					d = 0 // the largest is +Inf, or the only one
				}
				e[j] = expNeg64(d) * expScale
			}
		case single[T]():
			for j, v := range x {
				e[j] = expNeg32(float64(v)-top[j]) * expScale
			}
		default:
			for j, v := range x {
				e[j] = expNeg64(float64(v)-top[j]) * expScale
			}
		}
		for j, v := range e {
			below, full := split(v)
			rest[j] += below
			ones[j] += full
		}
	}
	for j := range top[:n] {
		if limit && math.IsInf(top[j], 1) && ones[j] > 1 {
			rest[j] = math.NaN() // several +Inf
		}
		top[j] = 1 / (ones[j] + rest[j])
	}
	for c := range k.classes {
		p, miss := s.p[c*strip:][:n], s.miss[c*strip:][:n]
		for j, e := range p {
			below, full := split(e)
			p[j], miss[j] = e*top[j], ((ones[j]-full)+(rest[j]-below))*top[j]
		}
	}
}

// split returns (0, x) if x is 1 or NaN, (x, 0) if it is in [0, 1).
func split(x float64) (below, full float64) {
	b := math.Float64bits(x)
	mask := uint64(int64(b-oneBits) >> 63)
	return math.Float64frombits(b & mask), math.Float64frombits(b &^ mask)
}

// targets fills the target of channel c.
func (k *overlapTask[T]) targets(t []float64, sample, c, at int) {
	if k.target != nil {
		for j, v := range k.target[(sample*k.classes+c)*k.inner+at:][:len(t)] {
			t[j] = float64(v)
		}
		return
	}
	for j, y := range k.in.TargetLabel.Data[sample*k.inner+at:][:len(t)] {
		hit := 0
		if y == int64(c) {
			hit = 1
		}
		t[j] = float64(hit)
	}
}

func (k *overlapTask[T]) add(s *overlapScratch, sums []overlapSums, sample, at, n int, any bool) {
	if k.in.Activation == "softmax" {
		k.softmax(s, sample, at, n)
	}
	for c := k.drop; c < k.classes; c++ {
		p, miss := k.activate(s, sample, c, at, n)
		t := s.t[:n]
		k.targets(t, sample, c, at)
		if any {
			for j, r := range s.removed[:n] {
				if r {
					p[j], miss[j], t[j] = 0, 1, 0 // adds nothing
				}
			}
		}
		sums[c].add(k.sum(p, miss, t))
	}
}

// sum adds what the entries of a strip give to intersection, F and target.
func (k *overlapTask[T]) sum(p, miss, t []float64) (inter, diff, target float64) {
	p, miss = p[:len(t)], miss[:len(t)]
	switch fp, fn := k.form.fp, k.form.fn; {
	case k.in.Intersection == "l1" && k.form.weighted:
		for j, t := range t {
			gap := k.gap(p[j], miss[j], t)
			inter += min(p[j], t)
			diff += fp*max(gap, 0) + fn*max(-gap, 0)
			target += t
		}
	case k.in.Intersection == "l1":
		for j, t := range t {
			inter += min(p[j], t)
			diff += math.Abs(k.gap(p[j], miss[j], t))
			target += t
		}
	case k.form.power == 2:
		for j, t := range t {
			gap := k.gap(p[j], miss[j], t)
			inter += p[j] * t
			diff += gap * gap
			target += t
		}
	case k.form.weighted:
		for j, t := range t {
			inter += p[j] * t
			diff += fp*(p[j]*(1-t)) + fn*(t*miss[j])
			target += t
		}
	default:
		for j, t := range t {
			inter += p[j] * t
			diff += p[j]*(1-t) + t*miss[j]
			target += t
		}
	}
	return
}

// gap is p - t. An activation knows 1-p better than p.
func (k *overlapTask[T]) gap(p, miss, t float64) float64 {
	if k.raw {
		return p - t
	}
	return p*(1-t) - t*miss
}

// pull writes the gradient of n pixels.
func (k *overlapTask[T]) pull(s *overlapScratch, sample, at, n int, any bool) {
	softmax := k.in.Activation == "softmax"
	active := false
	for c := k.drop; c < k.classes; c++ {
		active = active || !k.slopes[k.item(sample, c)].idle
	}
	if softmax && active {
		k.softmax(s, sample, at, n)
	}
	for c := range k.classes {
		d := s.d[c*strip:][:n]
		if c < k.drop || k.slopes[k.item(sample, c)].idle {
			clear(d)
			continue
		}
		w := k.slopes[k.item(sample, c)]
		if w.bad {
			fill(d, math.NaN())
			continue
		}
		p, miss := k.activate(s, sample, c, at, n)
		k.targets(s.t[:n], sample, c, at)
		k.slope(d, p, miss, s.t[:n], w)
		if k.in.Activation == "sigmoid" {
			for j := range d {
				d[j] *= p[j] * miss[j]
			}
		}
	}
	if softmax && active {
		k.pullSoftmax(s, n)
	}
	for c := range k.classes {
		g, d := k.g[(sample*k.classes+c)*k.inner+at:][:n], s.d[c*strip:]
		store(g, d[:n])
		if any {
			for j, r := range s.removed[:n] {
				if r {
					g[j] = 0
				}
			}
		}
	}
}

// slope fills the derivatives with respect to the memberships.
func (k *overlapTask[T]) slope(d, p, miss, t []float64, w slope) {
	p, miss, t = p[:len(d)], miss[:len(d)], t[:len(d)]
	switch fp, fn := k.form.fp, k.form.fn; {
	case k.in.Intersection == "l1":
		above, below := w.atF*fp, w.atI-w.atF*fn
		tie := w.atI/2 + w.atF*((fp-fn)/2)
		for j := range d {
			switch {
			case p[j] < t[j]:
				d[j] = below
			case p[j] > t[j]:
				d[j] = above
			default:
				d[j] = tie
			}
		}
	case k.form.power == 2:
		for j := range d {
			d[j] = w.atI*t[j] + w.atF*2*k.gap(p[j], miss[j], t[j])
		}
	case k.form.weighted:
		for j := range d {
			d[j] = w.atI*t[j] + w.atF*(fp*(1-t[j])-fn*t[j])
		}
	default:
		for j := range d {
			d[j] = w.atI*t[j] + w.atF*(1-2*t[j])
		}
	}
}

// pullSoftmax turns d into p_c (d_c (1 - p_c) - sum of the other d p). The others are summed from below and from above, so that
// nothing is subtracted.
func (k *overlapTask[T]) pullSoftmax(s *overlapScratch, n int) {
	var below, above [strip]float64
	part := func(c int) (p, miss, d []float64) { return s.p[c*strip:][:n], s.miss[c*strip:][:n], s.d[c*strip:][:n] }
	for c := range k.classes {
		p, miss, d := part(c)
		for j := range d {
			dp := d[j] * p[j]
			// d becomes p_c (d_c (1 - p_c) - below), miss what is above the class
			d[j], miss[j] = p[j]*(d[j]*miss[j]-below[j]), dp
			below[j] += dp
		}
	}
	for c := k.classes - 1; c >= 0; c-- {
		p, dp, d := part(c)
		for j := range d {
			d[j] -= p[j] * above[j]
			above[j] += dp[j]
		}
	}
}
