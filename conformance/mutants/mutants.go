// Package mutants holds wrong implementations. Each makes one mistake that somebody could make, and the golden cases must tell each
// from a right implementation: a mutant that survives is a hole in the cases.
//
// Wrappers come for free with every loss: they change what a right implementation sees or what it answers. Mistakes in the arithmetic
// are written by hand, a file a loss.
package mutants

import "github.com/goldenloss/goldenloss/reference/loss"

type (
	problem        = loss.Problem[float64]
	implementation = loss.Impl[float64]
)

// Mutant is a wrong implementation of one loss.
type Mutant struct {
	Name string // unique within a loss
	Does string // what is wrong
	Impl loss.Impl[float64]
	// Affects reports whether the mutant treats a valid problem in a way of its own. Where it does not it is the implementation
	// that it was made from.
	Affects func(in loss.Problem[float64]) bool
}

// Of returns the mutants of a right implementation.
func Of(base loss.Impl[float64]) []Mutant {
	list := wrappers(base)
	for _, h := range byHand {
		if h.id == base.ID {
			list = append(list, h.mutants(base)...)
		}
	}
	return list
}

// hand makes the mutants of a loss that are written by hand.
type hand struct {
	id      string
	mutants func(base implementation) []Mutant
	// plain is the formula that they are made of, without a flaw: value and then gradients. It is nil where they wrap the base.
	plain func(in problem, dOut []float64) []float64
}

// byHand lists the mistakes in the arithmetic of every loss.
var byHand = []hand{
	flawed("l1", l1, l1Flaws),
	flawed("mse", mse, mseFlaws),
	flawed("smooth_l1", smoothL1, smoothL1Flaws),
	flawed("huber", huber, huberFlaws),
	flawed("log_cosh", logCosh, logCoshFlaws),
	flawed("charbonnier", charbonnier, charbonnierFlaws),
	flawed("quantile", quantile, quantileFlaws),
	flawed("pixelwise_mean", pixelwiseMean, pixelwiseMeanFlaws),
	flawed("reconstruction", reconstruction, reconstructionFlaws),
	flawed("cross_entropy", crossEntropy, crossEntropyFlaws),
	flawed("weighted_cross_entropy", weightedCrossEntropy, weightedCrossEntropyFlaws),
	flawed("softmax_cross_entropy", softmaxCrossEntropy, softmaxCrossEntropyFlaws),
	flawed("categorical_cross_entropy", categoricalCrossEntropy, categoricalCrossEntropyFlaws),
	flawed("binary_cross_entropy", binaryCrossEntropy, binaryCrossEntropyFlaws),
	flawed("binary_cross_entropy_with_logits", binaryCrossEntropyWithLogits, binaryCrossEntropyWithLogitsFlaws),
	flawed("pixelwise_cross_entropy", pixelwiseCrossEntropy, pixelwiseCrossEntropyFlaws),
	flawed("logistic", logistic, logisticFlaws),
	flawed("focal", focal, focalFlaws),
	flawed("focal_softmax", focalSoftmax, focalSoftmaxFlaws),
	flawed("kl_divergence", klDivergence, klDivergenceFlaws),
	flawed("attention_target", attentionTarget, attentionTargetFlaws),
	flawed("iou", iou, iouFlaws),
	flawed("giou", giou, giouFlaws),
	flawed("diou", diou, diouFlaws),
	flawed("ciou", ciou, ciouFlaws),
	flawed("eiou", eiou, eiouFlaws),
	flawed("focal_eiou", focalEIoU, focalEIoUFlaws),
	flawed("gwd", gwd, gwdFlaws),
	flawed("dice", dice, diceFlaws),
	flawed("jaccard", jaccard, jaccardFlaws),
	flawed("tversky", tversky, tverskyFlaws),
	flawed("contrastive", contrastive, contrastiveFlaws),
	flawed("nt_xent", ntXent, ntXentFlaws),
	flawed("info_nce", infoNCE, infoNCEFlaws),
	flawed("triplet", triplet, tripletFlaws),
	flawed("margin_ranking", marginRanking, marginRankingFlaws),
	flawed("cross_modal_ranking", crossModalRanking, crossModalRankingFlaws),
	flawed("attention_ranking", attentionRanking, attentionRankingFlaws),
	{"cross_correlation", crossCorrelation, nil},
	{"mahalanobis", mahalanobis, nil},
	flawed("adversarial", adversarial, adversarialFlaws),
	flawed("gan", gan, ganFlaws),
	flawed("conditional_adversarial", conditionalAdversarial, conditionalFlaws),
	flawed("cycle_consistency", cycleConsistency, cycleFlaws),
	{"noise_prediction", noisePrediction, nil},
	{"diffusion", diffusion, nil},
	{"vae", vae, nil},
	flawed("perceptual", perceptual, perceptualFlaws),
	flawed("style", style, styleFlaws),
	flawed("feature_matching", featureMatching, featureMatchingFlaws),
	flawed("context", context, contextFlaws),
	flawed("ssim", ssim, ssimFlaws),
	flawed("ms_ssim", msSSIM, msSSIMFlaws),
}

