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
	n    int
	grad bool
	p, g [strip]box
	o    [strip]boxPair
	l    [strip]float64
	d    [strip][4]float64
}

// box has the ends and the size of either axis.
type box struct{ x, y span }

type span struct{ lo, hi, size float64 }

// boxPair holds two measured boxes. Lengths are in units of 1/unit, eps is an area.
type boxPair struct {
	x, y      joint
	eps, unit float64
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
	s.grad = k.g != nil
	var sum running
	for lo, hi := i*boxChunk, min((i+1)*boxChunk, len(k.pred)/4); lo < hi; lo += strip {
		n := min(strip, hi-lo)
		s.n = n
		pred, target := k.pred[4*lo:4*(lo+n)], k.target[4*lo:4*(lo+n)]
		edges(s.p[:n], pred, k.format)
		edges(s.g[:n], target, k.format)
		for j := range n {
			s.o[j].measure(&s.p[j], &s.g[j], k.eps, k.format == corners)
		}
		f.kernel(s)
		for j, v := range pred { // infinity and NaN
			if v = (v - v) + (target[j] - target[j]); v != v {
				bad := float64(v)
				s.l[j/4], s.d[j/4] = bad, [4]float64{bad, bad, bad, bad}
			}
		}
		if k.out != nil {
			store(k.out[lo:], s.l[:n])
		} else {
			sum.add(lanes(s.l[:n]))
		}
		if s.grad {
			k.pull(s, lo)
		}
	}
	k.partial[i] = sum.value()
	give(s)
}

// edges fills in boxes of any format.
func edges[T loss.Float](boxes []box, b []T, format int) {
	b = b[:4*len(boxes)]
	switch format {
	case centers:
		for i := range boxes {
			v := b[4*i:][:4]
			x, y, w, h := float64(v[0]), float64(v[1]), float64(v[2]), float64(v[3])
			boxes[i] = box{span{x - w/2, x + w/2, w}, span{y - h/2, y + h/2, h}}
		}
	case topLeft:
		for i := range boxes {
			v := b[4*i:][:4]
			x, y, w, h := float64(v[0]), float64(v[1]), float64(v[2]), float64(v[3])
			boxes[i] = box{span{x, x + w, w}, span{y, y + h, h}}
		}
	default:
		for i := range boxes {
			v := b[4*i:][:4]
			x1, y1, x2, y2 := float64(v[0]), float64(v[1]), float64(v[2]), float64(v[3])
			boxes[i] = box{span{x1, x2, x2 - x1}, span{y1, y2, y2 - y1}}
		}
	}
}

// pull writes the gradient in the format of the boxes.
func (k *boxTask[T]) pull(s *boxStrip, lo int) {
	for j := range s.n {
		c, d := k.w.at(lo+j)*s.o[j].unit, &s.d[j]
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

// measure compares two boxes. Where squares of lengths would leave the range, the unit is a power of two next to the longest side.
func (o *boxPair) measure(p, g *box, eps float64, ends bool) {
	o.x.measure(&p.x, &g.x, ends)
	o.y.measure(&p.y, &g.y, ends)
	o.eps, o.unit = eps, 1
	if side := max(o.x.whole, o.y.whole); side > 0x1p240 || side < 0x1p-240 && side > 0 {
		o.rescale(side)
	}
}

func (o *boxPair) rescale(side float64) {
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

func (a *joint) measure(p, g *span, ends bool) {
	lo, hi := min(p.lo, g.lo), max(p.hi, g.hi)
	a.over, a.whole = min(p.hi, g.hi)-max(p.lo, g.lo), hi-lo
	a.gap, a.target = (p.lo-lo)+(hi-p.hi), (g.lo-lo)+(hi-g.hi)
	a.size, a.other = p.size, g.size
	left, right := p.lo-g.lo, p.hi-g.hi
	a.shift, a.grow = (left+right)/2, p.size-g.size
	if ends {
		a.grow = right - left
	}
	a.lower, a.upper = share(p.lo, g.lo), share(g.hi, p.hi)
}

// share is 1 for a > b, 1/2 for a = b, 0 for a < b: how much of a maximum is a's.
func share(a, b float64) float64 {
	above, least := 0, 0
	if a > b {
		above = 1
	}
	if a >= b {
		least = 1
	}
	return float64(above+least) / 2
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
