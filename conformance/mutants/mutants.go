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
	{"noise_prediction", noisePrediction, nil},
	{"vae", vae, nil},
	{"mahalanobis", mahalanobis, nil},
	{"cross_correlation", crossCorrelation, nil},
	{"diffusion", diffusion, nil},
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
	{"nt_xent", "value without infinity", "an infinite input makes the value NaN, and similarities that overflow are outside the cases"},
	{"ssim", "value without infinity", "an infinite pixel makes the value NaN; the similarity of finite images is finite"},
	{"noise_prediction", "prediction eps -> x0", other}, {"noise_prediction", "prediction eps -> v", other},
	{"noise_prediction", "prediction x0 -> eps", other}, {"noise_prediction", "prediction x0 -> v", other},
	{"noise_prediction", "weighting none -> custom", other}, {"noise_prediction", "weighting min_snr -> custom", other},
	{"noise_prediction", "weighting snr -> custom", other},
	{"vae", "recon_kind bernoulli_logits -> gaussian_logvar", other}, {"vae", "recon_kind bernoulli_probs -> gaussian_logvar", other},
	{"diffusion", "t plus one", "the index is a step, no class: step plus one is this mutant"},
	{"diffusion", "loss_type simple -> hybrid", other}, {"diffusion", "var_type fixed_small -> learned_range", other},
	{"diffusion", "var_type fixed_small -> learned", other}, {"diffusion", "var_type fixed_large -> learned_range", other},
	{"diffusion", "var_type fixed_large -> learned", other},
	{"mahalanobis", "sym_tol = 1e-08", errorsOnly}, {"mahalanobis", "sym_tol = 0", errorsOnly},
	{"mahalanobis", "index plus one", "the index names matrices: next matrix is this mutant"},
	{"vae", "recon_kind gaussian_unit -> gaussian_logvar", other}, {"vae", "recon_kind l1 -> gaussian_logvar", other},
}
