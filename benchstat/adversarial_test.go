package main

import (
	"math/rand/v2"

	"github.com/goldenloss/goldenloss/reference/loss"
)

// adversarial has the logits of generated images, which the discriminator mostly finds out.
func adversarial(role string, shape ...int) func(*rand.Rand) loss.Problem[float64] {
	return func(r *rand.Rand) loss.Problem[float64] {
		p := loss.New[float64, loss.Adversarial[float64]]()
		p.Role, p.Logits = role, tensor(r, normal(r, -2, 2), shape...)
		return p
	}
}

func gan(input string, shape ...int) func(*rand.Rand) loss.Problem[float64] {
	return func(r *rand.Rand) loss.Problem[float64] {
		p := loss.New[float64, loss.GAN[float64]]()
		p.Input, p.DScale = input, 0.5
		p.Real, p.Fake = tensor(r, normal(r, 2, 2), shape...), tensor(r, normal(r, -2, 2), shape...)
		if input == "probs" {
			p.Real, p.Fake = tensor(r, r.Float64, shape...), tensor(r, r.Float64, shape...)
		}
		return p
	}
}

// images are a picture and what a network made of it.
func images(r *rand.Rand, shape ...int) (made, real loss.Tensor[float64]) {
	real = tensor(r, func() float64 { return 2*r.Float64() - 1 }, shape...)
	made = tensor(r, normal(r, 0, 0.1), shape...)
	for i, x := range real.Data {
		made.Data[i] += x
	}
	return made, real
}

func cycleConsistency(identity float64, shape ...int) func(*rand.Rand) loss.Problem[float64] {
	return func(r *rand.Rand) loss.Problem[float64] {
		p := loss.New[float64, loss.CycleConsistency[float64]]()
		p.RecA, p.RealA = images(r, shape...)
		p.RecB, p.RealB = images(r, shape...)
		if p.LambdaIdt = identity; identity > 0 {
			p.IdtA, _ = images(r, shape...)
			p.IdtB, _ = images(r, shape...)
		}
		return p
	}
}

// holes is an image with square holes, one mask for its channels.
func holes(variant string, shape ...int) func(*rand.Rand) loss.Problem[float64] {
	return func(r *rand.Rand) loss.Problem[float64] {
		p := loss.New[float64, loss.Reconstruction[float64]]()
		p.Variant = variant
		p.Pred, p.Target = images(r, shape...)
		if variant == "full" {
			return p
		}
		n, h, w := shape[0], shape[2], shape[3]
		p.Mask = loss.Make[bool](n, 1, h, w)
		for i := range n {
			for y := range h {
				for x := range w {
					p.Mask.Data[(i*h+y)*w+x] = y < h/4 || y >= 3*h/4 || x < w/4 || x >= 3*w/4
				}
			}
		}
		return p
	}
}

// patches is masked image modeling, three patches of four removed.
func patches(normPix bool, shape ...int) func(*rand.Rand) loss.Problem[float64] {
	return func(r *rand.Rand) loss.Problem[float64] {
		p := loss.New[float64, loss.Reconstruction[float64]]()
		p.Variant, p.NormPix = "mae", normPix
		p.Pred, p.Target = tensor(r, normal(r, 0, 1), shape...), tensor(r, r.Float64, shape...)
		p.Mask = loss.Make[bool](shape[:2]...)
		for i := range p.Mask.Data {
			p.Mask.Data[i] = r.IntN(4) > 0
		}
		return p
	}
}

func conditionalAdversarial(player, mode string, n, patch, side int) func(*rand.Rand) loss.Problem[float64] {
	return func(r *rand.Rand) loss.Problem[float64] {
		p := loss.New[float64, loss.ConditionalAdversarial[float64]]()
		p.Player, p.GANMode = player, mode
		p.LogitsFake = tensor(r, normal(r, -2, 2), n, 1, patch, patch)
		if player == "discriminator" {
			p.LogitsReal = tensor(r, normal(r, 2, 2), n, 1, patch, patch)
		} else {
			p.Fake, p.Target = images(r, n, 3, side, side)
		}
		return p
	}
}
