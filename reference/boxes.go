package reference

import (
	"math"

	"github.com/goldenloss/goldenloss/reference/loss"
)

// edges returns x1, y1, x2, y2, width and height of a box.
func edges(b []float64, format string) (x1, y1, x2, y2, w, h float64) {
	switch format {
	case "cxcywh":
		return b[0] - b[2]/2, b[1] - b[3]/2, b[0] + b[2]/2, b[1] + b[3]/2, b[2], b[3]
	case "xywh":
		return b[0], b[1], b[0] + b[2], b[1] + b[3], b[2], b[3]
	}
	return b[0], b[1], b[2], b[3], b[2] - b[0], b[3] - b[1]
}

// fromEdges turns the derivatives with respect to the four edges into those of the format.
func fromEdges(d [4]float64, format string) [4]float64 {
	switch format {
	case "cxcywh":
		return [4]float64{d[0] + d[2], d[1] + d[3], (d[2] - d[0]) / 2, (d[3] - d[1]) / 2}
	case "xywh":
		return [4]float64{d[0] + d[2], d[1] + d[3], d[2], d[3]}
	}
	return d
}

// below is 1, 1/2, 0 for u <, =, > v: the share of an edge in a maximum or minimum.
func below(u, v float64) float64 {
	switch {
	case u < v:
		return 1
	case u > v:
		return 0
	}
	return 0.5
}

// boxPair is a pair of finite boxes p = (x1, y1, x2, y2) and g = (a1, b1, a2, b2). Lengths are in units of 2^exp, which is next to the
// longest side of the enclosing box, so that their squares neither overflow nor vanish. Derivatives are those with respect to the
// edges of p.
type boxPair struct {
	x1, y1, x2, y2, w, h float64
	a1, b1, a2, b2, W, H float64
	exp                  int
	eps                  float64 // an area
	wi, hi               float64 // sides of the intersection
	meets                bool
	cw, ch               float64 // sides of the enclosing box
	inter, area, union   float64 // union without eps
	q, iou               float64 // (D + eps)/(U + eps) and I/(U + eps)
	dI, dA, dq, dcw, dch [4]float64
}

// newBoxPair returns false where a coordinate is NaN or infinite.
func newBoxPair(in *loss.Boxes[float64], pred, target []float64) (*boxPair, bool) {
	for i := range pred {
		if v := pred[i] + target[i]; math.IsNaN(v) || math.IsInf(pred[i], 0) || math.IsInf(target[i], 0) {
			return nil, false
		}
	}
	o := &boxPair{}
	o.x1, o.y1, o.x2, o.y2, o.w, o.h = edges(pred, in.Format)
	o.a1, o.b1, o.a2, o.b2, o.W, o.H = edges(target, in.Format)
	o.toUnit(in.Eps)

	o.wi, o.hi = math.Min(o.x2, o.a2)-math.Max(o.x1, o.a1), math.Min(o.y2, o.b2)-math.Max(o.y1, o.b1)
	o.meets = o.wi > 0 && o.hi > 0
	o.cw, o.ch = math.Max(o.x2, o.a2)-math.Min(o.x1, o.a1), math.Max(o.y2, o.b2)-math.Min(o.y1, o.b1)
	o.dcw = [4]float64{-below(o.x1, o.a1), 0, below(o.a2, o.x2), 0}
	o.dch = [4]float64{0, -below(o.y1, o.b1), 0, below(o.b2, o.y2)}
	o.area = o.w * o.h
	o.dA = [4]float64{-o.h, -o.w, o.h, o.w}
	if !o.meets {
		o.q, o.union = 1, o.area+o.W*o.H
		return o, true
	}

	outside := func(l1, l2, m1, m2 float64) float64 { return math.Max(0, m1-l1) + math.Max(0, l2-m2) }
	wl, hl := outside(o.x1, o.x2, o.a1, o.a2), outside(o.y1, o.y2, o.b1, o.b2)
	Wl, Hl := outside(o.a1, o.a2, o.x1, o.x2), outside(o.b1, o.b2, o.y1, o.y2)
	diff := (wl*o.h + o.wi*hl) + (Wl*o.H + o.wi*Hl)
	o.inter = o.wi * o.hi
	o.union = o.inter + diff
	o.q, o.iou = (diff+o.eps)/(o.union+o.eps), o.inter/(o.union+o.eps)
	o.dI = [4]float64{-below(o.a1, o.x1) * o.hi, -below(o.b1, o.y1) * o.wi, below(o.x2, o.a2) * o.hi, below(o.y2, o.b2) * o.wi}
	for i := range o.dq {
		// -(dI - iou (dA - dI))/(U + eps), sorted so that equal boxes give 0
		o.dq[i] = (o.iou*(o.dA[i]-o.dI[i]) - o.dI[i]) / (o.union + o.eps)
	}
	return o, true
}

