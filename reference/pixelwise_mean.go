package reference

import (
	"math"

	"github.com/goldenloss/goldenloss/reference/loss"
)

// PixelwiseMean is the value of the pixel-wise mean.
func PixelwiseMean(in *loss.PixelwiseMean[float64]) []float64 {
	items := pixels(in)
	return reduce(in.Reduction, items, float64(len(items)))
}

// PixelwiseMeanGrad is its vector-Jacobian product.
func PixelwiseMeanGrad(in *loss.PixelwiseMean[float64], dOut []float64) *loss.PixelwiseMean[float64] {
	g := &loss.PixelwiseMean[float64]{Pair: loss.Pair[float64]{Pred: zeros(in.Pred), Target: zeros(in.Target)}}
	items := pixels(in)
	c := itemWeights(in.Reduction, len(items), float64(len(items)), dOut)
	channels, size := in.Pred.Shape[1], loss.Size(in.Pred.Shape[2:])
	for i := range in.Pred.Data {
		pixel := i/(channels*size)*size + i%size
		e := in.Pred.Data[i] - in.Target.Data[i]
		d := sign(e)
		if in.P == 2 {
			d = 2 * e
		}
		if in.Channel == "mean" {
			d /= float64(channels)
		}
		if math.IsNaN(items[pixel]) {
			d = math.NaN()
		}
		g.Pred.Data[i], g.Target.Data[i] = c[pixel]*d, -c[pixel]*d
	}
	return g
}

// pixels returns the items.
func pixels(in *loss.PixelwiseMean[float64]) []float64 {
	channels, size := in.Pred.Shape[1], loss.Size(in.Pred.Shape[2:])
	sums := make([]accumulator, in.Pred.Shape[0]*size)
	for i := range in.Pred.Data {
		a := math.Abs(in.Pred.Data[i] - in.Target.Data[i])
		sum := &sums[i/(channels*size)*size+i%size]
		if in.P == 2 {
			sum.addProduct(a, a)
		} else {
			sum.add(a)
		}
	}
	items := make([]float64, len(sums))
	for i := range items {
		items[i] = sums[i].value()
		if in.Channel == "mean" {
			items[i] /= float64(channels)
		}
	}
	return items
}
