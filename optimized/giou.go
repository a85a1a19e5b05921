package optimized

import "github.com/goldenloss/goldenloss/reference/loss"

type giouTask[T loss.Float] struct{ boxTask[T] }

// GIoU is the generalized IoU loss. See loss.GIoU.
func GIoU[T loss.Float](out []T, grad, in *loss.GIoU[T], dOut []T) {
	k := take[giouTask[T]]()
	var g []T
	if grad != nil {
		g = grad.Pred.Data
	}
	each(k.start(out, g, in.Reduction, &in.Boxes, dOut), 30*boxChunk, k)
	k.end(out, in.Reduction)
	give(k)
}

func (k *giouTask[T]) run(i int) { k.chunk(i, k) }

// kernel is q + E/(K+eps), where dE = dK - dA + dI.
func (k *giouTask[T]) kernel(s *boxStrip) {
	for j := range s.n {
		o, d := &s.o[j], &s.d[j]
		x, y := &o.x, &o.y
		q, _ := o.overlap(d)
		var unused, w, h float64 // w, h: sides of the intersection
		switch {
		case o.meets():
			unused = x.target*y.gap + x.gap*y.target
			w, h = x.over, y.over
		case x.over <= 0:
			unused = x.size*y.gap + x.other*y.target - x.over*y.whole
		default:
			unused = y.size*x.gap + y.other*x.target - y.over*x.whole
		}
		r := inverse(x.whole*y.whole + o.eps)
		e := unused * r
		used := 1 - e
		d[0] += r * ((y.size - h*x.lower) - used*y.whole*(1-x.lower))
		d[1] += r * ((x.size - w*y.lower) - used*x.whole*(1-y.lower))
		d[2] -= r * ((y.size - h*x.upper) - used*y.whole*(1-x.upper))
		d[3] -= r * ((x.size - w*y.upper) - used*x.whole*(1-y.upper))
		s.l[j] = q + e
	}
}
