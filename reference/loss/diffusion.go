package loss

// perSample is the number of elements of a sample of x, whose first axis counts samples.
func perSample[T any](x Tensor[T]) int { return Size(x.Shape[1:]) }

func checkSamples[T any](c *Checker, name string, x Tensor[T]) {
	c.NotEmpty(Size(x.Shape) > 0, name, "at least one sample and one element per sample", x.Shape)
}

// NoisePrediction is the weighted squared error between the output of a denoiser and the noise, the clean sample or the velocity.
//
//	l_n = w_n mean over the elements of (pred - target)^2                          a = alpha_bar_n
//	target      eps, x0, or v = sqrt(a) eps - sqrt(1-a) x0
//	none        w = 1, or the given weight (custom)
//	min_snr     eps min(1, gamma (1-a)/a)    x0 min(a/(1-a), gamma)    v min(a, gamma (1-a))
//	snr         eps 1                        x0 a/(1-a)                v a
//
// Items are the samples [N]; mean divides by N. Weights and targets are constants.
//
// Special cases:
//
//	w = 0, whatever the sample holds       item 0, gradient 0
//	a = 0                                  min_snr: w = 1 (eps), 0 (x0), 0 (v)
//	a = 1                                  min_snr: w = 0 (eps), gamma (x0), 0 (v)
//	a = 1, snr, x0                         w = +Inf: item +Inf, 0 where pred = x0 throughout; gradient +-Inf, 0 where pred = x0
//	coefficient 0 in v                     times +-Inf is 0, times NaN is NaN
//	infinite difference                    item +Inf, gradient +-Inf at the element
//	Inf - Inf, NaN in what sample n uses   item and gradient of sample n NaN
//
// No kinks: the minimum acts on constants. Errors: no sample or no element is empty_input; alpha_bar outside [0, 1] is
// invalid_target; a negative or infinite weight, an input that the options lack or do not use is invalid_param. The printed L_simple
// sums over the elements: D times this one. Older code has other weights for v: pass them as custom.
// Sources: Ho et al. 2020, arXiv 2006.11239, eq. 14; v: Salimans and Ho 2022, arXiv 2202.00512; min-SNR: Hang et al. 2023, arXiv
// 2303.09556, section 3.4.
type NoisePrediction[T any] struct {
	Reduction
	Prediction string    // eps (default), x0, v
	Weighting  string    // none (default), min_snr, snr, custom
	Gamma      float64   // (0, inf), default 5; min_snr
	Pred       Tensor[T] // [N, ...], any real, var
	Eps        Tensor[T] // like Pred; eps and v
	X0         Tensor[T] // like Pred; x0 and v
	AlphaBar   Tensor[T] // [N], in [0, 1]; v, min_snr and snr
	Weight     Tensor[T] // [N], finite, >= 0; custom
}

var noisePrediction = &Def{
	ID: "noise_prediction", Name: "NoisePrediction", Title: "Denoising regression",
	Summary: "weighted squared error of the noise, the clean sample or the velocity",
	Aliases: []string{"DDPM simple loss", "eps-prediction MSE", "v-prediction", "min-SNR loss"},
	Tasks:   []Task{TextToImage, AudioToImage},
	Sources: []Source{
		{"Ho et al. 2020, Denoising Diffusion Probabilistic Models", "arXiv 2006.11239", "14"},
		{"Salimans and Ho 2022, Progressive Distillation", "arXiv 2202.00512", "section 4, appendix D"},
		{"Hang et al. 2023, Min-SNR Weighting", "arXiv 2303.09556", "section 3.4"},
	},
}

func (l *NoisePrediction[T]) Def() *Def { return noisePrediction }

