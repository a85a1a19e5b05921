package optimized

import (
	"math"

	"github.com/goldenloss/goldenloss/reference/loss"
)

const iouChunk = 1024 // pairs of boxes

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
	if in.Reduction == loss.None {
		k.out = out
	}
	if grad != nil {
		k.g = grad.Pred.Data
	}
	chunks := ceilDiv(n, iouChunk)
	k.partial = grown(k.partial, chunks)
	each(chunks, 30*iouChunk, k)
	finish(out, in.Reduction, k.partial, float64(n))
	*k = iouTask[T]{partial: k.partial}
	give(k)
}

// box has the ends and the size of either axis: low, high, size.
type box struct{ x, y span }

type span struct{ lo, hi, size float64 }

// corners fills in boxes of any format.
func corners[T loss.Float](boxes []box, b []T, format string) {
	for i := range boxes {
		v := b[4*i : 4*i+4]
		b0, b1, b2, b3 := float64(v[0]), float64(v[1]), float64(v[2]), float64(v[3])
		switch format {
		case "cxcywh":
			boxes[i] = box{span{b0 - b2/2, b0 + b2/2, b2}, span{b1 - b3/2, b1 + b3/2, b3}}
		case "xywh":
			boxes[i] = box{span{b0, b0 + b2, b2}, span{b1, b1 + b3, b3}}
		default:
			boxes[i] = box{span{b0, b2, b2 - b0}, span{b1, b3, b3 - b1}}
		}
	}
}

func (k *iouTask[T]) run(i int) {
	var l [strip]float64
	var d [strip][4]float64
	var p, g [strip]box
	var sum running
	for lo, hi := i*iouChunk, min((i+1)*iouChunk, len(k.pred)/4); lo < hi; lo += strip {
		n := min(strip, hi-lo)
		pred, target := k.pred[4*lo:4*(lo+n)], k.target[4*lo:4*(lo+n)]
		corners(p[:n], pred, k.format)
		corners(g[:n], target, k.format)
		for j := range n {
			l[j] = k.item(&d[j], &p[j], &g[j])
		}
		for j, v := range pred { // infinity and NaN
			if v = (v - v) + (target[j] - target[j]); v != v {
				bad := float64(v)
				l[j/4], d[j/4] = bad, [4]float64{bad, bad, bad, bad}
			}
		}
		if k.out != nil {
			store(k.out[lo:], l[:n])
		} else {
			sum.add(lanes(l[:n]))
		}
		if k.g != nil {
			k.pull(lo, d[:n])
		}
	}
	k.partial[i] = sum.value()
}

// pull writes the gradient in the format of the boxes.
func (k *iouTask[T]) pull(lo int, d [][4]float64) {
	for j := range d {
		c, d := k.w.at(lo+j), &d[j]
		g := k.g[4*(lo+j) : 4*(lo+j)+4]
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

// meet returns the overlap of two spans and the parts of each that lie outside the other.
func meet(p, g *span) (overlap, out, targetOut float64) {
	lo, hi := max(p.lo, g.lo), min(p.hi, g.hi)
	return hi - lo, (lo - p.lo) + (p.hi - hi), (lo - g.lo) + (g.hi - hi)
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

// item returns the loss of a pair of finite boxes and fills its derivatives with respect to the edges x1, y1, x2, y2 of the first.
func (k *iouTask[T]) item(d *[4]float64, p, g *box) (l float64) {
	xOver, xOut, xTargetOut := meet(&p.x, &g.x)
	yOver, yOut, yTargetOut := meet(&p.y, &g.y)
	if !(xOver > 0 && yOver > 0) {
		*d = [4]float64{}
		if k.log {
			return -logOf(k.floor)
		}
		return 1
	}
	w, h, height, eps, unit := p.x.size, p.y.size, g.y.size, k.eps, 1.0
	if side := max(xOver+xOut+xTargetOut, yOver+yOut+yTargetOut); side > 0x1p240 || side < 0x1p-240 { // squares leave the range
		_, e := math.Frexp(side)
		unit = math.Ldexp(1, -e)
		w, h, height, eps = w*unit, h*unit, height*unit, math.Ldexp(eps, -2*e)
		xOver, xOut, xTargetOut = xOver*unit, xOut*unit, xTargetOut*unit
		yOver, yOut, yTargetOut = yOver*unit, yOut*unit, yTargetOut*unit
	}
	inter := xOver * yOver
	rest := (xOut*h + xOver*yOut) + (xTargetOut*height + xOver*yTargetOut) + eps
	union := inter + rest
	iou := inter / union
	l = rest / union
	slope := unit / union
	if k.log {
		if iou < k.floor {
			*d = [4]float64{}
			return -logOf(k.floor)
		}
		if l < 0.5 {
			l = -math.Log1p(-l)
		} else {
			l = -logOf(iou)
		}
		slope = unit / inter
	}
	// d(1 - I/U) = (I/U (dA - dI) - dI)/U
	x1, x2 := yOver*share(p.x.lo, g.x.lo), yOver*share(g.x.hi, p.x.hi)
	y1, y2 := xOver*share(p.y.lo, g.y.lo), xOver*share(g.y.hi, p.y.hi)
	d[0], d[1] = slope*(iou*(x1-h)+x1), slope*(iou*(y1-w)+y1)
	d[2], d[3] = slope*(iou*(h-x2)-x2), slope*(iou*(w-y2)-y2)
	return l
}
