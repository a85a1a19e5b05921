package optimized

import (
	"math"

	"github.com/goldenloss/goldenloss/reference/loss"
)

const focalChunk = 4096

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
	if in.Reduction == loss.None {
		k.out = out
	}
	if grad != nil {
		k.g = grad.Logits.Data
	}
	chunks := ceilDiv(n, focalChunk)
	k.partial = grown(k.partial, chunks)
	each(chunks, 10*focalChunk, k)
	finish(out, in.Reduction, k.partial, z)
	*k = focalTask[T]{partial: k.partial}
	give(k)
}

func (k *focalTask[T]) run(i int) {
	var l, d, q, tail [strip]float64
	var sum running
	for lo, hi := i*focalChunk, min((i+1)*focalChunk, len(k.logits)); lo < hi; lo += strip {
		n := min(strip, hi-lo)
		x, t := k.logits[lo:lo+n], k.target[lo:lo+n]
		decays(q[:n], x)
		tails[T](tail[:n], q[:n])
		k.items(l[:n], d[:n], x, t, q[:n], tail[:n])
		if k.out != nil {
			store(k.out[lo:], l[:n])
		} else {
			sum.add(lanes(l[:n]))
		}
		if k.g != nil {
			k.w.scaled(k.g[lo:], d[:n], lo)
		}
	}
	k.partial[i] = sum.value()
}

// items fills in the losses and derivatives of a strip, given exp(-|x|) and log(1 + exp(-|x|)).
func (k *focalTask[T]) items(l, d []float64, x, t []T, q, tail []float64) {
	gamma, weight := k.gamma, [2]float64{1, 1}
	if k.alpha >= 0 {
		weight = [2]float64{1 - k.alpha, k.alpha}
	}
	d, x, t, q, tail = d[:len(l)], x[:len(l)], t[:len(l)], q[:len(l)], tail[:len(l)]
	for j := range l {
		x, t := float64(x[j]), float64(t[j])
		size := math.Abs(x)
		if t*(1-t) != 0 || !(size <= math.MaxFloat64) { // a soft label, an infinity or NaN
			l[j], d[j] = k.item(x, t)
			continue
		}
		s := 2*t - 1
		neg := negative(s * x) // the label is missed
		hit, miss := sigmoid(q[j], neg)
		miss2 := math.Float64frombits(math.Float64bits(size) & neg)
		ce := miss2 + tail[j]
		f := weight[int(t)&1]
		switch gamma {
		case 2:
			f *= miss * miss
		case 0:
		case 1:
			f *= miss
		case 0.5:
			f *= math.Sqrt(miss)
		default:
			f *= expNeg[T](-gamma*(size-miss2+tail[j])) * expScale
		}
		l[j] = f * ce
		d[j] = s * -f * (gamma*hit*ce + miss)
	}
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
