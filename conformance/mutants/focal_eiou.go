package mutants

import (
	"math"

	"github.com/goldenloss/goldenloss/reference/loss"
)

const (
	poorBoxes    = "weight of poor boxes"
	zeroToZero   = "nothing to the power of nothing"
	infTimesZero = "infinite slope at no overlap"
	overWeights  = "divided by the weights"
	oneMore      = "power gamma plus one"
)

var focalEIoUFlaws = append([]flaw{
	{poorBoxes, "weighs with the power of 1 - IoU, as focal losses of classification do"},
	{zeroToZero, "gives boxes that do not overlap the weight 0 for gamma = 0"},
	{infTimesZero, "has the gradient 0 Inf where the IoU is 0"},
	{overWeights, "divides the mean by the sum of the weights"},
	{oneMore, "takes gamma + 1 for gamma"},
}, boxFlaws...)

func focalEIoU(out []float64, grad, in *loss.FocalEIoU[float64], dOut []float64, flaw string) {
	weights := 0.0
	boxItems(out, in.Reduction, &grad.Boxes, &in.Boxes, dOut, flaw, func(o *boxPair) dual {
		l, iou := o.eiou(in.Format)
		gamma := in.Gamma
		if flaw == oneMore {
			gamma++
		}
		weight := dual{v: 1}
		switch {
		case flaw == poorBoxes:
			weight = dual{v: math.Pow(1-iou.v, gamma)}
		case iou.v > 0 && gamma > 0:
			weight = iou.power(gamma)
		case iou.v == 0 && (gamma > 0 || flaw == zeroToZero):
			weight, l = dual{}, l.chain(l.v, 0)
			if flaw == infTimesZero && !in.DetachWeight && gamma < 1 {
				nan := math.NaN()
				l.d = [4]float64{nan, nan, nan, nan}
			}
		}
		if in.DetachWeight {
			weight = weight.stopped()
		}
		weights += weight.v
		return weight.multiplied(l)
	})
	if flaw == overWeights && in.Reduction == loss.Mean && weights > 0 {
		k := float64(in.Pred.Shape[0]) / weights
		out[0] *= k
		for i := range grad.Pred.Data {
			grad.Pred.Data[i] *= k
		}
	}
}
