package loss

import "fmt"

// Pair holds the inputs of an elementwise regression loss.
type Pair[T any] struct {
	Pred   Tensor[T] // [...], any real, var
	Target Tensor[T] // [...] like Pred, var: its gradient is minus that of Pred
}

func (p *Pair[T]) visit(v Visitor[T]) {
	v.Var("pred", &p.Pred, "...", Real)
	v.Var("target", &p.Target, "...", Real)
}

func visitReduction[T any](v Visitor[T], r *Reduction) {
	v.Enum("reduction", (*string)(r), string(Mean), string(Sum), string(None))
}

// SmoothL1 is the absolute error with a quadratic core of width beta and unit slope outside.
//
//	l = e^2/(2 beta)   if |e| < beta        e = pred - target
//	l = |e| - beta/2   otherwise
//
// Items are the elements; mean divides by their number. Beta, in [0, inf), default 1; beta = 0 is the absolute error.
//
// Special cases:
//
//	infinite e          value +Inf, gradient +-1
//	equal infinities    NaN, NaN
//	beta = 0, e = 0     value 0, gradient 0 (kink, interval [-1, 1])
//	no element          mean NaN, sum 0
//
// Errors: beta negative or not finite is invalid_param. Detection libraries differ in the normalizer, not in the formula.
// Source: Girshick 2015, Fast R-CNN, arXiv 1504.08083, eq. 3.
type SmoothL1[T any] struct {
	Reduction
	Beta float64
	Pair[T]
}

var smoothL1 = &Def{
	ID: "smooth_l1", Name: "SmoothL1", Title: "Smooth L1", Summary: "absolute error rounded at the origin",
	Aliases: []string{"Fast R-CNN loss"},
	Tasks:   []Task{ObjectDetection, ObjectTracking, Dehazing},
	Sources: []Source{{"Girshick 2015, Fast R-CNN", "arXiv 1504.08083", "3"}},
}

func (l *SmoothL1[T]) Def() *Def { return smoothL1 }

func (l *SmoothL1[T]) Visit(v Visitor[T]) {
	visitReduction(v, &l.Reduction)
	v.Float("beta", &l.Beta, 1, AtLeast(0))
	l.Pair.visit(v)
}

func (l *SmoothL1[T]) Check(*Checker) {}

func (l *SmoothL1[T]) Out() []int { return l.Reduction.shape(l.Pred.Shape...) }

// L1 is the absolute error.
//
//	l = |e|        e = pred - target
//
// Items are the elements; mean divides by their number.
//
// Special cases:
//
//	e = 0 (also 0 against -0)    value 0, gradient 0 (kink, interval [-1, 1])
//	infinite e                   value +Inf, gradient the sign of e
//	equal infinities             NaN, NaN
//	no element                   mean NaN, sum 0
//
// PyTorch 1.13 has gradient 0 where an input is NaN. Keras averages the last axis and then the rest, which is the same mean. L1Loss of
// BasicSR with a weight is the variant weighted_mean of Reconstruction. Source: classical (Boscovich, Laplace).
type L1[T any] struct {
	Reduction
	Pair[T]
}

var l1 = &Def{
	ID: "l1", Name: "L1", Title: "Absolute error", Summary: "mean absolute difference",
	Aliases: []string{"MAE", "mean absolute error", "least absolute deviations"},
	Tasks:   []Task{SemanticSegmentation, ImageToImage, TextToImage, Inpainting, Dehazing, TimeSeries},
	Sources: []Source{{"Boscovich, Laplace (classical)", "", ""}},
}

func (l *L1[T]) Def() *Def { return l1 }

func (l *L1[T]) Visit(v Visitor[T]) {
	visitReduction(v, &l.Reduction)
	l.Pair.visit(v)
}

func (l *L1[T]) Check(*Checker) {}

func (l *L1[T]) Out() []int { return l.Reduction.shape(l.Pred.Shape...) }

// MSE is the squared error.
//
//	l = e^2        e = pred - target, gradient 2e; half of both with half
//
// Items are the elements; mean divides by their number. Half, default false, multiplies value and gradient by 1/2.
//
// Special cases:
//
//	large e             value +Inf (overflow), gradient 2e
//	infinite e          value +Inf, gradient +-Inf with the sign of e
//	equal infinities    NaN, NaN
//	no element          mean NaN, sum 0
//
// The expanded square pred^2 - 2 pred target + target^2 cancels and may be negative. Optax calls the half "l2_loss"; Caffe's
// Euclidean loss is half of the sum divided by the batch size. Source: Gauss, Legendre; Goodfellow et al. 2016, section 5.1.
type MSE[T any] struct {
	Reduction
	Half bool
	Pair[T]
}

