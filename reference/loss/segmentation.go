package loss

import "fmt"

// Overlap holds the inputs and options that the overlap losses of segmentation share. P = C, or C-1 without background, is the
// number of channels that count.
type Overlap[T any] struct {
	Omega             string   // index set of the sums: per_sample_per_channel (default), per_channel, per_sample, global
	Activation        string   // none (default), sigmoid, softmax over C, applied to Pred first
	IncludeBackground bool     // default true; false drops channel 0 after the activation
	Intersection      string   // product (default): sum p t; l1: sum min(p, t)
	SmoothNr          float64  // [0, inf), default 1e-5, added to the numerator
	SmoothDr          float64  // [0, inf), default 1e-5, added to the denominator
	DenFloor          float64  // [0, inf), default 0, lower clamp of the smoothed denominator
	Form              string   // linear (default): 1 - score; log: -log(max(score, log_floor))
	LogFloor          float64  // (0, 1), default 1e-7
	Absent            string   // keep (default); zero: an item without target becomes 0 but still counts
	EmptyValue        float64  // 0 (default) or 1: an item whose denominator is 0
	WeightNorm        string   // count (default): mean over the items; sum: over the sum of their class weights
	IgnoreIndex       Opt[int] // label targets: such pixels count in no channel

	Pred        Tensor[T]     // [N, C, d1, ..., dk], memberships or logits, var
	Target      Tensor[T]     // like Pred, in [0, 1]; exactly one of Target and TargetLabel
	TargetLabel Tensor[int64] // [N, d1, ..., dk], in [0, C) or IgnoreIndex
	Mask        Tensor[bool]  // [N, d1, ..., dk]; false removes the pixel from all channels
	ClassWeight Tensor[T]     // [P], >= 0
}

func (o *Overlap[T]) visitParams(v Visitor[T]) {
	v.Enum("omega", &o.Omega, "per_sample_per_channel", "per_channel", "per_sample", "global")
	v.Enum("activation", &o.Activation, "none", "sigmoid", "softmax")
	v.Bool("include_background", &o.IncludeBackground, true)
	v.Enum("intersection", &o.Intersection, "product", "l1")
	v.Float("smooth_nr", &o.SmoothNr, 1e-5, AtLeast(0))
	v.Float("smooth_dr", &o.SmoothDr, 1e-5, AtLeast(0))
	v.Float("den_floor", &o.DenFloor, 0, AtLeast(0))
	v.Enum("form", &o.Form, "linear", "log")
	v.Float("log_floor", &o.LogFloor, 1e-7, Inside(0, 1))
	v.Enum("absent", &o.Absent, "keep", "zero")
	v.Float("empty_value", &o.EmptyValue, 0, Between(0, 1))
	v.Enum("weight_norm", &o.WeightNorm, "count", "sum")
	v.OptInt("ignore_index", &o.IgnoreIndex, Range{})
}

func (o *Overlap[T]) visitInputs(v Visitor[T]) {
	v.Var("pred", &o.Pred, "N C ...", Real)
	v.Const("target", &o.Target, "N C ...?", Unit)
	v.Index("target_label", &o.TargetLabel, "N ...?")
	v.Mask("mask", &o.Mask, "N ...?")
	v.Const("class_weight", &o.ClassWeight, "P?", Weight)
}

// Channels returns how many channels count.
func (o *Overlap[T]) Channels() int {
	if o.IncludeBackground {
		return o.Pred.Shape[1]
	}
	return o.Pred.Shape[1] - 1
}

func (o *Overlap[T]) check(c *Checker) {
	c.NotEmpty(Size(o.Pred.Shape) > 0, "pred", "at least one sample, channel and pixel", o.Pred.Shape)
	c.Param(o.Target.Given() != o.TargetLabel.Given(), "target", "exactly one of target and target_label",
		fmt.Sprintf("target given: %t, target_label given: %t", o.Target.Given(), o.TargetLabel.Given()))
	c.Param(!o.IgnoreIndex.Set || o.TargetLabel.Given(), "ignore_index", "unset without target_label", o.IgnoreIndex.Value)
	c.Param(o.EmptyValue == 0 || o.EmptyValue == 1, "empty_value", "0 or 1", o.EmptyValue)
	c.Param(o.IncludeBackground || o.Pred.Shape[1] > 1, "include_background", "true with one channel", false)
	if o.ClassWeight.Given() {
		c.Shape(len(o.ClassWeight.Data) == o.Channels(), "class_weight", fmt.Sprintf("[%d]", o.Channels()), o.ClassWeight.Shape)
		c.Param(o.Omega == "per_sample_per_channel" || o.Omega == "per_channel", "class_weight",
			"none with an omega without channels", o.Omega)
	}
	checkIndices(c, "target_label", o.TargetLabel, o.Pred.Shape[1], o.IgnoreIndex)
}

