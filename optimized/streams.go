package optimized

import (
	"math"

	"github.com/goldenloss/goldenloss/reference/loss"
)

// logitChunk is the number of logits of a chunk.
const logitChunk = 4096

// logitStream is scale (on softplus(z) + off softplus(-z)) of every logit of a stream, on + off = 1.
type logitStream[T loss.Float] struct {
	x, out, g      []T // out nil: the sum alone
	on, off, scale float64
	w              weights[T]
}

// chunk treats the elements lo to hi and returns the sum of their terms.
func (s *logitStream[T]) chunk(lo, hi int) float64 {
	var buf, decay, tail [strip]float64
	var sum running
	for ; lo < hi; lo += strip {
		n := min(strip, hi-lo)
		x, b, q := s.x[lo:lo+n], buf[:n], decay[:n]
		decays(q, x)
		tails[T](tail[:n], q)
		s.values(b, x, tail[:n])
		if s.out != nil {
			store(s.out[lo:], b)
		} else {
			sum.add(lanes(b))
		}
		if s.g != nil {
			s.slopes(b, x, q)
			s.w.scaled(s.g[lo:], b, lo)
		}
	}
	return sum.value()
}

// values is scale (softplus(-|z|) + |z| on) for z > 0, with off in place of on for z < 0.
func (s *logitStream[T]) values(l []float64, x []T, tail []float64) {
	scale, linear := s.scale, [2]float64{s.scale * s.on, s.scale * s.off}
	x, tail = x[:len(l)], tail[:len(l)]
	for j := range l {
		z := float64(x[j])
		size, w := math.Abs(z), linear[negative(z)&1]
		if w == 0 && size > math.MaxFloat64 {
			size = 0
		}
		l[j] = scale*tail[j] + size*w
	}
}

// slopes is scale (on sigmoid(z) - off sigmoid(-z)), given exp(-|z|).
func (s *logitStream[T]) slopes(d []float64, x []T, q []float64) {
	on, off := s.scale*s.on, s.scale*s.off
	x, q = x[:len(d)], q[:len(d)]
	for j := range d {
		up, down := sigmoid(q[j], negative(float64(x[j])))
		d[j] = on*up - off*down
	}
}

// guardedStream is scale (-log p) for the label 1, scale (-log(1-p)) for 0, of every probability of a stream.
type guardedStream[T loss.Float] struct {
	x, out, g []T // out nil: the sum alone
	label     T
	scale     float64
	guard     guard
	w         weights[T]
}

// chunk treats the elements lo to hi and returns the sum of their terms.
func (s *guardedStream[T]) chunk(lo, hi int) float64 {
	var items, slopes, a, f [strip]float64
	var labels [strip]T
	fill(labels[:], s.label)
	var sum running
	for ; lo < hi; lo += strip {
		n := min(strip, hi-lo)
		x, y, l, d := s.x[lo:lo+n], labels[:n], items[:n], slopes[:n]
		bernoulliItems(l, x, y, a[:n], f[:n], &s.guard)
		if s.g != nil {
			bernoulliSlopes(d, x, y, &s.guard)
			for j := range d {
				d[j] *= s.scale
			}
			s.w.scaled(s.g[lo:], d, lo)
		}
		for j := range l {
			l[j] *= s.scale
		}
		if s.out != nil {
			store(s.out[lo:], l)
		} else {
			sum.add(lanes(l))
		}
	}
	return sum.value()
}

// sampleChunk is the number of elements of a chunk of a sample.
const sampleChunk = 16384

// form is what is summed over a sample.
type form int

const (
	absolute form = iota // |x - y|
	squared              // (x - y)^2
	// Of logits, without y:
	soft   // softplus(sign x)
	square // (x - center)^2
	ramp   // max(0, 1 + sign x)
	linear // sign x
)

// sampleStream adds factor times a sum over every sample of x to an item.
type sampleStream[T loss.Float] struct {
	form    form
	sign    float64 // of logits
	center  float64 // of square
	x, y, g []T
	factor  float64
	off     bool // does not take part
	item    int  // of the first sample
	w       weights[T]

	size, perSample, first int // elements and chunks of a sample, chunks before this stream
}

// sampleTask is a loss whose items are sums over the samples of several streams.
type sampleTask[T loss.Float] struct {
	streams        []sampleStream[T]
	chunks         int
	partial, items []float64 // per chunk, per item
	poisoned       bool      // the pass that spreads NaN
}

// add adds a stream of n samples.
func (k *sampleTask[T]) add(s sampleStream[T], n int) {
	s.size = len(s.x) / n
	s.perSample, s.first = ceilDiv(s.size, sampleChunk), k.chunks
	k.chunks += n * s.perSample
	k.streams = append(k.streams, s)
}

