package reference

import "github.com/goldenloss/goldenloss/reference/loss"

// diouItem is q + rho2/(c2 + eps) with its derivative.
func diouItem(o *boxPair) (float64, [4]float64) {
	l, d := o.distance()
	return o.q + l, plus(o.dq, d)
}

// DIoU is the value of the distance IoU loss.
func DIoU(in *loss.DIoU[float64]) []float64 {
	return boxValue(in.Reduction, &in.Boxes, diouItem)
}

// DIoUGrad is its vector-Jacobian product.
func DIoUGrad(in *loss.DIoU[float64], dOut []float64) *loss.DIoU[float64] {
	return &loss.DIoU[float64]{Boxes: boxGrad(in.Reduction, &in.Boxes, dOut, diouItem)}
}
