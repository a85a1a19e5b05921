package random

import "github.com/goldenloss/goldenloss/reference/loss"

func adversarial(d *Draw, p *loss.Adversarial[float64]) {
	if p.Role == "d_real" && d.Coin() {
		p.LabelSmoothing = d.Between(0, 0.9375)
	}
	p.Logits = d.Normal(2, d.Side(2, 1, 3))
}

func gan(d *Draw, p *loss.GAN[float64]) {
	p.DScale = d.Between(0.25, 2)
	p.LogFloor, p.ClipEps, p.GradEps = Pick(d, -100., -1.5), Pick(d, 1e-7, 0.125), Pick(d, 1e-12, 0.125)
	stream := func(shape ...int) loss.Tensor[float64] {
		if p.Input == "logits" {
			return d.Normal(shape...)
		}
		x := d.Uniform(shape...)
		for i, v := range x.Data {
			x.Data[i] = min(max(v, 0.03125), 0.96875)
		}
		return x
	}
	p.Fake = stream(2, d.Side(4, 1, 2))
	if p.Player == "discriminator" {
		p.Real = stream(3, d.Side(4, 1, 2))
	}
}

func cycleConsistency(d *Draw, p *loss.CycleConsistency[float64]) {
	p.LambdaA, p.LambdaB = Pick(d, 0, 0.5, 10), d.Between(0.25, 4)
	a, b := []int{2, 1, 2, d.Side(4, 1, 2)}, []int{3, 2, 1, d.Side(6, 1, 2)}
	p.RecA, p.RealA, p.RecB, p.RealB = d.Normal(a...), d.Normal(a...), d.Normal(b...), d.Normal(b...)
	if d.Coin() {
		p.LambdaIdt = d.Between(0.25, 2)
		p.IdtA, p.IdtB = d.Normal(a...), d.Normal(b...)
	}
}

func reconstruction(d *Draw, p *loss.Reconstruction[float64]) {
	p.LambdaValid, p.LambdaHole, p.NormEps = Pick(d, 0, 1, 0.375), d.Between(0.25, 6), Pick(d, 1e-6, 0.25)
	if p.Variant == "mae" {
		l, size := 4, d.Side(8, 1, 2)
		if d.Size > 1000 && d.Coin() { // many small patches
			l, size = d.Side(16, 1, 4), 8
		}
		p.Pred, p.Target, p.Mask = d.Normal(2, l, size), d.Uniform(2, l, size), d.Mask(2, l)
		p.Mask.Data[0] = true
		return
	}
	if p.Variant != "context_encoder" && d.Coin() {
		p.P = loss.Some(1 + d.IntN(2))
	}
	channels, width := 3, d.Side(12, 1, 2)
	p.Pred, p.Target = d.Normal(2, channels, 2, width), d.Normal(2, channels, 2, width)
	if d.Coin() {
		channels = 1
	}
	switch p.Variant {
	case "masked_mean", "hole_valid", "context_encoder":
		p.Mask = d.Mask(2, channels, 2, width)
		p.Mask.Data[0] = true
	case "weighted_mean":
		p.Weight = d.Uniform(2, channels, 2, width)
		p.Weight.Data[0] = 1
	}
}

func conditionalAdversarial(d *Draw, p *loss.ConditionalAdversarial[float64]) {
	p.LambdaL1, p.DScale = Pick(d, 0, 0.5, 100), d.Between(0.25, 2)
	p.LogitsFake = d.Normal(2, 1, d.Side(4, 1, 2))
	if p.Player == "generator" {
		image := []int{2, 3, 1, d.Side(6, 1, 2)}
		p.Fake, p.Target = d.Normal(image...), d.Normal(image...)
		return
	}
	p.LogitsReal = d.Normal(2, d.Side(2, 1, 3))
	if d.Coin() {
		p.LogitsMismatch = d.Normal(2)
	}
}
