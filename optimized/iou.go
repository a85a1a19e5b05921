package optimized

import (
	"math"

	"github.com/goldenloss/goldenloss/reference/loss"
)

// boxChunk is the number of box pairs of a chunk.
const boxChunk = 256

type iouTask[T loss.Float] struct {
	pred, target, out, g []T
	eps, floor           float64
	log                  bool
	format               string
	w                    weights[T]
	partial              []float64
}

// IoU is the IoU loss on boxes. See loss.IoU.
func IoU[T loss.Float](out []T, grad, in *loss.IoU[T], dOut []T) {
	k := take[iouTask[T]]()
	n := in.Pred.Shape[0]
	k.pred, k.target, k.eps, k.floor, k.format = in.Pred.Data, in.Target.Data, in.Eps, in.IoUFloor, in.Format
	k.log = in.Variant == "log"
	k.w = newWeights(in.Reduction, dOut, float64(n))
	k.out, k.g = nil, nil
	if in.Reduction == loss.None {
		k.out = out
	}
	if grad != nil {
		k.g = grad.Pred.Data
	}
	chunks := ceilDiv(n, boxChunk)
	k.partial = grown(k.partial, chunks)
	each(chunks, k)
	finish(out, in.Reduction, k.partial, float64(n))
	*k = iouTask[T]{partial: k.partial}
	give(k)
}

// span is an interval on one axis.
type span struct{ lo, hi, size float64 }

func (k *iouTask[T]) spans(b []T) (x, y span) {
	b0, b1, b2, b3 := float64(b[0]), float64(b[1]), float64(b[2]), float64(b[3])
	switch k.format {
	case "cxcywh":
		return span{b0 - b2/2, b0 + b2/2, b2}, span{b1 - b3/2, b1 + b3/2, b3}
	case "xywh":
		return span{b0, b0 + b2, b2}, span{b1, b1 + b3, b3}
	}
	return span{b0, b2, b2 - b0}, span{b1, b3, b3 - b1}
}

// axis is what one axis says of a pair: the overlap, the parts of each outside the other, and the shares of the ends of the first
// in the overlap (1, or 1/2 for equal ends).
type axis struct{ overlap, out, targetOut, atLo, atHi, extent float64 }

func newAxis(p, g span) axis {
	lo, hi := math.Max(p.lo, g.lo), math.Min(p.hi, g.hi)
	a := axis{overlap: hi - lo, out: (lo - p.lo) + (p.hi - hi), targetOut: (lo - g.lo) + (g.hi - hi),
		extent: math.Max(p.hi, g.hi) - math.Min(p.lo, g.lo)}
	if p.lo >= g.lo {
		a.atLo = 1
	}
	if p.hi <= g.hi {
		a.atHi = 1
	}
	if p.lo == g.lo {
		a.atLo = 0.5
	}
	if p.hi == g.hi {
		a.atHi = 0.5
	}
	return a
}

func (a *axis) scale(s float64) {
	a.overlap *= s
	a.out *= s
	a.targetOut *= s
}

func (k *iouTask[T]) run(i int) {
	var l [boxChunk]float64
	lo, hi := i*boxChunk, min((i+1)*boxChunk, len(k.pred)/4)
	for j := lo; j < hi; j++ {
		v, d := k.item(k.pred[4*j:4*j+4], k.target[4*j:4*j+4])
		l[j-lo] = v
		if k.out != nil {
			k.out[j] = T(v)
		}
		if k.g != nil {
			c := k.w.at(j)
			g := k.g[4*j : 4*j+4]
			switch k.format {
			case "cxcywh":
				g[0], g[1], g[2], g[3] = T(c*(d[0]+d[2])), T(c*(d[1]+d[3])), T(c*((d[2]-d[0])/2)), T(c*((d[3]-d[1])/2))
			case "xywh":
				g[0], g[1], g[2], g[3] = T(c*(d[0]+d[2])), T(c*(d[1]+d[3])), T(c*d[2]), T(c*d[3])
			default:
				g[0], g[1], g[2], g[3] = T(c*d[0]), T(c*d[1]), T(c*d[2]), T(c*d[3])
			}
		}
	}
	k.partial[i] = pairwise(l[:hi-lo])
}

// item returns the loss of a pair and its derivatives with respect to the edges x1, y1, x2, y2 of the first box.
func (k *iouTask[T]) item(p, g []T) (l float64, d [4]float64) {
	px, py := k.spans(p)
	gx, gy := k.spans(g)
	if s := (px.size + py.size + px.lo + py.lo) + (gx.size + gy.size + gx.lo + gy.lo); math.IsNaN(s) || math.IsInf(s, 0) {
		for i := range 4 {
			if v := float64(p[i]) * 0; v != v {
				s = math.NaN()
			}
			if v := float64(g[i]) * 0; v != v {
				s = math.NaN()
			}
		}
		if s != s {
			return s, [4]float64{s, s, s, s}
		}
	}
	x, y := newAxis(px, gx), newAxis(py, gy)
	if !(x.overlap > 0 && y.overlap > 0) {
		if k.log {
			return -logOf(k.floor), d
		}
		return 1, d
	}
	w, h, W, H, eps, unit := px.size, py.size, gx.size, gy.size, k.eps, 1.0
	if side := math.Max(x.extent, y.extent); side > 0x1p240 || side < 0x1p-240 { // squares leave the range
		_, e := math.Frexp(side)
		unit = math.Ldexp(1, -e)
		x.scale(unit)
		y.scale(unit)
		w, h, W, H, eps = w*unit, h*unit, W*unit, H*unit, math.Ldexp(eps, -2*e)
	}
	inter := x.overlap * y.overlap
	rest := (x.out*h + x.overlap*y.out) + (x.targetOut*H + x.overlap*y.targetOut) + eps
	union := inter + rest
	iou := inter / union
	l = rest / union
	slope := unit / union
	if k.log {
		if iou < k.floor {
			return -logOf(k.floor), d
		}
		if l < 0.5 {
			l = -math.Log1p(-l)
		} else {
			l = -logOf(iou)
		}
		slope = unit / inter
	}
	// d(1 - I/U) = (I/U (dA - dI) - dI)/U
	d[0] = slope * (iou*(x.atLo*y.overlap-h) + x.atLo*y.overlap)
	d[1] = slope * (iou*(y.atLo*x.overlap-w) + y.atLo*x.overlap)
	d[2] = slope * (iou*(h-x.atHi*y.overlap) - x.atHi*y.overlap)
	d[3] = slope * (iou*(w-y.atHi*x.overlap) - y.atHi*x.overlap)
	return l, d
}

// logOf is math.Log, right for subnormal numbers as well.
func logOf(x float64) float64 {
	if x > 0 && x < 0x1p-1022 {
		return math.Log(x*0x1p60) - 60*math.Ln2
	}
	return math.Log(x)
}