// evaluate fills the items and the gradients; cost is the number of nanoseconds of a chunk.
func (k *sampleTask[T]) evaluate(items, cost int) {
	k.partial, k.items = grown(k.partial, k.chunks), grown(k.items, items)
	each(k.chunks, cost, k)
	clear(k.items)
	for i := range k.streams {
		s := &k.streams[i]
		if s.off {
			continue
		}
		n := len(s.x) / s.size
		for j := range n {
			k.items[s.item+j] += s.factor * pairwise(k.partial[s.first+j*s.perSample:][:s.perSample])
		}
	}
	for i := range k.items {
		if k.items[i] != k.items[i] {
			k.poisoned = true
		}
	}
	if k.poisoned {
		each(k.chunks, cost, k)
	}
}

// reset empties the task for its pool.
func (k *sampleTask[T]) reset() {
	clear(k.streams)
	*k = sampleTask[T]{streams: k.streams[:0], partial: k.partial, items: k.items}
}

func (k *sampleTask[T]) run(i int) {
	s := &k.streams[0]
	for j := range k.streams {
		if k.streams[j].first <= i {
			s = &k.streams[j]
		}
	}
	n, at := (i-s.first)/s.perSample, (i-s.first)%s.perSample*sampleChunk
	lo, hi := n*s.size+at, n*s.size+min(at+sampleChunk, s.size)
	switch g := cut(s.g, lo, hi); {
	case s.off:
		clear(g)
	case k.poisoned:
		if item := k.items[s.item+n]; g != nil && item != item {
			fill(g, T(math.NaN()))
		}
	default:
		c := 0.0
		if g != nil {
			c = s.w.at(n) * s.factor
		}
		k.partial[i] = s.chunk(lo, hi, g, c)
	}
}

// chunk returns the sum over the elements lo to hi and writes its derivative times c to g, unless that is nil.
func (s *sampleStream[T]) chunk(lo, hi int, g []T, c float64) float64 {
	if s.form == soft {
		l := logitStream[T]{x: s.x[lo:hi], g: g, on: 1, scale: 1, w: weights[T]{fixed: c}}
		if s.sign < 0 {
			l.on, l.off = 0, 1
		}
		return l.chunk(0, hi-lo)
	}
	if s.form > soft {
		return s.logits(s.x[lo:hi], g, c)
	}
	var buf [strip]float64
	var sum running
	for ; lo < hi; lo += strip {
		n := min(strip, hi-lo)
		e := buf[:n]
		y := s.y[lo:][:n]
		for j, x := range s.x[lo:][:n] {
			e[j] = float64(x) - float64(y[j])
		}
		if s.form == absolute {
			sum.add(absLanes(e))
		} else {
			sum.add(squareLanes(e))
		}
		if g == nil {
			continue
		}
		to := g[:n]
		g = g[n:]
		if s.form == absolute {
			for j, e := range e {
				to[j] = T(c * sign(e))
			}
		} else {
			for j, e := range e {
				to[j] = T(2 * c * e)
			}
		}
	}
	return sum.value()
}

// logits is chunk for the forms that take no exponential.
func (s *sampleStream[T]) logits(x, g []T, c float64) float64 {
	var buf [strip]float64
	var sum running
	for ; len(x) > 0; x = x[min(strip, len(x)):] {
		e := buf[:min(strip, len(x))]
		switch s.form {
		case square:
			for j := range e {
				e[j] = float64(x[j]) - s.center
			}
			sum.add(squareLanes(e))
		case ramp:
			for j := range e {
				e[j] = max(1+s.sign*float64(x[j]), 0)
			}
			sum.add(lanes(e))
		default:
			for j := range e {
				e[j] = s.sign * float64(x[j])
			}
			sum.add(lanes(e))
		}
		if g == nil {
			continue
		}
		to := g[:len(e)]
		g = g[len(e):]
		switch s.form {
		case square:
			for j, e := range e {
				to[j] = T(2 * c * e)
			}
		case ramp:
			for j, e := range e {
				to[j] = T(s.sign * c * sign(e))
			}
		default:
			for j := range to {
				to[j] = T(s.sign * c)
			}
		}
	}
	return sum.value()
}

// absLanes and squareLanes add absolute values and squares in four sums.
func absLanes(x []float64) float64 {
	var a, b, c, d float64
	for ; len(x) >= 4; x = x[4:] {
		a += math.Abs(x[0])
		b += math.Abs(x[1])
		c += math.Abs(x[2])
		d += math.Abs(x[3])
	}
	for _, v := range x {
		a += math.Abs(v)
	}
	return (a + b) + (c + d)
}

func squareLanes(x []float64) float64 {
	var a, b, c, d float64
	for ; len(x) >= 4; x = x[4:] {
		a += x[0] * x[0]
		b += x[1] * x[1]
		c += x[2] * x[2]
		d += x[3] * x[3]
	}
	for _, v := range x {
		a += v * v
	}
	return (a + b) + (c + d)
}
