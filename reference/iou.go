package reference

import (
	"math"

	"github.com/goldenloss/goldenloss/reference/loss"
)

// iouItem returns the item of a pair of boxes and its derivatives with respect to the edges of the first.
func iouItem(in *loss.IoU[float64], o *boxPair) (l float64, d [4]float64) {
	if in.Variant != "log" {
		return o.q, o.dq
	}
	switch {
	case !o.meets || o.iou < in.IoUFloor:
		return -log(in.IoUFloor), d
	case o.q < 0.5:
		l = -math.Log1p(-o.q)
	default:
		l = -log(o.iou)
	}
	for i := range d {
		d[i] = o.dq[i] / o.iou
	}
	return l, d
}

// IoU is the value of the IoU loss.
func IoU(in *loss.IoU[float64]) []float64 {
	return boxValue(in.Reduction, &in.Boxes, func(o *boxPair) (float64, [4]float64) { return iouItem(in, o) })
}

// IoUGrad is its vector-Jacobian product.
func IoUGrad(in *loss.IoU[float64], dOut []float64) *loss.IoU[float64] {
	return &loss.IoU[float64]{Boxes: boxGrad(in.Reduction, &in.Boxes, dOut, func(o *boxPair) (float64, [4]float64) { return iouItem(in, o) })}
}
