package mutants

import "github.com/goldenloss/goldenloss/reference/loss"

const (
	epsInUnion   = "eps in the union of K - U"
	signedUnused = "unused share added to the IoU"
	hullOfIoU    = "unused share of the union"
)

var giouFlaws = append([]flaw{
	{epsInUnion, "takes K - (U + eps) for K - U"},
	{signedUnused, "adds the unused share to the IoU where it is taken off"},
	{hullOfIoU, "divides the unused area by the union"},
}, boxFlaws...)

func giou(out []float64, grad, in *loss.GIoU[float64], dOut []float64, flaw string) {
	boxItems(out, in.Reduction, &grad.Boxes, &in.Boxes, dOut, flaw, func(o *boxPair) dual {
		iou, union := o.iou()
		hull := o.cw.multiplied(o.ch)
		unused := hull.minus(union)
		switch flaw {
		case epsInUnion:
			unused.v -= in.Eps
		case hullOfIoU:
			hull = union
		}
		e := o.over(unused, hull)
		if flaw == signedUnused {
			e = e.times(-1)
		}
		return dual{v: 1}.minus(iou).plus(e)
	})
}
