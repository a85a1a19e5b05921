package mutants

import (
	"math"

	"github.com/goldenloss/goldenloss/reference/loss"
)

const (
	halfCounted    = "entries off the diagonal counted once"
	batchMixed     = "one matrix for the batch"
	ownSize        = "target divided by the size of the features"
	slopeNotTwice  = "gradient of one factor"
	normOfValue    = "gradient without the norm of the matrix"
	centeredGram   = "covariance in place of the Gram matrix"
	firstTarget    = "target of the first sample for all"
	channelsOnce   = "kappa with C in place of C^2"
	transposedGram = "positions correlated in place of channels"
)

var styleFlaws = []flaw{
	{layersAveraged, "divides the sum over the layers by their number"},
	{layerWeightsNorm, "divides the layer weights by their sum"},
	{zeroTimes, "multiplies a layer of weight 0 by 0, which keeps its NaN"},
	{slopeAtZero, "gives the absolute difference the slope 1 at 0 (l1)"},
	{nanOfLayer, "keeps the gradient of the other layers beside a NaN"},
	{halfCounted, "sums the entries on and below the diagonal"},
	{batchMixed, "adds up the matrices of the samples and divides by their number"},
	{ownSize, "divides the matrix of the target by the size of the features"},
	{slopeNotTwice, "differentiates one of the two factors of X X^T"},
	{normOfValue, "does not divide the gradient by the norm of the matrix"},
	{centeredGram, "subtracts the mean of a channel before the products"},
	{firstTarget, "compares every sample with the first target"},
	{channelsOnce, "divides by C where C^2 is asked"},
	{transposedGram, "takes X^T X where the map has as many channels as positions"},
}

func style(out []float64, grad, in *loss.Style[float64], dOut []float64, flaw string) {
	n, layers := in.Batch(), len(in.Target)
	items := make([]float64, n)
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
	for l, f := range in.Features.Features {
		if weights[l] == 0 && flaw != zeroTimes {
			continue
		}
		w := weights[l] / divisor
		y := in.Target[l]
		c, p, q := f.Shape[1], loss.Size(f.Shape[2:]), loss.Size(y.Shape[2:])
		divide := func(positions int) float64 {
			switch in.Norm() {
			case "hw":
				return float64(positions)
			case "chw":
				return float64(c * positions)
			}
			return 1
		}
		nu, nuTarget := divide(p), divide(q)
		if flaw == ownSize {
			nuTarget = nu
		}
		kappa, side := 1.0, float64(c*c)
		if flaw == channelsOnce {
			side = float64(c)
		}
		switch in.Variant {
		case "gatys":
			kappa = 1 / (4 * side * float64(p) * float64(p))
		case "mse", "l1":
			kappa = 1 / side
		}
		matrix := func(x []float64, positions int, nu float64) []float64 {
			var g []float64
			for a := range c {
				for b := range c {
					terms := make([]float64, positions)
					for i := range terms {
						terms[i] = x[a*positions+i] * x[b*positions+i]
						if flaw == transposedGram && c == positions {
							terms[i] = x[i*positions+a] * x[i*positions+b]
						}
					}
					v := total(terms)
					if flaw == centeredGram {
						v -= total(x[a*positions:(a+1)*positions]) * total(x[b*positions:(b+1)*positions]) / float64(positions)
					}
					g = append(g, v/nu)
				}
			}
			return g
		}
		own := make([][]float64, n)
		for i := range n {
			own[i] = matrix(f.Data[i*c*p:(i+1)*c*p], p, nu)
		}
		if flaw == batchMixed {
			for k := range own[0] {
				sum := 0.0
				for i := range n {
					sum += own[i][k] / float64(n)
				}
				for i := range n {
					own[i][k] = sum
				}
			}
		}
		for i := range n {
			of := i
			if y.Shape[0] == 1 || flaw == firstTarget {
				of = 0
			}
			target := matrix(y.Data[of*c*q:(of+1)*c*q], q, nuTarget)
			parts, psi := make([]float64, c*c), make([]float64, c*c)
			for k := range parts {
				e := own[i][k] - target[k]
				if in.Variant == "l1" {
					parts[k], psi[k] = math.Abs(e), sign(e)
					if e == 0 && flaw == slopeAtZero {
						psi[k] = 1
					}
				} else {
					parts[k], psi[k] = e*e, 2*e
				}
				if flaw == halfCounted && k%c > k/c {
					parts[k], psi[k] = 0, 0
				}
			}
			items[i] += w * kappa * total(parts)
			by := share(in.Reduction, dOut, i, float64(n)) * w * kappa / nu
			if flaw == normOfValue {
				by *= nu
			}
			g := grad.Features.Features[l].Data[i*c*p : (i+1)*c*p]
			for a := range c {
				for k := range p {
					sum := 0.0
					for b := range c {
						at := f.Data[(i*c+b)*p+k]
						sum += psi[a*c+b] * at
						if flaw != slopeNotTwice {
							sum += psi[b*c+a] * at
						}
					}
					g[a*p+k] = by * sum
				}
			}
		}
	}
	if flaw != nanOfLayer {
		spreadNaN(items, &in.Features, &grad.Features, weights)
	}
	reduce(out, in.Reduction, items, float64(n))
}
