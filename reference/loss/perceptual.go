package loss

// Features holds the layer lists of a loss on feature maps. No network is part of it.
type Features[T any] struct {
	Features     []Tensor[T] // layers of the output, [N, ...] each, var
	Target       []Tensor[T] // layers of the reference, like Features, const
	LayerWeights Tensor[T]   // [L], finite, >= 0, default ones; a layer of weight 0 does not participate
}

const maxLayers = 64

func (f *Features[T]) check(c *Checker) {
	c.NotEmpty(len(f.Features) > 0, "features", "at least one layer", len(f.Features))
	c.Shape(len(f.Features) <= maxLayers, "features", "at most 64 layers", len(f.Features))
	for _, x := range f.Features {
		c.NotEmpty(Size(x.Shape) > 0, "features", "at least one sample and one element per sample", x.Shape)
	}
}

// Batch returns the number of samples.
func (f *Features[T]) Batch() int {
	if len(f.Features) == 0 {
		return 0
	}
	return f.Features[0].Shape[0]
}

// Perceptual is the distance between feature maps of the output and of the target.
//
//	johnson  sum_l w_l (1/D_l) sum (x-y)^2
//	l1       sum_l w_l (1/D_l) sum |x-y|
//	content  sum_l w_l 0.5 sum (x-y)^2
//	lpips    sum_l w_l (1/P_l) sum over positions, channels of wc_c (u_c - v_c)^2
//
// D_l elements per sample of layer l, P_l = H_l W_l positions; u and v are the channel vectors of x and y at a position, divided by
// norm + eps (eps_mode outside) or by sqrt(norm^2 + eps) (inside). Items are the samples [N]; mean divides by N.
//
// Special cases:
//
//	layer of weight 0, whatever it holds   contributes 0, gradient 0
//	infinite difference                    +Inf; gradient +-Inf, for l1 its sign
//	lpips, zero vector in x                finite; gradient q/eps
//	lpips, infinite entry                  NaN, NaN
//
// Kink: x = y for l1. Errors: no layer, no sample or no element is empty_input; a gap in the numbering or lists of different
// length is invalid_shape; a negative or infinite weight, channel weights outside lpips are invalid_param.
// Sources: Johnson et al. 2016, arXiv 1603.08155, eq. 2; Gatys et al. 2015, arXiv 1508.06576, eq. 1; Zhang et al. 2018 (LPIPS),
// arXiv 1801.03924, eq. 1.
type Perceptual[T any] struct {
	Reduction
	Variant string  // johnson (default), l1, content, lpips
	Eps     float64 // (0, inf), default 1e-10; lpips
	EpsMode string  // outside (default), inside; lpips
	Features[T]
	ChannelWeights []Tensor[T] // [C_l] each, >= 0, default ones; lpips; all layers or none
}

var perceptual = &Def{
	ID: "perceptual", Name: "Perceptual", Title: "Feature reconstruction loss and LPIPS distance",
	Summary: "distance between feature maps of the output and of the target",
	Aliases: []string{"content loss", "VGG loss", "LPIPS"},
	Tasks:   []Task{ImageToImage, TextToImage, AudioToImage, Inpainting, Dehazing},
	Sources: []Source{
		{"Johnson et al. 2016, Perceptual Losses", "arXiv 1603.08155", "2"},
		{"Gatys et al. 2015, A Neural Algorithm of Artistic Style", "arXiv 1508.06576", "1"},
		{"Zhang et al. 2018, LPIPS", "arXiv 1801.03924", "1"},
	},
}

func (l *Perceptual[T]) Def() *Def { return perceptual }

func (l *Perceptual[T]) Visit(v Visitor[T]) {
	visitReduction(v, &l.Reduction)
	v.Enum("variant", &l.Variant, "johnson", "l1", "content", "lpips")
	v.Float("eps", &l.Eps, 1e-10, Above(0))
	v.Enum("eps_mode", &l.EpsMode, "outside", "inside")
	shape := "N D_l ..."
	if l.Variant == "lpips" {
		shape = "N C_l H_l W_l"
	}
	v.Layers("features", &l.Features.Features, RoleVar, shape, Real)
	v.Layers("target", &l.Target, RoleConst, shape, Real)
	v.Const("layer_weights", &l.LayerWeights, "L?", Weight)
	if l.Variant == "lpips" {
		v.Layers("channel_weights", &l.ChannelWeights, RoleConst, "C_l?", Weight)
	}
}

