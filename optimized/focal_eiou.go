package optimized

import (
	"math"

	"github.com/goldenloss/goldenloss/reference/loss"
)

type focalEIoUTask[T loss.Float] struct {
	boxTask[T]
	gamma    float64
	detached bool
}

// FocalEIoU is the focal EIoU loss. See loss.FocalEIoU.
func FocalEIoU[T loss.Float](out []T, grad, in *loss.FocalEIoU[T], dOut []T) {
	k := take[focalEIoUTask[T]]()
	var g []T
	if grad != nil {
		g = grad.Pred.Data
	}
	k.gamma, k.detached = in.Gamma, in.DetachWeight
	each(k.start(out, g, in.Reduction, &in.Boxes, dOut), 40*boxChunk, k)
	k.end(out, in.Reduction)
	give(k)
}

func (k *focalEIoUTask[T]) run(i int) { k.chunk(i, k) }

// kernel is IoU^gamma (q + penalties).
func (k *focalEIoUTask[T]) kernel(s *boxStrip) {
	for j := range s.n {
		o, d := &s.o[j], &s.d[j]
		if k.gamma > 0 && !o.meets() {
			s.l[j], *d = 0, [4]float64{}
			continue
		}
		q, iou := o.overlap(d)
		dq := *d
		l := q + o.penalties(d)
		weight := k.weight(iou)
		slope := 0.0
		if !k.detached && k.gamma > 0 {
			slope = k.gamma * weight / iou * l
		}
		for i := range d {
			d[i] = weight*d[i] - slope*dq[i]
		}
		s.l[j] = weight * l
	}
}

// weight is iou^gamma.
func (k *focalEIoUTask[T]) weight(iou float64) float64 {
	switch k.gamma {
	case 0:
		return 1
	case 0.5:
		return math.Sqrt(iou)
	case 1:
		return iou
	case 2:
		return iou * iou
	}
	return expNeg[T](min(k.gamma*logOf(iou), 0)) * expScale
}
