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
