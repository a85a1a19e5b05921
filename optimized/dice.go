package optimized

import (
	"math"

	"github.com/goldenloss/goldenloss/reference/loss"
)

// diceChunk is the number of pixels of a chunk.
const diceChunk = 2048

// overlapSums are what an item of an overlap loss sums: the intersection, the difference F, the target, and whether some entry is
// not finite.
type overlapSums struct {
	inter, diff, target float64
	bad                 bool
}

// overlapSlope says how an item's loss changes: d loss = atI dI + atF dF for one entry.
type overlapSlope struct {
	atI, atF float64
	bad      bool
	idle     bool // no gradient
}

type diceTask[T loss.Float] struct {
	in              *loss.Dice[T]
	pred, target, g []T
	classes, inner  int
	chunks, drop    int
	l1              bool
	sums            []overlapSums // [N, chunks, C]
	items           []overlapSums
	value           []float64
	slope           []overlapSlope // per item
	back            bool           // second pass
}

// Dice is the soft Dice loss. See loss.Dice.
func Dice[T loss.Float](out []T, grad, in *loss.Dice[T], dOut []T) {
	k := take[diceTask[T]]()
	n := in.Pred.Shape[0]
	k.in, k.pred, k.target = in, in.Pred.Data, in.Target.Data
	k.classes, k.inner, k.drop = in.Pred.Shape[1], loss.Size(in.Pred.Shape[2:]), in.Pred.Shape[1]-in.Channels()
	k.l1 = in.Intersection == "l1"
	k.chunks = ceilDiv(k.inner, diceChunk)
	k.sums = grown(k.sums, n*k.chunks*k.classes)
	k.back = false
	each(n*k.chunks, k)
	items := 1
	switch in.Omega {
	case "per_sample_per_channel":
		items = n * in.Channels()
	case "per_channel":
		items = in.Channels()
	case "per_sample":
		items = n
	}
	k.items, k.value, k.slope = grown(k.items, items), grown(k.value, items), grown(k.slope, items)
	k.gather(n)
	z := k.denominator()
	w := newWeights(in.Reduction, dOut, z)
	for i := range k.items {
		k.finishItem(i)
		if in.Reduction == loss.None {
			out[i] = T(k.value[i])
		}
	}
	if grad != nil && grad.Pred.Data != nil {
		k.g = grad.Pred.Data
		for i := range k.slope {
			c := w.at(i)
			k.slope[i].atI *= c
			k.slope[i].atF *= c
		}
		k.back = true
		each(n*k.chunks, k)
	}
	finish(out, in.Reduction, k.value, z)
	*k = diceTask[T]{sums: k.sums, items: k.items, value: k.value, slope: k.slope}
	give(k)
}

