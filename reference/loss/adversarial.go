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

// GAN is the value of the game for one player, from what the discriminator says of real and of fake images.
//
//	                 probs                              logits
//	discriminator    s (mean b(r, 1) + mean b(f, 0))    s (mean softplus(-r) + mean softplus(f))    s = d_scale
//	generator, ns    mean b(f, 1)                       mean softplus(-f)
//	generator, sat   -mean b(f, 0)                      -mean softplus(f)
//
// b(p, 1) = -log p and b(p, 0) = -log(1-p) with a guard:
//
//	log_floor    each logarithm is at least log_floor; gradient of grad_mode torch: (p-y)/max(p(1-p), grad_eps), which is not that of
//	             the value; of exact: -1/p or 1/(1-p), 0 where the logarithm is below its floor
//	clip         p is clamped to [clip_eps, 1 - clip_eps]
//	none         as it is
//
// Items of the discriminator are the terms of real and then those of fake, [n_r + n_f]; mean adds the means of the two streams and
// is not the mean of both. Items of the generator are the elements of fake.
//
// Special cases:
//
//	p_r = 0        log_floor -floor s, gradient torch -s/grad_eps, exact 0; clip -s log clip_eps, 0; none +Inf, -Inf
//	p_f = 1        the same with a positive gradient; for sat all of it negated
//	p_r = 1        log_floor, none 0, gradient torch 0, exact and none -s; clip -s log(1 - clip_eps), 0
//	infinite logit limits of softplus and of the sigmoid
//
// Kinks: p = exp(log_floor) with grad_mode exact; p = clip_eps and p = 1 - clip_eps, where the clamp passes.
//
// Errors: a stream without elements is empty_input; a probability outside [0, 1] is invalid_target; real beside the generator or no
// real beside the discriminator is invalid_param.
// The pix2pix and CycleGAN codes take d_scale = 0.5, TensorFlow GAN smooths the real labels.
// Source: Goodfellow et al. 2014, arXiv 1406.2661, eq. 1 and algorithm 1.
type GAN[T any] struct {
	Reduction
	Player         string    // discriminator (default), generator
	Input          string    // probs (default), logits
	GMode          string    // ns (default), sat; generator
	DScale         float64   // (0, inf), default 1; discriminator
	BernoulliGuard           // probs
	Real           Tensor[T] // [...], discriminator only, var
	Fake           Tensor[T] // [...], another shape, var
}

var gan = &Def{
	ID: "gan", Name: "GAN", Title: "Two-stream GAN value",
	Summary: "the value of the minimax game for one player, from real and fake outputs of the discriminator",
	Aliases: []string{"minimax loss", "GAN value function", "vanilla GAN loss"},
	Tasks:   []Task{ImageToImage},
	Sources: []Source{{"Goodfellow et al. 2014, Generative Adversarial Networks", "arXiv 1406.2661", "1, algorithm 1"}},
}

func (l *GAN[T]) Def() *Def { return gan }

func (l *GAN[T]) Visit(v Visitor[T]) {
	visitReduction(v, &l.Reduction)
	v.Enum("player", &l.Player, "discriminator", "generator")
	v.Enum("input", &l.Input, "probs", "logits")
	v.Enum("g_mode", &l.GMode, "ns", "sat")
	v.Float("d_scale", &l.DScale, 1, Above(0))
	visitBernoulliGuard(v, &l.BernoulliGuard)
	domain := Unit
	if l.Input == "logits" {
		domain = Real
	}
	if l.Player != "generator" {
		v.Var("real", &l.Real, "...r", domain)
	}
	v.Var("fake", &l.Fake, "...", domain)
}

func (l *GAN[T]) Check(c *Checker) {
	c.NotEmpty(l.Player == "generator" || Size(l.Real.Shape) > 0, "real", "at least one element", l.Real.Shape)
	c.NotEmpty(Size(l.Fake.Shape) > 0, "fake", "at least one element", l.Fake.Shape)
}

func (l *GAN[T]) Out() []int {
	if l.Player == "generator" {
		return l.Reduction.shape(l.Fake.Shape...)
	}
	return l.Reduction.shape(Size(l.Real.Shape) + Size(l.Fake.Shape))
}