var mse = &Def{
	ID: "mse", Name: "MSE", Title: "Squared error", Summary: "mean squared difference",
	Aliases: []string{"L2", "Euclidean", "squared error"},
	Tasks:   []Task{ImageClassification, ObjectDetection, AudioToImage, Dehazing, Tabular, TimeSeries},
	Sources: []Source{{"Gauss, Legendre (classical)", "", ""}, {"Goodfellow, Bengio, Courville 2016, Deep Learning", "", ""}},
}

func (l *MSE[T]) Def() *Def { return mse }

func (l *MSE[T]) Visit(v Visitor[T]) {
	visitReduction(v, &l.Reduction)
	v.Bool("half", &l.Half, false)
	l.Pair.visit(v)
}

func (l *MSE[T]) Check(*Checker) {}

func (l *MSE[T]) Out() []int { return l.Reduction.shape(l.Pred.Shape...) }

// Huber is half of the squared error up to |e| = delta and goes on with slope delta.
//
//	l = e^2/2                     if |e| <= delta        e = pred - target
//	l = delta (|e| - delta/2)     otherwise
//
// The gradient is e within [-delta, delta]. Items are the elements; mean divides by their number. Delta, in (0, inf), default 1.
//
// Special cases:
//
//	|e| = delta         value delta^2/2, gradient +-delta (no kink)
//	infinite e          value +Inf, gradient +-delta
//	equal infinities    NaN, NaN
//	no element          mean NaN, sum 0
//
// Errors: delta not positive or not finite is invalid_param. Several detection libraries give this name to SmoothL1, which is
// Huber/delta; the pseudo-Huber function is Charbonnier with offset. Source: Huber 1964, Robust estimation of a location parameter.
type Huber[T any] struct {
	Reduction
	Delta float64
	Pair[T]
}

var huber = &Def{
	ID: "huber", Name: "Huber", Title: "Huber", Summary: "quadratic core of half-width delta, slope delta outside",
	Aliases: []string{"robust squared error"},
	Tasks:   []Task{TimeSeries},
	Sources: []Source{{"Huber 1964, Robust estimation of a location parameter, Ann. Math. Statist. 35(1)", "", ""}},
}

func (l *Huber[T]) Def() *Def { return huber }

func (l *Huber[T]) Visit(v Visitor[T]) {
	visitReduction(v, &l.Reduction)
	v.Float("delta", &l.Delta, 1, Above(0))
	l.Pair.visit(v)
}

func (l *Huber[T]) Check(*Checker) {}

func (l *Huber[T]) Out() []int { return l.Reduction.shape(l.Pred.Shape...) }

// LogCosh is the logarithm of the hyperbolic cosine of the error: e^2/2 near 0, |e| - log 2 far away.
//
//	l = log(cosh(e))        e = pred - target, gradient tanh(e)
//
// Items are the elements; mean divides by their number.
//
// Special cases:
//
//	large |e|           |e| - log 2, where cosh(e) has long overflowed
//	small |e|           e^2/2 and e to full relative accuracy
//	infinite e          value +Inf, gradient +-1
//	equal infinities    NaN, NaN
//	no element          mean NaN, sum 0
//
// Keras and Optax evaluate |e| + log1p(exp(-2|e|)) - log 2, which loses all digits for small e.
// Source: Chen et al. 2019, Log hyperbolic cosine loss improves variational auto-encoder.
type LogCosh[T any] struct {
	Reduction
	Pair[T]
}

var logCosh = &Def{
	ID: "log_cosh", Name: "LogCosh", Title: "Log-cosh", Summary: "logarithm of the hyperbolic cosine: smooth L1-like loss without a parameter",
	Aliases: []string{"log hyperbolic cosine"},
	Tasks:   []Task{Tabular, TimeSeries},
	Sources: []Source{{"Chen et al. 2019, Log Hyperbolic Cosine Loss Improves Variational Auto-Encoder", "OpenReview rkglvsC9Ym", ""}},
}

