package reference

import "github.com/goldenloss/goldenloss/reference/loss"

// layerWeight is the weight of a layer; one of weight 0 does not participate.
func layerWeight(in *loss.Features[float64], l int) float64 {
	if in.LayerWeights.Given() {
		return in.LayerWeights.Data[l]
	}
	return 1
}

// layers calls f for every sample and layer that participates, with the weight of the layer. A target of batch 1 serves all samples.
func layers(in *loss.Features[float64], f func(n, l int, w float64, x, y []float64)) {
	for n := range in.Batch() {
		for l := range in.Features {
			of := n
			if in.Target[l].Shape[0] == 1 {
				of = 0
			}
			if w := layerWeight(in, l); w != 0 {
				f(n, l, w, sampleOf(in.Features[l], n), sampleOf(in.Target[l], of))
			}
		}
	}
}

// sampleOf returns the elements of sample n.
func sampleOf(x loss.Tensor[float64], n int) []float64 {
	size := len(x.Data) / x.Shape[0]
	return x.Data[n*size : (n+1)*size]
}

// zeroLayers returns features like in, all zero.
func zeroLayers(in *loss.Features[float64]) loss.Features[float64] {
	var g loss.Features[float64]
	for _, f := range in.Features {
		g.Features = append(g.Features, zeros(f))
		g.Target = append(g.Target, loss.Tensor[float64]{})
	}
	return g
}
