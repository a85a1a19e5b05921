package loss

import "fmt"

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
// invalid_target; recon_logvar missing or superfluous and logvar_min >= logvar_max are invalid_param. The PyTorch example and SPADE sum
// over the batch, diffusers clamps logvar, PyTorch's GaussianNLLLoss clamps the variance from below and takes a mean.
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

// Diffusion is the training objective of a denoising diffusion model: squared error, variational bound, or both.
//
//	x_t = sqrt(abar_t) x0 + sqrt(1-abar_t) eps      abar_t = product of 1 - betas up to t, om_t = 1 - abar_t, a_t = 1 - b_t
//	m1  = c1 x0 + c2 x_t                            c1 = b_t sqrt(abar_(t-1))/om_t, c2 = om_(t-1) sqrt(a_t)/om_t
//	l1  = plv_t = log(b_t om_(t-1)/om_t), plv_0 = plv_1
//	m2  from mean_out as eps, x0 or x_prev          l2 = plv_t (fixed_small), log b_t (fixed_large; plv_0 at t = 0), var_out (learned),
//	                                                f log b_t + (1-f) plv_t with f = (var_out+1)/2 (learned_range)
//	t >= 1  KL  = (-1 + l2 - l1 + exp(l1-l2) + (m1-m2)^2 exp(-l2))/2
//	t = 0   NLL = -log max(P, prob_floor), P the mass of the bin x0 +- 1/255 under N(m2, exp l2), open at x0 < -0.999 and x0 > 0.999
//	vb = mean over the elements of KL or NLL, over log 2 with units bits
//	simple = mean over the elements of (mean_out - target)^2, target eps, x0 or m1 by mean_type
//	L_n: simple; vlb: vb, times T with rescale; hybrid: simple + lambda_vlb T vb
//
// Items are the samples [N]; mean divides by N. cdf tanh approximates the normal distribution by (1 + tanh(sqrt(2/pi)(u + 0.044715 u^3)))/2.
// With detach_mean the bound of hybrid has no gradient to mean_out.
//
// Special cases:
//
//	P below the floor                        -log prob_floor, gradient 0
//	x0 outside [-1, 1] at t = 0              the open bin
//	t >= 1: l2 = -Inf, +Inf                  +Inf; gradients -Inf by l2 and +-Inf by the mean (0 where it is right), 1/2 and 0
//	t >= 1: infinite residual                +Inf, gradients +-Inf and -Inf
//	t = 0: infinite residual or var_out      the limit of P, gradient 0
//	infinite x0 for eps, eps for x0          no effect on the bound
//	lambda_vlb = 0                           no bound, gradient of var_out 0
//	NaN in what sample n uses                item n, sample n of mean_out and var_out NaN; in betas[j] the samples with t >= j
//
// Kink: P = prob_floor, where the gradient passes. Errors: no sample or no element is empty_input; fewer than two betas are
// invalid_shape; t outside [0, T), betas outside (0, 1), (0, 1] for x0 and x_prev, are invalid_target; var_out against the options and
// hybrid with a fixed variance are invalid_param. The reference code has cdf tanh, schedules in float32, and clips x0 in evaluation only.
// Sources: Ho et al. 2020, arXiv 2006.11239, eqs. 5, 7, 8, 12 to 14; Nichol and Dhariwal 2021, arXiv 2102.09672, eqs. 15, 16.
type Diffusion[T any] struct {
	Reduction
	LossType   string  // simple (default), vlb, hybrid
	MeanType   string  // eps (default), x0, x_prev
	VarType    string  // learned_range (default), learned, fixed_small, fixed_large; vlb and hybrid
	CDF        string  // erf (default), tanh
	Units      string  // bits (default), nats; of the bound
	Rescale    bool    // vlb: times T
	LambdaVLB  float64 // [0, inf), default 0.001; hybrid
	DetachMean bool    // default true; hybrid
	ProbFloor  float64 // (0, 1), default 1e-12

	MeanOut Tensor[T]     // [N, ...], any real, var
	VarOut  Tensor[T]     // like MeanOut, any real, var; learned and learned_range, unless simple
	X0      Tensor[T]     // like MeanOut
	Eps     Tensor[T]     // like MeanOut: the noise in x_t
	T       Tensor[int64] // [N], in [0, T)
	Betas   Tensor[T]     // [T], T >= 2
}

var diffusion = &Def{
	ID: "diffusion", Name: "Diffusion", Title: "DDPM objective",
	Summary: "denoising error, variational bound with learned variances, or both",
	Aliases: []string{"VLB loss", "L_vlb", "L_hybrid", "bits per dimension"},
	Tasks:   []Task{TextToImage},
	Sources: []Source{
		{"Ho et al. 2020, Denoising Diffusion Probabilistic Models", "arXiv 2006.11239", "5, 7, 8, 12 to 14"},
		{"Nichol and Dhariwal 2021, Improved DDPM", "arXiv 2102.09672", "15, 16"},
	},
}

func (l *Diffusion[T]) Def() *Def { return diffusion }

func (l *Diffusion[T]) Visit(v Visitor[T]) {
	visitReduction(v, &l.Reduction)
	v.Enum("loss_type", &l.LossType, "simple", "vlb", "hybrid")
	v.Enum("mean_type", &l.MeanType, "eps", "x0", "x_prev")
	v.Enum("var_type", &l.VarType, "learned_range", "learned", "fixed_small", "fixed_large")
	v.Enum("cdf", &l.CDF, "erf", "tanh")
	v.Enum("units", &l.Units, "bits", "nats")
	v.Bool("rescale", &l.Rescale, false)
	v.Float("lambda_vlb", &l.LambdaVLB, 0.001, AtLeast(0))
	v.Bool("detach_mean", &l.DetachMean, true)
	v.Float("prob_floor", &l.ProbFloor, 1e-12, Inside(0, 1))
	v.Var("mean_out", &l.MeanOut, "N ...", Real)
	if l.LossType != "simple" && l.Learned() {
		v.Var("var_out", &l.VarOut, "N ...", Real)
	}
	v.Const("x0", &l.X0, "N ...", Real)
	v.Const("eps", &l.Eps, "N ...", Real)
	v.Index("t", &l.T, "N")
	betas := Inside(0, 1)
	betas.MaxOpen = l.MeanType == "eps"
	v.Const("betas", &l.Betas, "T", Domain{betas, InvalidTarget})
}

// Learned reports whether the variance is an output of the network.
func (l *Diffusion[T]) Learned() bool { return l.VarType == "learned" || l.VarType == "learned_range" }

// Bound reports whether the bound participates.
func (l *Diffusion[T]) Bound() bool {
	return l.LossType == "vlb" || l.LossType == "hybrid" && l.LambdaVLB != 0
}

func (l *Diffusion[T]) Check(c *Checker) {
	steps := len(l.Betas.Data)
	c.Shape(steps >= 2, "betas", "at least two steps", l.Betas.Shape)
	c.Param(l.LossType != "hybrid" || l.Learned(), "var_type", "a learned variance for hybrid", l.VarType)
	checkSamples(c, "mean_out", l.MeanOut)
	c.Values(func() {
		for i, t := range l.T.Data {
			c.Target(t >= 0 && t < int64(steps), fmt.Sprintf("t[%d]", i), fmt.Sprintf("a step in [0, %d)", steps), t)
		}
	})
}

func (l *Diffusion[T]) Out() []int { return l.Reduction.shape(l.MeanOut.Shape[0]) }