func (l *Perceptual[T]) Check(c *Checker) { l.check(c) }

func (l *Perceptual[T]) Out() []int { return l.Reduction.shape(l.Batch()) }

// Style is the distance between the channel correlation (Gram) matrices of feature maps.
//
//	G = X X^T / nu    X = features as a C x P matrix per sample, P = H W;  A = Y Y^T / nu' likewise of the target
//	gatys    sum_l w_l/(4 C^2 P^2) sum_ab (G-A)_ab^2    nu = 1
//	johnson  sum_l w_l sum_ab (G-A)_ab^2                nu = C P
//	mse      sum_l w_l/C^2 sum_ab (G-A)_ab^2            nu = C P
//	l1       sum_l w_l/C^2 sum_ab |G-A|_ab              nu = C P
//
// gram_norm sets nu to 1 (none), P (hw) or C P (chw), each matrix by its own size. Where nu is 1 both maps have the same number of
// positions. A target of batch 1 serves all samples. Items are the samples [N]; mean divides by N.
//
// Special cases:
//
//	layer of weight 0, whatever it holds   contributes 0, gradient 0
//	pixels permuted, features negated      value unchanged
//	features zero, target not              positive, gradient 0
//	overflow of G or of its square         +Inf, gradient open
//	infinite entry beside finite ones      +Inf, gradient open
//	0 Inf or Inf - Inf in G                NaN, NaN
//
// Kink: G = A for l1 (0). Errors: no layer, sample, channel or position is empty_input; another number of channels, a target batch
// that is neither N nor 1, another number of positions where nu is 1, a gap in the numbering or lists of different length are
// invalid_shape; a negative or infinite weight is invalid_param.
// Libraries: pytorch/examples has mse, piq StyleLoss mse with gram_norm none, partial convolution l1. The PyTorch tutorial builds one
// matrix of all samples.
// Sources: Gatys et al. 2015, arXiv 1508.06576, eqs. 3-5; Johnson et al. 2016, arXiv 1603.08155, eqs. 3-4; Liu et al. 2018,
// arXiv 1804.07723 (l1).
type Style[T any] struct {
	Reduction
	Variant  string // gatys (default), johnson, mse, l1
	GramNorm string // auto (default, by variant), none, hw, chw
	Features[T]
}

var style = &Def{
	ID: "style", Name: "Style", Title: "Gram matrix loss",
	Summary: "distance between the channel correlation matrices of feature maps",
	Aliases: []string{"Gram loss", "texture loss"},
	Tasks:   []Task{Inpainting},
	Sources: []Source{
		{"Gatys et al. 2015, A Neural Algorithm of Artistic Style", "arXiv 1508.06576", "3-5"},
		{"Johnson et al. 2016, Perceptual Losses", "arXiv 1603.08155", "3-4"},
		{"Liu et al. 2018, Image Inpainting for Irregular Holes", "arXiv 1804.07723", ""},
	},
}

func (l *Style[T]) Def() *Def { return style }

func (l *Style[T]) Visit(v Visitor[T]) {
	visitReduction(v, &l.Reduction)
	v.Enum("variant", &l.Variant, "gatys", "johnson", "mse", "l1")
	v.Enum("gram_norm", &l.GramNorm, "auto", "none", "hw", "chw")
	v.Layers("features", &l.Features.Features, RoleVar, "N C_l H_l W_l", Real)
	v.Layers("target", &l.Target, RoleConst, "TN_l C_l TH_l TW_l", Real)
	v.Const("layer_weights", &l.LayerWeights, "L?", Weight)
}

// Norm returns the norm of the Gram matrix: GramNorm, or what the variant makes of auto.
func (l *Style[T]) Norm() string {
	switch {
	case l.GramNorm != "auto":
		return l.GramNorm
	case l.Variant == "gatys":
		return "none"
	}
	return "chw"
}