func (k *diceTask[T]) itemOf(n, c int) int {
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

// gather adds the sums of the chunks, in their order, to those of the items.
func (k *diceTask[T]) gather(n int) {
	type compensated struct{ inter, diff, target running }
	for i := range k.items {
		k.items[i] = overlapSums{}
	}
	for i := range k.items {
		var t compensated
		add := func(s *overlapSums) {
			t.inter.add(s.inter)
			t.diff.add(s.diff)
			t.target.add(s.target)
			k.items[i].bad = k.items[i].bad || s.bad
		}
		for s := range n {
			for c := k.drop; c < k.classes; c++ {
				if k.itemOf(s, c) != i {
					continue
				}
				for ch := range k.chunks {
					add(&k.sums[(s*k.chunks+ch)*k.classes+c])
				}
			}
		}
		k.items[i].inter, k.items[i].diff, k.items[i].target = t.inter.value(), t.diff.value(), t.target.value()
	}
}

func (k *diceTask[T]) denominator() float64 {
	if !k.in.ClassWeight.Given() || k.in.WeightNorm != "sum" {
		return float64(len(k.items))
	}
	var z running
	for i := range k.items {
		z.add(k.weight(i))
	}
	return z.value()
}

func (k *diceTask[T]) weight(i int) float64 {
	if !k.in.ClassWeight.Given() {
		return 1
	}
	return float64(k.in.ClassWeight.Data[i%(k.classes-k.drop)])
}

// finishItem turns the sums of item i into its loss and slopes.
func (k *diceTask[T]) finishItem(i int) {
	s, in, w := &k.items[i], k.in, k.weight(i)
	k.value[i], k.slope[i] = 0, overlapSlope{idle: true}
	switch {
	case w == 0:
		return
	case s.bad || w != w:
		k.value[i], k.slope[i] = math.NaN(), overlapSlope{bad: true}
		return
	case in.Absent == "zero" && s.target == 0:
		return
	}
	num, gap := 2*s.inter+in.SmoothNr, s.diff+(in.SmoothDr-in.SmoothNr)
	den := 2*s.inter + s.diff + in.SmoothDr
	atF := 1.0 // of the gap
	switch {
	case den < in.DenFloor:
		den, gap, atF = in.DenFloor, in.DenFloor-num, 0
	case den == 0 && in.DenFloor == 0:
		k.value[i] = w * in.EmptyValue
		return
	}
	miss, score := gap/den, num/den
	l, by := miss, den // the slopes are (score dF - 2 miss dI)/by
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
	k.slope[i] = overlapSlope{atI: -2 * miss / by * w, atF: score / by * w}
	if atF == 0 { // the denominator is constant
		k.slope[i] = overlapSlope{atI: -2 / by * w}
	}
}

// diceScratch holds one pixel over all channels.
type diceScratch struct{ p, miss, d, sums []float64 }

func (k *diceTask[T]) run(i int) {
	s := take[diceScratch]()
	s.p, s.miss, s.d = grown(s.p, k.classes), grown(s.miss, k.classes), grown(s.d, k.classes)
	n, ch := i/k.chunks, i%k.chunks
	lo, hi := ch*diceChunk, min((ch+1)*diceChunk, k.inner)
	if k.back {
		for at := lo; at < hi; at++ {
			k.pull(s, n, at)
		}
	} else {
		k.add(s, n, i, lo, hi)
	}
	give(s)
}

// kept reports whether a pixel counts, and returns its label, -1 for a dense target.
func (k *diceTask[T]) kept(n, at int) (label int64, ok bool) {
	pos := n*k.inner + at
	if k.in.Mask.Given() && !k.in.Mask.Data[pos] {
		return 0, false
	}
	if k.target != nil {
		return -1, true
	}
	label = k.in.TargetLabel.Data[pos]
	return label, !(k.in.IgnoreIndex.Set && label == int64(k.in.IgnoreIndex.Value))
}

// activate fills the memberships of a pixel and 1 minus them.
func (k *diceTask[T]) activate(s *diceScratch, n, at int) {
	base := n*k.classes*k.inner + at
	switch k.in.Activation {
	case "sigmoid":
		for c := range k.classes {
			x := float64(k.pred[base+c*k.inner])
			q := math.Exp(-math.Abs(x))
			big, small := 1/(1+q), q/(1+q)
			if x < 0 {
				big, small = small, big
			}
			s.p[c], s.miss[c] = big, small
		}
	case "softmax":
		top, first, infs, bad := math.Inf(-1), 0, 0, false
		for c := range k.classes {
			x := float64(k.pred[base+c*k.inner])
			if x > top {
				top, first = x, c
			}
			if math.IsInf(x, 1) {
				infs++
			}
			bad = bad || x != x
		}
		bad = bad || infs > 1 || k.classes > 1 && math.IsInf(top, -1)
		rest := 0.0
		for c := range k.classes {
			s.p[c] = 1
			if c != first {
				s.p[c] = math.Exp(float64(k.pred[base+c*k.inner]) - top)
				rest += s.p[c]
			}
		}
		for c := range k.classes {
			others := rest
			if c != first {
				others = 1 + (rest - s.p[c])
			}
			s.p[c], s.miss[c] = s.p[c]/(1+rest), others/(1+rest)
			if bad {
				s.p[c], s.miss[c] = math.NaN(), math.NaN()
			}
		}
	default:
		for c := range k.classes {
			s.p[c] = float64(k.pred[base+c*k.inner])
			s.miss[c] = 1 - s.p[c]
		}
	}
}

// targetAt is the target of class c at a pixel.
func (k *diceTask[T]) targetAt(n, c, at int, label int64) float64 {
	if k.target != nil {
		return float64(k.target[(n*k.classes+c)*k.inner+at])
	}
	if label == int64(c) {
		return 1
	}
	return 0
}

// entry returns what an entry adds to the intersection and to F.
func (k *diceTask[T]) entry(p, miss, t float64) (inter, diff float64) {
	gap := p - t
	if t == 1 {
		gap = -miss
	}
	switch {
	case k.l1:
		return math.Min(p, t), math.Abs(gap)
	case k.in.Power == 2:
		return p * t, gap * gap
	}
	return p * t, p*(1-t) + t*miss
}

func (k *diceTask[T]) add(s *diceScratch, n, i, lo, hi int) {
	sums := k.sums[i*k.classes : (i+1)*k.classes]
	s.sums = grown(s.sums, 6*k.classes)
	clear(s.sums)
	for c := range sums {
		sums[c] = overlapSums{}
	}
	inter, diff, target := s.sums[:k.classes], s.sums[k.classes:2*k.classes], s.sums[2*k.classes:3*k.classes]
	lowI, lowF, lowT := s.sums[3*k.classes:4*k.classes], s.sums[4*k.classes:5*k.classes], s.sums[5*k.classes:]
	for at := lo; at < hi; at++ {
		if label, ok := k.kept(n, at); ok {
			k.activate(s, n, at)
			for c := k.drop; c < k.classes; c++ {
				t := k.targetAt(n, c, at, label)
				a, b := k.entry(s.p[c], s.miss[c], t)
				lowI[c] += a
				lowF[c] += b
				lowT[c] += t
				if v := (s.p[c] + t) * 0; v != v {
					sums[c].bad = true
				}
			}
		}
		if (at-lo)%32 == 31 || at == hi-1 {
			for c := range inter {
				inter[c], diff[c], target[c] = inter[c]+lowI[c], diff[c]+lowF[c], target[c]+lowT[c]
				lowI[c], lowF[c], lowT[c] = 0, 0, 0
			}
		}
	}
	for c := range sums {
		sums[c].inter, sums[c].diff, sums[c].target = inter[c], diff[c], target[c]
	}
}

// pull writes the gradient of one pixel.
func (k *diceTask[T]) pull(s *diceScratch, n, at int) {
	base := n*k.classes*k.inner + at
	label, ok := k.kept(n, at)
	any := false
	if ok {
		k.activate(s, n, at)
		for c := range k.classes {
			s.d[c] = 0
			if c < k.drop {
				continue
			}
			slope := &k.slope[k.itemOf(n, c)]
			if slope.idle {
				continue
			}
			any = true
			if slope.bad {
				s.d[c] = math.NaN()
				continue
			}
			t := k.targetAt(n, c, at, label)
			dI, dF := t, 1-2*t
			switch {
			case k.l1 && s.p[c] < t:
				dI, dF = 1, -1
			case k.l1 && s.p[c] > t:
				dI, dF = 0, 1
			case k.l1:
				dI, dF = 0.5, 0
			case k.in.Power == 2:
				dF = 2 * (s.p[c] - t)
				if t == 1 {
					dF = -2 * s.miss[c]
				}
			}
			s.d[c] = slope.atI*dI + slope.atF*dF
		}
	}
	if !any {
		for c := range k.classes {
			k.g[base+c*k.inner] = 0
		}
		return
	}
	switch k.in.Activation {
	case "sigmoid":
		for c := range k.classes {
			if s.d[c] != 0 {
				s.d[c] *= s.p[c] * s.miss[c]
			}
		}
	case "softmax":
		// p_k (d_k (1 - p_k) - sum of the other d_c p_c); the largest term is kept apart so that leaving one out does not cancel.
		largest, which, rest, bad := 0.0, -1, 0.0, false
		for c := range k.classes {
			v := s.d[c] * s.p[c]
			if s.d[c] == 0 {
				v = 0
			}
			bad = bad || v != v
			if a := math.Abs(v); a > math.Abs(largest) || which < 0 {
				if which >= 0 {
					rest += largest
				}
				largest, which = v, c
			} else {
				rest += v
			}
		}
		for c := range k.classes {
			others := rest
			if c != which {
				others = largest
				for o := range k.classes {
					if o != which && o != c && s.d[o] != 0 {
						others += s.d[o] * s.p[o]
					}
				}
			}
			v := s.p[c] * (s.d[c]*s.miss[c] - others)
			if bad {
				v = math.NaN()
			}
			k.g[base+c*k.inner] = T(v)
		}
		return
	}
	for c := range k.classes {
		k.g[base+c*k.inner] = T(s.d[c])
	}
}
