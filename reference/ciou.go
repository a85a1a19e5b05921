package reference

import (
	"math"

	"github.com/goldenloss/goldenloss/reference/loss"
)

// ciouItem is q + rho2/(c2 + eps) + alpha v with its derivative.
func ciouItem(in *loss.CIoU[float64], o *boxPair) (float64, [4]float64) {
	l, dl := diouItem(o)
	d := math.Atan2(o.W*o.h-o.w*o.H, o.H*o.h+o.w*o.W) // atan(W/H) - atan(w/h)
	v := 4 / (math.Pi * math.Pi) * d * d
	if v == 0 || in.Gate == "iou_above_half" && !(o.iou > 0.5) {
		return l, dl
	}
	alpha := v / (o.q + v + in.Eps)
	c := 8 / (math.Pi * math.Pi) * d / (o.w*o.w + o.h*o.h)
	if o.w == 0 && o.h == 0 {
		c = 0
	}
	dv := [4]float64{c * o.h, -c * o.w, -c * o.h, c * o.w} // c (w dh - h dw)
	for i := range dl {
		if in.DetachAlpha {
			dl[i] += alpha * dv[i]
		} else {
			dl[i] += alpha*(2-alpha)*dv[i] - alpha*alpha*o.dq[i]
		}
	}
	return l + alpha*v, dl
}

// CIoU is the value of the complete IoU loss.
func CIoU(in *loss.CIoU[float64]) []float64 {
	return boxValue(in.Reduction, &in.Boxes, func(o *boxPair) (float64, [4]float64) { return ciouItem(in, o) })
}

// CIoUGrad is its vector-Jacobian product.
func CIoUGrad(in *loss.CIoU[float64], dOut []float64) *loss.CIoU[float64] {
	return &loss.CIoU[float64]{Boxes: boxGrad(in.Reduction, &in.Boxes, dOut, func(o *boxPair) (float64, [4]float64) { return ciouItem(in, o) })}
}
