package mutants

import "github.com/goldenloss/goldenloss/reference/loss"

const (
	unionIsSum = "union is the sum of sizes"
	ofDice     = "Dice in place of Jaccard"
)

var jaccardFlaws = append([]flaw{
	{ofDifferences, "takes 1 - I/(P+T-I), which cancels near a perfect prediction"},
	{unionIsSum, "does not subtract the intersection from the sum of sizes"},
	{ofDice, "doubles the intersection in numerator and denominator"},
	{backgroundTimes, "multiplies the dropped background by 0, which keeps its NaN"},
}, overlapFlaws...)

func jaccard(out []float64, grad, in *loss.Jaccard[float64], dOut []float64, flaw string) {
	s := overlapSizes{1, 1, float64(in.Power), 1, 1}
	switch flaw {
	case unionIsSum:
		s.base = 2
	case ofDice:
		s.factor, s.base = 2, 2
	}
	overlapLoss(out, grad.Pred.Data, &in.Overlap, in.Reduction, s, dOut, flaw)
}
