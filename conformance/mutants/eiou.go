package mutants

import "github.com/goldenloss/goldenloss/reference/loss"

const (
	offsetsForSizes = "offsets in place of sizes"
	oneDenominator  = "diagonal under every term"
	oneSize         = "width alone"
)

var eiouFlaws = append([]flaw{
	{offsetsForSizes, "takes the offsets of the centers for the differences of the sizes"},
	{oneDenominator, "divides the differences of the sizes by the squared diagonal"},
	{oneSize, "forgets the term of the height"},
	{plainDistance, "takes the distance of the centers for its square"},
}, boxFlaws...)

func eiou(out []float64, grad, in *loss.EIoU[float64], dOut []float64, flaw string) {
	boxItems(out, in.Reduction, &grad.Boxes, &in.Boxes, dOut, flaw, func(o *boxPair) dual {
		l, _ := o.eiou(in.Format)
		return l
	})
}

// eiou returns the loss and the IoU.
func (o *boxPair) eiou(format string) (l, iou dual) {
	iou, _ = o.iou()
	dw, dh := o.w.minus(o.W), o.h.minus(o.H)
	if format == "xyxy" {
		dw, dh = o.x2.minus(o.a2).minus(o.x1.minus(o.a1)), o.y2.minus(o.b2).minus(o.y1.minus(o.b1))
	}
	if o.flaw == offsetsForSizes {
		dw, dh = o.offsets()
	}
	cw2, ch2 := o.cw.square(), o.ch.square()
	if o.flaw == oneDenominator {
		cw2 = cw2.plus(ch2)
		ch2 = cw2
	}
	l = dual{v: 1}.minus(iou).plus(o.distance()).plus(o.over(dw.square(), cw2))
	if o.flaw != oneSize {
		l = l.plus(o.over(dh.square(), ch2))
	}
	return l, iou
}
