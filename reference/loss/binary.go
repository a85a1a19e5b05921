package loss

import (
	"fmt"
	"slices"
)

// checkBroadcast requires that x, where it is given, broadcasts to a shape by the rules of NumPy: dims are compared from the last to
// the first, each is that of the shape or 1, and missing ones are 1.
func checkBroadcast[T any](c *Checker, name string, x Tensor[T], shape []int) {
	if !x.Given() {
		return
	}
	lead := len(shape) - len(x.Shape)
	ok := lead >= 0
	for i := 0; ok && i < len(x.Shape); i++ {
		ok = x.Shape[i] == 1 || x.Shape[i] == shape[lead+i]
	}
	c.Shape(ok, name, fmt.Sprintf("a shape that broadcasts to %v", shape), x.Shape)
}

// BinaryCrossEntropyWithLogits is the negative log-likelihood of Bernoulli targets under the sigmoid of logits.
//
//	l = w (P y softplus(-x) + (1-y) softplus(x)) = -w (P y log sigmoid(x) + (1-y) log(1 - sigmoid(x)))
//
// with w = Weight, P = PosWeight, both 1 where they are absent. Items are the elements; mean divides by their number, whatever the
// weights.
//
// Special cases:
//
//	w = 0                        item 0, gradient 0, whatever the rest is
//	P y = 0 or 1-y = 0           the term is 0, also at an infinite logit; NaN where a part of it is NaN
//	x = +Inf                     value 0 for y = 1, +Inf for y < 1, -Inf for y > 1; gradient w (1-y)
//	x = -Inf                     value 0 for P y = 0, else Inf with the sign of P y; gradient -w P y
//	y outside [0, 1]             linear in y; the value may be negative
//	y infinite                   NaN, NaN
//
// Errors: a negative or infinite weight is invalid_param; one that does not broadcast to the shape of the logits is invalid_shape.
// PyTorch before 2 gives NaN in place of the limits at infinite logits; Keras smooths labels by y(1-a) + a/2.
// Source: Good 1952, Rational Decisions.
type BinaryCrossEntropyWithLogits[T any] struct {
	Reduction
	Logits    Tensor[T] // [...], any real, var
	Target    Tensor[T] // [...] like Logits, any real, as a rule in [0, 1]
	Weight    Tensor[T] // broadcasts to [...], >= 0, default ones
	PosWeight Tensor[T] // broadcasts to [...], >= 0, default ones
}

var binaryCrossEntropyWithLogits = &Def{
	ID: "binary_cross_entropy_with_logits", Name: "BinaryCrossEntropyWithLogits", Title: "Sigmoid cross-entropy",
	Summary: "Bernoulli negative log-likelihood of a logit",
	Aliases: []string{"sigmoid cross-entropy", "BCE with logits"},
	Tasks:   []Task{ObjectDetection, SemanticSegmentation, Tabular},
	Sources: []Source{{"Good 1952, Rational Decisions, Journal of the Royal Statistical Society B 14", "", ""}},
}

func (l *BinaryCrossEntropyWithLogits[T]) Def() *Def { return binaryCrossEntropyWithLogits }

func (l *BinaryCrossEntropyWithLogits[T]) Visit(v Visitor[T]) {
	visitReduction(v, &l.Reduction)
	v.Var("logits", &l.Logits, "...", Real)
	v.Const("target", &l.Target, "...", Real)
	v.Const("weight", &l.Weight, "...w?", Weight)
	v.Const("pos_weight", &l.PosWeight, "...p?", Weight)
}

func (l *BinaryCrossEntropyWithLogits[T]) Check(c *Checker) {
	checkBroadcast(c, "weight", l.Weight, l.Logits.Shape)
	checkBroadcast(c, "pos_weight", l.PosWeight, l.Logits.Shape)
}

func (l *BinaryCrossEntropyWithLogits[T]) Out() []int { return l.Reduction.shape(l.Logits.Shape...) }

// BernoulliGuard says how a cross-entropy of probabilities keeps away from log 0.
type BernoulliGuard struct {
	Guard    string  // log_floor (default): each log at least LogFloor; clip: p in [ClipEps, 1-ClipEps]; none
	LogFloor float64 // (-inf, 0), default -100
	ClipEps  float64 // (0, 0.5), default 1e-7
	GradMode string  // torch (default): (p-y)/max(p(1-p), GradEps); exact: the derivative of the value; log_floor only
	GradEps  float64 // (0, inf), default 1e-12
}

func visitBernoulliGuard[T any](v Visitor[T], g *BernoulliGuard) {
	v.Enum("guard", &g.Guard, "log_floor", "clip", "none")
	v.Float("log_floor", &g.LogFloor, -100, Below(0))
	v.Float("clip_eps", &g.ClipEps, 1e-7, Inside(0, 0.5))
	v.Enum("grad_mode", &g.GradMode, "torch", "exact")
	v.Float("grad_eps", &g.GradEps, 1e-12, Above(0))
}