// Items returns the shape of the items.
func (o *Overlap[T]) Items() []int {
	switch n, c := o.Pred.Shape[0], o.Channels(); o.Omega {
	case "per_channel":
		return []int{c}
	case "per_sample":
		return []int{n}
	case "global":
		return []int{1}
	default:
		return []int{n, c}
	}
}

// Dice is one minus twice the overlap over the sum of the sizes.
//
//	score = (2 I + smooth_nr) / (sum p^r + sum t^r + smooth_dr)    I = sum p t, or sum min(p, t)
//	linear: 1 - score        log: -log(max(score, log_floor))
//
// p is the activated prediction, t the target; the sums run over the kept entries of one item, whose set is Omega. An item is
// then multiplied by the class weight of its channel. mean divides by the number of items or by the sum of their weights.
//
// Special cases:
//
//	p = t = 0 everywhere, equal smoothing s > 0   0, with a gradient of order 1/s
//	denominator 0                                 empty_value, gradient 0
//	removed pixel, whatever it holds              no effect, gradient 0
//	NaN in a kept entry, infinite p               NaN for the whole item
//	infinite logit                                its limit
//	sum of the class weights 0, weight_norm sum   NaN, gradient 0
//
// Kinks: p = t for l1 (half split), score = log_floor, denominator = den_floor.
//
// Errors: a label outside [0, C) that is not ignored, a target outside [0, 1] and a mask that is not 0/1 are invalid_target; both
// or no target, l1 with power 2, class weights with an omega that has no channels, include_background = false with C = 1 are
// invalid_param; a dim of size 0 is empty_input.
// Libraries differ in every option; see the presets in the specification of each.
// Sources: Milletari et al. 2016, V-Net, arXiv 1606.04797 (r = 2); Drozdzal et al. 2016 (r = 1); Wang et al. 2023,
// arXiv 2303.16296 (l1).
type Dice[T any] struct {
	Reduction
	Power int // r: 1 (default) or 2, squared denominators
	Overlap[T]
}

var dice = &Def{
	ID: "dice", Name: "Dice", Title: "Soft Dice loss", Summary: "one minus twice the overlap over the sum of sizes",
	Aliases: []string{"Sorensen-Dice loss", "F1 loss", "DSC loss", "V-Net loss"},
	Tasks:   []Task{SemanticSegmentation},
	Sources: []Source{
		{"Milletari et al. 2016, V-Net", "arXiv 1606.04797", ""},
		{"Drozdzal et al. 2016, The Importance of Skip Connections", "arXiv 1608.04117", ""},
		{"Wang et al. 2023, Dice Semimetric Losses", "arXiv 2303.16296", ""},
	},
}

func (l *Dice[T]) Def() *Def { return dice }

func (l *Dice[T]) Visit(v Visitor[T]) {
	visitReduction(v, &l.Reduction)
	v.Int("power", &l.Power, 1, Between(1, 2))
	l.visitParams(v)
	l.visitInputs(v)
}

func (l *Dice[T]) Check(c *Checker) {
	l.check(c)
	c.Param(l.Intersection != "l1" || l.Power == 1, "power", "1 with intersection l1", l.Power)
}

func (l *Dice[T]) Out() []int { return l.Reduction.shape(l.Items()...) }

// Jaccard is one minus the intersection over the union of memberships.
//
//	score = (I + smooth_nr) / (sum p^r + sum t^r - I + smooth_dr)    I = sum p t, or sum min(p, t)
//	linear: 1 - score        log: -log(max(score, log_floor))
//
// p is the activated prediction, t the target; the sums run over the kept entries of one item, whose set is Omega. An item is
// then multiplied by the class weight of its channel. mean divides by the number of items or by the sum of their weights. Without
// smoothing an item is 2 d/(1 + d), d that of Dice.
//
// With [N, C] predictions (no spatial axes), omega per_sample and no smoothing this is one minus the IoU of the label sets of an
// image classifier; no publication defines that use.
//
// Special cases:
//
//	p = t = 0 everywhere, equal smoothing s > 0   0, with a gradient of order 1/s
//	denominator 0                                 empty_value, gradient 0
//	removed pixel, whatever it holds              no effect, gradient 0
//	NaN in a kept entry, infinite p               NaN for the whole item
//	infinite logit                                its limit
//	sum of the class weights 0, weight_norm sum   NaN, gradient 0
//
// Kinks: p = t for l1 (half split), score = log_floor, denominator = den_floor.
//
// Errors: those of Dice.
// Libraries: MONAI's DiceLoss(jaccard=True) counts its smoothing half; SMP has l1, no smoothing, den_floor 1e-7, omega per_channel,
// absent zero; keras-contrib multiplies by its smoothing.
// Sources: Rahman and Wang 2016 (ISVC); Wang et al. 2023, arXiv 2302.05666 (l1).
type Jaccard[T any] struct {
	Reduction
	Power int // r: 1 (default) or 2, squared sizes
	Overlap[T]
}