func (l *LogCosh[T]) Def() *Def { return logCosh }

func (l *LogCosh[T]) Visit(v Visitor[T]) {
	visitReduction(v, &l.Reduction)
	l.Pair.visit(v)
}

func (l *LogCosh[T]) Check(*Checker) {}

func (l *LogCosh[T]) Out() []int { return l.Reduction.shape(l.Pred.Shape...) }

// Charbonnier is a power of the hypotenuse of the error and eps: with alpha 1/2 the absolute error, rounded at the origin.
//
//	l = (e^2 + eps^2)^alpha                    e = pred - target
//	l = (e^2 + eps^2)^alpha - eps^(2 alpha)    with offset
//
// The gradient is 2 alpha e (e^2 + eps^2)^(alpha-1). Items are the elements; mean divides by their number. Eps, in [0, inf), default
// 1e-3, enters squared; alpha, in (0, 1], default 1/2; offset, default false, makes the loss of equal inputs 0.
//
// Special cases:
//
//	e = 0               value eps^(2 alpha), or 0 with offset; gradient 0
//	eps = 0             value |e|^(2 alpha)
//	infinite e          value +Inf; gradient 0 for alpha < 1/2, +-1 for 1/2, +-Inf above
//	equal infinities    NaN, NaN
//	no element          mean NaN, sum 0
//
// Kinks: e = 0 for eps = 0 and alpha <= 1/2, interval [-1, 1] for alpha = 1/2 and the whole line below; gradient 0.
// Errors: eps negative, alpha outside (0, 1], or either not finite is invalid_param. BasicSR and others add their eps without the
// square: sqrt(eps) here. That of kornia has eps 1 and offset. Source: Charbonnier et al. 1994, ICIP; Lai et al. 2017, LapSRN, arXiv
// 1704.03915.
type Charbonnier[T any] struct {
	Reduction
	Eps, Alpha float64
	Offset     bool
	Pair[T]
}

var charbonnier = &Def{
	ID: "charbonnier", Name: "Charbonnier", Title: "Charbonnier", Summary: "differentiable absolute error",
	Aliases: []string{"pseudo-Huber", "generalized Charbonnier", "pseudo-L1"},
	Tasks:   []Task{ImageToImage, Dehazing},
	Sources: []Source{{"Charbonnier et al. 1994, Two deterministic half-quadratic regularization algorithms for computed imaging, ICIP", "", ""},
		{"Lai et al. 2017, Deep Laplacian Pyramid Networks for Fast and Accurate Super-Resolution", "arXiv 1704.03915", ""}},
}

func (l *Charbonnier[T]) Def() *Def { return charbonnier }

func (l *Charbonnier[T]) Visit(v Visitor[T]) {
	visitReduction(v, &l.Reduction)
	v.Float("eps", &l.Eps, 1e-3, AtLeast(0))
	v.Float("alpha", &l.Alpha, 0.5, Range{Min: 0, Max: 1, MinOpen: true, bounded: true})
	v.Bool("offset", &l.Offset, false)
	l.Pair.visit(v)
}

func (l *Charbonnier[T]) Check(*Checker) {}

func (l *Charbonnier[T]) Out() []int { return l.Reduction.shape(l.Pred.Shape...) }

// Quantile is the pinball loss of one or several quantiles, whose minimizer is the tau-quantile of the target.
//
//	l = scale max(tau u, (tau-1) u)        u = target - pred
//
// The gradient by pred is -scale tau for u > 0 and scale (1-tau) for u < 0; that by target is its negative, summed over the quantiles.
// With one quantile pred has the shape of target, with K > 1 one more axis, the last, of size K. Items have the shape of pred; mean
// divides by their number. Taus, K >= 1 numbers in [0, 1], default one of 1/2; scale, in (0, inf), default 1.
//
// Special cases:
//
//	infinite u          value +Inf, 0 where its coefficient (tau above, 1-tau below) is 0; gradient as for finite u
//	equal infinities    NaN, NaN
//	u = 0               value 0, gradient 0 (kink, interval [-scale tau, scale (1-tau)])
//	no element          mean NaN, sum 0
//
// Errors: a tau outside [0, 1], no tau, scale not positive or not finite are invalid_param; pred of another shape is invalid_shape.
// GluonTS and pytorch-forecasting have scale 2. The composition max(tau u, (tau-1) u) has the gradient (1 - 2 tau)/2 at u = 0 in PyTorch.
// Papers that write the loss of pred - target swap tau and 1-tau.
// Source: Koenker and Bassett 1978, Regression quantiles, Econometrica 46(1).
type Quantile[T any] struct {
	Reduction
	Taus   []float64
	Scale  float64
	Pred   Tensor[T] // [...] for one quantile, [..., K] for several, any real, var
	Target Tensor[T] // [...], any real, var
}