// toUnit chooses the unit. Where lengths vanish beside eps, it stays large enough that eps does not overflow.
func (o *boxPair) toUnit(eps float64) {
	side := math.Max(math.Max(o.x2, o.a2)-math.Min(o.x1, o.a1), math.Max(o.y2, o.b2)-math.Min(o.y1, o.b1))
	if math.IsInf(side, 0) {
		o.exp = 1024
	} else {
		_, o.exp = math.Frexp(side)
	}
	if eps > 0 {
		_, e := math.Frexp(eps)
		o.exp = max(o.exp, (e-1000)/2)
	}
	for _, v := range []*float64{&o.x1, &o.y1, &o.x2, &o.y2, &o.w, &o.h, &o.a1, &o.b1, &o.a2, &o.b2, &o.W, &o.H} {
		*v = math.Ldexp(*v, -o.exp)
	}
	o.eps = math.Ldexp(eps, -2*o.exp)
}

// quotient is num/(den + eps) and its derivative, both 0 where the denominator is 0.
func quotient(num, den float64, dNum, dDen [4]float64) (r float64, d [4]float64) {
	if den == 0 {
		return 0, d
	}
	r = num / den
	for i := range d {
		d[i] = (dNum[i] - r*dDen[i]) / den
	}
	return r, d
}

// distance is rho2/(c2 + eps) with its derivative.
func (o *boxPair) distance() (float64, [4]float64) {
	dx, dy := ((o.x1-o.a1)+(o.x2-o.a2))/2, ((o.y1-o.b1)+(o.y2-o.b2))/2
	var dc2 [4]float64
	for i := range dc2 {
		dc2[i] = 2*o.cw*o.dcw[i] + 2*o.ch*o.dch[i]
	}
	return quotient(dx*dx+dy*dy, o.cw*o.cw+o.ch*o.ch+o.eps, [4]float64{dx, dy, dx, dy}, dc2)
}

func plus(a, b [4]float64) [4]float64 {
	for i := range a {
		a[i] += b[i]
	}
	return a
}

// boxValue reduces the items of all pairs.
func boxValue(r loss.Reduction, in *loss.Boxes[float64], item func(o *boxPair) (float64, [4]float64)) []float64 {
	items := make([]float64, in.Pred.Shape[0])
	for i := range items {
		items[i] = math.NaN()
		if o, ok := newBoxPair(in, in.Pred.Data[4*i:4*i+4], in.Target.Data[4*i:4*i+4]); ok {
			items[i], _ = item(o)
		}
	}
	return reduce(r, items, float64(len(items)))
}

// boxGrad is the vector-Jacobian product, in the format of the boxes.
func boxGrad(r loss.Reduction, in *loss.Boxes[float64], dOut []float64, item func(o *boxPair) (float64, [4]float64)) loss.Boxes[float64] {
	g := loss.Boxes[float64]{Pred: zeros(in.Pred)}
	n := in.Pred.Shape[0]
	for i, c := range itemWeights(r, n, float64(n), dOut) {
		d := [4]float64{math.NaN(), math.NaN(), math.NaN(), math.NaN()}
		if o, ok := newBoxPair(in, in.Pred.Data[4*i:4*i+4], in.Target.Data[4*i:4*i+4]); ok {
			_, d = item(o)
			for k := range d {
				d[k] = math.Ldexp(d[k], -o.exp)
			}
			d = fromEdges(d, in.Format)
		}
		for k := range d {
			g.Pred.Data[4*i+k] = c * d[k]
		}
	}
	return g
}
