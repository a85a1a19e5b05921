package mutants

import (
	"math"
	"slices"

	"github.com/goldenloss/goldenloss/reference/loss"
)

// The losses that add penalties to the IoU, in the printed form, on numbers that carry their derivatives with respect to the four
// numbers of the first box.

// dual is a number with four derivatives.
type dual struct {
	v float64
	d [4]float64
}

func (a dual) chain(v, slope float64) dual {
	for k := range a.d {
		a.d[k] *= slope
	}
	a.v = v
	return a
}

func (a dual) plus(b dual) dual {
	for k := range a.d {
		a.d[k] += b.d[k]
	}
	a.v += b.v
	return a
}

func (a dual) minus(b dual) dual     { return a.plus(b.times(-1)) }
func (a dual) times(k float64) dual  { return a.chain(a.v*k, k) }
func (a dual) offset(k float64) dual { return a.chain(a.v+k, 1) }
func (a dual) stopped() dual         { return dual{v: a.v} }
func (a dual) square() dual          { return a.chain(a.v*a.v, 2*a.v) }
func (a dual) power(p float64) dual  { return a.chain(math.Pow(a.v, p), p*math.Pow(a.v, p-1)) }
func (a dual) multiplied(b dual) dual {
	return a.times(b.v).chain(a.v*b.v, 1).plus(dual{d: b.times(a.v).d})
}
func (a dual) divided(b dual) dual { return a.minus(b.times(a.v/b.v)).chain(a.v/b.v, 1/b.v) }
func (a dual) shared(b dual) dual  { return a.times(0.5).plus(b.times(0.5)) }
func (a dual) oneSided(b dual, s string) dual {
	switch s {
	case tieToPred:
		return a
	case tieToTarget:
		return b
	}
	return a.shared(b)
}

// boxPair is a pair of boxes in its corners.
type boxPair struct {
	x1, y1, x2, y2, w, h dual
	a1, b1, a2, b2, W, H dual
	cw, ch               dual // the enclosing box
	eps                  float64
	flaw                 string
}

// measured makes a pair of rows of any format.
func measured(in *loss.Boxes[float64], pred, target []float64, flaw string) *boxPair {
	var p, g [4]dual
	for k := range p {
		p[k], g[k] = dual{v: pred[k]}, dual{v: target[k]}
		p[k].d[k] = 1
	}
	o := &boxPair{eps: in.Eps, flaw: flaw}
	set := func(b [4]dual, x1, y1, x2, y2, w, h *dual) {
		switch in.Format {
		case "cxcywh":
			*x1, *y1, *x2, *y2, *w, *h = b[0].minus(b[2].times(0.5)), b[1].minus(b[3].times(0.5)), b[0].plus(b[2].times(0.5)), b[1].plus(b[3].times(0.5)), b[2], b[3]
		case "xywh":
			*x1, *y1, *x2, *y2, *w, *h = b[0], b[1], b[0].plus(b[2]), b[1].plus(b[3]), b[2], b[3]
		default:
			*x1, *y1, *x2, *y2, *w, *h = b[0], b[1], b[2], b[3], b[2].minus(b[0]), b[3].minus(b[1])
		}
	}
	set(p, &o.x1, &o.y1, &o.x2, &o.y2, &o.w, &o.h)
	set(g, &o.a1, &o.b1, &o.a2, &o.b2, &o.W, &o.H)
	if flaw == pixel {
		for _, v := range []*dual{&o.w, &o.h, &o.W, &o.H, &o.x2, &o.y2, &o.a2, &o.b2} {
			v.v++
		}
	}
	o.cw, o.ch = o.larger(o.x2, o.a2).minus(o.smaller(o.x1, o.a1)), o.larger(o.y2, o.b2).minus(o.smaller(o.y1, o.b1))
	return o
}

func (o *boxPair) larger(a, b dual) dual {
	switch {
	case a.v > b.v:
		return a
	case a.v < b.v:
		return b
	}
	return a.oneSided(b, o.flaw)
}

func (o *boxPair) smaller(a, b dual) dual { return o.larger(a.times(-1), b.times(-1)).times(-1) }

