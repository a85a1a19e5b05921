package reference

import (
	"math"

	"github.com/goldenloss/goldenloss/reference/loss"
)

// measure returns the sum of the squares or of the absolute values of e over n, and its derivatives.
func measure(e []float64, squared bool, n float64) (m float64, d []float64) {
	d = make([]float64, len(e))
	var a accumulator
	for i, v := range e {
		if squared {
			a.addProduct(v, v)
			d[i] = 2 * (v / n)
		} else {
			a.add(math.Abs(v))
			d[i] = sign(v) / n
		}
	}
	return a.value() / n, d
}

// layerwise returns the term of a layer of one sample and its derivatives.
func layerwise(in *loss.FeatureMatching[float64], x, y []float64) (m float64, d []float64) {
	e := make([]float64, len(x))
	for i := range e {
		e[i] = x[i] - y[i]
	}
	return measure(e, in.Variant == "layerwise_l2", float64(len(e)))
}

// moment returns the term of a layer and its derivatives with respect to the difference of the batch means.
func moment(in *loss.FeatureMatching[float64], l int) (m float64, d []float64) {
	x, y := in.Features.Features[l], in.Target[l]
	delta := make([]float64, len(x.Data)/x.Shape[0])
	for k := range delta {
		delta[k] = componentMean(x, k) - componentMean(y, k)
	}
	n := float64(len(delta))
	if in.MomentNorm == "sum_sq" {
		n = 1
	}
	return measure(delta, in.MomentNorm != "mean_abs", n)
}

// componentMean is the mean over the batch of component k.
func componentMean(x loss.Tensor[float64], k int) float64 {
	var a accumulator
	for n := range x.Shape[0] {
		a.add(sampleOf(x, n)[k])
	}
	return a.value() / float64(x.Shape[0])
}

// matchingItems returns the items, or the one value of moment.
func matchingItems(in *loss.FeatureMatching[float64]) []float64 {
	if in.Variant == "moment" {
		var a accumulator
		for l := range in.Target {
			if w := layerWeight(&in.Features, l); w != 0 && in.Scale != 0 {
				m, _ := moment(in, l)
				a.add(w * m)
			}
		}
		return []float64{in.Scale * a.value()}
	}
	totals := make([]accumulator, in.Batch())
	if in.Scale != 0 {
		layers(&in.Features, func(n, _ int, w float64, x, y []float64) {
			m, _ := layerwise(in, x, y)
			totals[n].add(w * m)
		})
	}
	items := make([]float64, in.Batch())
	for n := range items {
		items[n] = in.Scale * totals[n].value()
	}
	return items
}

// FeatureMatching is the value of the feature matching loss.
func FeatureMatching(in *loss.FeatureMatching[float64]) []float64 {
	items := matchingItems(in)
	return reduce(in.Reduction, items, float64(len(items)))
}

// FeatureMatchingGrad is its vector-Jacobian product.
func FeatureMatchingGrad(in *loss.FeatureMatching[float64], dOut []float64) *loss.FeatureMatching[float64] {
	g := &loss.FeatureMatching[float64]{Variant: in.Variant, Features: zeroLayers(&in.Features)}
	if in.Scale == 0 {
		return g
	}
	items := matchingItems(in)
	c := itemWeights(in.Reduction, len(items), float64(len(items)), dOut)
	if in.Variant == "moment" {
		for l, x := range in.Features.Features {
			w := layerWeight(&in.Features, l)
			if w == 0 {
				continue
			}
			_, d := moment(in, l)
			for i := range x.Data {
				v := c[0] * in.Scale * w * d[i%len(d)] / float64(x.Shape[0])
				if math.IsNaN(items[0]) { // in every layer that participates
					v = math.NaN()
				}
				g.Features.Features[l].Data[i] = v
			}
		}
		return g
	}
	layers(&in.Features, func(n, l int, w float64, x, y []float64) {
		_, d := layerwise(in, x, y)
		for i := range d {
			if math.IsNaN(items[n]) {
				d[i] = math.NaN()
			}
			g.Features.Features[l].Data[n*len(d)+i] = c[n] * in.Scale * w * d[i]
		}
	})
	return g
}
