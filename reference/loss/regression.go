package loss

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
