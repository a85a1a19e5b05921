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
	flawed("smooth_l1", smoothL1, smoothL1Flaws),
	flawed("cross_entropy", crossEntropy, crossEntropyFlaws),
	flawed("focal", focal, focalFlaws),
	flawed("iou", iou, iouFlaws),
	flawed("dice", dice, diceFlaws),
	flawed("nt_xent", ntXent, ntXentFlaws),
	flawed("perceptual", perceptual, perceptualFlaws),
	flawed("ssim", ssim, ssimFlaws),
	flawed("margin_ranking", marginRanking, marginRankingFlaws),
	flawed("triplet", triplet, tripletFlaws),
	flawed("contrastive", contrastive, contrastiveFlaws),
	flawed("info_nce", infoNCE, infoNCEFlaws),
	flawed("cross_modal_ranking", crossModalRanking, crossModalRankingFlaws),
	flawed("attention_ranking", attentionRanking, attentionRankingFlaws),
}

// always is an Affects for mistakes that show in any problem.
func always(problem) bool { return true }

// Exemption says why a mutant cannot be told from a right implementation.
type Exemption struct{ Loss, Mutant, Reason string }

// Exemptions lists the mutants that no case can kill. One that a case kills does not belong here.
var Exemptions = []Exemption{
	{"dice", "value without infinity", "scores are clamped above 0 and weights are finite: no value is infinite"},
	{"nt_xent", "value without infinity", "an infinite input makes the value NaN, and similarities that overflow are outside the cases"},
	{"cross_modal_ranking", "input embeddings -> scores", "embeddings come without scores"},
	{"cross_modal_ranking", "input scores -> embeddings", "scores come without embeddings"},
	{"cross_modal_ranking", "mining all -> sampled", "there are no impostors that could be taken"},
	{"cross_modal_ranking", "mining hardest -> sampled", "there are no impostors that could be taken"},
	{"cross_modal_ranking", "impostor_text plus one", "an impostor is a row of the batch, no class"},
	{"cross_modal_ranking", "impostor_image plus one", "an impostor is a row of the batch, no class"},
	{"info_nce", "negatives in_batch -> queue", "a problem in the batch has no queue that could be taken"},
	{"ssim", "value without infinity", "an infinite pixel makes the value NaN; the similarity of finite images is finite"},
}
