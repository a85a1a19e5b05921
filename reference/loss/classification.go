package loss

import "fmt"

// CrossEntropy is the softmax cross-entropy of logits against class indices or a target distribution. The class axis is axis 1.
//
//	index:         l = (1-a) w_y (-logp_y) + (a/C) sum_c w_c (-logp_c)               a = label smoothing, w = class weights
//	distribution:  l = sum over c with w_c > 0 of w_c q'_c (-logp_c),  q' = (1-a) q + a/C
//	logp = logits - log sum exp logits
//
// Items are the rows (positions) [N, d1, ..., dk]. mean divides by the sum of w_y over the rows that are not ignored (indices), or
// by the number of rows (distribution). Exactly one of Target and TargetProb is given.
//
// Special cases:
//
//	row ignored, or w_y = 0            item 0, gradient 0, whatever the logits are
//	all rows ignored or of weight 0    mean NaN, gradient 0
//	C = 1, logit not NaN               item 0, gradient 0
//	logit -Inf                         the class is absent; at y the item is +Inf and its gradient finite
//	one logit +Inf                     item 0 at y, +Inf elsewhere
//	several +Inf, or all -Inf, C > 1   NaN, NaN
//	q'_c = 0 and logp_c = -Inf         the term is 0
//
// Errors: an index outside [0, C) that is not ignored and a negative TargetProb are invalid_target; smoothing outside [0, 1], a
// negative weight, both or no target, IgnoreIndex beside TargetProb are invalid_param; C = 0 with rows is invalid_shape.
// Sources: Goodfellow et al. 2016, section 6.2.2; smoothing: Szegedy et al. 2015, arXiv 1512.00567, section 7.
type CrossEntropy[T any] struct {
	Reduction
	IgnoreIndex    Opt[int]      // indices only; unset means -100
	LabelSmoothing float64       // [0, 1], default 0
	Logits         Tensor[T]     // [N, C, d1, ..., dk], any real, var
	Target         Tensor[int64] // [N, d1, ..., dk], in [0, C) or IgnoreIndex
	TargetProb     Tensor[T]     // like Logits, >= 0, not renormalized
	ClassWeight    Tensor[T]     // [C], >= 0, default ones
}

var crossEntropy = &Def{
	ID: "cross_entropy", Name: "CrossEntropy", Title: "Softmax cross-entropy",
	Summary: "negative log-likelihood of the target class, or its expectation under a target distribution",
	Aliases: []string{"softmax loss", "multinomial logistic loss", "sparse categorical cross-entropy"},
	Tasks: []Task{ImageClassification, ObjectDetection, ActionRecognition, ObjectTracking, SemanticSegmentation, Tabular,
		TimeSeries},
	Sources: []Source{
		{"Goodfellow, Bengio, Courville 2016, Deep Learning", "", "section 6.2.2"},
		{"Szegedy et al. 2015, label smoothing", "arXiv 1512.00567", "section 7"},
	},
}

func (l *CrossEntropy[T]) Def() *Def { return crossEntropy }

func (l *CrossEntropy[T]) Visit(v Visitor[T]) {
	visitReduction(v, &l.Reduction)
	v.OptInt("ignore_index", &l.IgnoreIndex, Range{})
	v.Float("label_smoothing", &l.LabelSmoothing, 0, Between(0, 1))
	v.Var("logits", &l.Logits, "N C ...", Real)
	v.Index("target", &l.Target, "N ...?")
	v.Const("target_prob", &l.TargetProb, "N C ...?", NonNegative)
	v.Const("class_weight", &l.ClassWeight, "C?", Weight)
}

// Ignored returns the index that marks a row to leave out.
func (l *CrossEntropy[T]) Ignored() int64 { return ignored(l.IgnoreIndex) }

func ignored(i Opt[int]) int64 {
	if i.Set {
		return int64(i.Value)
	}
	return -100
}

