package mutants

import (
	"math"

	"github.com/goldenloss/goldenloss/reference/loss"
)

const (
	layersAveraged   = "layers averaged"
	layerWeightsNorm = "layer weights normalized"
	meanOverBatch    = "batch in the divisor"
	channelsSummed   = "summed over channels"
	wholeSquare      = "content without one half"
	zeroTimes        = "layers of weight 0 times zero"
	slopeAtZero      = "sign of zero is one"
	lengthDetached   = "norm detached"
	squareExpanded   = "square expanded"
	plainNorm        = "norm not scaled"
	noRadius         = "gradient 0/0 at a zero vector"
	squaredWeights   = "channel weights squared"
	channelMean      = "mean over channels too"
)

var perceptualFlaws = []flaw{
	{layersAveraged, "divides the sum over the layers by their number"},
	{layerWeightsNorm, "divides the layer weights by their sum"},
	{meanOverBatch, "divides by all elements of a layer, those of the other samples included"},
	{channelsSummed, "divides by the number of positions instead of elements (johnson, l1)"},
	{wholeSquare, "forgets the one half of content"},
	{zeroTimes, "multiplies a layer of weight 0 by 0, which keeps its NaN"},
	{slopeAtZero, "gives the absolute difference the slope 1 at 0 (l1)"},
	{lengthDetached, "does not differentiate the norm of a channel vector (lpips)"},
	{squareExpanded, "takes u^2 - 2uv + v^2, which cancels for vectors that nearly agree (lpips)"},
	{plainNorm, "squares entries of 1e200 in a norm (lpips)"},
	{noRadius, "divides by the norm of a zero vector in the gradient (lpips)"},
	{squaredWeights, "squares the channel weights (lpips)"},
	{channelMean, "divides by the number of channels too (lpips)"},
}

func perceptual(out []float64, grad, in *loss.Perceptual[float64], dOut []float64, flaw string) {
	n, layers := in.Batch(), len(in.Features.Features)
	items := make([]float64, n)
	weights := make([]float64, layers)
	for l := range weights {
		weights[l] = 1
		if in.LayerWeights.Given() {
			weights[l] = in.LayerWeights.Data[l]
		}
	}
	divisor := 1.0
	if flaw == layersAveraged {
		divisor = float64(layers)
	}
	if sum := total(weights); flaw == layerWeightsNorm && sum > 0 {
		divisor = sum
	}
	for l, f := range in.Features.Features {
		w := weights[l] / divisor
		per := loss.Size(f.Shape[1:])
		if weights[l] == 0 && flaw != zeroTimes {
			continue
		}
		for i := range n {
			x, y := f.Data[i*per:(i+1)*per], in.Target[l].Data[i*per:(i+1)*per]
			g := grad.Features.Features[l].Data[i*per : (i+1)*per]
			c := share(in.Reduction, dOut, i, float64(n))
			if in.Variant == "lpips" {
				items[i] += w * angular(in, l, x, y, g, c*w, flaw)
				continue
			}
			d := float64(per)
			if flaw == meanOverBatch {
				d *= float64(n)
			}
			if flaw == channelsSummed {
				d /= float64(f.Shape[1])
			}
			parts := make([]float64, per)
			for k := range x {
				e := x[k] - y[k]
				switch in.Variant {
				case "johnson":
					parts[k], g[k] = e*e/d, c*w*2*e/d
				case "l1":
					s := sign(e)
					if e == 0 && flaw == slopeAtZero {
						s = 1
					}
					parts[k], g[k] = math.Abs(e)/d, c*w*s/d
				case "content":
					parts[k], g[k] = e*e/2, c*w*e
					if flaw == wholeSquare {
						parts[k], g[k] = e*e, c*w*2*e
					}
				}
			}
			items[i] += w * total(parts)
		}
	}
	reduce(out, in.Reduction, items, float64(n))
}

// angular is lpips of one layer of one sample; it writes the gradient times c.
func angular(in *loss.Perceptual[float64], layer int, x, y, grad []float64, c float64, flaw string) float64 {
	shape := in.Features.Features[layer].Shape
	channels, positions := shape[1], shape[2]*shape[3]
	p := float64(positions)
	if flaw == channelMean {
		p *= float64(channels)
	}
	length := func(v []float64) (r, s float64) { // norm, and what divides the vector
		r = norm(v)
		if flaw == plainNorm {
			r = 0
			for _, e := range v {
				r += e * e
			}
			r = math.Sqrt(r)
		}
		if in.EpsMode == "inside" {
			return r, math.Hypot(r, math.Sqrt(in.Eps))
		}
		return r, r + in.Eps
	}
	sum := 0.0
	a, b, q := make([]float64, channels), make([]float64, channels), make([]float64, channels)
	for at := range positions {
		for k := range channels {
			a[k], b[k] = x[k*positions+at], y[k*positions+at]
		}
		r, s := length(a)
		_, t := length(b)
		along := 0.0
		for k := range channels {
			w := 1.0
			if len(in.ChannelWeights) > 0 && in.ChannelWeights[layer].Given() {
				w = in.ChannelWeights[layer].Data[k]
			}
			if flaw == squaredWeights {
				w *= w
			}
			u, v := a[k]/s, b[k]/t
			if flaw == squareExpanded {
				sum += w * (u*u - 2*u*v + v*v) / p
			} else {
				sum += w * (u - v) * (u - v) / p
			}
			q[k] = 2 / p * w * (u - v)
			along += q[k] * (a[k] / s)
		}
		for k := range channels {
			g := &grad[k*positions+at]
			switch {
			case flaw == lengthDetached, r == 0 && flaw != noRadius:
				*g = c * q[k] / s
			case in.EpsMode == "inside":
				*g = c * (q[k] - a[k]/s*along) / s
			default:
				*g = c * (q[k] - a[k]/r*along) / s
			}
		}
	}
	return sum
}