func (l *NoisePrediction[T]) Visit(v Visitor[T]) {
	visitReduction(v, &l.Reduction)
	v.Enum("prediction", &l.Prediction, "eps", "x0", "v")
	v.Enum("weighting", &l.Weighting, "none", "min_snr", "snr", "custom")
	v.Float("gamma", &l.Gamma, 5, Above(0))
	v.Var("pred", &l.Pred, "N ...", Real)
	if l.Prediction != "x0" {
		v.Const("eps", &l.Eps, "N ...", Real)
	}
	if l.Prediction != "eps" {
		v.Const("x0", &l.X0, "N ...", Real)
	}
	if l.Prediction == "v" || l.Weighting == "min_snr" || l.Weighting == "snr" {
		v.Const("alpha_bar", &l.AlphaBar, "N", Unit)
	}
	if l.Weighting == "custom" {
		v.Const("weight", &l.Weight, "N", Weight)
	}
}

func (l *NoisePrediction[T]) Check(c *Checker) { checkSamples(c, "pred", l.Pred) }

func (l *NoisePrediction[T]) Out() []int { return l.Reduction.shape(l.Pred.Shape[0]) }

// VAE is the negative evidence lower bound: a reconstruction term plus the divergence of a Gaussian posterior from the standard normal.
//
//	L_n = R_n + beta K_n                          R_n, K_n sums over the elements of sample n, or means (inner)
//	k = (mu^2 + exp(lv) - 1 - lv)/2               lv = logvar, clamped where logvar_clamp is set
//	bernoulli_logits   x softplus(-z) + (1-x) softplus(z)             x = target, z, p, m = recon
//	bernoulli_probs    -x log p - (1-x) log(1-p), guarded
//	gaussian_unit      (x-m)^2/2
//	gaussian_logvar    (s + (x-m)^2 exp(-s))/2                        s = recon_logvar
//	l1                 |x-m|
//
// with_const adds log(2 pi)/2 to each element of the Gaussian kinds. Free bits: the k of a group (an element; a channel with all later
// axes; all) are added up to k_ng and count as max(free_bits, k_ng) (per_sample) or max(free_bits, mean over n of k_ng) (batch_mean,
// the same K for all n). Items are the samples [N]; mean divides by N.
//
// Special cases:
//
//	mu = 0, lv = 0             k = 0, gradient 0
//	lv = +Inf, -Inf            k = +Inf; its derivative +Inf, -1/2
//	mu = +-Inf                 k = +Inf, gradient +-Inf
//	z = +-Inf                  the limits of softplus; a term of coefficient 0 is 0
//	s = -Inf                   x = m: -Inf, gradients 0 and 1/2; else +Inf, gradients +-Inf and -Inf
//	beta = 0                   mu and logvar do not participate, gradient 0
//	group below free_bits      the constant free_bits, gradient 0
//	p = 0 or 1                 see BernoulliGuard; without guard +Inf, gradient +-Inf
//	NaN in sample n            item n and all gradients of sample n NaN (mu, logvar with batch_mean, a scalar s: of all samples)
//
// Kinks: x = m (l1) 0; k_ng = free_bits 0; the clamp passes at its bounds. Errors: no sample, no latent or no data element is
// empty_input; group channel for rank 1 is invalid_shape; target outside [0, 1] (Bernoulli kinds) and p outside [0, 1] are
// invalid_target; recon_logvar missing or superfluous and logvar_min >= logvar_max are invalid_param.
// Sources: Kingma and Welling 2013, arXiv 1312.6114, eq. 10, appendices B and C; beta: Higgins et al. 2017; free bits: Kingma et al.
// 2016, arXiv 1606.04934, appendix C.
type VAE[T any] struct {
	Reduction
	Beta      float64 // [0, inf), default 1
	ReconKind string  // bernoulli_logits (default), bernoulli_probs, gaussian_unit, gaussian_logvar, l1
	BernoulliGuard
	WithConst    bool
	Inner        string  // sum (default), mean: within a sample, for each term
	LogvarClamp  bool    // clamp logvar to [LogvarMin, LogvarMax]
	LogvarMin    float64 // default -30
	LogvarMax    float64 // default 20
	FreeBitsMode string  // none (default), batch_mean, per_sample
	FreeBits     float64 // [0, inf), default 0; nats
	Group        string  // element (default), channel, all

	Mu          Tensor[T] // [N, z...], any real, var
	Logvar      Tensor[T] // like Mu, any real, var
	Recon       Tensor[T] // [N, x...], logits, probabilities or means, var
	Target      Tensor[T] // like Recon, in [0, 1] for the Bernoulli kinds
	ReconLogvar Tensor[T] // [] or like Recon, any real, var; gaussian_logvar
}

