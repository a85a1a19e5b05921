package optimized

import (
	"math"

	"github.com/goldenloss/goldenloss/reference/loss"
)

type contrastiveTask[T loss.Float] struct {
	in         *loss.Contrastive[T]
	out        []T
	g1, g2     []T
	dims, rows int // rows of a chunk
	w          weights[T]
	items      []float64
}

// Contrastive is the contrastive loss on pairs: one pass over a similar pair, two over a dissimilar pair within the margin. See
// loss.Contrastive.
func Contrastive[T loss.Float](out []T, grad, in *loss.Contrastive[T], dOut []T) {
	k := take[contrastiveTask[T]]()
	n := in.X1.Shape[0]
	k.in, k.dims = in, in.X1.Shape[1]
	k.w = newWeights(in.Reduction, dOut, float64(n))
	if in.Reduction == loss.None {
		k.out = out
	}
	if grad != nil {
		k.g1, k.g2 = grad.X1.Data, grad.X2.Data
	}
	k.rows = max(1, 4096/k.dims)
	k.items = grown(k.items, n)
	each(ceilDiv(n, k.rows), 3*k.rows*k.dims, k)
	if k.out != nil {
		store(k.out, k.items)
	}
	finish(out, in.Reduction, k.items, float64(n))
	*k = contrastiveTask[T]{items: k.items}
	give(k)
}

func (k *contrastiveTask[T]) run(i int) {
	similar := k.in.SimilarLabel == 1
	for row := i * k.rows; row < min((i+1)*k.rows, len(k.items)); row++ {
		lo, hi := row*k.dims, (row+1)*k.dims
		x, y := k.in.X1.Data[lo:hi], k.in.X2.Data[lo:hi]
		squares := 0.0
		for at := 0; at < len(x); at += strip {
			end := min(at+strip, len(x))
			squares += squaredDistance(x[at:end], y[at:end], 0)
		}
		var slope float64 // of x1, times the difference
		switch {
		case k.in.Y.Data[row] == similar:
			k.items[row] = k.in.Scale * squares
			slope = 2 * k.in.Scale
		case squares > leastSum && squares < mostSum:
			d := math.Sqrt(squares)
			gap := max(k.in.Margin-d, 0)
			k.items[row] = k.in.Scale * gap * gap
			slope = -2 * k.in.Scale * gap / d
		default:
			k.apart(row)
			continue
		}
		if k.g1 == nil && k.g2 == nil {
			continue
		}
		slope *= k.w.at(row)
		if squares != squares {
			slope = squares
		}
		k.push(lo, hi, slope)
	}
}

// push writes the gradient of a row.
func (k *contrastiveTask[T]) push(lo, hi int, slope float64) {
	x, y := k.in.X1.Data[lo:hi], k.in.X2.Data[lo:hi]
	switch {
	case slope == 0:
		if k.g1 != nil {
			clear(k.g1[lo:hi])
		}
		if k.g2 != nil {
			clear(k.g2[lo:hi])
		}
		return
	case k.g1 == nil:
	case k.g2 == nil:
		g := k.g1[lo:hi]
		x, y = x[:len(g)], y[:len(g)]
		for j := range g {
			g[j] = T(slope * (float64(x[j]) - float64(y[j])))
		}
		return
	default:
		g, h := k.g1[lo:hi], k.g2[lo:hi]
		x, y, h = x[:len(g)], y[:len(g)], h[:len(g)]
		for j := range g {
			d := T(slope * (float64(x[j]) - float64(y[j])))
			g[j], h[j] = d, -d
		}
		return
	}
	h := k.g2[lo:hi]
	x, y = x[:len(h)], y[:len(h)]
	for j := range h {
		h[j] = -T(slope * (float64(x[j]) - float64(y[j])))
	}
}

// apart does a dissimilar pair whose squares leave the range, that coincides, or that is not finite.
func (k *contrastiveTask[T]) apart(row int) {
	w := take[tripletRow]()
	w.ap, w.powers = grown(w.ap, k.dims), grown(w.powers, k.dims)
	lo, hi := row*k.dims, (row+1)*k.dims
	shifted(w.ap, k.in.X1.Data[lo:hi], k.in.X2.Data[lo:hi], 0)
	d := pnorm(w.ap, w.powers, 2)
	gap := max(k.in.Margin-d, 0)
	k.items[row] = k.in.Scale * gap * gap
	if k.g1 != nil || k.g2 != nil {
		if gap == 0 || gap != gap {
			for j := range w.ap {
				w.ap[j] = gap
			}
		} else {
			pnormSlopes(w.ap, d, 2)
			slope := -2 * k.in.Scale * gap * k.w.at(row)
			for j := range w.ap {
				w.ap[j] *= slope
			}
		}
		if k.g1 != nil {
			store(k.g1[lo:hi], w.ap)
		}
		if k.g2 != nil {
			for j := range w.ap {
				w.ap[j] = -w.ap[j]
			}
			store(k.g2[lo:hi], w.ap)
		}
	}
	give(w)
}
