package optimized

import (
	"math"

	"github.com/goldenloss/goldenloss/reference/loss"
)

const (
	pixelChunk = 8192 // elements
	planeBlock = 32   // channels that are added up plainly
)

// PixelwiseMean is the pixel-wise mean. See loss.PixelwiseMean.
func PixelwiseMean[T loss.Float](out []T, grad, in *loss.PixelwiseMean[T], dOut []T) {
	var g *loss.Pair[T]
	if grad != nil {
		g = &grad.Pair
	}
	if in.Reduction == loss.None {
		pixelItems(out, g, in, dOut)
		return
	}
	// The sum over pixels and channels is that of all elements.
	channels, size := in.Pred.Shape[1], loss.Size(in.Pred.Shape[2:])
	count := in.Pred.Shape[0] * size
	r, z := in.Reduction, float64(count)
	switch {
	case in.Channel == "sum" || count == 0:
	case r == loss.Sum:
		r, z = loss.Mean, float64(channels)
	default:
		z = float64(len(in.Pred.Data))
	}
	if in.P == 2 {
		elementwise(out, g, &in.Pair, r, z, dOut, 2, squareKernel[T]{1, 2, 0})
	} else {
		elementwise(out, g, &in.Pair, r, z, dOut, 2, absoluteKernel[T]{})
	}
	if g != nil && out[0] != out[0] {
		spreadNaN(g, &in.Pair, channels, size)
	}
}

// spreadNaN makes the gradient of all channels of a pixel NaN where one error is.
func spreadNaN[T loss.Float](g, in *loss.Pair[T], channels, size int) {
	for i, x := range in.Pred.Data {
		if e := x - in.Target.Data[i]; e == e {
			continue
		}
		first := i/(channels*size)*channels*size + i%size
		for c := range channels {
			for _, x := range [...][]T{g.Pred.Data, g.Target.Data} {
				if x != nil {
					x[first+c*size] = T(math.NaN())
				}
			}
		}
	}
}

type pixelTask[T loss.Float] struct {
	pred, target, out, gp, gt, dOut []T
	channels, size, pixels          int // pixels of a chunk
	factor                          float64
	square                          bool
}

// pixelItems is the loss of every pixel.
func pixelItems[T loss.Float](out []T, grad *loss.Pair[T], in *loss.PixelwiseMean[T], dOut []T) {
	k := take[pixelTask[T]]()
	k.channels, k.size = in.Pred.Shape[1], loss.Size(in.Pred.Shape[2:])
	k.pred, k.target, k.out, k.dOut = in.Pred.Data, in.Target.Data, out, dOut
	if grad != nil {
		k.gp, k.gt = grad.Pred.Data, grad.Target.Data
	}
	k.factor, k.square = 1, in.P == 2
	if in.Channel == "mean" {
		k.factor = float64(k.channels)
	}
	k.pixels = max(strip, pixelChunk/max(1, k.channels)/strip*strip)
	chunks := ceilDiv(k.size, k.pixels)
	each(in.Pred.Shape[0]*chunks, 3*min(k.pixels, max(k.size, 1))*max(1, k.channels), k)
	*k = pixelTask[T]{}
	give(k)
}

func (k *pixelTask[T]) run(i int) {
	chunks := ceilDiv(k.size, k.pixels)
	n, from := i/chunks, i%chunks*k.pixels
	for to := min(from+k.pixels, k.size); from < to; from += strip {
		k.strip(n, from, min(strip, to-from))
	}
}

// strip takes m pixels of sample n from pixel s on, plane by plane.
func (k *pixelTask[T]) strip(n, s, m int) {
	var l, d, block [strip]float64
	var sums [strip]running
	slope := d[:0]
	if k.gp != nil || k.gt != nil {
		slope = d[:m]
	}
	at := n*k.channels*k.size + s // of channel 0
	var w [strip]float64          // what the pixels weigh
	for j, v := range k.dOut[n*k.size+s:][:m] {
		w[j] = float64(v) / k.factor
	}
	for c := range k.channels {
		lo := at + c*k.size
		x, y := k.pred[lo:lo+m], k.target[lo:lo+m]
		if k.square {
			squareKernel[T]{1, 2, 0}.items(l[:m], slope, x, y)
		} else {
			absoluteKernel[T]{}.items(l[:m], slope, x, y)
		}
		for j, v := range l[:m] {
			block[j] += v
		}
		if c%planeBlock == planeBlock-1 || c == k.channels-1 {
			for j := range m {
				sums[j].add(block[j])
				block[j] = 0
			}
		}
		if len(slope) > 0 {
			for j := range slope {
				slope[j] *= w[j]
			}
			k.write(lo, slope)
		}
	}
	out := k.out[n*k.size+s:][:m]
	for j := range out {
		v := sums[j].value() / k.factor
		out[j] = T(v)
		if v != v && len(slope) > 0 {
			for c := range k.channels {
				k.write(at+c*k.size+j, []float64{v})
			}
		}
	}
}

// write stores the gradients of elements lo, lo+1, ...
func (k *pixelTask[T]) write(lo int, d []float64) {
	if k.gp != nil {
		store(k.gp[lo:], d)
	}
	if k.gt != nil {
		g := k.gt[lo:][:len(d)]
		for j, v := range d {
			g[j] = T(-v)
		}
	}
}
