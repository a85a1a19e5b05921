package reference

import (
	"math"

	"github.com/goldenloss/goldenloss/reference/loss"
)

// giouItem is q + E/(K + eps) with its derivative.
func giouItem(o *boxPair) (float64, [4]float64) {
	var dK, dE [4]float64
	for i := range dK {
		dK[i] = o.ch*o.dcw[i] + o.cw*o.dch[i]
		dE[i] = dK[i] - (o.dA[i] - o.dI[i])
	}
	e, de := quotient(o.unused(), o.cw*o.ch+o.eps, dE, dK)
	return o.q + e, plus(o.dq, de)
}

// unused is the area of the enclosing box outside both boxes, as a sum of terms that are not negative.
func (o *boxPair) unused() float64 {
	left, top := math.Min(o.x1, o.a1), math.Min(o.y1, o.b1)
	right, bottom := math.Max(o.x2, o.a2), math.Max(o.y2, o.b2)
	gapXp, gapXg := (o.x1-left)+(right-o.x2), (o.a1-left)+(right-o.a2)
	gapYp, gapYg := (o.y1-top)+(bottom-o.y2), (o.b1-top)+(bottom-o.b2)
	switch {
	case o.wi <= 0:
		return o.w*gapYp + o.W*gapYg - o.wi*o.ch
	case o.hi <= 0:
		return o.h*gapXp + o.H*gapXg - o.hi*o.cw
	}
	first, last := gapYp, gapYp
	if o.a1 < o.x1 {
		first = gapYg
	}
	if o.a2 > o.x2 {
		last = gapYg
	}
	return math.Abs(o.x1-o.a1)*first + math.Abs(o.x2-o.a2)*last
}

// GIoU is the value of the generalized IoU loss.
func GIoU(in *loss.GIoU[float64]) []float64 { return boxValue(in.Reduction, &in.Boxes, giouItem) }

// GIoUGrad is its vector-Jacobian product.
func GIoUGrad(in *loss.GIoU[float64], dOut []float64) *loss.GIoU[float64] {
	return &loss.GIoU[float64]{Boxes: boxGrad(in.Reduction, &in.Boxes, dOut, giouItem)}
}
