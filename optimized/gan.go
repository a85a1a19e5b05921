package optimized

import "github.com/goldenloss/goldenloss/reference/loss"

// ganTask has two streams, of which real may be empty; its chunks come first.
type ganTask[T loss.Float] struct {
	logits  bool
	logit   [2]logitStream[T]
	prob    [2]guardedStream[T]
	size    [2]int
	first   int // chunks of the first stream
	partial []float64
}

// GAN is the two-stream GAN value. See loss.GAN.
func GAN[T loss.Float](out []T, grad, in *loss.GAN[T], dOut []T) {
	k := take[ganTask[T]]()
	k.logits = in.Input == "logits"
	var g guard
	if !k.logits {
		g = newGuard(&in.BernoulliGuard)
	}
	var gr, gf []T
	if grad != nil {
		gr, gf = grad.Real.Data, grad.Fake.Data
	}
	n := 0
	switch {
	case in.Player == "discriminator":
		n = len(in.Real.Data)
		k.stream(0, in, g, in.Real.Data, gr, false, in.DScale, out, dOut)
		k.stream(1, in, g, in.Fake.Data, gf, true, in.DScale, out, dOut)
	case in.GMode == "sat":
		k.stream(1, in, g, in.Fake.Data, gf, true, -1, out, dOut)
	default:
		k.stream(1, in, g, in.Fake.Data, gf, false, 1, out, dOut)
	}
	k.first = ceilDiv(k.size[0], logitChunk)
	chunks := k.first + ceilDiv(k.size[1], logitChunk)
	k.partial = grown(k.partial, chunks)
	each(chunks, 6*logitChunk, k)
	real, fake := pairwise(k.partial[:k.first]), pairwise(k.partial[k.first:])
	switch {
	case in.Reduction == loss.None:
	case in.Reduction == loss.Sum:
		out[0] = T(real + fake)
	case n > 0:
		out[0] = T(real/float64(n) + fake/float64(len(in.Fake.Data)))
	default:
		out[0] = T(fake / float64(len(in.Fake.Data)))
	}
	*k = ganTask[T]{partial: k.partial}
	give(k)
}

// stream sets up one stream; fake ones are punished for a high probability, by the factor scale.
func (k *ganTask[T]) stream(i int, in *loss.GAN[T], g guard, x, grad []T, fake bool, scale float64, out, dOut []T) {
	w := newWeights(in.Reduction, dOut, float64(len(x)))
	if in.Reduction == loss.None { // the items of the second stream follow those of the first
		out = out[k.size[0]:]
		if len(dOut) > 0 {
			w.dOut = dOut[k.size[0]:]
		}
	} else {
		out = nil
	}
	k.size[i] = len(x)
	on := 0.0
	if fake {
		on = 1
	}
	if !k.logits {
		k.prob[i] = guardedStream[T]{x: x, out: out, g: grad, label: T(1 - on), scale: scale, guard: g, w: w}
		return
	}
	k.logit[i] = logitStream[T]{x: x, out: out, g: grad, on: on, off: 1 - on, scale: scale, w: w}
}

func (k *ganTask[T]) run(i int) {
	s, at := 0, i
	if i >= k.first {
		s, at = 1, i-k.first
	}
	lo, hi := at*logitChunk, min((at+1)*logitChunk, k.size[s])
	if k.logits {
		k.partial[i] = k.logit[s].chunk(lo, hi)
	} else {
		k.partial[i] = k.prob[s].chunk(lo, hi)
	}
}
