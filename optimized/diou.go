package optimized

import "github.com/goldenloss/goldenloss/reference/loss"

type diouTask[T loss.Float] struct{ boxTask[T] }

// DIoU is the distance IoU loss. See loss.DIoU.
func DIoU[T loss.Float](out []T, grad, in *loss.DIoU[T], dOut []T) {
	k := take[diouTask[T]]()
	var g []T
	if grad != nil {
		g = grad.Pred.Data
	}
	each(k.start(out, g, in.Reduction, &in.Boxes, dOut), 30*boxChunk, k)
	k.end(out, in.Reduction)
	give(k)
}

func (k *diouTask[T]) run(i int) { k.chunk(i, k) }

// kernel is q + rho2/(c2+eps).
func (k *diouTask[T]) kernel(s *boxStrip) {
	for j := range s.n {
		o, d := &s.o[j], &s.d[j]
		q, _ := o.overlap(d)
		s.l[j] = q + o.distance(d)
	}
}
