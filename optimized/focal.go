package optimized

import (
	"math"

	"github.com/goldenloss/goldenloss/reference/loss"
)

type focalTask[T loss.Float] struct {
	logits, target, out, g []T
	alpha, gamma           float64
	w                      weights[T]
	partial                []float64
}

// Focal is the sigmoid focal loss. See loss.Focal.
func Focal[T loss.Float](out []T, grad, in *loss.Focal[T], dOut []T) {
	k := take[focalTask[T]]()
	n := len(in.Logits.Data)
	z := float64(n)
	if in.Normalizer.Set {
		z = in.Normalizer.Value
	}
	k.logits, k.target, k.alpha, k.gamma = in.Logits.Data, in.Target.Data, in.Alpha, in.Gamma
	k.w = newWeights(in.Reduction, dOut, z)
	k.out, k.g = nil, nil
	if in.Reduction == loss.None {
		k.out = out
	}
	if grad != nil {
		k.g = grad.Logits.Data
	}
	chunks := ceilDiv(n, chunk)
	k.partial = grown(k.partial, chunks)
	each(chunks, k)
	finish(out, in.Reduction, k.partial, z)
	*k = focalTask[T]{partial: k.partial}
	give(k)
}

func (k *focalTask[T]) run(i int) {
	var l [strip]float64
	var sum running
	for lo, hi := i*chunk, min((i+1)*chunk, len(k.logits)); lo < hi; lo += strip {
		n := min(strip, hi-lo)
		for j, x := range k.logits[lo : lo+n] {
			v, d := k.item(float64(x), float64(k.target[lo+j]))
			l[j] = v
			if k.g != nil {
				k.g[lo+j] = T(d * k.w.at(lo+j))
			}
		}
		if k.out != nil {
			for j, v := range l[:n] {
				k.out[lo+j] = T(v)
			}
		} else {
			sum.add(pairwise(l[:n]))
		}
	}
	k.partial[i] = sum.value()
}

// power is u^gamma for u in [0, 1].
func power(u, gamma float64) float64 {
	switch gamma {
	case 0:
		return 1
	case 1:
		return u
	case 2:
		return u * u
	case 0.5:
		return math.Sqrt(u)
	}
	return math.Pow(u, gamma)
}

// item shares one exponential and one logarithm: q = exp(-|x|) gives both sigmoids, log1p(q) both softplus.
func (k *focalTask[T]) item(x, t float64) (l, d float64) {
	a := 1.0
	switch {
	case k.alpha < 0:
	case t == 1:
		a = k.alpha
	default:
		a = (1-k.alpha)*(1-t) + k.alpha*t
	}
	if a == 0 && x == x {
		return 0, 0
	}
	q := math.Exp(-math.Abs(x))
	tail := math.Log1p(q)
	big, small := 1/(1+q), q/(1+q)
	up, down := big, small // sigmoid(x), sigmoid(-x)
	hi, lo := math.Abs(x)+tail, tail
	plus, minus := hi, lo // softplus(x), softplus(-x)
	if x < 0 {
		up, down, plus, minus = small, big, lo, hi
	}
	if t == 0 || t == 1 {
		sign := 1.0 // of the derivative
		if t == 1 {
			up, down, plus, minus = down, up, minus, plus
			sign = -1
		}
		// Now up is the probability of the miss and plus the cross-entropy.
		f := a * power(up, k.gamma)
		if k.gamma > 2 {
			f = a * math.Exp(-k.gamma*minus)
		}
		if math.IsInf(plus, 1) {
			return plus, sign * a
		}
		return f * plus, sign * f * (up + k.gamma*down*plus)
	}
	if math.IsInf(x, 0) {
		if x > 0 {
			return x, a * math.Pow(1-t, k.gamma+1)
		}
		return -x, -a * math.Pow(t, k.gamma+1)
	}
	miss := (1-t)*up + t*down
	ce := (1-t)*plus + t*minus
	f := power(miss, k.gamma)
	slope := 0.0
	if k.gamma != 0 {
		slope = k.gamma * (f / miss) * ce * (big * small) * (1 - 2*t)
	}
	return a * (f * ce), a * (f*((1-t)*up-t*down) + slope)
}
