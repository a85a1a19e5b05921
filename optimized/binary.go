package optimized

import "github.com/goldenloss/goldenloss/reference/loss"

// spreader reads a tensor as if it were spread out over a shape to which it broadcasts.
type spreader[T loss.Float] struct {
	data []T
	dims []spreadDim // of the shape, the last first; dims that the tensor walks through alike are one
}

type spreadDim struct{ size, step int }

// reset takes another tensor and shape.
func (s *spreader[T]) reset(x loss.Tensor[T], shape []int) {
	s.data, s.dims = x.Data, s.dims[:0]
	if !x.Given() {
		return
	}
	stride := 1 // in x
	for axis := len(shape) - 1; axis >= 0; axis-- {
		d := spreadDim{size: shape[axis]}
		if k := axis + len(x.Shape) - len(shape); k >= 0 && x.Shape[k] > 1 {
			d.step = stride
			stride *= x.Shape[k]
		}
		if d.size == 1 {
			continue
		}
		if n := len(s.dims); n > 0 {
			if last := &s.dims[n-1]; last.step*last.size == d.step && (last.step > 0) == (d.step > 0) {
				last.size *= d.size
				continue
			}
		}
		s.dims = append(s.dims, d)
	}
	if len(s.dims) == 0 {
		s.dims = append(s.dims, spreadDim{1, 0})
	}
}

func (s *spreader[T]) given() bool { return s.data != nil }

// fill writes the elements lo, lo+1, ... of the shape to dst.
func (s *spreader[T]) fill(dst []float64, lo int) {
	inner, outer := s.dims[0], s.dims[1:]
	at, row := lo%inner.size, lo/inner.size
	for len(dst) > 0 {
		base := 0
		for i, rest := 0, row; i < len(outer); i++ {
			if outer[i].step > 0 {
				base += rest % outer[i].size * outer[i].step
			}
			rest /= outer[i].size
		}
		n := min(inner.size-at, len(dst))
		if inner.step == 0 {
			fill(dst[:n], float64(s.data[base]))
		} else {
			for j, v := range s.data[base+at:][:n] {
				dst[j] = float64(v)
			}
		}
		dst, at, row = dst[n:], 0, row+1
	}
}

// Kernels of an spreadTask.
const (
	withLogits = iota
	fromProb
	ofMargin
	divergence
	logDivergence
)

const spreadChunk = 4096

// spreadTask is a loss whose items are its elements, each of a prediction x and a target y.
type spreadTask[T loss.Float] struct {
	kernel           int
	x, y, out, g, gy []T // gy is the gradient of y
	z                float64
	weight, pos      spreader[T]
	posScale         float64 // where there is no pos
	guard            guard
	w                weights[T]
	partial          []float64
}

// spreadStrip holds what the kernels know of a strip.
type spreadStrip struct {
	l, d    [strip]float64 // items and derivatives
	q, tail [strip]float64 // exp(-|x|) and log(1 + exp(-|x|))
	p, w    [strip]float64 // coefficient of the positive term; weights
}

// start readies a task; z is the denominator of mean.
func (k *spreadTask[T]) start(kernel int, x, y loss.Tensor[T], out []T, r loss.Reduction, dOut []T, z int) {
	k.kernel, k.x, k.y, k.z, k.posScale = kernel, x.Data, y.Data, float64(z), 1
	k.w = newWeights(r, dOut, k.z)
	if r == loss.None {
		k.out = out
	}
}

// finish runs the task, writes the value and gives the task back.
func (k *spreadTask[T]) finish(out []T, r loss.Reduction, cost int) {
	chunks := ceilDiv(len(k.x), spreadChunk)
	k.partial = grown(k.partial, chunks)
	each(chunks, cost*spreadChunk, k)
	finish(out, r, k.partial, k.z)
	*k = spreadTask[T]{partial: k.partial, weight: spreader[T]{dims: k.weight.dims}, pos: spreader[T]{dims: k.pos.dims}}
	give(k)
}

func (k *spreadTask[T]) run(i int) {
	var s spreadStrip
	var sum running
	for lo, hi := i*spreadChunk, min((i+1)*spreadChunk, len(k.x)); lo < hi; lo += strip {
		n := min(strip, hi-lo)
		x, y, l, d := k.x[lo:lo+n], k.y[lo:lo+n], s.l[:n], s.d[:n]
		if k.weight.given() {
			k.weight.fill(s.w[:n], lo)
		}
		switch k.kernel {
		case withLogits:
			k.coefficients(s.p[:n], y, lo)
			decays(s.q[:n], x)
			tails[T](s.tail[:n], s.q[:n])
			sigmoidItems(l, x, y, s.p[:n], s.tail[:n])
			if k.g != nil {
				sigmoidSlopes(d, x, y, s.p[:n], s.q[:n])
			}
		case fromProb:
			bernoulliItems(l, x, y, s.q[:n], s.tail[:n], &k.guard)
			if k.g != nil {
				bernoulliSlopes(d, x, y, &k.guard)
			}
		case ofMargin:
			decays(s.q[:n], x)
			tails[T](s.tail[:n], s.q[:n])
			marginItems(l, x, y, s.tail[:n])
			if k.g != nil {
				marginSlopes(d, x, y, s.q[:n])
			}
		case divergence:
			divergenceItems(l, x, y, s.q[:n], s.tail[:n])
			if k.g != nil {
				divergenceSlopes(d, x, y)
			}
			if k.gy != nil {
				targetSlopes(s.p[:n], x, y, s.q[:n])
				k.w.scaled(k.gy[lo:], s.p[:n], lo)
			}
		case logDivergence:
			masses(s.q[:n], y)
			logDivergenceItems(l, x, y, s.q[:n])
			if k.g != nil {
				logDivergenceSlopes(d, x, y, s.q[:n])
			}
			if k.gy != nil {
				logTargetSlopes(s.p[:n], x, y, s.q[:n])
				k.w.scaled(k.gy[lo:], s.p[:n], lo)
			}
		}
		k.weigh(l, s.w[:n])
		if k.out != nil {
			store(k.out[lo:], l)
		} else {
			sum.add(lanes(l))
		}
		if k.g != nil {
			k.weigh(d, s.w[:n])
			k.w.scaled(k.g[lo:], d, lo)
		}
	}
	k.partial[i] = sum.value()
}

// weigh multiplies by the weights, if there are any. What a weight of 0 meets does not matter.
func (k *spreadTask[T]) weigh(v, w []float64) {
	if !k.weight.given() {
		return
	}
	w = w[:len(v)]
	for j := range v {
		if w[j] == 0 {
			v[j] = 0
		}
		v[j] *= w[j]
	}
}
