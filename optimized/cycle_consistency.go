package optimized

import "github.com/goldenloss/goldenloss/reference/loss"

// CycleConsistency is the cycle consistency loss. See loss.CycleConsistency.
func CycleConsistency[T loss.Float](out []T, grad, in *loss.CycleConsistency[T], dOut []T) {
	k := take[sampleTask[T]]()
	na, nb := in.RecA.Shape[0], in.RecB.Shape[0]
	var none loss.CycleConsistency[T]
	if grad == nil {
		grad = &none
	}
	k.direction(in, in.LambdaA, in.RecA.Data, in.RealA.Data, in.IdtA.Data, grad.RecA.Data, grad.IdtA.Data, 0, na, dOut)
	k.direction(in, in.LambdaB, in.RecB.Data, in.RealB.Data, in.IdtB.Data, grad.RecB.Data, grad.IdtB.Data, na, nb, dOut)
	k.evaluate(na+nb, sampleChunk)
	switch in.Reduction {
	case loss.None:
		store(out, k.items)
	case loss.Sum:
		out[0] = T(pairwise(k.items))
	default:
		out[0] = T(pairwise(k.items[:na])/float64(na) + pairwise(k.items[na:])/float64(nb))
	}
	k.reset()
	give(k)
}

// direction adds the streams of one direction, whose n items begin at item.
func (k *sampleTask[T]) direction(in *loss.CycleConsistency[T], lambda float64, rec, real, idt, gr, gi []T, item, n int, dOut []T) {
	s := sampleStream[T]{x: rec, y: real, g: gr, off: lambda == 0, item: item, w: newWeights(in.Reduction, dOut, float64(n))}
	if in.Reduction == loss.None && len(dOut) > 0 {
		s.w.dOut = dOut[item:]
	}
	if in.Norm == "l2" {
		s.form = squared
	}
	s.factor = lambda / float64(len(rec)/n)
	k.add(s, n)
	if in.LambdaIdt > 0 {
		s.x, s.g = idt, gi
		s.factor *= in.LambdaIdt
		k.add(s, n)
	}
}
