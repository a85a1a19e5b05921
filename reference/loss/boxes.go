package loss

import "fmt"

// Boxes holds the inputs and options that the losses of axis-parallel boxes share. Row i of Pred pairs with row i of Target.
type Boxes[T any] struct {
	Eps    float64   // [0, inf), default 1e-7, added to every denominator
	Format string    // xyxy (default), cxcywh, xywh: of both inputs and of the gradient
	Pred   Tensor[T] // [N, 4], var
	Target Tensor[T] // [N, 4], const
}

func (b *Boxes[T]) visitParams(v Visitor[T]) {
	v.Float("eps", &b.Eps, 1e-7, AtLeast(0))
	v.Enum("format", &b.Format, "xyxy", "cxcywh", "xywh")
}

func (b *Boxes[T]) visitInputs(v Visitor[T]) {
	v.Var("pred", &b.Pred, "N 4", Real)
	v.Const("target", &b.Target, "N 4", Real)
}

// Check requires boxes that are not inverted; zero size is legal.
func (b *Boxes[T]) Check(c *Checker) {
	c.Values(func() {
		checkBoxes(c, "pred", b.Pred, b.Format)
		checkBoxes(c, "target", b.Target, b.Format)
	})
}

func checkBoxes[T any](c *Checker, name string, boxes Tensor[T], format string) {
	for i := 0; i < len(boxes.Data); i += 4 {
		w, h := boxes.Float64(i+2), boxes.Float64(i+3)
		if format == "xyxy" && (w < boxes.Float64(i) || h < boxes.Float64(i+1)) {
			c.Box(false, fmt.Sprintf("%s[%d]", name, i/4), "x2 >= x1 and y2 >= y1", boxes.Data[i:i+4])
		}
		if format != "xyxy" && (w < 0 || h < 0) {
			c.Box(false, fmt.Sprintf("%s[%d]", name, i/4), "w >= 0 and h >= 0", boxes.Data[i:i+4])
		}
	}
}

// IoU is one minus intersection over union of box pairs, or minus its logarithm.
//
//	linear: q = 1 - I/(U+eps)
//	log:    -log(max(I/(U+eps), iou_floor))
//
// Items are the pairs [N]; mean divides by N.
//
// Special cases:
//
//	identical boxes, eps = 0     value 0, gradient 0 (kink, half split)
//	disjoint or touching boxes   linear 1, log -log(iou_floor); gradient 0
//	U = 0, eps = 0               IoU is 0
//	NaN or infinite coordinate   NaN, and NaN in the four entries of the row
//	N = 0                        mean NaN, sum 0
//
// Kinks: equal edges (half split), touching edges, IoU = iou_floor (log). Errors: an inverted box or a negative size is
// invalid_box; eps < 0 and iou_floor outside [0, 1) are invalid_param.
// Source: Yu et al. 2016, UnitBox, arXiv 1608.01471 (log form).
type IoU[T any] struct {
	Reduction
	Variant  string  // linear (default), log
	IoUFloor float64 // [0, 1), default 1e-6; log
	Boxes[T]
}

var iou = &Def{
	ID: "iou", Name: "IoU", Title: "IoU loss on boxes",
	Summary: "one minus, or minus the logarithm of, intersection over union",
	Aliases: []string{"Jaccard distance of boxes", "UnitBox loss"},
	Tasks:   []Task{ImageClassification, ObjectDetection, ObjectTracking},
	Sources: []Source{{"Yu et al. 2016, UnitBox", "arXiv 1608.01471", ""}},
}

func (l *IoU[T]) Def() *Def { return iou }

func (l *IoU[T]) Visit(v Visitor[T]) {
	visitReduction(v, &l.Reduction)
	v.Enum("variant", &l.Variant, "linear", "log")
	l.visitParams(v)
	v.Float("iou_floor", &l.IoUFloor, 1e-6, Range{Min: 0, Max: 1, MaxOpen: true, bounded: true})
	l.visitInputs(v)
}

func (l *IoU[T]) Out() []int { return l.Reduction.shape(l.Pred.Shape[0]) }
