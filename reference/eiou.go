package reference

import "github.com/goldenloss/goldenloss/reference/loss"

// eiouItem is q + rho2/(c2 + eps) + (w-W)^2/(cw^2 + eps) + (h-H)^2/(ch^2 + eps) with its derivative.
func eiouItem(format string, o *boxPair) (float64, [4]float64) {
	l, d := diouItem(o)
	dw, dh := o.w-o.W, o.h-o.H
	if format == "xyxy" {
		dw, dh = (o.x2-o.a2)-(o.x1-o.a1), (o.y2-o.b2)-(o.y1-o.b1)
	}
	var dcw2, dch2 [4]float64
	for i := range d {
		dcw2[i], dch2[i] = 2*o.cw*o.dcw[i], 2*o.ch*o.dch[i]
	}
	width, dWidth := quotient(dw*dw, o.cw*o.cw+o.eps, [4]float64{-2 * dw, 0, 2 * dw, 0}, dcw2)
	height, dHeight := quotient(dh*dh, o.ch*o.ch+o.eps, [4]float64{0, -2 * dh, 0, 2 * dh}, dch2)
	return l + width + height, plus(d, plus(dWidth, dHeight))
}

// EIoU is the value of the efficient IoU loss.
func EIoU(in *loss.EIoU[float64]) []float64 {
	return boxValue(in.Reduction, &in.Boxes, func(o *boxPair) (float64, [4]float64) { return eiouItem(in.Format, o) })
}

// EIoUGrad is its vector-Jacobian product.
func EIoUGrad(in *loss.EIoU[float64], dOut []float64) *loss.EIoU[float64] {
	return &loss.EIoU[float64]{Boxes: boxGrad(in.Reduction, &in.Boxes, dOut, func(o *boxPair) (float64, [4]float64) { return eiouItem(in.Format, o) })}
}
