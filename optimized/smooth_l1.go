package optimized

import (
	"math"

	"github.com/goldenloss/goldenloss/reference/loss"
)

const smoothL1Chunk = 8192

type smoothL1Task[T loss.Float] struct {
	pred, target, out, gp, gt []T
	beta, inverse             float64
	w                         weights[T]
	partial                   []float64
}

// SmoothL1 is the smooth L1 loss. See loss.SmoothL1.
func SmoothL1[T loss.Float](out []T, grad, in *loss.SmoothL1[T], dOut []T) {
	k := take[smoothL1Task[T]]()
	n := len(in.Pred.Data)
	k.pred, k.target, k.beta, k.inverse = in.Pred.Data, in.Target.Data, in.Beta, 1/in.Beta
	k.w = newWeights(in.Reduction, dOut, float64(n))
	if in.Reduction == loss.None {
		k.out = out
	}
	if grad != nil {
		k.gp, k.gt = grad.Pred.Data, grad.Target.Data
	}
	chunks := ceilDiv(n, smoothL1Chunk)
	k.partial = grown(k.partial, chunks)
	each(chunks, 3*smoothL1Chunk, k)
	finish(out, in.Reduction, k.partial, float64(n))
	*k = smoothL1Task[T]{partial: k.partial}
	give(k)
}

func (k *smoothL1Task[T]) run(i int) {
	var buf [strip]float64
	var sum running
	// Where 1/beta is not a normal number, the division itself.
	plain := k.inverse < 0x1p-1021 || k.inverse > 0x1p1021
	for lo, hi := i*smoothL1Chunk, min((i+1)*smoothL1Chunk, len(k.pred)); lo < hi; lo += strip {
		n := min(strip, hi-lo)
		x, y, b := k.pred[lo:lo+n], k.target[lo:lo+n], buf[:n]
		if plain {
			k.divided(b, x, y)
		} else {
			k.values(b, x, y)
		}
		if k.out != nil {
			store(k.out[lo:], b)
		} else {
			sum.add(lanes(b))
		}
		if k.gp == nil && k.gt == nil {
			continue
		}
		if plain {
			k.dividedSlopes(b, x, y)
		} else {
			k.slopes(b, x, y)
		}
		if k.gp != nil {
			k.w.scaled(k.gp[lo:], b, lo)
		}
		if k.gt != nil {
			for j := range b {
				b[j] = -b[j]
			}
			k.w.scaled(k.gt[lo:], b, lo)
		}
	}
	k.partial[i] = sum.value()
}

// values is q^2/(2 beta) + (a - q) with a = |e| and q = min(a, beta).
func (k *smoothL1Task[T]) values(l []float64, x, y []T) {
	beta, half := k.beta, k.inverse/2
	x, y = x[:len(l)], y[:len(l)]
	for j := range l {
		a := math.Abs(float64(x[j]) - float64(y[j]))
		q := least(a, beta)
		l[j] = q*half*q + (a - q)
	}
}

// slopes is e/beta within [-1, 1].
func (k *smoothL1Task[T]) slopes(d []float64, x, y []T) {
	inverse := k.inverse
	x, y = x[:len(d)], y[:len(d)]
	for j := range d {
		e := (float64(x[j]) - float64(y[j])) * inverse
		d[j] = math.Copysign(least(math.Abs(e), 1), e)
		if e != e {
			d[j] = e
		}
	}
}

func (k *smoothL1Task[T]) divided(l []float64, x, y []T) {
	for j := range l {
		a := math.Abs(float64(x[j]) - float64(y[j]))
		l[j] = a - k.beta/2
		if a < k.beta {
			l[j] = (a / k.beta) * a / 2
		}
	}
}

func (k *smoothL1Task[T]) dividedSlopes(d []float64, x, y []T) {
	for j := range d {
		e := float64(x[j]) - float64(y[j])
		switch {
		case math.Abs(e) < k.beta:
			d[j] = e / k.beta
		case e > 0:
			d[j] = 1
		case e < 0:
			d[j] = -1
		default:
			d[j] = e // 0, NaN
		}
	}
}
