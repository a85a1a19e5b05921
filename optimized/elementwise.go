package optimized

import (
	"math"

	"github.com/goldenloss/goldenloss/reference/loss"
)

// elementChunk is the number of elements of a chunk of an elementwise loss.
const elementChunk = 8192

// itemKernel computes up to strip items of a loss of e = pred - target.
type itemKernel[T loss.Float] interface {
	// items fills l with the items and d, unless it is empty, with their derivatives by e.
	items(l, d []float64, pred, target []T)
}

// elementTask is an elementwise loss of pred and target in progress.
type elementTask[T loss.Float, K itemKernel[T]] struct {
	pred, target, out, gp, gt []T
	kernel                    K
	w                         weights[T]
	partial                   []float64
}

// elementwise is an elementwise loss whose mean divides by z; an item costs about cost nanoseconds. The pair grad may be nil.
func elementwise[T loss.Float, K itemKernel[T]](out []T, grad, in *loss.Pair[T], r loss.Reduction, z float64, dOut []T, cost int, kernel K) {
	k := take[elementTask[T, K]]()
	k.pred, k.target, k.kernel = in.Pred.Data, in.Target.Data, kernel
	k.w = newWeights(r, dOut, z)
	if r == loss.None {
		k.out = out
	}
	if grad != nil {
		k.gp, k.gt = grad.Pred.Data, grad.Target.Data
	}
	chunks := ceilDiv(len(k.pred), elementChunk)
	k.partial = grown(k.partial, chunks)
	each(chunks, cost*elementChunk, k)
	finish(out, r, k.partial, z)
	*k = elementTask[T, K]{partial: k.partial}
	give(k)
}

// strips is scratch space of a chunk. It comes from a pool: arrays that a kernel of any type gets would escape.
type strips struct{ l, d [strip]float64 }

func (k *elementTask[T, K]) run(i int) {
	s := take[strips]()
	var sum running
	wanted := k.gp != nil || k.gt != nil
	for lo, hi := i*elementChunk, min((i+1)*elementChunk, len(k.pred)); lo < hi; lo += strip {
		n := min(strip, hi-lo)
		l, d := s.l[:n], s.d[:0]
		if wanted {
			d = s.d[:n]
		}
		k.kernel.items(l, d, k.pred[lo:lo+n], k.target[lo:lo+n])
		if k.out != nil {
			store(k.out[lo:], l)
		} else {
			sum.add(lanes(l))
		}
		if wanted {
			k.w.scaledPair(k.gp, k.gt, d, lo)
		}
	}
	k.partial[i] = sum.value()
	give(s)
}

// scaledPair writes the derivatives d of the items lo, lo+1, ..., times their weights, to gp and with the other sign to gt, of which
// either may be nil.
func (w *weights[T]) scaledPair(gp, gt []T, d []float64, lo int) {
	switch {
	case gt == nil:
		w.scaled(gp[lo:], d, lo)
		return
	case gp == nil:
		for j := range d {
			d[j] = -d[j]
		}
		w.scaled(gt[lo:], d, lo)
		return
	}
	gp, gt = gp[lo:][:len(d)], gt[lo:][:len(d)]
	if w.none {
		c := w.dOut[lo:][:len(d)]
		for j, v := range d {
			g := T(v * float64(c[j]))
			gp[j], gt[j] = g, -g
		}
		return
	}
	c := w.fixed
	for j, v := range d {
		g := T(v * c)
		gp[j], gt[j] = g, -g
	}
}

// within is x between -limit and limit, NaN for NaN. It compiles to no jump.
func within(x, limit float64) float64 { return max(-limit, min(x, limit)) }

// differences fills e with pred - target.
func differences[T loss.Float](e []float64, pred, target []T) {
	pred, target = pred[:len(e)], target[:len(e)]
	for j := range e {
		e[j] = float64(pred[j]) - float64(target[j])
	}
}

// exponentials fills t with exp(x) and m with 1 - exp(x), both with relative accuracy: the distance of an entry of the table from 1 is
// exact. All x lie between expLeast and 500.
func exponentials[T loss.Float](t, m, x []float64) {
	t, m = t[:len(x)], m[:len(x)]
	if single[T]() {
		for j, x := range x {
			z := x*perLn2 + round
			k := math.Float64bits(z)
			r := x - (z-round)*(math.Ln2/64)
			s := math.Float64frombits(expTable[k%64].bits+k<<46) * expScale
			p := s * (r * (1 + r*(1./2+r*(1./6))))
			t[j], m[j] = s+p, (1-s)-p
		}
		return
	}
	for j, x := range x {
		z := x*perLn2 + round
		k := math.Float64bits(z)
		e := &expTable[k%64]
		s := math.Float64frombits(e.bits+k<<46) * expScale
		z -= round
		r := x - z*(ln2/64) - z*(ln2Low/64)
		p := s * (e.low + (r + r*r*(1./2+r*(1./6+r*(1./24+r*(1./120+r*(1./720)))))))
		t[j], m[j] = s+p, (1-s)-p
	}
}

// logarithms replaces every x, a normal number, by its logarithm, with absolute accuracy near 1.
func logarithms[T loss.Float](x []float64) {
	if single[T]() {
		for j, v := range x {
			b := math.Float64bits(v)
			n := float64(int(b>>52) - 1023)
			x[j] = n*math.Ln2 + unitLog1p32(math.Float64frombits(b<<12>>12|oneBits)-1)
		}
		return
	}
	for j, v := range x {
		b := math.Float64bits(v)
		n := float64(int(b>>52) - 1023)
		x[j] = n*ln2 + (unitLog1p64(math.Float64frombits(b<<12>>12|oneBits)-1) + n*ln2Low)
	}
}
