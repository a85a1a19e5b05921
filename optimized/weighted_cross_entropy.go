package optimized

import "github.com/goldenloss/goldenloss/reference/loss"

// WeightedCrossEntropy is the cross-entropy under class, pixel or positive-class weights. See loss.WeightedCrossEntropy.
func WeightedCrossEntropy[T loss.Float](out []T, grad, in *loss.WeightedCrossEntropy[T], dOut []T) {
	var g []T
	if grad != nil {
		g = grad.Logits.Data
	}
	if in.Mode == "binary_pos" {
		k := take[spreadTask[T]]()
		k.start(withLogits, in.Logits, in.TargetValue, out, in.Reduction, dOut, len(in.Logits.Data))
		k.posScale, k.g = in.PosWeight, g
		k.finish(out, in.Reduction, 8)
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