// CycleConsistency says that an image translated forth and back must be what it was.
//
//	lambda_a D(rec_a, real_a) + lambda_b D(rec_b, real_b) + lambda_idt (lambda_a D(idt_a, real_a) + lambda_b D(idt_b, real_b))
//
// D(x, y) is the mean over all elements of |x-y| (l1) or (x-y)^2 (l2). A term whose factor is 0 is left out.
//
// Items are the samples of a and then those of b, [N_a + N_b]: lambda_a (D_n(rec_a) + lambda_idt D_n(idt_a)), D_n the mean over the
// sample. mean adds the mean over N_a items and the mean over N_b items.
//
// Special cases:
//
//	lambda_a = 0           items of a 0; rec_a, real_a, idt_a do not participate, whatever they hold
//	infinite difference    +Inf; gradient its sign (l1), +-Inf (l2)
//	equal infinities, NaN  NaN in the sample, in rec and idt; the other direction is untouched
//
// Kink of l1: rec = real. Errors: no sample on a side, or images without elements, are empty_input; idt_a or idt_b with lambda_idt = 0,
// or missing without, is invalid_param.
// In the CycleGAN code idt_A is G of real_b, which is idt_b here; TensorFlow GAN takes (l1_a + l1_b)/2.
// Source: Zhu et al. 2017, arXiv 1703.10593, eqs. 2 and 3, section 5.2.
type CycleConsistency[T any] struct {
	Reduction
	LambdaA, LambdaB float64   // [0, inf), default 10
	LambdaIdt        float64   // [0, inf), default 0
	Norm             string    // l1 (default), l2
	RecA, RealA      Tensor[T] // [N_a, C_a, H_a, W_a], var and const: F(G(real_a))
	RecB, RealB      Tensor[T] // [N_b, C_b, H_b, W_b], var and const: G(F(real_b))
	IdtA, IdtB       Tensor[T] // like RealA and RealB, var, with lambda_idt > 0: F(real_a) and G(real_b)
}

var cycleConsistency = &Def{
	ID: "cycle_consistency", Name: "CycleConsistency", Title: "Cycle consistency with optional identity term",
	Summary: "an image translated forth and back must return to itself",
	Aliases: []string{"cycle loss", "CycleGAN loss"},
	Tasks:   []Task{ImageToImage, Dehazing},
	Sources: []Source{{"Zhu et al. 2017, CycleGAN", "arXiv 1703.10593", "2, 3, section 5.2"}},
}

func (l *CycleConsistency[T]) Def() *Def { return cycleConsistency }

func (l *CycleConsistency[T]) Visit(v Visitor[T]) {
	visitReduction(v, &l.Reduction)
	v.Float("lambda_a", &l.LambdaA, 10, AtLeast(0))
	v.Float("lambda_b", &l.LambdaB, 10, AtLeast(0))
	v.Float("lambda_idt", &l.LambdaIdt, 0, AtLeast(0))
	v.Enum("norm", &l.Norm, "l1", "l2")
	v.Var("rec_a", &l.RecA, "N_a C_a H_a W_a", Real)
	v.Const("real_a", &l.RealA, "N_a C_a H_a W_a", Real)
	v.Var("rec_b", &l.RecB, "N_b C_b H_b W_b", Real)
	v.Const("real_b", &l.RealB, "N_b C_b H_b W_b", Real)
	if l.LambdaIdt > 0 {
		v.Var("idt_a", &l.IdtA, "N_a C_a H_a W_a", Real)
		v.Var("idt_b", &l.IdtB, "N_b C_b H_b W_b", Real)
	}
}

func (l *CycleConsistency[T]) Check(c *Checker) {
	c.NotEmpty(Size(l.RecA.Shape) > 0, "rec_a", "at least one sample with at least one element", l.RecA.Shape)
	c.NotEmpty(Size(l.RecB.Shape) > 0, "rec_b", "at least one sample with at least one element", l.RecB.Shape)
}

func (l *CycleConsistency[T]) Out() []int {
	return l.Reduction.shape(l.RecA.Shape[0] + l.RecB.Shape[0])
}