func (l *CrossEntropy[T]) Check(c *Checker) {
	classes := l.Logits.Shape[1]
	c.Shape(classes > 0 || l.Logits.Shape[0] == 0, "logits", "at least one class", l.Logits.Shape)
	c.Param(l.Target.Given() != l.TargetProb.Given(), "target", "exactly one of target and target_prob",
		fmt.Sprintf("target given: %t, target_prob given: %t", l.Target.Given(), l.TargetProb.Given()))
	c.Param(!l.IgnoreIndex.Set || !l.TargetProb.Given(), "ignore_index", "unset beside target_prob", l.IgnoreIndex.Value)
	checkIndices(c, "target", l.Target, classes, Some(int(l.Ignored())))
}

// checkIndices requires class indices in [0, classes) or equal to ignore.
func checkIndices(c *Checker, name string, target Tensor[int64], classes int, ignore Opt[int]) {
	c.Values(func() {
		for i, y := range target.Data {
			if (y < 0 || y >= int64(classes)) && !(ignore.Set && y == int64(ignore.Value)) {
				c.Target(false, fmt.Sprintf("%s[%d]", name, i), fmt.Sprintf("a class in [0, %d)", classes), y)
				return
			}
		}
	})
}

func (l *CrossEntropy[T]) Out() []int { return l.Reduction.shape(withoutAxis(l.Logits.Shape, 1)...) }

// SoftmaxCrossEntropy is the softmax cross-entropy of logits against a target distribution, unweighted, with a temperature. The class
// axis is any axis.
//
//	l = sum_c q_c (-logp_c)    logp = x/T - log sum exp(x/T)    x = logits, q = target_prob, T = temperature
//
// Rows of q need not sum to 1. Items have the shape of logits without the class axis; mean divides by their number. Axis counts from
// the end where it is negative, default -1. Temperature, in (0, inf), default 1, divides the logits; the factor T^2 of distillation is
// the caller's.
//
// Special cases:
//
//	q_c = 0 and logp_c = -Inf          the term is 0
//	q_c > 0 and logp_c = -Inf          item +Inf, gradient finite
//	all of q 0                         item 0, gradient 0
//	one logit +Inf                     p = 1 there, all other logp -Inf
//	several +Inf, or all -Inf, C > 1   NaN, NaN
//	NaN logit or probability           NaN, and NaN in the row
//	no row                             mean NaN, sum 0
//
// Errors: a negative probability is invalid_target; an axis that logits do not have and T <= 0 are invalid_param; a class axis of size
// 0 with rows is invalid_shape. Optax gives NaN for q_c = 0 at a logit of -Inf, PyTorch 1.13 for any logit of +Inf.
// Source: Goodfellow et al. 2016, section 6.2.2; soft targets: Hinton et al. 2015, arXiv 1503.02531.
type SoftmaxCrossEntropy[T any] struct {
	Reduction
	Axis        int       // of the classes, default -1
	Temperature float64   // (0, inf), default 1
	Logits      Tensor[T] // [...], any real, var
	TargetProb  Tensor[T] // like Logits, >= 0, not renormalized
}

var softmaxCrossEntropy = &Def{
	ID: "softmax_cross_entropy", Name: "SoftmaxCrossEntropy", Title: "Softmax cross-entropy with soft targets",
	Summary: "expected negative log-probability under a target distribution",
	Aliases: []string{"soft-target cross-entropy", "distillation cross-entropy"},
	Tasks:   []Task{ObjectTracking, SemanticSegmentation, Tabular},
	Sources: []Source{
		{"Goodfellow, Bengio, Courville 2016, Deep Learning", "", "section 6.2.2"},
		{"Hinton, Vinyals, Dean 2015, distillation", "arXiv 1503.02531", ""},
	},
}

func (l *SoftmaxCrossEntropy[T]) Def() *Def { return softmaxCrossEntropy }

func (l *SoftmaxCrossEntropy[T]) Visit(v Visitor[T]) {
	visitReduction(v, &l.Reduction)
	v.Int("axis", &l.Axis, -1, Range{})
	v.Float("temperature", &l.Temperature, 1, Above(0))
	v.Var("logits", &l.Logits, "...", Real)
	v.Const("target_prob", &l.TargetProb, "...", NonNegative)
}

