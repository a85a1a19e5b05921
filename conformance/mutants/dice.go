package mutants

import "github.com/goldenloss/goldenloss/reference/loss"

const notDoubled = "intersection not doubled"

var diceFlaws = []flaw{
	{ofDifferences, "takes 1 - 2I/(P+T), which cancels near a perfect prediction"},
	{maskTimes, "multiplies removed pixels by 0, which keeps their NaN"},
	{maskOnTarget, "sets the target to 0 where a pixel is removed and counts its prediction"},
	{absentDropped, "leaves items without target out of the mean instead of counting them as 0"},
	{backgroundFirst, "drops the background channel before the softmax"},
	{noActivation, "gives the gradient by the activated prediction"},
	{oneSmoothing, "adds smooth_nr to the denominator too"},
	{notDoubled, "takes I for 2I in the numerator"},
	{denominator, "does not differentiate the denominator"},
	{tieOfMin, "gives min(p, t) the slope 1 at p = t"},
	{floorPasses, "differentiates the denominator below its floor"},
}

func dice(out []float64, grad, in *loss.Dice[float64], dOut []float64, flaw string) {
	s := overlapSizes{2, 2, float64(in.Power), 1, 1}
	if flaw == notDoubled {
		s.factor = 1
	}
	overlapLoss(out, grad.Pred.Data, &in.Overlap, in.Reduction, s, dOut, flaw)
}
