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