func (l *SoftmaxCrossEntropy[T]) Check(c *Checker) {
	checkClassAxis(c, "logits", l.Logits.Shape, l.Axis)
}

func (l *SoftmaxCrossEntropy[T]) Out() []int {
	return l.Reduction.shape(withoutAxis(l.Logits.Shape, l.Axis)...)
}

// AlongAxis reads a shape as [outer, n, inner] with the given axis, which may count from the end, in the middle.
func AlongAxis(shape []int, axis int) (outer, n, inner int) {
	if axis < 0 {
		axis += len(shape)
	}
	return Size(shape[:axis]), shape[axis], Size(shape[axis+1:])
}

func withoutAxis(shape []int, axis int) []int {
	if axis < 0 {
		axis += len(shape)
	}
	return append(append([]int{}, shape[:axis]...), shape[axis+1:]...)
}

// checkClassAxis requires that the axis exists and, where there are rows, that it holds a class.
func checkClassAxis(c *Checker, name string, shape []int, axis int) {
	if axis < -len(shape) || axis >= len(shape) {
		c.Param(false, "axis", fmt.Sprintf("an axis of rank %d", len(shape)), axis)
		return
	}
	outer, n, inner := AlongAxis(shape, axis)
	c.Shape(n > 0 || outer*inner == 0, name, "at least one class", shape)
}

// WeightedCrossEntropy is cross-entropy with weights, in three forms. The class axis is axis 1.
//
//	class:       l = w_y (-logp_y)                                  w = class_weight, y = target
//	pixel:       l = omega (-logp_y)                                omega = pixel_weight
//	binary_pos:  l = pos_weight y softplus(-x) + (1-y) softplus(x)  x = logits, y = target, not an index
//	logp = logits - log sum exp logits
//
// Items are the positions [N, d1, ..., dk], or the elements with binary_pos. mean divides by the sum of the weights of the positions
// that are not ignored (normalize = weight), by their number (count), or with binary_pos by the number of elements. Each mode takes
// its own inputs and no others.
//
// Special cases:
//
//	position ignored or of weight 0    item 0, gradient 0, whatever the logits are
//	all weights 0, mean                weight: NaN, count: 0; gradient 0
//	all positions ignored, mean        NaN, gradient 0
//	C = 1, infinite logits             as CrossEntropy
//	binary_pos, x = +Inf               0 for y = 1, +Inf for y < 1, -Inf for y > 1; gradient 1-y
//	binary_pos, x = -Inf               0, +Inf, -Inf as pos_weight y is 0, positive, negative; gradient -pos_weight y
//
// Errors: an index outside [0, C) that is not ignored is invalid_target; a negative or infinite weight, a weight that is missing or
// that the mode does not use, ignore_index with binary_pos are invalid_param; C = 0 with rows and weights of another shape are
// invalid_shape. PyTorch has class with weight; Keras divides by the count; TensorFlow's weighted_cross_entropy_with_logits is
// binary_pos.
// Sources: class weights: Long et al. 2015, FCN, arXiv 1411.4038; pixel weights: Ronneberger et al. 2015, U-Net, arXiv 1505.04597,
// eq. 1 (number not verified).
type WeightedCrossEntropy[T any] struct {
	Reduction
	Mode        string        // class (default), pixel, binary_pos
	Normalize   string        // weight, the default with class, or count, the default with pixel; loss.New sets that of class
	IgnoreIndex Opt[int]      // class and pixel; unset means -100
	PosWeight   float64       // [0, inf), default 1; binary_pos
	Logits      Tensor[T]     // [N, C, d1, ..., dk], or [...] with binary_pos; any real, var
	Target      Tensor[int64] // [N, d1, ..., dk], in [0, C) or IgnoreIndex; class and pixel
	TargetValue Tensor[T]     // the input target of binary_pos, like Logits, any finite real, normally in [0, 1]
	ClassWeight Tensor[T]     // [C], >= 0; class
	PixelWeight Tensor[T]     // [N, d1, ..., dk], >= 0; pixel
}

