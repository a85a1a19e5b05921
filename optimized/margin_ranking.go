package optimized

import (
	"math"

	"github.com/goldenloss/goldenloss/reference/loss"
)

const marginRankingChunk = 8192

type marginRankingTask[T loss.Float] struct {
	x1, x2, y, out, g1, g2 []T
	margin                 float64
	w                      weights[T]
	partial                []float64
}

// MarginRanking is the margin ranking loss. See loss.MarginRanking.
func MarginRanking[T loss.Float](out []T, grad, in *loss.MarginRanking[T], dOut []T) {
	k := take[marginRankingTask[T]]()
	n := len(in.X1.Data)
	k.x1, k.x2, k.y, k.margin = in.X1.Data, in.X2.Data, in.Y.Data, in.Margin
	k.w = newWeights(in.Reduction, dOut, float64(n))
	if in.Reduction == loss.None {
		k.out = out
	}
	if grad != nil {
		k.g1, k.g2 = grad.X1.Data, grad.X2.Data
	}
	chunks := ceilDiv(n, marginRankingChunk)
	k.partial = grown(k.partial, chunks)
	each(chunks, 2*marginRankingChunk, k)
	finish(out, in.Reduction, k.partial, float64(n))
	*k = marginRankingTask[T]{partial: k.partial}
	give(k)
}

func (k *marginRankingTask[T]) run(i int) {
	var l, d [strip]float64
	var sum running
	wanted := k.g1 != nil || k.g2 != nil
	for lo, hi := i*marginRankingChunk, min((i+1)*marginRankingChunk, len(k.x1)); lo < hi; lo += strip {
		n := min(strip, hi-lo)
		if wanted {
			k.items(l[:n], d[:n], k.x1[lo:], k.x2[lo:], k.y[lo:])
			k.w.scaledPair(k.g2, k.g1, d[:n], lo)
		} else {
			k.values(l[:n], k.x1[lo:], k.x2[lo:], k.y[lo:])
		}
		if k.out != nil {
			store(k.out[lo:], l[:n])
		} else {
			sum.add(lanes(l[:n]))
		}
	}
	k.partial[i] = sum.value()
}

// values fills in the hinges.
func (k *marginRankingTask[T]) values(l []float64, x1, x2, y []T) {
	margin := k.margin
	x1, x2, y = x1[:len(l)], x2[:len(l)], y[:len(l)]
	for j := range l {
		l[j] = max(margin-float64(y[j])*(float64(x1[j])-float64(x2[j])), 0)
	}
}

// items fills in the hinges and, for x2, their derivatives: y where the hinge is positive.
func (k *marginRankingTask[T]) items(l, d []float64, x1, x2, y []T) {
	margin := k.margin
	d, x1, x2, y = d[:len(l)], x1[:len(l)], x2[:len(l)], y[:len(l)]
	for j := range l {
		y := float64(y[j])
		u := max(margin-y*(float64(x1[j])-float64(x2[j])), 0)
		l[j] = u
		d[j] = math.Float64frombits(math.Float64bits(y) & positive(u))
		if u != u {
			d[j] = u
		}
	}
}

// positive is a mask of ones where x is above 0, given that it is not negative.
func positive(x float64) uint64 { return uint64(-int64(math.Float64bits(x)) >> 63) }
