package optimized

import "github.com/goldenloss/goldenloss/reference/loss"

type eiouTask[T loss.Float] struct{ boxTask[T] }

// EIoU is the efficient IoU loss. See loss.EIoU.
func EIoU[T loss.Float](out []T, grad, in *loss.EIoU[T], dOut []T) {
	k := take[eiouTask[T]]()
	var g []T
	if grad != nil {
		g = grad.Pred.Data
	}
	each(k.start(out, g, in.Reduction, &in.Boxes, dOut), 35*boxChunk, k)
	k.end(out, in.Reduction)
	give(k)
}

func (k *eiouTask[T]) run(i int) { k.chunk(i, k) }

// kernel is q plus the penalties.
func (k *eiouTask[T]) kernel(s *boxStrip) {
	for j := range s.n {
		o, d := &s.o[j], &s.d[j]
		q, _ := o.overlap(d)
		s.l[j] = q + o.penalties(d)
	}
}

// penalties returns rho2/(c2+eps) + (w-W)^2/(cw^2+eps) + (h-H)^2/(ch^2+eps) and adds its derivatives.
func (o *boxPair) penalties(d *[4]float64) float64 {
	x, y := &o.x, &o.y
	x2, y2 := x.whole*x.whole, y.whole*y.whole
	r, rx, ry := inverse(x2+y2+o.eps), inverse(x2+o.eps), inverse(y2+o.eps)
	center := (x.shift*x.shift + y.shift*y.shift) * r
	width, height := x.grow*x.grow*rx, y.grow*y.grow*ry
	// The terms fall with the lengths of the enclosing box.
	fallX, fallY := 2*x.whole*(center*r+width*rx), 2*y.whole*(center*r+height*ry)
	moveX, moveY := x.shift*r, y.shift*r
	growX, growY := 2*x.grow*rx, 2*y.grow*ry
	d[0] += moveX - growX + fallX*(1-x.lower)
	d[1] += moveY - growY + fallY*(1-y.lower)
	d[2] += moveX + growX - fallX*(1-x.upper)
	d[3] += moveY + growY - fallY*(1-y.upper)
	return center + width + height
}