var weightedCrossEntropy = &Def{
	ID: "weighted_cross_entropy", Name: "WeightedCrossEntropy", Title: "Weighted cross-entropy",
	Summary: "cross-entropy with class, pixel or positive-class weights",
	Aliases: []string{"class-balanced cross-entropy"},
	Tasks:   []Task{SemanticSegmentation, TimeSeries},
	Sources: []Source{
		{"Long et al. 2015, Fully Convolutional Networks", "arXiv 1411.4038", ""},
		{"Ronneberger et al. 2015, U-Net", "arXiv 1505.04597", "1 (number not verified)"},
	},
}

func (l *WeightedCrossEntropy[T]) Def() *Def { return weightedCrossEntropy }

func (l *WeightedCrossEntropy[T]) Visit(v Visitor[T]) {
	visitReduction(v, &l.Reduction)
	v.Enum("mode", &l.Mode, "class", "pixel", "binary_pos")
	if l.Mode == "pixel" {
		v.Enum("normalize", &l.Normalize, "count", "weight")
	} else {
		v.Enum("normalize", &l.Normalize, "weight", "count")
	}
	v.OptInt("ignore_index", &l.IgnoreIndex, Range{})
	v.Float("pos_weight", &l.PosWeight, 1, AtLeast(0))
	if l.Mode == "binary_pos" {
		v.Var("logits", &l.Logits, "...", Real)
		v.Const("target", &l.TargetValue, "...", Real)
		return
	}
	v.Var("logits", &l.Logits, "N C ...", Real)
	v.Index("target", &l.Target, "N ...")
	if l.Mode == "pixel" {
		v.Const("pixel_weight", &l.PixelWeight, "N ...", Weight)
	} else {
		v.Const("class_weight", &l.ClassWeight, "C", Weight)
	}
}

// Ignored returns the index that marks a position to leave out.
func (l *WeightedCrossEntropy[T]) Ignored() int64 { return ignored(l.IgnoreIndex) }

func (l *WeightedCrossEntropy[T]) Check(c *Checker) {
	if l.Mode == "binary_pos" {
		c.Param(!l.IgnoreIndex.Set, "ignore_index", "unset with binary_pos", l.IgnoreIndex.Value)
		return
	}
	checkClasses(c, l.Logits.Shape, l.Target, l.Ignored())
}

// checkClasses requires a class where there are rows, and targets that are ignored or name one.
func checkClasses(c *Checker, logits []int, target Tensor[int64], ignored int64) {
	c.Shape(logits[1] > 0 || logits[0] == 0, "logits", "at least one class", logits)
	checkIndices(c, "target", target, logits[1], Some(int(ignored)))
}

func (l *WeightedCrossEntropy[T]) Out() []int {
	if l.Mode == "binary_pos" {
		return l.Reduction.shape(l.Logits.Shape...)
	}
	return l.Reduction.shape(withoutAxis(l.Logits.Shape, 1)...)
}

// PixelwiseCrossEntropy is the softmax cross-entropy of every position of a label map. The class axis is axis 1; there is at least one
// spatial axis.
//
//	l = w_y (-logp_y)    logp = logits - log sum exp logits    w = class_weight, y = target
//
// Items are the positions [N, d1, ..., dk], k >= 1. mean divides by the sum of w_y over the positions of the whole batch that are not
// ignored (normalize = weight), by their number (count) or by that of all positions (all); it is never a mean of means of images.
//
// Special cases:
//
//	all positions ignored              mean NaN, with all 0; gradient 0
//	no position                        mean NaN, sum 0
//	the rest                           as CrossEntropy with indices
//
// Errors: an index outside [0, C) that is not ignored is invalid_target; a negative or infinite weight is invalid_param; logits without
// a spatial axis, C = 0 with N > 0 and weights of another length are invalid_shape. Labels in bytes mark what to ignore by 255, never
// by -100. PyTorch divides by the weights; MMSegmentation may divide by all positions.
// Source: Long et al. 2015, FCN, arXiv 1411.4038.
type PixelwiseCrossEntropy[T any] struct {
	Reduction
	Normalize   string        // weight (default), count, all
	IgnoreIndex Opt[int]      // unset means -100
	Logits      Tensor[T]     // [N, C, d1, ..., dk], any real, var
	Target      Tensor[int64] // [N, d1, ..., dk], in [0, C) or IgnoreIndex
	ClassWeight Tensor[T]     // [C], >= 0, default ones
}

