package optimized

import (
	"math"

	"github.com/goldenloss/goldenloss/reference/loss"
)

// What the losses of axis-parallel boxes share. A strip of pairs is measured, axis by axis; the kernel of a loss turns the
// measurements into items and derivatives with respect to the edges x1, y1, x2, y2 of the first box.

const boxChunk = 1024 // pairs of boxes

// boxKernel fills l, and d where it is wanted, of a strip.
type boxKernel interface{ kernel(s *boxStrip) }

type boxStrip struct {
	n int
	o [strip]boxPair
	l [strip]float64
	d [strip][4]float64
}

// boxPair holds two measured boxes. Lengths are in units of 1/unit, eps is an area.
type boxPair struct {
	x, y      joint
	eps, unit float64
	finite    float64 // 0, or NaN where a number is NaN or infinite
}

// joint is what two spans have to do with each other.
type joint struct {
	over         float64 // length of the overlap, negative where they are apart
	whole        float64 // length of both and what lies between
	gap, target  float64 // what whole has beyond the first and beyond the second
	size, other  float64 // length of the first and of the second
	shift, grow  float64 // differences of the centers and of the lengths
	lower, upper float64 // how much of the ends of the overlap belongs to the first: 0, 1/2 or 1
}

type boxTask[T loss.Float] struct {
	pred, target, out, g []T
	eps                  float64
	format               int
	w                    weights[T]
	partial              []float64
}

const (
	corners = iota
	centers
	topLeft
)

// start prepares a task and returns its number of chunks.
func (k *boxTask[T]) start(out, g []T, r loss.Reduction, in *loss.Boxes[T], dOut []T) (chunks int) {
	n := in.Pred.Shape[0]
	k.pred, k.target, k.eps, k.g = in.Pred.Data, in.Target.Data, in.Eps, g
	switch in.Format {
	case "cxcywh":
		k.format = centers
	case "xywh":
		k.format = topLeft
	}
	k.w = newWeights(r, dOut, float64(n))
	if r == loss.None {
		k.out = out
	}
	chunks = ceilDiv(n, boxChunk)
	k.partial = grown(k.partial, chunks)
	return chunks
}

// end writes the value and forgets the problem.
func (k *boxTask[T]) end(out []T, r loss.Reduction) {
	finish(out, r, k.partial, float64(len(k.pred)/4))
	*k = boxTask[T]{partial: k.partial}
}

func (k *boxTask[T]) chunk(i int, f boxKernel) {
	s := take[boxStrip]()
	var sum running
	for lo, hi := i*boxChunk, min((i+1)*boxChunk, len(k.pred)/4); lo < hi; lo += strip {
		n := min(strip, hi-lo)
		s.n = n
		k.measure(s, k.pred[4*lo:], k.target[4*lo:])
		f.kernel(s)
		for j := range n {
			s.l[j] += s.o[j].finite
		}
		if k.out != nil {
			store(k.out[lo:], s.l[:n])
		} else {
			sum.add(lanes(s.l[:n]))
		}
		if k.g != nil {
			k.pull(s, lo)
		}
	}
	k.partial[i] = sum.value()
	give(s)
}

// measure compares the boxes of a strip. Where squares of lengths would leave the range, the unit is a power of two next to the longest
// side.
func (k *boxTask[T]) measure(s *boxStrip, pred, target []T) {
	pred, target = pred[:4*s.n], target[:4*s.n]
	for j := range s.n {
		p, t := pred[4*j:][:4], target[4*j:][:4]
		x, y, w, h := float64(p[0]), float64(p[1]), float64(p[2]), float64(p[3])
		X, Y, W, H := float64(t[0]), float64(t[1]), float64(t[2]), float64(t[3])
		o := &s.o[j]
		switch k.format {
		case centers:
			o.x.measure(x-w/2, x+w/2, X-W/2, X+W/2)
			o.y.measure(y-h/2, y+h/2, Y-H/2, Y+H/2)
		case topLeft:
			o.x.measure(x, x+w, X, X+W)
			o.y.measure(y, y+h, Y, Y+H)
		default:
			o.x.measure(x, w, X, W)
			o.y.measure(y, h, Y, H)
		}
		if k.format != corners {
			o.x.size, o.x.other, o.x.grow = w, W, w-W
			o.y.size, o.y.other, o.y.grow = h, H, h-H
		}
		o.eps, o.unit = k.eps, 1
		o.finite = (o.x.shift - o.x.shift) + (o.y.shift - o.y.shift)
		if side := o.x.whole + o.y.whole; !(side < 0x1p240 && side > 0x1p-240) {
			o.rescale(max(o.x.whole, o.y.whole))
		}
	}
}