// ConditionalAdversarial is the objective of paired translation (pix2pix) for one player, per sample.
//
//	generator        T_gen(logits_fake) + lambda_l1 A                 A = mean or sum of |fake - target| over the sample
//	discriminator    d_scale (T_real(logits_real) + T_fake(logits_fake))
//	with mismatch    d_scale (T_real(logits_real) + (T_fake(logits_mismatch) + T_fake(logits_fake))/2)
//
// T is the mean over the logits of the sample, whose number may differ between the streams, of
//
//	gan_mode    real            fake          gen
//	bce         softplus(-r)    softplus(f)   softplus(-f)
//	lsgan       (r-1)^2         f^2           (f-1)^2
//	hinge       max(0, 1-r)     max(0, 1+f)   -f
//	wgan        -r              f             -f
//
// Items are the samples [N]; mean divides by N. The path from fake through the discriminator belongs to the network.
//
// Special cases:
//
//	lambda_l1 = 0           fake and target do not participate, whatever they hold; gradient of fake 0
//	infinite logit          bce 0 or +Inf, limits of the sigmoid; lsgan +Inf, +-Inf; hinge 0 or +Inf; wgan and the generator of hinge
//	                        +-Inf with constant slope
//	infinite difference     +Inf, its sign
//	opposite infinities     NaN, NaN in the sample
//
// Kinks: fake = target; hinge at r = 1 and f = -1 (0).
//
// Errors: no sample, or a stream without logits or pixels, is empty_input; leading dims that differ are invalid_shape; inputs of the
// other player are invalid_param.
// The paper prints an L1 norm without divisor (l1_norm = sum), its code takes the mean; LSGAN halves the term of the generator too.
// Sources: Isola et al. 2017, arXiv 1611.07004, eqs. 1 to 4; Mirza and Osindero 2014, arXiv 1411.1784, eq. 2; mismatch: Reed et al.
// 2016, arXiv 1605.05396, algorithm 1; Mao et al. 2017, arXiv 1611.04076; Lim and Ye 2017, arXiv 1705.02894; Arjovsky et al. 2017,
// arXiv 1701.07875.
type ConditionalAdversarial[T any] struct {
	Reduction
	Player         string    // generator (default), discriminator
	GANMode        string    // bce (default), lsgan, hinge, wgan
	LambdaL1       float64   // [0, inf), default 100; generator
	L1Norm         string    // mean (default), sum: over C, H, W
	DScale         float64   // (0, inf), default 0.5; discriminator
	LogitsFake     Tensor[T] // [N, ...], var
	LogitsReal     Tensor[T] // [N, ...], another shape, var; discriminator
	LogitsMismatch Tensor[T] // [N, ...], another shape, var; discriminator, optional: a real image with a wrong condition
	Fake           Tensor[T] // [N, C, H, W], var; generator
	Target         Tensor[T] // like Fake, const; generator
}

var conditionalAdversarial = &Def{
	ID: "conditional_adversarial", Name: "ConditionalAdversarial", Title: "Paired translation objective",
	Summary: "conditional GAN term plus weighted L1 between the generated and the target image",
	Aliases: []string{"pix2pix objective", "cGAN loss", "GAN-CLS"},
	Tasks:   []Task{ImageToImage},
	Sources: []Source{
		{"Isola et al. 2017, pix2pix", "arXiv 1611.07004", "1-4"},
		{"Mirza and Osindero 2014, Conditional Generative Adversarial Nets", "arXiv 1411.1784", "2"},
		{"Reed et al. 2016, Generative Adversarial Text to Image Synthesis", "arXiv 1605.05396", "algorithm 1"},
		{"Mao et al. 2017, Least Squares GAN", "arXiv 1611.04076", ""},
		{"Lim and Ye 2017, Geometric GAN", "arXiv 1705.02894", ""},
		{"Arjovsky et al. 2017, Wasserstein GAN", "arXiv 1701.07875", ""},
	},
}

func (l *ConditionalAdversarial[T]) Def() *Def { return conditionalAdversarial }

func (l *ConditionalAdversarial[T]) Visit(v Visitor[T]) {
	visitReduction(v, &l.Reduction)
	v.Enum("player", &l.Player, "generator", "discriminator")
	v.Enum("gan_mode", &l.GANMode, "bce", "lsgan", "hinge", "wgan")
	v.Float("lambda_l1", &l.LambdaL1, 100, AtLeast(0))
	v.Enum("l1_norm", &l.L1Norm, "mean", "sum")
	v.Float("d_scale", &l.DScale, 0.5, Above(0))
	v.Var("logits_fake", &l.LogitsFake, "N ...f", Real)
	if l.Player == "discriminator" {
		v.Var("logits_real", &l.LogitsReal, "N ...r", Real)
		v.Var("logits_mismatch", &l.LogitsMismatch, "N ...m?", Real)
		return
	}
	v.Var("fake", &l.Fake, "N C H W", Real)
	v.Const("target", &l.Target, "N C H W", Real)
}

func (l *ConditionalAdversarial[T]) Check(c *Checker) {
	for _, f := range Fields[T](l) {
		c.NotEmpty(!f.Given() || Size(f.Shape()) > 0, f.Name, "at least one sample with at least one element", f.Shape())
	}
}

func (l *ConditionalAdversarial[T]) Out() []int { return l.Reduction.shape(l.LogitsFake.Shape[0]) }
