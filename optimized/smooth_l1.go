package optimized

import (
	"math"

	"github.com/goldenloss/goldenloss/reference/loss"
)

type smoothL1Task[T loss.Float] struct {
	pred, target, out, gp, gt []T
	beta, half                float64
	w                         weights[T]
	grad                      bool
	partial                   []float64
}

// SmoothL1 is the smooth L1 loss. See loss.SmoothL1.
func SmoothL1[T loss.Float](out []T, grad, in *loss.SmoothL1[T], dOut []T) {
	k := take[smoothL1Task[T]]()
	n := len(in.Pred.Data)
	k.pred, k.target, k.beta, k.half = in.Pred.Data, in.Target.Data, in.Beta, in.Beta/2
	k.w = newWeights(in.Reduction, dOut, float64(n))
	k.out, k.gp, k.gt = nil, nil, nil
	if in.Reduction == loss.None {
		k.out = out
	}
	if grad != nil {
		k.gp, k.gt = grad.Pred.Data, grad.Target.Data
	}
	k.grad = k.gp != nil || k.gt != nil
	chunks := ceilDiv(n, chunk)
	k.partial = grown(k.partial, chunks)
	each(chunks, k)
	finish(out, in.Reduction, k.partial, float64(n))
	*k = smoothL1Task[T]{partial: k.partial}
	give(k)
}

func (k *smoothL1Task[T]) run(i int) {
	var l [strip]float64
	var sum running
	for lo, hi := i*chunk, min((i+1)*chunk, len(k.pred)); lo < hi; lo += strip {
		n := min(strip, hi-lo)
		pred, target := k.pred[lo:lo+n], k.target[lo:lo+n]
		for j, p := range pred {
			a := math.Abs(float64(p) - float64(target[j]))
			if a < k.beta {
				l[j] = (a / k.beta) * a * 0.5
			} else {
				l[j] = a - k.half
			}
		}
		if k.out != nil {
			for j, v := range l[:n] {
				k.out[lo+j] = T(v)
			}
		} else {
			sum.add(pairwise(l[:n]))
		}
		if !k.grad {
			continue
		}
		for j, p := range pred {
			e := float64(p) - float64(target[j])
			d := e / k.beta
			if !(math.Abs(e) < k.beta) {
				d = e // 0 and NaN
				if e > 0 {
					d = 1
				} else if e < 0 {
					d = -1
				}
			}
			d *= k.w.at(lo + j)
			if k.gp != nil {
				k.gp[lo+j] = T(d)
			}
			if k.gt != nil {
				k.gt[lo+j] = T(-d)
			}
		}
	}
	k.partial[i] = sum.value()
}