func (l *Style[T]) Check(c *Checker) {
	l.check(c)
	for i, y := range l.Target {
		x := l.Features.Features[i]
		c.NotEmpty(Size(y.Shape) > 0, "target", "at least one sample, channel and position", y.Shape)
		c.Shape(y.Shape[0] == 1 || y.Shape[0] == x.Shape[0], "target", "a batch of 1 or that of the features", y.Shape)
		c.Shape(l.Norm() != "none" || Size(x.Shape[2:]) == Size(y.Shape[2:]), "target",
			"as many positions as the features where the Gram matrix is not normalized", y.Shape)
	}
}

func (l *Style[T]) Out() []int { return l.Reduction.shape(l.Batch()) }

// FeatureMatching compares discriminator features of generated and of real samples.
//
//	layerwise_l1  scale sum_l w_l (1/D_l) sum |x-y|
//	layerwise_l2  scale sum_l w_l (1/D_l) sum (x-y)^2
//	moment        scale sum_l w_l M(delta_l)    delta_l = mean over the batch of features_l - the same of target_l
//
// D_l elements per sample of layer l; M is the sum of squares (sum_sq), their mean (mean_sq) or the mean of absolute values (mean_abs)
// of the D_l components. Items of the layerwise variants are the samples [N], mean divides by N; moment has one value of shape [] with
// every reduction, and its batch sizes may all differ.
//
// Special cases:
//
//	layer of weight 0 or scale 0, whatever it holds   contributes 0, gradient 0
//	infinite difference or delta                      +Inf; gradient +-Inf, for absolute values its sign
//	Inf - Inf, NaN                                    NaN; gradient NaN for the sample in every layer, for moment everywhere
//
// Kinks: x = y for layerwise_l1, delta = 0 for mean_abs (0). Errors: no layer, an empty batch or no element is empty_input; different
// shapes or components, a gap in the numbering or lists of different length are invalid_shape; a negative or infinite weight or scale
// is invalid_param.
// Libraries: pix2pixHD and SPADE have layerwise_l1 with scale 10 and 1/(layers discriminators) in the weights; improved-gan's code has
// mean_sq or mean_abs where the paper prints sum_sq.
// Sources: Salimans et al. 2016, arXiv 1606.03498, Sec. 3.1; Wang et al. 2018 (pix2pixHD), arXiv 1711.11585, eqs. 4-5.
type FeatureMatching[T any] struct {
	Reduction
	Variant    string  // layerwise_l1 (default), layerwise_l2, moment
	MomentNorm string  // sum_sq (default), mean_sq, mean_abs
	Scale      float64 // [0, inf), default 1
	Features[T]
}

var featureMatching = &Def{
	ID: "feature_matching", Name: "FeatureMatching", Title: "Mean-feature and layer-wise feature matching",
	Summary: "the generator matches statistics or activations of discriminator features",
	Aliases: []string{"moment matching", "feature-map loss", "discriminator feature loss"},
	Tasks:   []Task{Inpainting},
	Sources: []Source{
		{"Salimans et al. 2016, Improved Techniques for Training GANs", "arXiv 1606.03498", "Sec. 3.1"},
		{"Wang et al. 2018, pix2pixHD", "arXiv 1711.11585", "4-5"},
	},
}

func (l *FeatureMatching[T]) Def() *Def { return featureMatching }

func (l *FeatureMatching[T]) Visit(v Visitor[T]) {
	visitReduction(v, &l.Reduction)
	v.Enum("variant", &l.Variant, "layerwise_l1", "layerwise_l2", "moment")
	v.Enum("moment_norm", &l.MomentNorm, "sum_sq", "mean_sq", "mean_abs")
	v.Float("scale", &l.Scale, 1, AtLeast(0))
	shape, target := "N D_l ...", "N D_l ..."
	if l.Variant == "moment" {
		shape, target = "N_l D_l ...", "TN_l D_l ..."
	}
	v.Layers("features", &l.Features.Features, RoleVar, shape, Real)
	v.Layers("target", &l.Target, RoleConst, target, Real)
	v.Const("layer_weights", &l.LayerWeights, "L?", Weight)
}

