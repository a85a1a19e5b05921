package loss

import "fmt"

// Reconstruction is the error of pixels between an output and its ground truth, over all of it, over a region, or with weights. With
// r = |pred - target|^p the variants are
//
//	variant          mask = 1 means     items                                              Z of mean
//	full                                r                                                  M = N C H W
//	masked_mean      it counts          m r                                                sum of the mask as it is broadcast
//	weighted_mean                       w r                                                sum of the weight as it is broadcast
//	hole_valid       pixel is valid     (lambda_valid m + lambda_hole (1-m)) r             M, whatever the mask
//	context_encoder  pixel is removed   sum over the sample of m (pred - target)^2, [N]    N
//	mae              patch is removed   m (1/P) sum_k (pred_k - t_k)^2, [N, L]             sum of the mask
//
// In mae t is the target patch or, with norm_pix, (target - mean)/sqrt(variance + norm_eps); the variance divides by P-1 and its
// statistics are constants. Items have the shape of Pred where nothing else is said. masked_mean, weighted_mean and mae divide one
// sum over the batch by another.
//
// Special cases:
//
//	coefficient 0, whatever stands there    contributes 0, gradient 0
//	sum of mask or weight 0, mean           NaN, gradient 0; of masked_mean, weighted_mean, mae
//	constant patch, norm_pix                t = 0; NaN for norm_eps = 0
//	infinite error                          +Inf; gradient its sign (p = 1), +-Inf (p = 2)
//	equal infinities                        NaN, NaN
//	N = 0                                   mean NaN, sum 0
//
// Kink of p = 1: pred = target with a coefficient that is not 0.
//
// Errors: a mask entry other than 0 and 1 is invalid_target; p = 1 in context_encoder or mae, a weight or lambda that is negative or
// infinite, a mask or weight that the variant misses or does not use are invalid_param; a mask or weight neither like Pred nor
// [N, 1, H, W], and norm_pix with P < 2, are invalid_shape.
// BasicSR divides by sum(weight) C, which is the broadcast sum for one channel. The released code of Context Encoders takes
// masked_mean with p = 2. Ports of MAE by var of NumPy or JAX divide by P.
// Sources: Pathak et al. 2016, arXiv 1604.07379, eq. 1; Liu et al. 2018, arXiv 1804.07723 (hole_valid; averaged over all elements by
// the authors' erratum); He et al. 2021, MAE, arXiv 2111.06377.
type Reconstruction[T any] struct {
	Reduction
	Variant     string       // full (default), masked_mean, weighted_mean, hole_valid, context_encoder, mae
	P           Opt[int]     // 1 or 2; unset means 1, in context_encoder and mae 2
	LambdaValid float64      // [0, inf), default 1; hole_valid
	LambdaHole  float64      // [0, inf), default 6; hole_valid
	NormPix     bool         // default false; mae
	NormEps     float64      // [0, inf), default 1e-6; mae with NormPix
	Pred        Tensor[T]    // [N, C, H, W], in mae [N, L, P], var
	Target      Tensor[T]    // like Pred, var; in mae const
	Mask        Tensor[bool] // like Pred or [N, 1, H, W], in mae [N, L]
	Weight      Tensor[T]    // like Pred or [N, 1, H, W], >= 0; weighted_mean
}

var reconstruction = &Def{
	ID: "reconstruction", Name: "Reconstruction", Title: "Full or masked pixel reconstruction",
	Summary: "pixel error between an output and its ground truth, optionally restricted to or weighted by a region",
	Aliases: []string{"masked L1/L2", "hole/valid loss", "MAE loss"},
	Tasks:   []Task{AudioToImage, Inpainting},
	Sources: []Source{
		{"Pathak et al. 2016, Context Encoders", "arXiv 1604.07379", "1"},
		{"Liu et al. 2018, partial convolutions", "arXiv 1804.07723", ""},
		{"He et al. 2021, MAE", "arXiv 2111.06377", ""},
	},
}

func (l *Reconstruction[T]) Def() *Def { return reconstruction }

func (l *Reconstruction[T]) Visit(v Visitor[T]) {
	visitReduction(v, &l.Reduction)
	v.Enum("variant", &l.Variant, "full", "masked_mean", "weighted_mean", "hole_valid", "context_encoder", "mae")
	v.OptInt("p", &l.P, Between(1, 2))
	v.Float("lambda_valid", &l.LambdaValid, 1, AtLeast(0))
	v.Float("lambda_hole", &l.LambdaHole, 6, AtLeast(0))
	v.Bool("norm_pix", &l.NormPix, false)
	v.Float("norm_eps", &l.NormEps, 1e-6, AtLeast(0))
	if l.Variant == "mae" {
		v.Var("pred", &l.Pred, "N L P", Real)
		v.Const("target", &l.Target, "N L P", Real)
		v.Mask("mask", &l.Mask, "N L")
		return
	}
	v.Var("pred", &l.Pred, "N C H W", Real)
	v.Var("target", &l.Target, "N C H W", Real)
	switch l.Variant {
	case "masked_mean", "hole_valid", "context_encoder":
		v.Mask("mask", &l.Mask, "N C_mask H W")
	case "weighted_mean":
		v.Const("weight", &l.Weight, "N C_weight H W", Weight)
	}
}

func (l *Reconstruction[T]) Check(c *Checker) {
	if l.Variant == "mae" {
		c.Shape(!l.NormPix || l.Pred.Shape[2] >= 2, "pred", "patches of at least 2 elements with norm_pix", l.Pred.Shape)
	} else {
		for _, f := range Fields[T](l)[2:] { // mask or weight
			shape := f.Shape()
			c.Shape(!f.Given() || shape[1] == 1 || shape[1] == l.Pred.Shape[1], f.Name, fmt.Sprintf("1 or %d channels", l.Pred.Shape[1]), shape)
		}
	}
	c.Param(l.P.Value == 2 || !l.P.Set || l.Variant != "mae" && l.Variant != "context_encoder", "p", "2 or unset in "+l.Variant, l.P.Value)
}

// Power returns p.
func (l *Reconstruction[T]) Power() int {
	switch {
	case l.P.Set:
		return l.P.Value
	case l.Variant == "mae" || l.Variant == "context_encoder":
		return 2
	}
	return 1
}

func (l *Reconstruction[T]) Out() []int {
	switch l.Variant {
	case "context_encoder":
		return l.Reduction.shape(l.Pred.Shape[0])
	case "mae":
		return l.Reduction.shape(l.Pred.Shape[:2]...)
	}
	return l.Reduction.shape(l.Pred.Shape...)
}
