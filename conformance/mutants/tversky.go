package mutants

import "github.com/goldenloss/goldenloss/reference/loss"

const (
	weightsSwapped  = "weights swapped"
	weightsTogether = "weights act through their sum"
	weightsNorm     = "weights divided by their sum"
	hitsTwice       = "true positives doubled"
)

var tverskyFlaws = append([]flaw{
	{weightsSwapped, "puts alpha_fp on the false negatives and beta_fn on the false positives"},
	{weightsTogether, "gives false positives and false negatives half of the sum of the weights each"},
	{weightsNorm, "divides the weights by their sum"},
	{hitsTwice, "takes 2 TP, as Dice does"},
	{backgroundTimes, "multiplies the dropped background by 0, which keeps its NaN"},
}, overlapFlaws...)

func tversky(out []float64, grad, in *loss.Tversky[float64], dOut []float64, flaw string) {
	s := overlapSizes{1, 1, 1, in.AlphaFP, in.BetaFN}
	sum := s.fp + s.fn
	switch flaw {
	case weightsSwapped:
		s.fp, s.fn = s.fn, s.fp
	case weightsTogether:
		s.fp, s.fn = sum/2, sum/2
	case weightsNorm:
		if sum > 0 {
			s.fp, s.fn = s.fp/sum, s.fn/sum
		}
	case hitsTwice:
		s.factor, s.base = 2, 2
	}
	overlapLoss(out, grad.Pred.Data, &in.Overlap, in.Reduction, s, dOut, flaw)
}