var vae = &Def{
	ID: "vae", Name: "VAE", Title: "Negative evidence lower bound",
	Summary: "reconstruction error plus the divergence of a Gaussian posterior from the standard normal",
	Aliases: []string{"negative ELBO", "beta-VAE loss"},
	Tasks:   []Task{TextToImage},
	Sources: []Source{
		{"Kingma and Welling 2013, Auto-Encoding Variational Bayes", "arXiv 1312.6114", "10, appendices B and C"},
		{"Higgins et al. 2017, beta-VAE", "", ""},
		{"Kingma et al. 2016, Inverse Autoregressive Flow", "arXiv 1606.04934", "appendix C"},
	},
}

func (l *VAE[T]) Def() *Def { return vae }

func (l *VAE[T]) Visit(v Visitor[T]) {
	visitReduction(v, &l.Reduction)
	v.Float("beta", &l.Beta, 1, AtLeast(0))
	v.Enum("recon_kind", &l.ReconKind, "bernoulli_logits", "bernoulli_probs", "gaussian_unit", "gaussian_logvar", "l1")
	visitBernoulliGuard(v, &l.BernoulliGuard)
	v.Bool("with_const", &l.WithConst, false)
	v.Enum("inner", &l.Inner, "sum", "mean")
	v.Bool("logvar_clamp", &l.LogvarClamp, false)
	v.Float("logvar_min", &l.LogvarMin, -30, Range{})
	v.Float("logvar_max", &l.LogvarMax, 20, Range{})
	v.Enum("free_bits_mode", &l.FreeBitsMode, "none", "batch_mean", "per_sample")
	v.Float("free_bits", &l.FreeBits, 0, AtLeast(0))
	v.Enum("group", &l.Group, "element", "channel", "all")
	v.Var("mu", &l.Mu, "N ...z", Real)
	v.Var("logvar", &l.Logvar, "N ...z", Real)
	recon, target := Real, Real
	switch l.ReconKind {
	case "bernoulli_probs":
		recon, target = Unit, Unit
	case "bernoulli_logits":
		target = Unit
	}
	v.Var("recon", &l.Recon, "N ...x", recon)
	v.Const("target", &l.Target, "N ...x", target)
	if l.ReconKind == "gaussian_logvar" {
		shape := "N ...x"
		if len(l.ReconLogvar.Shape) == 0 {
			shape = "()"
		}
		v.Var("recon_logvar", &l.ReconLogvar, shape, Real)
	}
}

func (l *VAE[T]) Check(c *Checker) {
	c.Param(l.LogvarMin < l.LogvarMax, "logvar_min", "less than logvar_max", l.LogvarMin)
	c.Shape(l.Group != "channel" || len(l.Mu.Shape) > 1, "mu", "an axis of channels", l.Mu.Shape)
	checkSamples(c, "mu", l.Mu)
	checkSamples(c, "recon", l.Recon)
}

func (l *VAE[T]) Out() []int { return l.Reduction.shape(l.Mu.Shape[0]) }

// Groups returns the number of groups of latents in a sample.
func (l *VAE[T]) Groups() int {
	switch l.Group {
	case "all":
		return 1
	case "channel":
		return l.Mu.Shape[1]
	}
	return perSample(l.Mu)
}
