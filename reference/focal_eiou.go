package reference

import (
	"math"

	"github.com/goldenloss/goldenloss/reference/loss"
)

// focalEIoUItem is iou^gamma times EIoU with its derivative.
func focalEIoUItem(in *loss.FocalEIoU[float64], o *boxPair) (l float64, d [4]float64) {
	if in.Gamma > 0 && !o.meets {
		return 0, d
	}
	l, d = eiouItem(in.Format, o)
	if in.Gamma == 0 {
		return l, d
	}
	weight := math.Pow(o.iou, in.Gamma)
	for i := range d {
		d[i] *= weight
		if !in.DetachWeight {
			d[i] -= in.Gamma * math.Pow(o.iou, in.Gamma-1) * l * o.dq[i]
		}
	}
	return weight * l, d
}

// FocalEIoU is the value of the focal EIoU loss.
func FocalEIoU(in *loss.FocalEIoU[float64]) []float64 {
	return boxValue(in.Reduction, &in.Boxes, func(o *boxPair) (float64, [4]float64) { return focalEIoUItem(in, o) })
}

// FocalEIoUGrad is its vector-Jacobian product.
func FocalEIoUGrad(in *loss.FocalEIoU[float64], dOut []float64) *loss.FocalEIoU[float64] {
	return &loss.FocalEIoU[float64]{Boxes: boxGrad(in.Reduction, &in.Boxes, dOut, func(o *boxPair) (float64, [4]float64) { return focalEIoUItem(in, o) })}
}