var quantile = &Def{
	ID: "quantile", Name: "Quantile", Title: "Quantile", Summary: "asymmetric absolute error whose minimizer is the tau-quantile",
	Aliases: []string{"pinball", "check loss"},
	Tasks:   []Task{TimeSeries},
	Sources: []Source{{"Koenker, Bassett 1978, Regression quantiles, Econometrica 46(1)", "", ""}},
}

func (l *Quantile[T]) Def() *Def { return quantile }

func (l *Quantile[T]) Visit(v Visitor[T]) {
	visitReduction(v, &l.Reduction)
	v.Floats("taus", &l.Taus, []float64{0.5}, Between(0, 1))
	v.Float("scale", &l.Scale, 1, Above(0))
	pred := "..."
	if len(l.Taus) > 1 {
		pred = "... K"
	}
	v.Var("pred", &l.Pred, pred, Real)
	v.Var("target", &l.Target, "...", Real)
}

func (l *Quantile[T]) Check(c *Checker) {
	k := len(l.Taus)
	c.Param(k > 0, "taus", "at least one quantile", "none")
	if k > 1 {
		last := l.Pred.Shape[len(l.Pred.Shape)-1]
		c.Shape(last == k, "pred", fmt.Sprintf("a last axis of %d quantiles", k), l.Pred.Shape)
	}
}

func (l *Quantile[T]) Out() []int { return l.Reduction.shape(l.Pred.Shape...) }

// PixelwiseMean is the mean over pixels of an error that is summed (or averaged) over channels.
//
//	d[n,h,w] = sum_c |pred - target|^p     divided by C for channel = mean
//
// Items are the pixels, [N, d1, ..., dk]; mean divides by their number. P is 1 (default) or 2; channel is sum (default) or mean. With
// channel = sum this is C times L1 or MSE, with channel = mean it is equal to them.
//
// Special cases:
//
//	NaN in one channel    the pixel is NaN, and so are the gradients of all of its channels
//	infinite error        the pixel is +Inf; gradients +-1 for p = 1, +-Inf for p = 2
//	no pixel              mean NaN, sum 0
//	C = 0                 items 0, NaN for channel = mean
//
// Kinks: e = 0 for p = 1, interval [-1, 1] (divided by C for channel = mean); gradient 0.
// Errors: p other than 1 and 2 is invalid_param, rank below 2 invalid_shape. The name has no formula of its own: papers print 1/(WH),
// 1/(3WH) or 1/(WHC) for the same words, so that the factor is a parameter. Source: none, a definition of this suite.
type PixelwiseMean[T any] struct {
	Reduction
	P       int
	Channel string
	Pair[T] // [N, C, d1, ..., dk]
}

var pixelwiseMean = &Def{
	ID: "pixelwise_mean", Name: "PixelwiseMean", Title: "Pixel-wise mean", Summary: "average over pixels of the channel-summed error",
	Aliases: []string{"pixel-wise loss"},
	Tasks:   []Task{Dehazing},
	Sources: []Source{{"definition of this suite", "", ""}},
}

func (l *PixelwiseMean[T]) Def() *Def { return pixelwiseMean }

func (l *PixelwiseMean[T]) Visit(v Visitor[T]) {
	visitReduction(v, &l.Reduction)
	v.Int("p", &l.P, 1, Between(1, 2))
	v.Enum("channel", &l.Channel, "sum", "mean")
	v.Var("pred", &l.Pred, "N C ...", Real)
	v.Var("target", &l.Target, "N C ...", Real)
}

func (l *PixelwiseMean[T]) Check(*Checker) {}

func (l *PixelwiseMean[T]) Out() []int {
	s := l.Pred.Shape
	return l.Reduction.shape(append([]int{s[0]}, s[2:]...)...)
}