var pixelwiseCrossEntropy = &Def{
	ID: "pixelwise_cross_entropy", Name: "PixelwiseCrossEntropy", Title: "Pixelwise cross-entropy",
	Summary: "cross-entropy of every pixel of a label map",
	Aliases: []string{"2-D cross-entropy", "spatial softmax loss"},
	Tasks:   []Task{SemanticSegmentation},
	Sources: []Source{{"Long et al. 2015, Fully Convolutional Networks", "arXiv 1411.4038", ""}},
}

func (l *PixelwiseCrossEntropy[T]) Def() *Def { return pixelwiseCrossEntropy }

func (l *PixelwiseCrossEntropy[T]) Visit(v Visitor[T]) {
	visitReduction(v, &l.Reduction)
	v.Enum("normalize", &l.Normalize, "weight", "count", "all")
	v.OptInt("ignore_index", &l.IgnoreIndex, Range{})
	v.Var("logits", &l.Logits, "N C D ...", Real)
	v.Index("target", &l.Target, "N D ...")
	v.Const("class_weight", &l.ClassWeight, "C?", Weight)
}

// Ignored returns the index that marks a position to leave out.
func (l *PixelwiseCrossEntropy[T]) Ignored() int64 { return ignored(l.IgnoreIndex) }

func (l *PixelwiseCrossEntropy[T]) Check(c *Checker) {
	checkClasses(c, l.Logits.Shape, l.Target, l.Ignored())
}

func (l *PixelwiseCrossEntropy[T]) Out() []int {
	return l.Reduction.shape(withoutAxis(l.Logits.Shape, 1)...)
}

// CategoricalCrossEntropy is the cross-entropy of probabilities that are first normalized and clipped. The class axis is any axis.
//
//	o_c = clamp(p_c/s, eps, 1-eps)    p = prob, s = sum_c p_c, or 1 without normalize
//	l = -sum_c y'_c log o_c           y' = (1-a) y + a/C, y = target_prob, a = label smoothing
//
// Items have the shape of prob without the class axis; mean divides by their number. Axis counts from the end where it is negative,
// default -1. Eps, in [0, 0.5), default 1e-7; eps = 0 clips nothing, not even what exceeds 1 without normalize. Normalize defaults to
// true; LabelSmoothing, in [0, 1], to 0.
//
// Special cases:
//
//	y'_c = 0                       the term is 0, whatever p_c is
//	p_c = 0, y'_c > 0              the term is -y'_c log eps with gradient 0; for eps = 0 +Inf with gradient -Inf at c
//	prediction and target one-hot  -log(1-eps), not 0; gradient 0
//	s = 0 with normalize           NaN, NaN
//	infinite p_c                   NaN, NaN
//	NaN                            NaN, and NaN in the row
//	no row                         mean NaN, sum 0
//
// Kinks: p_c/s = eps and p_c/s = 1-eps; the gradient passes there, the interval begins at 0. Errors: a negative p or y is
// invalid_target; eps outside [0, 0.5), smoothing outside [0, 1] and an axis that prob does not have are invalid_param; a class axis of
// size 0 with rows is invalid_shape. Keras computes the same, but evaluates 1 - 1e-7 in the dtype of the tensors.
// Source: Shannon cross-entropy with the parameters of the Keras API.
type CategoricalCrossEntropy[T any] struct {
	Reduction
	Axis           int       // of the classes, default -1
	Eps            float64   // [0, 0.5), default 1e-7; 0 clips nothing
	Normalize      bool      // default true
	LabelSmoothing float64   // [0, 1], default 0
	Prob           Tensor[T] // [...], >= 0, var
	TargetProb     Tensor[T] // like Prob, >= 0, not renormalized
}

