package random

import "github.com/goldenloss/goldenloss/reference/loss"

func noisePrediction(d *Draw, p *loss.NoisePrediction[float64]) {
	n, size := 2, d.Side(2, 1, 2)
	if d.Size > 1000 && d.Coin() { // many small samples
		n, size = d.Side(4, 1, 2), 4
	}
	p.Gamma = d.Between(0.5, 5)
	p.Pred = d.Normal(n, size)
	if p.Prediction != "x0" {
		p.Eps = d.Normal(n, size)
	}
	if p.Prediction != "eps" {
		p.X0 = d.Normal(n, size)
	}
	if p.Prediction == "v" || p.Weighting == "min_snr" || p.Weighting == "snr" {
		p.AlphaBar = loss.Make[float64](n)
		for i := range p.AlphaBar.Data {
			p.AlphaBar.Data[i] = d.Between(0.0625, 0.9375)
		}
	}
	if p.Weighting == "custom" {
		p.Weight = d.Uniform(n)
		if d.Ties {
			p.Weight.Data[0] = 0
		}
	}
}

// guard fills in the numbers of a guard whose gradient is the derivative of its value.
func (d *Draw) guard(g *loss.BernoulliGuard) {
	g.GradMode = "exact"
	g.LogFloor, g.ClipEps, g.GradEps = Pick(d, -100., -1.5), Pick(d, 1e-7, 0.125), Pick(d, 1e-12, 0.125)
}

func vae(d *Draw, p *loss.VAE[float64]) {
	n, c, latent, data := 2, 2, d.Side(8, 1, 2), []int{3, d.Side(6, 1, 2)}
	p.Beta, p.FreeBits = Pick(d, 0.25, 1, 4), d.Between(0, 1)
	p.LogvarMin, p.LogvarMax = d.Between(-1.5, -0.5), d.Between(0.5, 1.5)
	d.guard(&p.BernoulliGuard)
	p.Mu, p.Logvar = d.Normal(n, c, latent), d.Normal(n, c, latent)
	shape := append([]int{n}, data...)
	p.Recon, p.Target = d.Normal(shape...), d.Normal(shape...)
	switch p.ReconKind {
	case "bernoulli_logits", "bernoulli_probs":
		p.Target = d.Uniform(shape...)
		for i := range p.Target.Data {
			if i%4 < 2 {
				p.Target.Data[i] = float64(i % 2)
			} else {
				p.Target.Data[i] = min(max(p.Target.Data[i], 0), 1)
			}
		}
		if p.ReconKind == "bernoulli_probs" {
			p.Recon = d.Uniform(shape...)
			for i, x := range p.Recon.Data {
				p.Recon.Data[i] = float64(float32(min(max(x, 0.03125), 0.96875)))
			}
		}
	case "gaussian_logvar":
		if p.ReconLogvar = d.Normal(shape...); d.Coin() {
			p.ReconLogvar = d.Normal()
		}
	}
}
