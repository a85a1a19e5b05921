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