var categoricalCrossEntropy = &Def{
	ID: "categorical_cross_entropy", Name: "CategoricalCrossEntropy", Title: "Categorical cross-entropy from probabilities",
	Summary: "cross-entropy of a probability vector that is first normalized and clipped",
	Aliases: []string{"Keras categorical cross-entropy"},
	Tasks:   []Task{TextToImage},
	Sources: []Source{
		{"Shannon 1948, A Mathematical Theory of Communication", "", ""},
		{"Keras API, categorical_crossentropy", "", ""},
	},
}

func (l *CategoricalCrossEntropy[T]) Def() *Def { return categoricalCrossEntropy }

func (l *CategoricalCrossEntropy[T]) Visit(v Visitor[T]) {
	visitReduction(v, &l.Reduction)
	v.Int("axis", &l.Axis, -1, Range{})
	v.Float("eps", &l.Eps, 1e-7, Range{Min: 0, Max: 0.5, MaxOpen: true, bounded: true})
	v.Bool("normalize", &l.Normalize, true)
	v.Float("label_smoothing", &l.LabelSmoothing, 0, Between(0, 1))
	v.Var("prob", &l.Prob, "...", NonNegative)
	v.Const("target_prob", &l.TargetProb, "...", NonNegative)
}

func (l *CategoricalCrossEntropy[T]) Check(c *Checker) {
	checkClassAxis(c, "prob", l.Prob.Shape, l.Axis)
}

func (l *CategoricalCrossEntropy[T]) Out() []int {
	return l.Reduction.shape(withoutAxis(l.Prob.Shape, l.Axis)...)
}

// Focal is the sigmoid focal loss: binary cross-entropy whose well-classified entries weigh less.
//
//	p = sigmoid(x)    p_t = p t + (1-p)(1-t)    a_t = alpha t + (1-alpha)(1-t), or 1 for alpha < 0
//	l = a_t (1-p_t)^gamma BCE(x, t)
//
// Items are the elements; mean divides by their number, or by Normalizer where it is set. The focusing weight is differentiated.
//
// Special cases, with z = (2t-1) x for a hard label:
//
//	z = +Inf             value 0, gradient 0
//	z = -Inf             value +Inf (0 where a_t = 0), gradient -(2t-1) a_t
//	0 < t < 1, x = +Inf  value +Inf, gradient a_t (1-t)^(gamma+1)
//	0 < t < 1, x = -Inf  value +Inf, gradient -a_t t^(gamma+1)
//	gamma = 0            the factor is 1, also where 1-p_t = 0
//
// Errors: a target outside [0, 1] is invalid_target; gamma < 0, alpha > 1 and normalizer <= 0 are invalid_param.
// Libraries differ in the default of alpha (fvcore and Optax: off) and of the reduction (torchvision: none).
// Source: Lin et al. 2017, arXiv 1708.02002, eqs. 4 and 5.
type Focal[T any] struct {
	Reduction
	Alpha      float64      // weight of t = 1, in [0, 1], or any negative number for off; default 0.25
	Gamma      float64      // [0, inf), default 2
	Normalizer Opt[float64] // (0, inf): the denominator of mean
	Logits     Tensor[T]    // [...], any real, var
	Target     Tensor[T]    // [...] like Logits, in [0, 1]
}

var focal = &Def{
	ID: "focal", Name: "Focal", Title: "Sigmoid focal loss",
	Summary: "binary cross-entropy with well-classified entries weighted down",
	Aliases: []string{"RetinaNet loss"},
	Tasks:   []Task{ImageClassification, ObjectDetection, ObjectTracking, SemanticSegmentation},
	Sources: []Source{{"Lin et al. 2017, Focal Loss for Dense Object Detection", "arXiv 1708.02002", "4, 5"}},
}

func (l *Focal[T]) Def() *Def { return focal }

