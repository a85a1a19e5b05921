package loss

import "fmt"

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