// always is an Affects for mistakes that show in any problem.
func always(problem) bool { return true }

// Exemption says why a mutant cannot be told from a right implementation.
type Exemption struct{ Loss, Mutant, Reason string }

const (
	other      = "the one option takes an input that the other must not be given"
	errorsOnly = "it decides about errors, not about numbers"
)

// Exemptions lists the mutants that no case can kill. One that a case kills does not belong here.
var Exemptions = []Exemption{
	{"dice", "value without infinity", "scores are clamped above 0 and weights are finite: no value is infinite"},
	{"giou", "value without infinity", "the terms of finite boxes are bounded, and an infinite coordinate makes the value NaN"},
	{"diou", "value without infinity", "the terms of finite boxes are bounded, and an infinite coordinate makes the value NaN"},
	{"ciou", "value without infinity", "the terms of finite boxes are bounded, and an infinite coordinate makes the value NaN"},
	{"eiou", "value without infinity", "the terms of finite boxes are bounded, and an infinite coordinate makes the value NaN"},
	{"focal_eiou", "value without infinity", "the terms of finite boxes are bounded, and an infinite coordinate makes the value NaN"},
	{"gwd", "format cxcywhr -> xyxy", "rows of five numbers are no rows of four: the inputs fit one of them only"},
	{"gwd", "format cxcywhr -> cxcywh", "rows of five numbers are no rows of four: the inputs fit one of them only"},
	{"gwd", "format cxcywhr -> xywh", "rows of five numbers are no rows of four: the inputs fit one of them only"},
	{"gwd", "format xyxy -> cxcywhr", "rows of five numbers are no rows of four: the inputs fit one of them only"},
	{"gwd", "format cxcywh -> cxcywhr", "rows of five numbers are no rows of four: the inputs fit one of them only"},
	{"gwd", "format xywh -> cxcywhr", "rows of five numbers are no rows of four: the inputs fit one of them only"},
	{"nt_xent", "value without infinity", "an infinite input makes the value NaN, and similarities that overflow are outside the cases"},
	{"cross_modal_ranking", "impostor_text plus one", "an impostor is a row of the batch, no class"},
	{"cross_modal_ranking", "impostor_image plus one", "an impostor is a row of the batch, no class"},
	{"ssim", "value without infinity", "an infinite pixel makes the value NaN; the similarity of finite images is finite"},
	{"context", "value without infinity", "CX is at least 1/J, and an infinite entry makes the value NaN"},
	{"ms_ssim", "value without infinity", "an infinite pixel makes the value NaN; the similarity of finite images is finite"},
	{"adversarial", "role g_ns -> d_real", "without smoothing both roles are the same function"},
	{"adversarial", "role d_real -> g_ns", "without smoothing both roles are the same function; with it g_ns is no problem of the loss"},
	{"weighted_cross_entropy", "mode class -> binary_pos", "each mode has inputs that the others refuse"},
	{"weighted_cross_entropy", "mode pixel -> binary_pos", "each mode has inputs that the others refuse"},
	{"jaccard", "value without infinity", "scores are clamped above 0 and weights are finite: no value is infinite"},
	{"tversky", "value without infinity", "scores are clamped above 0 and weights are finite: no value is infinite"},
	{"diffusion", "var_type fixed_small -> learned_range", "a fixed variance comes without the output that the learned one takes; the squared error takes neither"},
	{"diffusion", "var_type fixed_small -> learned", "a fixed variance comes without the output that the learned one takes; the squared error takes neither"},
	{"diffusion", "var_type fixed_large -> learned_range", "a fixed variance comes without the output that the learned one takes; the squared error takes neither"},
	{"diffusion", "var_type fixed_large -> learned", "a fixed variance comes without the output that the learned one takes; the squared error takes neither"},
	{"diffusion", "t plus one", "the index is a step, no class: step plus one is this mutant"},
	{"mahalanobis", "sym_tol = 1e-08", errorsOnly}, {"mahalanobis", "sym_tol = 0", errorsOnly},
	{"mahalanobis", "index plus one", "the index names matrices: next matrix is this mutant"},
}
