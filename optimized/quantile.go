package optimized

import (
	"math"

	"github.com/goldenloss/goldenloss/reference/loss"
)

const quantileChunk = 8192 // items

// pinball is a strip of the pinball loss. By e = pred - target it has the slopes over above and -under below 0.
type pinball struct{ over, under []float64 }

// items fills in the losses of errors e, and unless d is empty their derivatives.
func (p pinball) items(l, d, e []float64, scale float64) {
	over, under := p.over[:len(e)], p.under[:len(e)]
	l = l[:len(e)]
	wanted := len(d) > 0
	for j, x := range e {
		b := math.Float64bits(x)
		o, u := math.Float64bits(over[j]), math.Float64bits(under[j])
		c := math.Float64frombits(o ^ (o^u)&negative(x))
		size := b &^ signBit
		l[j] = c * math.Float64frombits(size) * scale
		if wanted {
			nonzero := uint64(-int64(size) >> 63)
			d[j] = math.Float64frombits(math.Float64bits(c*scale)&nonzero | b&signBit)
		}
		if size >= 0x7ff<<52 { // an infinity or NaN
			if x != x {
				c = x
			}
			if l[j] = c; c > 0 {
				l[j] = math.Inf(1)
			}
			if wanted && x != x {
				d[j] = x
			}
		}
	}
}

// quantileTask tiles the slopes of the quantiles over a strip of whole rows, or holds one longer row.
type quantileTask[T loss.Float] struct {
	pred, target, out, gp, gt []T
	scale                     float64
	slopes                    pinball
	quantiles                 int
	w                         weights[T]
	partial                   []float64
}

// Quantile is the pinball loss. See loss.Quantile.
func Quantile[T loss.Float](out []T, grad, in *loss.Quantile[T], dOut []T) {
	k := take[quantileTask[T]]()
	n, q := len(in.Pred.Data), len(in.Taus)
	z := float64(n)
	k.pred, k.target, k.scale, k.quantiles = in.Pred.Data, in.Target.Data, in.Scale, q
	k.w = newWeights(in.Reduction, dOut, z)
	if in.Reduction == loss.None {
		k.out = out
	}
	if grad != nil {
		k.gp, k.gt = grad.Pred.Data, grad.Target.Data
	}
	tiled := max(1, strip/q) * q
	k.slopes.over, k.slopes.under = grown(k.slopes.over, tiled), grown(k.slopes.under, tiled)
	for i := range tiled {
		k.slopes.over[i], k.slopes.under[i] = 1-in.Taus[i%q], in.Taus[i%q]
	}
	chunks := ceilDiv(n/q, k.rows())
	k.partial = grown(k.partial, chunks)
	each(chunks, 3*k.rows()*q, k)
	finish(out, in.Reduction, k.partial, z)
	*k = quantileTask[T]{partial: k.partial, slopes: k.slopes}
	give(k)
}

// rows is the number of rows of a chunk.
func (k *quantileTask[T]) rows() int { return max(1, quantileChunk/k.quantiles) }

func (k *quantileTask[T]) run(i int) {
	var l, e, slope [strip]float64
	var sum running
	q := k.quantiles
	rows := min(k.rows(), len(k.target)-i*k.rows())
	first := i * k.rows()
	// A step takes whole rows, or a part of one.
	step, part := max(1, strip/q), min(q, strip)
	for r := first; r < first+rows; r += step {
		m := min(step, first+rows-r)
		target := k.target[r : r+m]
		var total running // of the gradient of a long row
		for from := 0; from < q; from += part {
			width := min(part, q-from)
			lo, n := r*q+from, m*width
			k.errors(e[:n], k.pred[lo:lo+n], target, width)
			d := slope[:0]
			if k.gp != nil || k.gt != nil {
				d = slope[:n]
			}
			pinball{k.slopes.over[from:], k.slopes.under[from:]}.items(l[:n], d, e[:n], k.scale)
			if k.out != nil {
				store(k.out[lo:], l[:n])
			} else {
				sum.add(lanes(l[:n]))
			}
			if q == 1 && len(d) > 0 {
				k.w.scaledPair(k.gp, k.gt, d, lo)
				continue
			}
			if k.gp != nil {
				k.w.scaled(k.gp[lo:], d, lo)
			}
			if k.gt == nil {
				continue
			}
			k.weigh(d, lo)
			if q > strip {
				total.add(lanes(d))
				k.gt[r] = T(-total.value())
				continue
			}
			for j := range target {
				s := 0.0
				for _, v := range d[j*q : j*q+q] {
					s += v
				}
				k.gt[r+j] = T(-s)
			}
		}
	}
	k.partial[i] = sum.value()
}

// errors fills e with pred less the target of its row.
func (k *quantileTask[T]) errors(e []float64, pred, target []T, width int) {
	if width == 1 {
		differences(e, pred, target)
		return
	}
	for j, y := range target {
		y := float64(y)
		row := pred[j*width : j*width+width]
		e := e[j*width:][:len(row)]
		for c, x := range row {
			e[c] = float64(x) - y
		}
	}
}

// weigh multiplies the derivatives of the items lo, lo+1, ... by their weights.
func (k *quantileTask[T]) weigh(d []float64, lo int) {
	if k.w.none {
		for j, c := range k.w.dOut[lo:][:len(d)] {
			d[j] *= float64(c)
		}
		return
	}
	for j := range d {
		d[j] *= k.w.fixed
	}
}