func (l *FeatureMatching[T]) Check(c *Checker) {
	l.check(c)
	for _, y := range l.Target {
		c.NotEmpty(Size(y.Shape) > 0, "target", "at least one sample and one element per sample", y.Shape)
	}
}

func (l *FeatureMatching[T]) Out() []int {
	if l.Variant == "moment" {
		return []int{}
	}
	return l.Reduction.shape(l.Batch())
}

// Context is the contextual loss: the similarity of two sets of feature vectors without spatial alignment.
//
//	x_i, y_j = unit vectors of pred - mu and target - mu per point, mu the channel mean of the target
//	d_ij = dist_scale (1 - x_i.y_j)    m_i = min_j d_ij + eps    A_ij = softmax over j of (1 - d_ij/m_i)/h
//	col: CX = mean over j of max_i A_ij        row: CX = mean over i of max_j A_ij
//	value -log(CX + log_eps)
//
// I points of pred, J of target. The mean is that of the sample's target (center sample), of the targets of the batch (batch) or 0
// (none). A vector of norm r is divided by max(r, norm_eps). Items are the samples [N]; mean divides by N.
//
// Special cases:
//
//	pred = target, distinct points        0, gradient 0 but for rounding over eps
//	all centered vectors zero             log J, gradient 0
//	J = 1, log_eps = 0                    0, gradient 0
//	zero centered vector at a point       its distances are dist_scale, its gradient that of the unit vector over norm_eps
//	point that is the best of no column   gradient 0 (col)
//	NaN or infinity in a sample           NaN; a target with center batch makes all samples NaN
//
// Kinks: ties of the minimum and of the maximum (lowest index), norm = norm_eps. Errors: no sample, channel or point is empty_input;
// another number of samples or channels is invalid_shape.
// Libraries: contextualLoss (TensorFlow) has dist_scale 0.5 and center batch, contextual_loss_pytorch center batch and log_eps 1e-5;
// exemplar colorization has h 0.1 and max_axis row.
// Source: Mechrez et al. 2018, arXiv 1803.02077, eqs. 1-5.
type Context[T any] struct {
	Reduction
	H         float64   // (0, inf), default 0.5, bandwidth
	Eps       float64   // (0, inf), default 1e-5, added to the smallest distance of a point
	DistScale float64   // (0, inf), default 1
	LogEps    float64   // [0, inf), default 0
	Center    string    // sample (default), batch, none
	MaxAxis   string    // col (default, the published form), row
	NormEps   float64   // (0, inf), default 1e-12
	Pred      Tensor[T] // [N, C, Hx, Wx], var
	Target    Tensor[T] // [N, C, Hy, Wy], const
}

var context = &Def{
	ID: "context", Name: "Context", Title: "Contextual loss (CX)",
	Summary: "similarity of two sets of feature vectors without spatial alignment",
	Aliases: []string{"contextual loss", "CX loss"},
	Tasks:   []Task{ImageToImage},
	Sources: []Source{{"Mechrez et al. 2018, The Contextual Loss", "arXiv 1803.02077", "1-5"}},
}

func (l *Context[T]) Def() *Def { return context }

func (l *Context[T]) Visit(v Visitor[T]) {
	visitReduction(v, &l.Reduction)
	v.Float("h", &l.H, 0.5, Above(0))
	v.Float("eps", &l.Eps, 1e-5, Above(0))
	v.Float("dist_scale", &l.DistScale, 1, Above(0))
	v.Float("log_eps", &l.LogEps, 0, AtLeast(0))
	v.Enum("center", &l.Center, "sample", "batch", "none")
	v.Enum("max_axis", &l.MaxAxis, "col", "row")
	v.Float("norm_eps", &l.NormEps, 1e-12, Above(0))
	v.Var("pred", &l.Pred, "N C HX WX", Real)
	v.Const("target", &l.Target, "N C HY WY", Real)
}

func (l *Context[T]) Check(c *Checker) {
	c.NotEmpty(Size(l.Pred.Shape) > 0, "pred", "at least one sample, channel and point", l.Pred.Shape)
	c.NotEmpty(Size(l.Target.Shape) > 0, "target", "at least one sample, channel and point", l.Target.Shape)
}

func (l *Context[T]) Out() []int { return l.Reduction.shape(l.Pred.Shape[0]) }
