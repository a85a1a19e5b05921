package optimized

import (
	"math"

	"github.com/goldenloss/goldenloss/reference/loss"
)

type ciouTask[T loss.Float] struct {
	boxTask[T]
	detached, gated bool
}

// CIoU is the complete IoU loss. See loss.CIoU.
func CIoU[T loss.Float](out []T, grad, in *loss.CIoU[T], dOut []T) {
	k := take[ciouTask[T]]()
	var g []T
	if grad != nil {
		g = grad.Pred.Data
	}
	k.detached, k.gated = in.DetachAlpha, in.Gate == "iou_above_half"
	each(k.start(out, g, in.Reduction, &in.Boxes, dOut), 45*boxChunk, k)
	k.end(out, in.Reduction)
	give(k)
}

func (k *ciouTask[T]) run(i int) { k.chunk(i, k) }

// kernel is q + rho2/(c2+eps) + alpha v with v = (angle of the two diagonals 2/pi)^2 and alpha = v/(q+v+eps).
func (k *ciouTask[T]) kernel(s *boxStrip) {
	var angles [strip]float64 // on their own: each is a long chain of operations, many chains run at the same time
	for j := range s.n {
		x, y := &s.o[j].x, &s.o[j].y
		angles[j] = angle(x.other*y.size-x.size*y.other, y.other*y.size+x.size*x.other) * (2 / math.Pi)
	}
	for j := range s.n {
		o, d := &s.o[j], &s.d[j]
		q, iou := o.overlap(d)
		w, h, a := o.x.size, o.y.size, angles[j]
		v := a * a
		alpha := 0.0
		if v > 0 && (!k.gated || iou > 0.5) {
			alpha = v / (q + v + k.eps)
		}
		slope := alpha
		if !k.detached {
			slope *= 2 - alpha
			r := 1 - alpha*alpha
			d[0], d[1], d[2], d[3] = d[0]*r, d[1]*r, d[2]*r, d[3]*r
		}
		l := q + o.distance(d)
		slope *= a * (4 / math.Pi) * inverse(w*w+h*h)
		d[0] += slope * h
		d[1] -= slope * w
		d[2] -= slope * h
		d[3] += slope * w
		s.l[j] = l + alpha*v
	}
}

// atanTable holds atan(i/32), for i up to 32; its length saves a check.
var atanTable [64]float64

func init() {
	for i := range 33 {
		atanTable[i] = math.Atan(float64(i) / 32)
	}
}

// angle is atan(y/x) for x >= 0, 0 at the origin: pi/2 - atan(x/y) where x is the smaller, and atan(r) = atan(c) + atan((r-c)/(1+rc)) with
// c next to r.
func angle(y, x float64) float64 {
	a := math.Abs(y)
	steep := negative(x - a)
	small, large := swapped(a, x, steep)
	if large == 0 {
		return 0
	}
	z := small/large*32 + round
	c := (z - round) * (1. / 32)
	r := (small - c*large) / (large + c*small)
	r2 := r * r
	v := atanTable[math.Float64bits(z)%64] + r*(1-r2*(1./3-r2*(1./5-r2*(1./7-r2*(1./9)))))
	v = math.Float64frombits(math.Float64bits(v)^steep&signBit) + math.Float64frombits(quarter&steep)
	return math.Copysign(v, y)
}

var quarter = math.Float64bits(math.Pi / 2)
