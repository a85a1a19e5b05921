package mutants

import (
	"math"

	"github.com/goldenloss/goldenloss/reference/loss"
)

const (
	byTargetBatch   = "gradient by the target batch"
	firstSample     = "gradient of the first sample alone"
	sumsCompared    = "batch sums compared"
	meanOfDistances = "distance of paired samples"
	scaleOfValue    = "scale missing in the gradient"
	means32         = "means in float32"
	nanOfLayer      = "NaN stays in its layer"
	momentNotHalved = "gradient of the square without 2"
)

var featureMatchingFlaws = []flaw{
	{layersAveraged, "divides the sum over the layers by their number"},
	{layerWeightsNorm, "divides the layer weights by their sum"},
	{meanOverBatch, "divides by all elements of a layer, those of the other samples included (layerwise)"},
	{zeroTimes, "multiplies a layer of weight 0 by 0, which keeps its NaN"},
	{slopeAtZero, "gives the absolute difference the slope 1 at 0"},
	{scaleOfValue, "gives the gradient without the scale"},
	{nanOfLayer, "keeps the gradient of the other layers beside a NaN"},
	{momentNotHalved, "gives the gradient of half of the squares"},
	{byTargetBatch, "divides the gradient by the number of real samples (moment)"},
	{firstSample, "gives a gradient to the first generated sample alone (moment)"},
	{sumsCompared, "compares sums over the batches (moment)"},
	{means32, "rounds the means to float32 (moment)"},
	{meanOfDistances, "compares samples in place of means where the batches are equal (moment)"},
}

func featureMatching(out []float64, grad, in *loss.FeatureMatching[float64], dOut []float64, flaw string) {
	layers := len(in.Target)
	weights := make([]float64, layers)
	divisor := 1.0
	for l := range weights {
		weights[l] = 1
		if in.LayerWeights.Given() {
			weights[l] = in.LayerWeights.Data[l]
		}
	}
	if flaw == layersAveraged {
		divisor = float64(layers)
	}
	if sum := total(weights); flaw == layerWeightsNorm && sum > 0 {
		divisor = sum
	}
	moment := in.Variant == "moment"
	squared := in.Variant == "layerwise_l2" || moment && in.MomentNorm != "mean_abs"
	measure := func(e, d float64) (m, slope float64) {
		switch {
		case !squared && e == 0 && flaw == slopeAtZero:
			return 0, 1 / d
		case !squared:
			return math.Abs(e) / d, sign(e) / d
		case flaw == momentNotHalved:
			return e * e / d, e / d
		}
		return e * e / d, 2 * e / d
	}
	n := in.Batch()
	if moment {
		n = 1
	}
	items := make([]float64, n)
	steps := in.Scale
	if flaw == scaleOfValue {
		steps = 1
	}
	for l, f := range in.Features.Features {
		if weights[l] == 0 && flaw != zeroTimes || in.Scale == 0 {
			continue
		}
		w := weights[l] / divisor
		y, g := in.Target[l], grad.Features.Features[l].Data
		per := loss.Size(f.Shape[1:])
		d := float64(per)
		if !moment {
			if flaw == meanOverBatch {
				d *= float64(n)
			}
			for i := range n {
				c := share(in.Reduction, dOut, i, float64(n))
				parts := make([]float64, per)
				for k := range per {
					at := i*per + k
					m, slope := measure(f.Data[at]-y.Data[at], d)
					parts[k], g[at] = m, c*steps*w*slope
				}
				items[i] += in.Scale * w * total(parts)
			}
			continue
		}
		if in.MomentNorm == "sum_sq" {
			d = 1
		}
		rows, others := f.Shape[0], y.Shape[0]
		parts := make([]float64, per)
		for k := range per {
			mean := func(x []float64, n int) float64 {
				column := make([]float64, n)
				for i := range column {
					column[i] = x[i*per+k]
				}
				m := total(column) / float64(n)
				switch flaw {
				case sumsCompared:
					m *= float64(n)
				case means32:
					m = round(m)
				}
				return m
			}
			m, slope := measure(mean(f.Data, rows)-mean(y.Data, others), d)
			if flaw == meanOfDistances && rows == others {
				m = 0
				for i := range rows {
					part, _ := measure(f.Data[i*per+k]-y.Data[i*per+k], d)
					m += part / float64(rows)
				}
			}
			parts[k] = m
			by := float64(rows)
			if flaw == byTargetBatch {
				by = float64(others)
			}
			for i := range rows {
				g[i*per+k] = dOut[0] * steps * w * slope / by
				if flaw == firstSample && i > 0 {
					g[i*per+k] = 0
				}
			}
		}
		items[0] += in.Scale * w * total(parts)
	}
	if flaw != nanOfLayer {
		spreadNaN(items, &in.Features, &grad.Features, weights)
	}
	reduce(out, in.Reduction, items, float64(n))
}

// spreadNaN makes the gradients of an item that is NaN so, in every layer that participates.
func spreadNaN(items []float64, in, grad *loss.Features[float64], weights []float64) {
	for l := range in.Features {
		g := grad.Features[l].Data
		for i := range g {
			if math.IsNaN(items[i/(len(g)/len(items))]) && weights[l] != 0 {
				g[i] = math.NaN()
			}
		}
	}
}
