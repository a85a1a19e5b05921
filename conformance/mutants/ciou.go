package mutants

import (
	"math"

	"github.com/goldenloss/goldenloss/reference/loss"
)

const (
	zeroOverZero  = "alpha without regard to 0/0"
	gateAtHalf    = "gate open at one half"
	wrongSign     = "gradient of v with the printed sign"
	trainingSlope = "gradient of v without 1/(w^2 + h^2)"
	twoAngles     = "arc tangent of w/h"
	fourOverPi    = "four over pi"
	epsOnHeight   = "eps on the height"
	wholeAlpha    = "alpha one"
	areaEps       = "alpha without eps"
	alphaEpsAlone = "eps of alpha alone"
	clampedAtTwo  = "clamped at 2"
)

var ciouFlaws = append([]flaw{
	{zeroOverZero, "computes alpha as 0/0 for equal boxes"},
	{gateAtHalf, "opens the gate where the IoU is one half"},
	{wrongSign, "takes the derivative of v with the opposite sign"},
	{trainingSlope, "takes 1 for 1/(w^2 + h^2) in the derivative of v"},
	{twoAngles, "takes atan(w/h), whose gradient is NaN for h = 0"},
	{fourOverPi, "takes 4/pi for 4/pi^2"},
	{epsOnHeight, "takes w/(h + eps) for the aspect ratio"},
	{wholeAlpha, "adds v without its weight"},
	{areaEps, "leaves eps out of alpha"},
	{alphaEpsAlone, "takes eps for alpha and 1e-7 for all else, as torchvision does"},
	{clampedAtTwo, "clamps the loss to [0, 2], as MMDetection does"},
}, boxFlaws...)

func ciou(out []float64, grad, in *loss.CIoU[float64], dOut []float64, flaw string) {
	boxItems(out, in.Reduction, &grad.Boxes, &in.Boxes, dOut, flaw, func(o *boxPair) dual {
		if flaw == alphaEpsAlone {
			o.eps = 1e-7
		}
		l := o.ciou(in)
		if flaw == clampedAtTwo && l.v > 2 {
			return dual{v: 2}
		}
		return l
	})
}

func (o *boxPair) ciou(in *loss.CIoU[float64]) dual {
	iou, _ := o.iou()
	q := dual{v: 1}.minus(iou)
	l := q.plus(o.distance())
	v := o.aspect()
	shut := in.Gate == "iou_above_half" && !(iou.v > 0.5 || o.flaw == gateAtHalf && iou.v == 0.5)
	if shut || v.v == 0 && o.flaw != zeroOverZero {
		return l
	}
	alpha := v.divided(q.plus(v).offset(in.Eps))
	switch o.flaw {
	case wholeAlpha:
		alpha = dual{v: 1}
	case areaEps:
		alpha = v.divided(q.plus(v))
	}
	if in.DetachAlpha {
		alpha = alpha.stopped()
	}
	return l.plus(alpha.multiplied(v))
}

// aspect is v.
func (o *boxPair) aspect() dual {
	w, h, W, H := o.w, o.h, o.W.v, o.H.v
	if o.flaw == epsOnHeight {
		h.v += o.eps
		H += o.eps
	}
	d := dual{v: math.Atan2(W*h.v-w.v*H, H*h.v+w.v*W)}
	if r := w.v*w.v + h.v*h.v; r > 0 {
		if o.flaw == trainingSlope {
			r = 1
		}
		d.d = h.times(w.v / r).minus(w.times(h.v / r)).d
	}
	if o.flaw == twoAngles && h.v == 0 {
		d.d = [4]float64{math.NaN(), math.NaN(), math.NaN(), math.NaN()}
	}
	c := 4 / (math.Pi * math.Pi)
	if o.flaw == fourOverPi {
		c *= math.Pi
	}
	v := d.square().times(c)
	if o.flaw == wrongSign {
		v = v.chain(v.v, -1)
	}
	return v
}
