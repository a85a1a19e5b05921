package optimized

import (
	"math"

	"github.com/goldenloss/goldenloss/reference/loss"
)

type iouTask[T loss.Float] struct {
	boxTask[T]
	log   bool
	floor float64
}

// IoU is the IoU loss on boxes. See loss.IoU.
func IoU[T loss.Float](out []T, grad, in *loss.IoU[T], dOut []T) {
	k := take[iouTask[T]]()
	var g []T
	if grad != nil {
		g = grad.Pred.Data
	}
	k.log, k.floor = in.Variant == "log", in.IoUFloor
	each(k.start(out, g, in.Reduction, &in.Boxes, dOut), 30*boxChunk, k)
	k.end(out, in.Reduction)
	give(k)
}

func (k *iouTask[T]) run(i int) { k.chunk(i, k) }

func (k *iouTask[T]) kernel(s *boxStrip) {
	for j := range s.n {
		d := &s.d[j]
		q, iou := s.o[j].overlap(d)
		switch {
		case !k.log:
		case iou == 0 || iou < k.floor:
			*d = [4]float64{}
			q = -logOf(k.floor)
		default:
			if q < 0.5 {
				q = -math.Log1p(-q)
			} else {
				q = -logOf(iou)
			}
			r := 1 / iou
			d[0], d[1], d[2], d[3] = d[0]*r, d[1]*r, d[2]*r, d[3]*r
		}
		s.l[j] = q
	}
}
