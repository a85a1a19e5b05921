package mutants

import "github.com/goldenloss/goldenloss/reference/loss"

var diouFlaws = append([]flaw{
	{absoluteCenters, "subtracts centers, which cancels far from the origin, where differences of edges do not"},
	{plainDistance, "takes the distance of the centers for its square"},
	{sumOfSides, "takes (cw + ch)^2 for the squared diagonal"},
}, boxFlaws...)

func diou(out []float64, grad, in *loss.DIoU[float64], dOut []float64, flaw string) {
	boxItems(out, in.Reduction, &grad.Boxes, &in.Boxes, dOut, flaw, func(o *boxPair) dual {
		iou, _ := o.iou()
		return dual{v: 1}.minus(iou).plus(o.distance())
	})
}
