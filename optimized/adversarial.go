package optimized

import "github.com/goldenloss/goldenloss/reference/loss"

type adversarialTask[T loss.Float] struct {
	logitStream[T]
	partial []float64
}

// Adversarial is the logistic adversarial loss. See loss.Adversarial.
func Adversarial[T loss.Float](out []T, grad, in *loss.Adversarial[T], dOut []T) {
	k := take[adversarialTask[T]]()
	n := len(in.Logits.Data)
	k.x, k.on, k.off, k.scale = in.Logits.Data, 1, 0, 1
	switch in.Role {
	case "d_real":
		k.on, k.off = in.LabelSmoothing, 1-in.LabelSmoothing
	case "g_ns":
		k.on, k.off = 0, 1
	case "g_sat":
		k.scale = -1
	}
	k.w = newWeights(in.Reduction, dOut, float64(n))
	if in.Reduction == loss.None {
		k.out = out
	}
	if grad != nil {
		k.g = grad.Logits.Data
	}
	chunks := ceilDiv(n, logitChunk)
	k.partial = grown(k.partial, chunks)
	each(chunks, 6*logitChunk, k)
	finish(out, in.Reduction, k.partial, float64(n))
	*k = adversarialTask[T]{partial: k.partial}
	give(k)
}

func (k *adversarialTask[T]) run(i int) {
	k.partial[i] = k.chunk(i*logitChunk, min((i+1)*logitChunk, len(k.x)))
}