func (l *Focal[T]) Visit(v Visitor[T]) {
	visitReduction(v, &l.Reduction)
	v.Float("alpha", &l.Alpha, 0.25, AtMost(1))
	v.Float("gamma", &l.Gamma, 2, AtLeast(0))
	v.OptFloat("normalizer", &l.Normalizer, Above(0))
	v.Var("logits", &l.Logits, "...", Real)
	v.Const("target", &l.Target, "...", Unit)
}

func (l *Focal[T]) Check(*Checker) {}

func (l *Focal[T]) Out() []int { return l.Reduction.shape(l.Logits.Shape...) }

// FocalSoftmax is the softmax cross-entropy against class indices with well-classified rows weighted down. The class axis is axis 1.
//
//	l = alpha_y (1-p_y)^gamma (-log p_y)    p = softmax(logits), y = target
//	  = alpha_y exp(-gamma softplus(d)) softplus(-d)    d = x_y - log sum over c != y of exp x_c, x = logits
//
// Items are the rows (positions) [N, d1, ..., dk]. mean divides by the number of rows that are not ignored (normalize = count) or by
// the sum of their alpha_y (weight). The focusing weight is differentiated.
//
// Special cases:
//
//	C = 1, logit not NaN               item 0, gradient 0
//	d = +Inf                           item 0, gradient 0
//	d = -Inf                           item +Inf, gradient -alpha_y at y, alpha_y times the softmax of the others elsewhere
//	several +Inf, or all -Inf, C > 1   NaN, NaN
//	row ignored, or alpha_y = 0        item 0, gradient 0, whatever the logits are
//	all rows ignored, mean             NaN, gradient 0
//	gamma = 0                          cross-entropy
//
// Errors: an index outside [0, C) that is not ignored is invalid_target; gamma < 0 and a negative alpha are invalid_param; alpha of
// another length and C = 0 with rows are invalid_shape. MONAI divides by C too and gives 1 - alpha to class 0; Keras clips probabilities
// at 1e-7 and weighs every class term of a soft target.
// Source: extension of Lin et al. 2017, arXiv 1708.02002, which has no equation for it.
type FocalSoftmax[T any] struct {
	Reduction
	Gamma       float64       // [0, inf), default 2
	Normalize   string        // count (default), weight
	IgnoreIndex Opt[int]      // unset means -100
	Logits      Tensor[T]     // [N, C, d1, ..., dk], any real, var
	Target      Tensor[int64] // [N, d1, ..., dk], in [0, C) or IgnoreIndex
	Alpha       Tensor[T]     // [C], >= 0, default ones
}

var focalSoftmax = &Def{
	ID: "focal_softmax", Name: "FocalSoftmax", Title: "Multi-class focal loss",
	Summary: "softmax cross-entropy with well-classified rows weighted down",
	Aliases: []string{"categorical focal loss"},
	Tasks:   []Task{ImageClassification, ObjectDetection, ObjectTracking, SemanticSegmentation},
	Sources: []Source{{"extension of Lin et al. 2017, Focal Loss for Dense Object Detection", "arXiv 1708.02002", ""}},
}

func (l *FocalSoftmax[T]) Def() *Def { return focalSoftmax }

func (l *FocalSoftmax[T]) Visit(v Visitor[T]) {
	visitReduction(v, &l.Reduction)
	v.Float("gamma", &l.Gamma, 2, AtLeast(0))
	v.Enum("normalize", &l.Normalize, "count", "weight")
	v.OptInt("ignore_index", &l.IgnoreIndex, Range{})
	v.Var("logits", &l.Logits, "N C ...", Real)
	v.Index("target", &l.Target, "N ...")
	v.Const("alpha", &l.Alpha, "C?", Weight)
}

// Ignored returns the index that marks a row to leave out.
func (l *FocalSoftmax[T]) Ignored() int64 { return ignored(l.IgnoreIndex) }

func (l *FocalSoftmax[T]) Check(c *Checker) { checkClasses(c, l.Logits.Shape, l.Target, l.Ignored()) }

func (l *FocalSoftmax[T]) Out() []int { return l.Reduction.shape(withoutAxis(l.Logits.Shape, 1)...) }
