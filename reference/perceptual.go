package reference

import (
	"math"

	"github.com/goldenloss/goldenloss/reference/loss"
)

// perceptualTerm returns the term of a layer of one sample, without the layer's weight, and its derivatives.
func perceptualTerm(in *loss.Perceptual[float64], layer int, x, y []float64) (l float64, d []float64) {
	d = make([]float64, len(x))
	n := float64(len(x))
	var a accumulator
	switch in.Variant {
	case "lpips":
		return lpipsTerm(in, layer, x, y)
	case "l1":
		for i := range x {
			a.add(math.Abs(x[i] - y[i]))
			d[i] = sign(x[i]-y[i]) / n
		}
		return a.value() / n, d
	case "content":
		for i := range x {
			e := x[i] - y[i]
			a.addProduct(e, e)
			d[i] = e
		}
		return a.value() / 2, d
	}
	for i := range x {
		e := x[i] - y[i]
		a.addProduct(e, e)
		d[i] = 2 * (e / n)
	}
	return a.value() / n, d
}

// divisor is what a channel vector of norm r is divided by.
func divisor(in *loss.Perceptual[float64], r float64) float64 {
	if in.EpsMode == "inside" {
		return math.Hypot(r, math.Sqrt(in.Eps))
	}
	return r + in.Eps
}

func lpipsTerm(in *loss.Perceptual[float64], layer int, x, y []float64) (l float64, d []float64) {
	d = make([]float64, len(x))
	for i := range x {
		if v := x[i] - y[i]; math.IsNaN(v) || math.IsInf(x[i], 0) || math.IsInf(y[i], 0) {
			for k := range d {
				d[k] = math.NaN()
			}
			return math.NaN(), d
		}
	}
	channels := in.Features.Features[layer].Shape[1]
	positions := len(x) / channels
	var total accumulator
	u, v, q := make([]float64, channels), make([]float64, channels), make([]float64, channels)
	for i := range positions {
		for c := range channels {
			u[c], v[c] = x[c*positions+i], y[c*positions+i]
		}
		r := norm(u)
		s, sy := divisor(in, r), divisor(in, norm(v))
		var along accumulator // q . x / s
		for c := range channels {
			w := 1.0
			if len(in.ChannelWeights) > 0 {
				w = in.ChannelWeights[layer].Data[c]
			}
			q[c] = 0
			if w != 0 {
				e := u[c]/s - v[c]/sy
				total.add(w * e * e)
				q[c] = 2 * w * e / float64(positions)
				along.addProduct(q[c], u[c]/s)
			}
		}
		for c := range channels {
			g := q[c] / s
			if r > 0 {
				// The derivative of the divisor is x/r outside the root and x/s inside.
				by := r
				if in.EpsMode == "inside" {
					by = s
				}
				g -= u[c] / by * (along.value() / s)
			}
			d[c*positions+i] = g
		}
	}
	return total.value() / float64(positions), d
}

// perceptualItems returns the items.
func perceptualItems(in *loss.Perceptual[float64]) []float64 {
	totals := make([]accumulator, in.Batch())
	layers(&in.Features, func(n, l int, w float64, x, y []float64) {
		term, _ := perceptualTerm(in, l, x, y)
		totals[n].add(w * term)
	})
	items := make([]float64, in.Batch())
	for n := range items {
		items[n] = totals[n].value()
	}
	return items
}

// Perceptual is the value of the feature reconstruction loss.
func Perceptual(in *loss.Perceptual[float64]) []float64 {
	return reduce(in.Reduction, perceptualItems(in), float64(in.Batch()))
}

// PerceptualGrad is its vector-Jacobian product.
func PerceptualGrad(in *loss.Perceptual[float64], dOut []float64) *loss.Perceptual[float64] {
	g := &loss.Perceptual[float64]{Variant: in.Variant}
	g.Features = zeroLayers(&in.Features)
	g.ChannelWeights = make([]loss.Tensor[float64], len(in.ChannelWeights))
	c := itemWeights(in.Reduction, in.Batch(), float64(in.Batch()), dOut)
	items := perceptualItems(in)
	layers(&in.Features, func(n, l int, w float64, x, y []float64) {
		_, d := perceptualTerm(in, l, x, y)
		for i := range d {
			if math.IsNaN(items[n]) { // in every layer that participates
				d[i] = math.NaN()
			}
			g.Features.Features[l].Data[n*len(d)+i] = c[n] * w * d[i]
		}
	})
	return g
}