var jaccard = &Def{
	ID: "jaccard", Name: "Jaccard", Title: "Soft Jaccard (IoU) loss", Summary: "one minus intersection over union of memberships",
	Aliases: []string{"soft IoU loss", "Tanimoto loss", "Jaccard metric loss"},
	Tasks:   []Task{SemanticSegmentation, ImageClassification},
	Sources: []Source{
		{"Rahman and Wang 2016, Optimizing Intersection-Over-Union, ISVC", "", ""},
		{"Wang et al. 2023, Jaccard Metric Losses", "arXiv 2302.05666", ""},
	},
}

func (l *Jaccard[T]) Def() *Def { return jaccard }

func (l *Jaccard[T]) Visit(v Visitor[T]) {
	visitReduction(v, &l.Reduction)
	v.Int("power", &l.Power, 1, Between(1, 2))
	l.visitParams(v)
	l.visitInputs(v)
}

func (l *Jaccard[T]) Check(c *Checker) {
	l.check(c)
	c.Param(l.Intersection != "l1" || l.Power == 1, "power", "1 with intersection l1", l.Power)
}

func (l *Jaccard[T]) Out() []int { return l.Reduction.shape(l.Items()...) }

// Tversky is an overlap loss with separate weights for false positives and false negatives.
//
//	score = (TP + smooth_nr) / (TP + alpha_fp FP + beta_fn FN + smooth_dr)
//	product: TP = sum p t, FP = sum p (1-t), FN = sum t (1-p)
//	l1:      TP = sum min(p, t), FP = sum max(p-t, 0), FN = sum max(t-p, 0)
//	linear:  1 - score        log: -log(max(score, log_floor))
//
// p is the activated prediction, t the target; the sums run over the kept entries of one item, whose set is Omega. An item is
// then multiplied by the class weight of its channel. mean divides by the number of items or by the sum of their weights.
// (1/2, 1/2) with smoothing s/2 is Dice with smoothing s, (1, 1) is Jaccard.
//
// Special cases:
//
//	p = t = 0 everywhere, equal smoothing s > 0   0, with a gradient of alpha_fp/s
//	both weights 0, no smoothing                  0 where TP > 0, empty_value where TP = 0
//	denominator 0                                 empty_value, gradient 0
//	removed pixel, whatever it holds              no effect, gradient 0
//	NaN in a kept entry, infinite p               NaN for the whole item
//	infinite logit                                its limit
//	sum of the class weights 0, weight_norm sum   NaN, gradient 0
//
// Kinks: p = t for l1 (half split), score = log_floor, denominator = den_floor.
//
// Errors: those of Dice; a negative AlphaFP or BetaFN is invalid_param.
// Libraries: MONAI and SMP put alpha on the false positives, focal Tversky and ivadomed on the false negatives; in kornia both
// weights act through their sum alone.
// Source: Salehi et al. 2017, arXiv 1706.05721 (0.3 and 0.7).
type Tversky[T any] struct {
	Reduction
	AlphaFP float64 // [0, inf), default 0.5, weight of the false positives
	BetaFN  float64 // [0, inf), default 0.5, weight of the false negatives
	Overlap[T]
}

var tversky = &Def{
	ID: "tversky", Name: "Tversky", Title: "Tversky loss",
	Summary: "overlap loss with separate weights for false positives and false negatives",
	Aliases: []string{"Tversky index loss"},
	Tasks:   []Task{SemanticSegmentation},
	Sources: []Source{{"Salehi et al. 2017, Tversky loss function", "arXiv 1706.05721", ""}},
}

func (l *Tversky[T]) Def() *Def { return tversky }

func (l *Tversky[T]) Visit(v Visitor[T]) {
	visitReduction(v, &l.Reduction)
	v.Float("alpha_fp", &l.AlphaFP, 0.5, AtLeast(0))
	v.Float("beta_fn", &l.BetaFN, 0.5, AtLeast(0))
	l.visitParams(v)
	l.visitInputs(v)
}

func (l *Tversky[T]) Check(c *Checker) { l.check(c) }

func (l *Tversky[T]) Out() []int { return l.Reduction.shape(l.Items()...) }
