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
	columns := 4
	if format == "cxcywhr" {
		columns = 5
	}
	for i := 0; i < len(boxes.Data); i += columns {
		w, h := boxes.Float64(i+2), boxes.Float64(i+3)
		if format == "xyxy" && (w < boxes.Float64(i) || h < boxes.Float64(i+1)) {
			c.Box(false, fmt.Sprintf("%s[%d]", name, i/columns), "x2 >= x1 and y2 >= y1", boxes.Data[i:i+columns])
		}
		if format != "xyxy" && (w < 0 || h < 0) {
			c.Box(false, fmt.Sprintf("%s[%d]", name, i/columns), "w >= 0 and h >= 0", boxes.Data[i:i+columns])
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
// invalid_box; eps < 0 and iou_floor outside [0, 1) are invalid_param. torchvision has no such loss; MMDetection has log by default, the
// larger of U and eps for their sum, and 1 - IoU^2 as a third form; (I+1)/(U+1) of FCOS is another function for normalized coordinates.
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

// GIoU is one minus intersection over union, plus the share of the enclosing box that neither box covers.
//
//	q + E/(K+eps),   q = 1 - I/(U+eps),   E = K - U,   K = area of the enclosing box
//
// Items are the pairs [N], in [0, 2], 2 for points apart in both axes; mean divides by N.
//
// Special cases:
//
//	identical boxes, eps = 0     value 0, gradient 0 (kink, half split)
//	one box inside the other     the value of IoU
//	disjoint or touching boxes   1 + E/(K+eps); gradient of the second term alone
//	K = 0                        the second term is 0; its gradient is 0 for eps = 0, of order length/eps otherwise
//	NaN or infinite coordinate   NaN, and NaN in the four entries of the row
//	N = 0                        mean NaN, sum 0
//
// Kinks: equal edges (half split), touching edges. Errors: an inverted box or a negative size is invalid_box; eps < 0 is
// invalid_param. torchvision and fvcore agree; MMDetection clamps U and K at eps; Ultralytics has eps in the U of K - U as well.
// Source: Rezatofighi et al. 2019, arXiv 1902.09630, Algorithm 1.
type GIoU[T any] struct {
	Reduction
	Boxes[T]
}

var giou = &Def{
	ID: "giou", Name: "GIoU", Title: "Generalized IoU loss",
	Summary: "IoU plus the unused share of the enclosing box, so that disjoint boxes get a gradient",
	Aliases: []string{"generalized intersection over union"},
	Tasks:   []Task{ObjectDetection, ObjectTracking},
	Sources: []Source{{"Rezatofighi et al. 2019, Generalized Intersection over Union", "arXiv 1902.09630", "Algorithm 1"}},
}

func (l *GIoU[T]) Def() *Def { return giou }

func (l *GIoU[T]) Visit(v Visitor[T]) {
	visitReduction(v, &l.Reduction)
	l.visitParams(v)
	l.visitInputs(v)
}

func (l *GIoU[T]) Out() []int { return l.Reduction.shape(l.Pred.Shape[0]) }

// DIoU is one minus intersection over union, plus the squared distance of the centers over the squared diagonal of the enclosing box.
//
//	q + rho2/(c2+eps),   q = 1 - I/(U+eps),   rho2 = dx^2 + dy^2,   c2 = cw^2 + ch^2
//
// Items are the pairs [N], in [0, 2]; mean divides by N. The denominator is differentiated.
//
// Special cases:
//
//	identical boxes, eps = 0     value 0, gradient 0 (kink, half split)
//	equal centers                the value of IoU
//	disjoint or touching boxes   1 + rho2/(c2+eps); gradient of the second term alone
//	c2 = 0, eps = 0              the second term and its gradient are 0
//	NaN or infinite coordinate   NaN, and NaN in the four entries of the row
//	N = 0                        mean NaN, sum 0
//
// Kinks: equal edges (half split), touching edges. Errors: an inverted box or a negative size is invalid_box; eps < 0 is
// invalid_param. torchvision agrees; Alpha-IoU code raises the parts of the second term to powers of their own.
// Source: Zheng et al. 2020, arXiv 1911.08287, Eq. (7).
type DIoU[T any] struct {
	Reduction
	Boxes[T]
}

var diou = &Def{
	ID: "diou", Name: "DIoU", Title: "Distance IoU loss",
	Summary: "IoU plus the normalized squared distance of the centers",
	Aliases: []string{"distance intersection over union"},
	Tasks:   []Task{ObjectDetection, ObjectTracking},
	Sources: []Source{{"Zheng et al. 2020, Distance-IoU Loss", "arXiv 1911.08287", "Eq. (7)"}},
}

func (l *DIoU[T]) Def() *Def { return diou }

func (l *DIoU[T]) Visit(v Visitor[T]) {
	visitReduction(v, &l.Reduction)
	l.visitParams(v)
	l.visitInputs(v)
}

func (l *DIoU[T]) Out() []int { return l.Reduction.shape(l.Pred.Shape[0]) }

// CIoU is DIoU plus a penalty for different aspect ratios.
//
//	q + rho2/(c2+eps) + alpha v
//	v = (4/pi^2) (atan(W/H) - atan(w/h))^2,   alpha = v/(q + v + eps)
//
// Items are the pairs [N]; mean divides by N. The eps in alpha is a plain number, not an area. With DetachAlpha the gradient takes
// alpha for a constant: it is that of DIoU plus alpha dv; otherwise plus alpha (2 - alpha) dv - alpha^2 dq.
//
// Special cases:
//
//	identical boxes, eps = 0     value 0, gradient 0 (kink, half split)
//	equal aspect ratios          the value of DIoU; v and its gradient are 0
//	w = h = 0 or W = H = 0       v and its gradient are 0
//	h = 0 < w or w = 0 < h       v is finite, and so is its gradient
//	v = 0                        alpha is 0, also where its denominator is 0
//	gate = iou_above_half        alpha is 0 unless I/(U+eps) > 1/2
//	NaN or infinite coordinate   NaN, and NaN in the four entries of the row
//	N = 0                        mean NaN, sum 0
//
// Kinks: those of DIoU; I/(U+eps) = 1/2 with the gate. Errors: an inverted box or a negative size is invalid_box; eps < 0 and an
// unknown gate are invalid_param. torchvision agrees for eps = 1e-7 and positive sizes: another eps reaches its alpha alone. MMDetection
// clamps the loss to [0, 2]; that of long boxes which lie across each other and far apart exceeds it. A gradient with 1 in place of
// 1/(w^2 + h^2), which training code was published with, is not this one.
// Source: Zheng et al. 2020, arXiv 1911.08287, Eqs. (10)-(12).
type CIoU[T any] struct {
	Reduction
	DetachAlpha bool   // default true
	Gate        string // none (default), iou_above_half
	Boxes[T]
}

var ciou = &Def{
	ID: "ciou", Name: "CIoU", Title: "Complete IoU loss",
	Summary: "DIoU plus a term for the aspect ratio",
	Aliases: []string{"complete intersection over union"},
	Tasks:   []Task{ObjectDetection, ObjectTracking},
	Sources: []Source{{"Zheng et al. 2020, Distance-IoU Loss", "arXiv 1911.08287", "Eqs. (10)-(12)"},
		{"Zheng et al. 2021, Enhancing Geometric Factors in Model Learning", "arXiv 2005.03572", ""}},
}

func (l *CIoU[T]) Def() *Def { return ciou }

func (l *CIoU[T]) Visit(v Visitor[T]) {
	visitReduction(v, &l.Reduction)
	v.Bool("detach_alpha", &l.DetachAlpha, true)
	v.Enum("gate", &l.Gate, "none", "iou_above_half")
	l.visitParams(v)
	l.visitInputs(v)
}

func (l *CIoU[T]) Out() []int { return l.Reduction.shape(l.Pred.Shape[0]) }

// EIoU is one minus intersection over union, plus penalties for the distance of the centers and for the differences of the widths and
// of the heights.
//
//	q + rho2/(c2+eps) + (w-W)^2/(cw^2+eps) + (h-H)^2/(ch^2+eps)
//
// Items are the pairs [N], in [0, 4]; mean divides by N. The denominators are differentiated.
//
// Special cases:
//
//	identical boxes, eps = 0     value 0, gradient 0 (kink, half split)
//	disjoint or touching boxes   the first term is 1, without gradient
//	c2, cw or ch = 0, eps = 0    that term and its gradient are 0
//	NaN or infinite coordinate   NaN, and NaN in the four entries of the row
//	N = 0                        mean NaN, sum 0
//
// Kinks: equal edges (half split), touching edges. Errors: an inverted box or a negative size is invalid_box; eps < 0 is
// invalid_param. EIoULoss of MMDetection is another function (extended IoU).
// Source: Zhang et al. 2021, arXiv 2101.08158.
type EIoU[T any] struct {
	Reduction
	Boxes[T]
}

var eiou = &Def{
	ID: "eiou", Name: "EIoU", Title: "Efficient IoU loss",
	Summary: "IoU plus separate penalties for center, width and height",
	Aliases: []string{"efficient intersection over union"},
	Tasks:   []Task{ObjectDetection},
	Sources: []Source{{"Zhang et al. 2021, Focal and Efficient IOU Loss", "arXiv 2101.08158", ""}},
}

func (l *EIoU[T]) Def() *Def { return eiou }

func (l *EIoU[T]) Visit(v Visitor[T]) {
	visitReduction(v, &l.Reduction)
	l.visitParams(v)
	l.visitInputs(v)
}

func (l *EIoU[T]) Out() []int { return l.Reduction.shape(l.Pred.Shape[0]) }

// FocalEIoU is EIoU times a power of the IoU, which weakens poor boxes.
//
//	(I/(U+eps))^gamma EIoU
//
// Items are the pairs [N]; mean divides by N, not by the weights. With DetachWeight the gradient takes the weight for a constant;
// otherwise it has gamma IoU^(gamma-1) EIoU dIoU in addition.
//
// Special cases:
//
//	gamma = 0                                 EIoU, also where the IoU is 0
//	disjoint or touching boxes, gamma > 0     value 0, gradient 0
//	identical boxes, eps = 0                  value 0, gradient 0
//	NaN or infinite coordinate                NaN, and NaN in the four entries of the row
//	N = 0                                     mean NaN, sum 0
//
// Kinks: those of EIoU. Errors: an inverted box or a negative size is invalid_box; eps < 0 and gamma < 0 are invalid_param. Whether
// the paper divides by the sum of the weights is not clear from it; common code does not, and detaches the weight.
// Source: Zhang et al. 2021, arXiv 2101.08158.
type FocalEIoU[T any] struct {
	Reduction
	Gamma        float64 // [0, inf), default 0.5
	DetachWeight bool    // default true
	Boxes[T]
}

var focalEIoU = &Def{
	ID: "focal_eiou", Name: "FocalEIoU", Title: "Focal EIoU loss",
	Summary: "EIoU weighted by a power of the IoU",
	Aliases: []string{"Focal-EIoU"},
	Tasks:   []Task{ObjectDetection},
	Sources: []Source{{"Zhang et al. 2021, Focal and Efficient IOU Loss", "arXiv 2101.08158", ""}},
}

func (l *FocalEIoU[T]) Def() *Def { return focalEIoU }

func (l *FocalEIoU[T]) Visit(v Visitor[T]) {
	visitReduction(v, &l.Reduction)
	v.Float("gamma", &l.Gamma, 0.5, AtLeast(0))
	v.Bool("detach_weight", &l.DetachWeight, true)
	l.visitParams(v)
	l.visitInputs(v)
}

func (l *FocalEIoU[T]) Out() []int { return l.Reduction.shape(l.Pred.Shape[0]) }

// GWD is the squared 2-Wasserstein distance of the normal distributions that stand for two rotated boxes, mapped to a loss. A box has the
// mean (cx, cy) and the covariance R diag(w^2/4, h^2/4) R^T, R the rotation by theta.
//
//	D2 = |mu_p - mu_t|^2 + alpha^2 Tr(S_p + S_t - 2 (S_p^1/2 S_t S_p^1/2)^1/2)
//	paper:    y = f(max(D2, d2_floor)),                  f = sqrt, none, log1p
//	mmrotate: y = f(z), z = sqrt(max(D2, d2_floor)), divided by max((w h W H)^1/4, scale_floor) with Normalize; sqrt is that of max(z, d2_floor)
//	L = 1 - 1/(tau + y), or y for tau = 0
//
// Items are the pairs [N]; mean divides by N. The scale of Normalize is differentiated. The defaults are the configuration that the
// authors released; (mmrotate, log1p, tau 0, normalize, d2_floor 1e-7) and (paper, sqrt, tau 1, d2_floor 1e-6) are those of mmrotate.
//
// Special cases:
//
//	boxes that are equal, up to a turn by pi or by pi/2 with sides swapped   D2 = 0; gradient 0 but for that of the scale
//	square box                        independent of its theta
//	zero side                         defined; with Normalize the scale is scale_floor
//	NaN or infinite number            NaN, and NaN in all entries of the row
//	N = 0                             mean NaN, sum 0
//
// Kinks: D2 = 0 where a square root is taken (gradient 0), D2 = d2_floor, z = d2_floor and the scale at scale_floor (clamps, the gradient
// passes), a zero side on each box at right angles. Errors: a negative or inverted size is invalid_box; tau in (0, 1), alpha <= 0, floors
// out of range and Normalize with paper are invalid_param; a number of columns that is not that of the format is invalid_shape.
// Rotated boxes have 5 columns and theta in radians; the other formats are boxes with theta = 0. The authors' code adds 1e-3 to D2,
// mmrotate clamps sides to [1e-7, 1e7], and Probabilistic IoU has w^2/12 for w^2/4.
// Source: Yang et al. 2021, arXiv 2101.11952.
type GWD[T any] struct {
	Reduction
	Format     string    // cxcywhr (default), xyxy, cxcywh, xywh: of both inputs and of the gradient
	Variant    string    // paper (default), mmrotate
	Fun        string    // sqrt (default), none, log1p
	Tau        float64   // 0 or [1, inf), default 2
	Alpha      float64   // (0, inf), default 1: weight of the difference of the shapes
	Normalize  bool      // mmrotate only
	D2Floor    float64   // [0, inf), default 0
	ScaleFloor float64   // (0, inf), default 1e-7
	Pred       Tensor[T] // [N, 5] or [N, 4], var
	Target     Tensor[T] // like Pred, const
}

var gwd = &Def{
	ID: "gwd", Name: "GWD", Title: "Gaussian Wasserstein distance loss",
	Summary: "squared 2-Wasserstein distance of the normal distributions of two rotated boxes, mapped to a loss",
	Aliases: []string{"Wasserstein distance of rotated boxes"},
	Tasks:   []Task{ObjectDetection},
	Sources: []Source{{"Yang et al. 2021, Rethinking Rotated Object Detection with Gaussian Wasserstein Distance Loss", "arXiv 2101.11952", ""}},
}

func (l *GWD[T]) Def() *Def { return gwd }

func (l *GWD[T]) Visit(v Visitor[T]) {
	visitReduction(v, &l.Reduction)
	v.Enum("format", &l.Format, "cxcywhr", "xyxy", "cxcywh", "xywh")
	v.Enum("variant", &l.Variant, "paper", "mmrotate")
	v.Enum("fun", &l.Fun, "sqrt", "none", "log1p")
	v.Float("tau", &l.Tau, 2, AtLeast(0))
	v.Float("alpha", &l.Alpha, 1, Above(0))
	v.Bool("normalize", &l.Normalize, false)
	v.Float("d2_floor", &l.D2Floor, 0, AtLeast(0))
	v.Float("scale_floor", &l.ScaleFloor, 1e-7, Above(0))
	columns := "N 4"
	if l.Format == "cxcywhr" {
		columns = "N 5"
	}
	v.Var("pred", &l.Pred, columns, Real)
	v.Const("target", &l.Target, columns, Real)
}

// Check requires parameters that go together and boxes without negative sizes.
func (l *GWD[T]) Check(c *Checker) {
	c.Param(!(l.Tau > 0 && l.Tau < 1), "tau", "0 or a number from 1 on", l.Tau)
	c.Param(!l.Normalize || l.Variant == "mmrotate", "normalize", "false with the variant paper", l.Normalize)
	c.Values(func() {
		checkBoxes(c, "pred", l.Pred, l.Format)
		checkBoxes(c, "target", l.Target, l.Format)
	})
}

func (l *GWD[T]) Out() []int { return l.Reduction.shape(l.Pred.Shape[0]) }
