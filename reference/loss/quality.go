package loss

import "fmt"

// Windows holds the options of local image statistics that SSIM and its relatives share.
type Windows struct {
	DataRange  float64 // (0, inf), default 1
	WindowSize int     // odd, >= 1, default 11
	Window     string  // gaussian (default), uniform
	Sigma      float64 // (0, inf), default 1.5; gaussian
	K1, K2     float64 // (0, inf), default 0.01, 0.03
	Covariance string  // population (default), sample: factor k^2/(k^2-1)
}

func visitWindows[T any](v Visitor[T], w *Windows) {
	v.Float("data_range", &w.DataRange, 1, Above(0))
	v.Int("window_size", &w.WindowSize, 11, AtLeast(1))
	v.Enum("window", &w.Window, "gaussian", "uniform")
	v.Float("sigma", &w.Sigma, 1.5, Above(0))
	v.Float("k1", &w.K1, 0.01, Above(0))
	v.Float("k2", &w.K2, 0.03, Above(0))
	v.Enum("covariance", &w.Covariance, "population", "sample")
}

func (w *Windows) check(c *Checker) {
	c.Param(w.WindowSize%2 == 1, "window_size", "an odd number", w.WindowSize)
	c.Param(w.Covariance != "sample" || w.WindowSize >= 3, "covariance", "population with window_size 1", w.Covariance)
}

// SSIM is one minus the mean structural similarity of two images.
//
//	p = E[x], q = E[y]    sxx = kap (E[x^2] - p^2), syy and sxy likewise    E = mean weighted by the window
//	l = (2 p q + C1)/(p^2 + q^2 + C1)    cs = (2 sxy + C2)/(sxx + syy + C2)    C_i = (k_i data_range)^2
//	S = mean of l cs over windows and channels;  value 1 - S, or (1 - S)/2
//
// Items are the samples [N]; mean divides by N. The Gaussian window is exp(-(i-r)^2/(2 sigma^2)) per axis, normalized to sum 1.
//
// Special cases: pred = target gives 0 with gradient 0; a NaN or infinite pixel makes its sample NaN; window_size 1 leaves the
// luminance term alone. No kinks.
//
// Errors: no sample or channel is empty_input; a side that is 0, smaller than the window (valid) or too small for the padding
// (reflect needs more than r = (k-1)/2, symmetric at least r) is invalid_shape; an even window, sample covariance with window 1
// are invalid_param. Libraries differ in padding, window and data range defaults.
// Source: Wang et al. 2004, IEEE Trans. Image Processing 13(4), eqs. 13-17; gradient: Avanaki 2009, arXiv 0901.0065.
type SSIM[T any] struct {
	Reduction
	Windows
	Padding string    // valid (default), zero, reflect (edge not repeated), symmetric (edge repeated)
	Form    string    // one_minus (default): 1 - S; half: (1 - S)/2
	Pred    Tensor[T] // [N, C, H, W], nominally [0, data_range], var
	Target  Tensor[T] // like Pred, const
}

var ssim = &Def{
	ID: "ssim", Name: "SSIM", Title: "Structural similarity loss",
	Summary: "one minus the mean local agreement of luminance, contrast and structure",
	Aliases: []string{"DSSIM"},
	Tasks:   []Task{Dehazing},
	Sources: []Source{
		{"Wang et al. 2004, Image Quality Assessment, IEEE TIP 13(4)", "", "13-17"},
		{"Avanaki 2009, exact gradient", "arXiv 0901.0065", ""},
	},
}

func (l *SSIM[T]) Def() *Def { return ssim }

func (l *SSIM[T]) Visit(v Visitor[T]) {
	visitReduction(v, &l.Reduction)
	visitWindows(v, &l.Windows)
	v.Enum("padding", &l.Padding, "valid", "zero", "reflect", "symmetric")
	v.Enum("form", &l.Form, "one_minus", "half")
	v.Var("pred", &l.Pred, "N C H W", Real)
	v.Const("target", &l.Target, "N C H W", Real)
}

func (l *SSIM[T]) Check(c *Checker) {
	l.Windows.check(c)
	n, channels, side := l.Pred.Shape[0], l.Pred.Shape[1], min(l.Pred.Shape[2], l.Pred.Shape[3])
	c.NotEmpty(n > 0 && channels > 0, "pred", "at least one sample and channel", l.Pred.Shape)
	k, r := l.WindowSize, (l.WindowSize-1)/2
	least := map[string]int{"valid": k, "reflect": r + 1, "symmetric": r}[l.Padding]
	c.Shape(side >= max(least, 1), "pred", fmt.Sprintf("sides of at least %d", max(least, 1)), l.Pred.Shape)
}

func (l *SSIM[T]) Out() []int { return l.Reduction.shape(l.Pred.Shape[0]) }

