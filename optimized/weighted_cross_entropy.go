package optimized

import (
	"math"

	"github.com/goldenloss/goldenloss/reference/loss"
)

// WeightedCrossEntropy is the cross-entropy under class, pixel or positive-class weights. See loss.WeightedCrossEntropy.
func WeightedCrossEntropy[T loss.Float](out []T, grad, in *loss.WeightedCrossEntropy[T], dOut []T) {
	var g []T
	if grad != nil {
		g = grad.Logits.Data
	}
	if in.Mode == "binary_pos" {
		binaryPos(out, g, in, dOut)
		return
	}
	k := take[ceTask[T]]()
	k.logits, k.target, k.ignored, k.g = in.Logits.Data, in.Target.Data, in.Ignored(), g
	k.keep, k.cold = 1, 1
	if in.Mode == "pixel" {
		k.pixel = in.PixelWeight.Data
	} else {
		k.weight = in.ClassWeight.Data
	}
	k.solve(out, in.Reduction, in.Logits.Shape, 1, by(in.Normalize), dOut)
}

const weightedChunk = 4096

type weightedTask[T loss.Float] struct {
	logits, target, out, g []T
	pos                    float64
	w                      weights[T]
	partial                []float64
}

func binaryPos[T loss.Float](out, g []T, in *loss.WeightedCrossEntropy[T], dOut []T) {
	k := take[weightedTask[T]]()
	n := len(in.Logits.Data)
	k.logits, k.target, k.g, k.pos = in.Logits.Data, in.TargetValue.Data, g, in.PosWeight
	k.w = newWeights(in.Reduction, dOut, float64(n))
	if in.Reduction == loss.None {
		k.out = out
	}
	chunks := ceilDiv(n, weightedChunk)
	k.partial = grown(k.partial, chunks)
	each(chunks, 8*weightedChunk, k)
	finish(out, in.Reduction, k.partial, float64(n))
	*k = weightedTask[T]{partial: k.partial}
	give(k)
}

func (k *weightedTask[T]) run(i int) {
	var l, d, q, tail [strip]float64
	var sum running
	for lo, hi := i*weightedChunk, min((i+1)*weightedChunk, len(k.logits)); lo < hi; lo += strip {
		n := min(strip, hi-lo)
		x, y := k.logits[lo:lo+n], k.target[lo:lo+n]
		decays(q[:n], x)
		tails[T](tail[:n], q[:n])
		k.items(l[:n], d[:n], x, y, q[:n], tail[:n])
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
func (k *weightedTask[T]) items(l, d []float64, x, y []T, q, tail []float64) {
	d, x, y, q, tail = d[:len(l)], x[:len(l)], y[:len(l)], q[:len(l)], tail[:len(l)]
	for j := range l {
		x, y := float64(x[j]), float64(y[j])
		a, b := k.pos*y, 1-y
		size := math.Abs(x)
		if !(size <= math.MaxFloat64) || y-y != 0 { // an infinity or NaN
			l[j], d[j] = unbounded(x, a, b)
			continue
		}
		neg := negative(x)
		up, down := sigmoid(q[j], neg)
		below := math.Float64frombits(math.Float64bits(size) & neg) // of -x
		l[j] = a*(below+tail[j]) + b*(size-below+tail[j])
		d[j] = b*up - a*down
	}
}

// unbounded is the loss and derivative at an infinite or NaN logit or target.
func unbounded(x, a, b float64) (l, d float64) {
	switch {
	case x != x || b-b != 0:
		return math.NaN(), math.NaN()
	case x > 0 && b != 0:
		return b * x, b
	case x < 0 && a != 0:
		return -a * x, -a
	}
	return 0, 0
}
