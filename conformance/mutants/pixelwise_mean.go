package mutants

import (
	"math"

	"github.com/goldenloss/goldenloss/reference/loss"
)

const (
	channelLast   = "channel last"
	nanStays      = "NaN of one channel alone"
	nanSpreads    = "NaN of the whole image"
	unsigned      = "unsigned difference"
	normOfChannel = "norm over the channels"
	slopeUndiv    = "gradient not divided by the channels"
)

var pixelwiseMeanFlaws = []flaw{
	{channelLast, "takes neighbors in memory for the channels of a pixel"},
	{nanStays, "gives a NaN gradient to the channel that is NaN and not to the others of its pixel"},
	{nanSpreads, "gives a NaN gradient to all pixels of an image that holds a NaN"},
	{unsigned, "subtracts in unsigned bytes where pixels are whole numbers"},
	{normOfChannel, "takes the Euclidean norm over the channels for p = 2"},
	{slopeUndiv, "forgets the number of channels in the gradient for channel = mean"},
	{targetLikePred, "gives target the gradient of pred, without the minus"},
}

func pixelwiseMean(out []float64, grad, in *loss.PixelwiseMean[float64], dOut []float64, flaw string) {
	batch, channels, size := in.Pred.Shape[0], in.Pred.Shape[1], loss.Size(in.Pred.Shape[2:])
	pixels := batch * size
	by := 1.0
	if in.Channel == "mean" {
		by = float64(channels)
	}
	items := make([]float64, pixels)
	for n := range batch {
		for s := range size {
			i := n*size + s
			var terms []float64
			at := func(c int) int {
				if flaw == channelLast {
					return (n*size+s)*channels + c
				}
				return (n*channels+c)*size + s
			}
			lost := false
			for c := range channels {
				p, t := in.Pred.Data[at(c)], in.Target.Data[at(c)]
				e := p - t
				lost = lost || e != e
				l, d := math.Abs(e), sign(e)
				if in.P == 2 {
					l, d = e*e, 2*e
				}
				if flaw == unsigned && 1 < t && t <= 255 && 0 <= p && p < t && p == math.Trunc(p) && t == math.Trunc(t) && in.P == 1 {
					l, d = 256+e, 1
				}
				terms = append(terms, l)
				d *= share(in.Reduction, dOut, i, float64(pixels))
				if flaw != slopeUndiv {
					d /= by
				}
				grad.Pred.Data[at(c)], grad.Target.Data[at(c)] = d, -d
			}
			items[i] = total(terms) / by
			if flaw == normOfChannel && in.P == 2 {
				items[i] = math.Sqrt(items[i])
			}
			if lost && flaw != nanStays {
				for c := range channels {
					grad.Pred.Data[at(c)], grad.Target.Data[at(c)] = math.NaN(), math.NaN()
				}
			}
		}
	}
	if flaw == nanSpreads && total(items) != total(items) {
		for _, g := range [][]float64{grad.Pred.Data, grad.Target.Data} {
			for i := range g {
				g[i] = math.NaN()
			}
		}
	}
	reduce(out, in.Reduction, items, float64(pixels))
	oneSided(flaw, &grad.Pair)
}