// MSSSIM is one minus a product of contrast-structure terms over a dyadic pyramid, with luminance at the coarsest scale.
//
//	v_s = mean of the cs map at scale s < M, v_M = mean of the l cs map at scale M    (maps as in SSIM, windows inside the image)
//	MS = prod_s f(v_s)^w_s    f(v) = max(v, 0) (relu), (v+1)/2 (shift), v (none)
//	value = 1 - mean of MS over channels
//
// Scale s+1 is the 2 x 2 mean with stride 2 of scale s. An odd side is extended first: by its last line (replicate_end), its first line
// (replicate_start) or zeros before the first line (zero_start), or its last line is dropped (floor). Items are the samples [N]; mean
// divides by N. The weights are used as given; the default ones sum to 1.0001.
//
// Special cases: pred = target gives 0 with gradient 0; a channel with some f(v_s) <= 0 has MS = 0 and gradient 0, with none and
// v_s < 0 the sample is NaN; a NaN or infinite pixel makes its sample NaN. Kink: v_s = 0 for relu (0; the slope from above is infinite
// for w_s < 1).
//
// Errors: no sample or channel is empty_input; a coarsest scale with a side below the window, no weight or more than ten are
// invalid_shape; an even window, sample covariance with window 1, a weight that is 0, negative or infinite are invalid_param.
// Libraries: TensorFlow has the defaults, pytorch_msssim zero_start, piq replicate_start on both axes, torchmetrics floor.
// Source: Wang, Simoncelli and Bovik 2003, Multiscale structural similarity, Asilomar, eq. 7 (number not verified).
type MSSSIM[T any] struct {
	Reduction
	Windows
	OddPad       string    // replicate_end (default), replicate_start, zero_start, floor
	Negative     string    // relu (default), shift, none
	Pred         Tensor[T] // [N, C, H, W], nominally [0, data_range], var
	Target       Tensor[T] // like Pred, const
	ScaleWeights Tensor[T] // [M], > 0, M <= 10; default MSSSIMWeights
}

// MSSSIMWeights are the default weights of the scales of MSSSIM.
var MSSSIMWeights = []float64{0.0448, 0.2856, 0.3001, 0.2363, 0.1333}

const maxScales = 10

var msSSIM = &Def{
	ID: "ms_ssim", Name: "MSSSIM", Title: "Multi-scale structural similarity loss",
	Summary: "one minus a product of contrast-structure terms over a dyadic pyramid with luminance at the coarsest scale",
	Aliases: []string{"MS-SSIM loss"},
	Tasks:   []Task{Dehazing},
	Sources: []Source{{"Wang, Simoncelli and Bovik 2003, Multiscale structural similarity, Asilomar", "", "7 (number not verified)"}},
}

func (l *MSSSIM[T]) Def() *Def { return msSSIM }

func (l *MSSSIM[T]) Visit(v Visitor[T]) {
	visitReduction(v, &l.Reduction)
	visitWindows(v, &l.Windows)
	v.Enum("odd_pad", &l.OddPad, "replicate_end", "replicate_start", "zero_start", "floor")
	v.Enum("negative", &l.Negative, "relu", "shift", "none")
	v.Var("pred", &l.Pred, "N C H W", Real)
	v.Const("target", &l.Target, "N C H W", Real)
	v.Const("scale_weights", &l.ScaleWeights, "M?", Domain{Above(0), InvalidParam})
}

// Scales returns the number of scales.
func (l *MSSSIM[T]) Scales() int {
	if l.ScaleWeights.Given() {
		return len(l.ScaleWeights.Data)
	}
	return len(MSSSIMWeights)
}

// Halved returns what remains of a side at the next scale.
func (l *MSSSIM[T]) Halved(side int) int {
	if l.OddPad == "floor" {
		return side / 2
	}
	return (side + 1) / 2
}

func (l *MSSSIM[T]) Check(c *Checker) {
	l.Windows.check(c)
	n, channels, side := l.Pred.Shape[0], l.Pred.Shape[1], min(l.Pred.Shape[2], l.Pred.Shape[3])
	c.NotEmpty(n > 0 && channels > 0, "pred", "at least one sample and channel", l.Pred.Shape)
	m := l.Scales()
	c.Shape(m >= 1 && m <= maxScales, "scale_weights", fmt.Sprintf("one to %d weights", maxScales), l.ScaleWeights.Shape)
	for range min(m, maxScales) - 1 {
		side = l.Halved(side)
	}
	c.Shape(side >= max(l.WindowSize, 1), "pred", fmt.Sprintf("sides of at least %d at the coarsest scale", l.WindowSize), l.Pred.Shape)
}

func (l *MSSSIM[T]) Out() []int { return l.Reduction.shape(l.Pred.Shape[0]) }