// iou returns intersection over union plus eps, and the union.
func (o *boxPair) iou() (ratio, union dual) {
	union = o.w.multiplied(o.h).plus(o.W.multiplied(o.H))
	wi, hi := o.smaller(o.x2, o.a2).minus(o.larger(o.x1, o.a1)), o.smaller(o.y2, o.b2).minus(o.larger(o.y1, o.b1))
	meets := wi.v > 0 && hi.v > 0
	if o.flaw == touching {
		meets = wi.v >= 0 && hi.v >= 0 && union.v > 0
	}
	if !meets {
		return dual{}, union
	}
	inter := wi.multiplied(hi)
	union = union.minus(inter)
	return inter.divided(union.offset(o.eps)), union
}

// over is num/(den + eps), 0 where that denominator is 0.
func (o *boxPair) over(num, den dual) dual {
	if o.flaw == epsFloor {
		den.v = math.Max(den.v, o.eps)
	} else {
		den.v += o.eps
	}
	if den.v == 0 {
		return dual{}
	}
	if o.flaw == fixedHull {
		den = den.stopped()
	}
	return num.divided(den)
}

// offsets are the differences of the centers.
func (o *boxPair) offsets() (dx, dy dual) {
	if o.flaw == absoluteCenters {
		return o.x1.plus(o.x2).times(0.5).minus(o.a1.plus(o.a2).times(0.5)), o.y1.plus(o.y2).times(0.5).minus(o.b1.plus(o.b2).times(0.5))
	}
	return o.x1.minus(o.a1).plus(o.x2.minus(o.a2)).times(0.5), o.y1.minus(o.b1).plus(o.y2.minus(o.b2)).times(0.5)
}

func (o *boxPair) distance() dual {
	dx, dy := o.offsets()
	rho2 := dx.square().plus(dy.square())
	if o.flaw == plainDistance && rho2.v > 0 {
		rho2 = rho2.power(0.5)
	}
	if o.flaw == sumOfSides {
		return o.over(rho2, o.cw.plus(o.ch).square())
	}
	return o.over(rho2, o.cw.square().plus(o.ch.square()))
}

// boxItems reduces the items of all pairs, and puts the gradient where it belongs.
func boxItems(out []float64, r loss.Reduction, grad, in *loss.Boxes[float64], dOut []float64, flaw string, item func(o *boxPair) dual) {
	n := in.Pred.Shape[0]
	items := make([]float64, n)
	for i := range n {
		pred, target := in.Pred.Data[4*i:4*i+4], in.Target.Data[4*i:4*i+4]
		nan := math.NaN()
		l := dual{nan, [4]float64{nan, nan, nan, nan}}
		if !slices.ContainsFunc(slices.Concat(pred, target), func(v float64) bool { return v-v != 0 }) {
			format := in.Format
			if flaw == cornersOnly {
				c, g := corners(pred, format), corners(target, format)
				l = item(measured(&loss.Boxes[float64]{Eps: in.Eps, Format: "xyxy"}, c[:], g[:], flaw))
			} else {
				l = item(measured(in, pred, target, flaw))
			}
		}
		items[i] = l.v
		for k, d := range l.d {
			grad.Pred.Data[4*i+k] = share(r, dOut, i, float64(n)) * d
		}
	}
	reduce(out, r, items, float64(n))
}

const (
	fixedHull       = "enclosing box without gradient"
	absoluteCenters = "differences of absolute centers"
	plainDistance   = "distance without the square"
	sumOfSides      = "square of the sum of the sides"
)

// boxFlaws are those of every loss with penalties.
var boxFlaws = []flaw{
	{pixel, "takes x2 - x1 + 1 for the width, as for pixel indices"},
	{touching, "gives boxes that only touch the gradient of an overlap"},
	{tieToPred, "gives the whole gradient of a tie of edges to pred"},
	{tieToTarget, "gives no gradient at a tie of edges"},
	{epsFloor, "takes the larger of a denominator and eps for their sum"},
	{fixedHull, "does not differentiate the denominators of the penalties"},
	{cornersOnly, "gives the gradient of the corners whatever the format is"},
}
