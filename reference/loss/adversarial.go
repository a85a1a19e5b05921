package loss

// Adversarial is the cross-entropy of the logits of a discriminator for one role.
//
//	d_real  t softplus(-z) + (1-t) softplus(z) = -t log sigmoid(z) - (1-t) log(1 - sigmoid(z))    t = 1 - label_smoothing
//	d_fake  softplus(z)   = -log(1 - sigmoid(z))
//	g_ns    softplus(-z)  = -log sigmoid(z), the generator that does not saturate
//	g_sat   -softplus(z)  = log(1 - sigmoid(z)), the generator of the minimax game; <= 0, unbounded below
//
// Items are the elements; mean divides by their number, samples and patch positions alike. LabelSmoothing, in [0, 1), default 0, is 0
// unless the role is d_real.
//
// Special cases:
//
//	z = +Inf    d_real (t = 1), g_ns 0; d_real (t < 1), d_fake +Inf; g_sat -Inf; gradient: the limits of the sigmoid
//	z = -Inf    d_real, g_ns +Inf; d_fake, g_sat 0; gradient likewise
//	no element  mean NaN, sum 0
//
// No kinks. Errors: smoothing outside [0, 1), or not 0 with another role than d_real, is invalid_param.
// Libraries that take softplus from PyTorch are off by up to 2.1e-9 above 20; BCE with logits of PyTorch 1.13 is NaN at (+Inf, 1) and
// (-Inf, 0). TensorFlow GAN smooths the real label to 1 - s/2.
// Source: Goodfellow et al. 2014, arXiv 1406.2661, eq. 1 and section 3.
type Adversarial[T any] struct {
	Reduction
	Role           string    // g_ns (default), d_real, d_fake, g_sat
	LabelSmoothing float64   // [0, 1), default 0
	Logits         Tensor[T] // [...], any real, var
}

var adversarial = &Def{
	ID: "adversarial", Name: "Adversarial", Title: "Logistic adversarial loss on one stream",
	Summary: "cross-entropy of the logits of a discriminator for one role",
	Aliases: []string{"GAN loss (single stream)", "non-saturating loss", "BCE-with-logits GAN loss"},
	Tasks:   []Task{ImageToImage, TextToImage, AudioToImage, Inpainting, Dehazing},
	Sources: []Source{{"Goodfellow et al. 2014, Generative Adversarial Networks", "arXiv 1406.2661", "1, section 3"}},
}

func (l *Adversarial[T]) Def() *Def { return adversarial }

func (l *Adversarial[T]) Visit(v Visitor[T]) {
	visitReduction(v, &l.Reduction)
	v.Enum("role", &l.Role, "g_ns", "d_real", "d_fake", "g_sat")
	v.Float("label_smoothing", &l.LabelSmoothing, 0, Range{Max: 1, MaxOpen: true, bounded: true})
	v.Var("logits", &l.Logits, "...", Real)
}

func (l *Adversarial[T]) Check(c *Checker) {
	c.Param(l.LabelSmoothing == 0 || l.Role == "d_real", "label_smoothing", "0 unless the role is d_real", l.LabelSmoothing)
}

func (l *Adversarial[T]) Out() []int { return l.Reduction.shape(l.Logits.Shape...) }