// BinaryCrossEntropy is the negative log-likelihood of Bernoulli targets under probabilities.
//
//	l = -w (y log p + (1-y) log(1-p))        w = Weight, 1 where it is absent
//
// log(1-p) is log1p(-p). Guard says what keeps the logarithms finite:
//
//	log_floor   each logarithm is at least LogFloor
//	clip        p is clamped to [e, 1-e], 1-p likewise, e = ClipEps
//	none        nothing
//
// Items are the elements; mean divides by their number, whatever the weights. The gradient is that of the value except in GradMode
// torch under log_floor, where it is a formula of its own, not the derivative of the floored value:
//
//	torch       w (p-y)/max(p (1-p), GradEps)
//	exact       w (-(y/p) [log p >= LogFloor] + ((1-y)/(1-p)) [log(1-p) >= LogFloor])
//	clip        w (p-y)/(p (1-p)) [e <= p <= 1-e]
//	none        w (-y/p + (1-y)/(1-p))
//
// Terms of coefficient y = 0 or 1-y = 0 are 0 in all of them but torch. GradMode and the parameters of other guards do nothing.
//
// Special cases (w = 1), log_floor / clip / none:
//
//	p, y           value                       gradient (torch / exact / clip / none)
//	0, 0           0 / 1e-7 / 0                0 / 1 / 0 / 1
//	1, 1           0 / 1e-7 / 0                0 / -1 / 0 / -1
//	0, 1           100 / 16.1 / +Inf           -1e12 / 0 / 0 / -Inf
//	1, 0           100 / 16.1 / +Inf           1e12 / 0 / 0 / +Inf
//	0, 0.5         50 / 8.06 / +Inf            -5e11 / 0.5 / 0 / -Inf
//	w = 0          0                           0, whatever the rest is
//
// Kinks of the value: log p = LogFloor; p = ClipEps and p = 1-ClipEps, where the gradient passes. Errors: p or y outside [0, 1] is
// invalid_target; LogFloor >= 0, ClipEps outside (0, 0.5), GradEps <= 0, a negative or infinite weight are invalid_param; a weight
// that does not broadcast is invalid_shape. PyTorch's GradEps is the float32 next to 1e-12, in float64 too; before 2 it computes
// log(1-p). Keras clips. Source: Good 1952, Rational Decisions.
type BinaryCrossEntropy[T any] struct {
	Reduction
	BernoulliGuard
	Prob   Tensor[T] // [...], in [0, 1], var
	Target Tensor[T] // [...] like Prob, in [0, 1]
	Weight Tensor[T] // broadcasts to [...], >= 0, default ones
}

var binaryCrossEntropy = &Def{
	ID: "binary_cross_entropy", Name: "BinaryCrossEntropy", Title: "Binary cross-entropy",
	Summary: "Bernoulli negative log-likelihood of a probability",
	Aliases: []string{"log loss", "BCE"},
	Tasks:   []Task{SemanticSegmentation, Tabular},
	Sources: []Source{{"Good 1952, Rational Decisions, Journal of the Royal Statistical Society B 14", "", ""}},
}

func (l *BinaryCrossEntropy[T]) Def() *Def { return binaryCrossEntropy }

func (l *BinaryCrossEntropy[T]) Visit(v Visitor[T]) {
	visitReduction(v, &l.Reduction)
	visitBernoulliGuard(v, &l.BernoulliGuard)
	v.Var("prob", &l.Prob, "...", Unit)
	v.Const("target", &l.Target, "...", Unit)
	v.Const("weight", &l.Weight, "...w?", Weight)
}

func (l *BinaryCrossEntropy[T]) Check(c *Checker) {
	checkBroadcast(c, "weight", l.Weight, l.Prob.Shape)
}

func (l *BinaryCrossEntropy[T]) Out() []int { return l.Reduction.shape(l.Prob.Shape...) }

// Logistic is the logistic loss of a score against a label -1 or +1.
//
//	l = log(1 + exp(-y v)) = softplus(-y v)        v = score, y = label
//
// Items are the elements; mean divides by their number.
//
// Special cases:
//
//	y v = +Inf    value 0, gradient 0
//	y v = -Inf    value +Inf, gradient -y
//	y v = -1000   value 1000, gradient -y
//
// Errors: a label other than -1 and +1, 0 and NaN included, is invalid_target. PyTorch's soft_margin_loss overflows from
// y v = -710 on (float32: -88) and accepts any label; BinaryCrossEntropyWithLogits with target (y+1)/2 is the same function.
// Sources: Cox 1958; Bertinetto et al. 2016, SiamFC, arXiv 1606.09549, eqs. 3 and 4 (numbers not verified).
type Logistic[T any] struct {
	Reduction
	Score  Tensor[T] // [...], any real, var
	Target Tensor[T] // [...] like Score, -1 or +1
}

