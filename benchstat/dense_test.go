package main

import (
	"math"
	"math/rand/v2"

	"github.com/goldenloss/goldenloss/reference/loss"
)

func dice(activation string, shape ...int) func(*rand.Rand) loss.Problem[float64] {
	return func(r *rand.Rand) loss.Problem[float64] {
		p := loss.New[float64, loss.Dice[float64]]()
		p.Activation = activation
		p.Pred, p.Target = tensor(r, normal(r, 0, 3), shape...), tensor(r, coin(r, 0.3), shape...)
		return p
	}
}

func jaccard(activation string, shape ...int) func(*rand.Rand) loss.Problem[float64] {
	return func(r *rand.Rand) loss.Problem[float64] {
		p := loss.New[float64, loss.Jaccard[float64]]()
		p.Activation = activation
		p.Pred, p.Target = tensor(r, normal(r, 0, 3), shape...), tensor(r, coin(r, 0.3), shape...)
		return p
	}
}

func tversky(activation string, shape ...int) func(*rand.Rand) loss.Problem[float64] {
	return func(r *rand.Rand) loss.Problem[float64] {
		p := loss.New[float64, loss.Tversky[float64]]()
		p.Activation, p.AlphaFP, p.BetaFN = activation, 0.3, 0.7
		p.Pred, p.Target = tensor(r, normal(r, 0, 3), shape...), tensor(r, coin(r, 0.3), shape...)
		return p
	}
}

func perceptual(variant string, shapes ...[]int) func(*rand.Rand) loss.Problem[float64] {
	return func(r *rand.Rand) loss.Problem[float64] {
		p := loss.New[float64, loss.Perceptual[float64]]()
		p.Variant = variant
		maps(r, &p.Features, shapes)
		return p
	}
}

// maps draws feature maps behind a rectifier.
func maps(r *rand.Rand, p *loss.Features[float64], shapes [][]int) {
	relu := func() float64 { return math.Max(0, r.NormFloat64()) }
	for _, s := range shapes {
		p.Features, p.Target = append(p.Features, tensor(r, relu, s...)), append(p.Target, tensor(r, relu, s...))
	}
}

func featureMatching(variant string, shapes ...[]int) func(*rand.Rand) loss.Problem[float64] {
	return func(r *rand.Rand) loss.Problem[float64] {
		p := loss.New[float64, loss.FeatureMatching[float64]]()
		p.Variant = variant
		maps(r, &p.Features, shapes)
		return p
	}
}

func style(variant string, shapes ...[]int) func(*rand.Rand) loss.Problem[float64] {
	return func(r *rand.Rand) loss.Problem[float64] {
		p := loss.New[float64, loss.Style[float64]]()
		p.Variant = variant
		maps(r, &p.Features, shapes)
		return p
	}
}

func contextual(shape ...int) func(*rand.Rand) loss.Problem[float64] {
	return func(r *rand.Rand) loss.Problem[float64] {
		p := loss.New[float64, loss.Context[float64]]()
		relu := func() float64 { return math.Max(0, r.NormFloat64()) }
		p.Pred, p.Target = tensor(r, relu, shape...), tensor(r, relu, shape...)
		return p
	}
}

func ssim(shape ...int) func(*rand.Rand) loss.Problem[float64] {
	return func(r *rand.Rand) loss.Problem[float64] {
		p := loss.New[float64, loss.SSIM[float64]]()
		p.Pred, p.Target = photograph(r, shape)
		return p
	}
}

// msSSIM takes the weights of the first scales.
func msSSIM(scales int, shape ...int) func(*rand.Rand) loss.Problem[float64] {
	return func(r *rand.Rand) loss.Problem[float64] {
		p := loss.New[float64, loss.MSSSIM[float64]]()
		p.ScaleWeights = loss.Tensor[float64]{Shape: []int{scales}, Data: loss.MSSSIMWeights[:scales]}
		p.Pred, p.Target = photograph(r, shape)
		return p
	}
}

// photograph draws a smooth image and a noisy one.
func photograph(r *rand.Rand, shape []int) (noisy, smooth loss.Tensor[float64]) {
	smooth, noisy = loss.Make[float64](shape...), loss.Make[float64](shape...)
	for i := range smooth.Data {
		x, y := float64(i%shape[3]), float64(i/shape[3]%shape[2])
		smooth.Data[i] = 0.5 + 0.3*math.Sin(0.05*x)*math.Cos(0.07*y) + 0.02*r.NormFloat64()
		noisy.Data[i] = smooth.Data[i] + 0.05*r.NormFloat64()
	}
	return noisy, smooth
}
