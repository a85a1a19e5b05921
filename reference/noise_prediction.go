package reference

import (
	"math"
	"slices"

	"github.com/goldenloss/goldenloss/reference/loss"
)

// noiseWeight is the weight of sample n.
func noiseWeight(in *loss.NoisePrediction[float64], n int) float64 {
	switch in.Weighting {
	case "none":
		return 1
	case "custom":
		return in.Weight.Data[n]
	}
	a, most := in.AlphaBar.Data[n], math.Inf(1)
	if in.Weighting == "min_snr" {
		most = in.Gamma
	}
	if math.IsNaN(a) {
		return a
	}
	switch in.Prediction {
	case "eps":
		if a == 0 || math.IsInf(most, 1) {
			return 1
		}
		return math.Min(1, most*(1-a)/a)
	case "x0":
		return math.Min(a/(1-a), most)
	}
	if math.IsInf(most, 1) {
		return a
	}
	return math.Min(a, most*(1-a))
}

// orZero is c x, 0 where c = 0 and x is infinite.
func orZero(c, x float64) float64 {
	if c == 0 && math.IsInf(x, 0) {
		return 0
	}
	return c * x
}

// noiseErrors is pred - target in sample n.
func noiseErrors(in *loss.NoisePrediction[float64], n int) []float64 {
	d := len(in.Pred.Data) / in.Pred.Shape[0]
	e := make([]float64, d)
	for i := range e {
		at := n*d + i
		target := 0.0
		switch in.Prediction {
		case "eps":
			target = in.Eps.Data[at]
		case "x0":
			target = in.X0.Data[at]
		default:
			a := in.AlphaBar.Data[n]
			target = orZero(math.Sqrt(a), in.Eps.Data[at]) - orZero(math.Sqrt(1-a), in.X0.Data[at])
		}
		e[i] = in.Pred.Data[at] - target
	}
	return e
}

// NoisePrediction is the value of the denoising regression.
func NoisePrediction(in *loss.NoisePrediction[float64]) []float64 {
	items := make([]float64, in.Pred.Shape[0])
	for n := range items {
		w := noiseWeight(in, n)
		if w == 0 {
			continue
		}
		e := noiseErrors(in, n)
		if math.IsInf(w, 1) { // a limit in alpha_bar: equal elements stay at 0
			for _, x := range e {
				if x != 0 {
					items[n] += w * (x * x / float64(len(e)))
				}
			}
			continue
		}
		items[n] = w * (dot(e, e) / float64(len(e)))
	}
	return reduce(in.Reduction, items, float64(len(items)))
}

// NoisePredictionGrad is its vector-Jacobian product.
func NoisePredictionGrad(in *loss.NoisePrediction[float64], dOut []float64) *loss.NoisePrediction[float64] {
	g := &loss.NoisePrediction[float64]{Prediction: in.Prediction, Weighting: in.Weighting, Pred: zeros(in.Pred)}
	samples := in.Pred.Shape[0]
	c := itemWeights(in.Reduction, samples, float64(samples), dOut)
	for n := range samples {
		w := noiseWeight(in, n)
		if w == 0 {
			continue
		}
		e := noiseErrors(in, n)
		bad := math.IsNaN(w) || slices.ContainsFunc(e, math.IsNaN)
		for i, x := range e {
			d := 2 * x * w / float64(len(e))
			switch {
			case bad:
				d = math.NaN()
			case x == 0:
				d = 0 // under an infinite weight too
			}
			g.Pred.Data[n*len(e)+i] = c[n] * d
		}
	}
	return g
}