var logistic = &Def{
	ID: "logistic", Name: "Logistic", Title: "Logistic loss", Summary: "log(1+exp(-margin)) of a score",
	Aliases: []string{"logistic regression loss", "soft margin", "binomial deviance"},
	Tasks:   []Task{ObjectTracking},
	Sources: []Source{
		{"Cox 1958, The Regression Analysis of Binary Sequences", "", ""},
		{"Bertinetto et al. 2016, SiamFC", "arXiv 1606.09549", "3, 4 (numbers not verified)"},
	},
}

func (l *Logistic[T]) Def() *Def { return logistic }

func (l *Logistic[T]) Visit(v Visitor[T]) {
	visitReduction(v, &l.Reduction)
	v.Var("score", &l.Score, "...", Real)
	v.Const("target", &l.Target, "...", Sign)
}

func (l *Logistic[T]) Check(*Checker) {}

func (l *Logistic[T]) Out() []int { return l.Reduction.shape(l.Score.Shape...) }

// KLDivergence is the Kullback-Leibler divergence of a target distribution P from a prediction Q given by its logarithms.
//
//	l = p (log p - log_q)              target p
//	l = exp(lp) (lp - log_q)           LogTarget: target lp = log p
//
// Neither P nor Q need be normalized. Items are the elements; mean divides by their number, which is not a divergence: a row of C
// classes counts C times less. batchmean divides by the size of axis 0. Both inputs have a gradient:
//
//	dl/dlog_q = -p       dl/dp = log p + 1 - log_q       dl/dlp = exp(lp) (lp - log_q + 1)
//
// Special cases:
//
//	p = 0, log_q > -Inf         0, gradients 0 and -Inf; for log_q = -Inf the second is NaN
//	lp = -Inf                   0, gradients 0 and 0
//	p > 0, log_q = -Inf         +Inf, gradients -p and +Inf
//	p > 0, log_q = +Inf         -Inf, gradients -p and -Inf
//	p = +Inf, log_q < +Inf      +Inf, gradients -Inf and +Inf
//	NaN in either               NaN
//
// Errors: p < 0 is invalid_target; batchmean at rank 0 is invalid_shape. PyTorch before 2 gives NaN for p = 0 with log_q = -Inf and
// for lp = -Inf; SciPy's kl_div adds q - p; Keras takes probabilities, clips them and sums the last axis.
// Source: Kullback and Leibler 1951, On Information and Sufficiency.
type KLDivergence[T any] struct {
	Reduction           // also BatchMean
	LogTarget bool      // default false
	LogQ      Tensor[T] // [...], any real, var
	Target    Tensor[T] // [...] like LogQ, >= 0, or any real with LogTarget, var
}

var klDivergence = &Def{
	ID: "kl_divergence", Name: "KLDivergence", Title: "Kullback-Leibler divergence",
	Summary: "KL(P || Q) of a target P from log-probabilities of a prediction Q",
	Aliases: []string{"relative entropy"},
	Tasks:   []Task{ImageClassification, AudioToImage},
	Sources: []Source{{"Kullback and Leibler 1951, On Information and Sufficiency", "", ""}},
}

func (l *KLDivergence[T]) Def() *Def { return klDivergence }

func (l *KLDivergence[T]) Visit(v Visitor[T]) {
	v.Enum("reduction", (*string)(&l.Reduction), string(Mean), string(Sum), string(None), string(BatchMean))
	v.Bool("log_target", &l.LogTarget, false)
	v.Var("log_q", &l.LogQ, "...", Real)
	if l.LogTarget {
		v.Var("target", &l.Target, "...", Real)
	} else {
		v.Var("target", &l.Target, "...", NonNegative)
	}
}

func (l *KLDivergence[T]) Check(c *Checker) {
	c.Shape(l.Reduction != BatchMean || len(l.LogQ.Shape) > 0, "log_q", "an axis of samples for batchmean", l.LogQ.Shape)
}

// Denominator returns what mean and batchmean divide by.
func (l *KLDivergence[T]) Denominator() int {
	if l.Reduction == BatchMean {
		return l.LogQ.Shape[0]
	}
	return Size(l.LogQ.Shape)
}

func (l *KLDivergence[T]) Out() []int { return l.Reduction.shape(l.LogQ.Shape...) }

