package optimized

import "github.com/goldenloss/goldenloss/reference/loss"

// PixelwiseCrossEntropy is the softmax cross-entropy of label maps. See loss.PixelwiseCrossEntropy.
func PixelwiseCrossEntropy[T loss.Float](out []T, grad, in *loss.PixelwiseCrossEntropy[T], dOut []T) {
	k := take[ceTask[T]]()
	k.logits, k.target, k.ignored, k.weight = in.Logits.Data, in.Target.Data, in.Ignored(), in.ClassWeight.Data
	k.keep, k.cold = 1, 1
	if grad != nil {
		k.g = grad.Logits.Data
	}
	k.solve(out, in.Reduction, in.Logits.Shape, 1, by(in.Normalize), dOut)
}
