package optimized

import "github.com/goldenloss/goldenloss/reference/loss"

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