// AttentionTarget is the softmax cross-entropy plus a term that rewards attention flowing to chosen tokens of a vision transformer.
// With a = Attn[l, n, h, i, j], the attention of query i to key j in head h of layer l:
//
//	L[n] = -log softmax(z_n)[class_n] + lambda sum over the layers of A[l, n]
//	paper       S = sum_h sum_i sum_j m[n,j] a_hij                      A = -log S                     m = TargetMask
//	per_query   abar_i = (1/H) sum_h a_hit                              A = -(1/Q) sum_i log abar_i    t = TargetIndex[n]
//
// FromScores: a is the softmax over the keys of Attn, which then holds scores. Items are the samples [N]; mean divides by N. A class
// token shifts patch indices by one: patch j is key j+1. A is negative as a rule.
//
// Special cases:
//
//	lambda = 0                          exactly the cross-entropy; Attn is not read, gradient 0
//	no target token                     +Inf, gradient of Attn 0
//	no head or no query                 +Inf (paper) or NaN (per_query)
//	S = 0                               +Inf, gradient -Inf at the target keys, 0 elsewhere
//	abar = 0 for a query                +Inf, gradient -Inf at the entries of that query, the formula elsewhere
//	FromScores: S = 0 or abar = 0       +Inf, NaN for the sample and layer
//	FromScores: a row with NaN, several +Inf, or nothing but -Inf: NaN
//	negative S or abar                  NaN
//	NaN at a target key of a layer      NaN for the sample: its logits and its target keys in all layers that count
//	infinite logits                     as in CrossEntropy
//
// Errors: a class or TargetIndex out of range and a mask that is not 0 or 1 are invalid_target; lambda < 0, a layer out of range or
// twice, a mask or index that the variant lacks or does not use are invalid_param; C = 0 with samples is invalid_shape.
// The released code of the paper computes per_query for the first target token, leaves out layer 0 and ascends the negated loss.
// Source: Zheng, Lou, Jiang 2023, TrojViT, arXiv 2208.13049, eqs. 4 and 5.
type AttentionTarget[T any] struct {
	Reduction
	Variant     string        // paper (default), per_query
	Lambda      float64       // [0, inf), default 1
	Layers      []int         // distinct, in [0, L); default and empty: all
	FromScores  bool          // default false
	Logits      Tensor[T]     // [N, C], any real, var
	Class       Tensor[int64] // [N], in [0, C)
	Attn        Tensor[T]     // [L, N, H, Q, K], in [0, 1] and not checked, or any real with FromScores, var
	TargetMask  Tensor[bool]  // [N, K], paper
	TargetIndex Tensor[int64] // [N], in [0, K), per_query
}

var attentionTarget = &Def{
	ID: "attention_target", Name: "AttentionTarget", Title: "Attention-target loss",
	Summary: "cross-entropy plus a term that rewards attention flowing to chosen tokens",
	Aliases: []string{"ATL"},
	Tasks:   []Task{ImageClassification},
	Sources: []Source{{"Zheng, Lou, Jiang 2023, TrojViT: Trojan Insertion in Vision Transformers", "arXiv 2208.13049", "4, 5"}},
}

func (l *AttentionTarget[T]) Def() *Def { return attentionTarget }

func (l *AttentionTarget[T]) Visit(v Visitor[T]) {
	visitReduction(v, &l.Reduction)
	v.Enum("variant", &l.Variant, "paper", "per_query")
	v.Float("lambda", &l.Lambda, 1, AtLeast(0))
	v.Ints("layers", &l.Layers, nil, AtLeast(0))
	v.Bool("from_scores", &l.FromScores, false)
	v.Var("logits", &l.Logits, "N C", Real)
	v.Index("class", &l.Class, "N")
	v.Var("attn", &l.Attn, "L N H Q K", Real)
	if l.Variant == "per_query" {
		v.Index("target_index", &l.TargetIndex, "N")
	} else {
		v.Mask("target_mask", &l.TargetMask, "N K")
	}
}

func (l *AttentionTarget[T]) Check(c *Checker) {
	classes, layers, keys := l.Logits.Shape[1], l.Attn.Shape[0], l.Attn.Shape[4]
	c.Shape(classes > 0 || l.Logits.Shape[0] == 0, "logits", "at least one class", l.Logits.Shape)
	for i, k := range l.Layers {
		c.Param(k < layers, "layers", fmt.Sprintf("layers below %d", layers), k)
		c.Param(!slices.Contains(l.Layers[:i], k), "layers", "each layer once", k)
	}
	checkIndices(c, "class", l.Class, classes, Opt[int]{})
	if l.Variant == "per_query" {
		checkIndices(c, "target_index", l.TargetIndex, keys, Opt[int]{})
	}
}

// Counts reports whether a layer counts.
func (l *AttentionTarget[T]) Counts(layer int) bool {
	return len(l.Layers) == 0 || slices.Contains(l.Layers, layer)
}

func (l *AttentionTarget[T]) Out() []int { return l.Reduction.shape(l.Logits.Shape[0]) }
