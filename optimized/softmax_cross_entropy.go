package optimized

import "github.com/goldenloss/goldenloss/reference/loss"

// SoftmaxCrossEntropy is the softmax cross-entropy with soft targets. See loss.SoftmaxCrossEntropy.
func SoftmaxCrossEntropy[T loss.Float](out []T, grad, in *loss.SoftmaxCrossEntropy[T], dOut []T) {
	k := take[ceTask[T]]()
	k.logits, k.prob, k.keep, k.cold = in.Logits.Data, in.TargetProb.Data, 1, 1/in.Temperature
	if grad != nil {
		k.g = grad.Logits.Data
	}
	k.solve(out, in.Reduction, in.Logits.Shape, in.Axis, byRows, dOut)
}