// pull writes the gradient in the format of the boxes.
func (k *boxTask[T]) pull(s *boxStrip, lo int) {
	for j := range s.n {
		c, d := k.w.at(lo+j)*s.o[j].unit+s.o[j].finite, &s.d[j]
		g := k.g[4*(lo+j):][:4]
		switch k.format {
		case centers:
			g[0], g[1], g[2], g[3] = T(c*(d[0]+d[2])), T(c*(d[1]+d[3])), T(c*((d[2]-d[0])/2)), T(c*((d[3]-d[1])/2))
		case topLeft:
			g[0], g[1], g[2], g[3] = T(c*(d[0]+d[2])), T(c*(d[1]+d[3])), T(c*d[2]), T(c*d[3])
		default:
			g[0], g[1], g[2], g[3] = T(c*d[0]), T(c*d[1]), T(c*d[2]), T(c*d[3])
		}
	}
}

func (o *boxPair) rescale(side float64) {
	if side == 0 {
		return
	}
	_, e := math.Frexp(side)
	if o.eps > 0 { // which must not overflow
		_, least := math.Frexp(o.eps)
		e = max(e, (least-1000)/2)
	}
	o.unit, o.eps = math.Ldexp(1, -e), math.Ldexp(o.eps, -2*e)
	for _, a := range [...]*joint{&o.x, &o.y} {
		for _, v := range [...]*float64{&a.over, &a.whole, &a.gap, &a.target, &a.size, &a.other, &a.shift, &a.grow} {
			*v *= o.unit
		}
	}
}

// measure compares two spans by their ends.
func (a *joint) measure(lo, hi, lo2, hi2 float64) {
	left, right := lo-lo2, hi-hi2
	a.size, a.other = hi-lo, hi2-lo2
	a.shift, a.grow = (left+right)/2, right-left
	a.lower, a.upper = 0.5+math.Copysign(0.5, left), 0.5-math.Copysign(0.5, right)
	if left == 0 {
		a.lower = 0.5
	}
	if right == 0 {
		a.upper = 0.5
	}
	inner, outer := swapped(lo, lo2, negative(left))
	end, far := swapped(hi2, hi, negative(right))
	a.over, a.whole = end-inner, far-outer
	a.gap, a.target = (lo-outer)+(far-hi), (lo2-outer)+(far-hi2)
}

// swapped exchanges two numbers where mask has all bits.
func swapped(a, b float64, mask uint64) (float64, float64) {
	x := (math.Float64bits(a) ^ math.Float64bits(b)) & mask
	return math.Float64frombits(math.Float64bits(a) ^ x), math.Float64frombits(math.Float64bits(b) ^ x)
}

func (o *boxPair) meets() bool { return o.x.over > 0 && o.y.over > 0 }

// overlap returns 1 - I/(U+eps) and I/(U+eps) and fills in the derivatives of the first.
func (o *boxPair) overlap(d *[4]float64) (q, iou float64) {
	if !o.meets() {
		*d = [4]float64{}
		return 1, 0
	}
	x, y := &o.x, &o.y
	inter := x.over * y.over
	rest := (x.target*y.size + x.over*y.target) + (x.gap*y.other + x.over*y.gap) + o.eps
	slope := 1 / (inter + rest)
	iou = inter * slope
	// (I/U (dA - dI) - dI)/U
	x1, x2 := y.over*x.lower, y.over*x.upper
	y1, y2 := x.over*y.lower, x.over*y.upper
	d[0], d[1] = slope*(iou*(x1-y.size)+x1), slope*(iou*(y1-x.size)+y1)
	d[2], d[3] = slope*(iou*(y.size-x2)-x2), slope*(iou*(x.size-y2)-y2)
	return rest * slope, iou
}

// inverse is 1/x, 0 at 0.
func inverse(x float64) float64 {
	if x == 0 {
		return 0
	}
	return 1 / x
}

// distance returns rho2/(c2+eps) and adds its derivatives.
func (o *boxPair) distance(d *[4]float64) float64 {
	x, y := &o.x, &o.y
	r := inverse(x.whole*x.whole + y.whole*y.whole + o.eps)
	l := (x.shift*x.shift + y.shift*y.shift) * r
	x.add(d[0:3:3], x.shift*r, 2*l*r*x.whole)
	y.add(d[1:4:4], y.shift*r, 2*l*r*y.whole)
	return l
}

// add adds the derivatives of a term that depends on the center, by move, and on the enclosing length, by -shrink, to those of the
// low end d[0] and the high end d[2].
func (a *joint) add(d []float64, move, shrink float64) {
	d[0] += move + shrink*(1-a.lower)
	d[2] += move - shrink*(1-a.upper)
}
