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

// definite fills in n matrices of a form, each well conditioned.
func (d *Draw) definite(form string, x []float64, k int) {
	for i := range x {
		row, column := i/k%k, i%k
		switch {
		case form == "diag", row == column:
			x[i] = d.Between(0.5+float64(k)/4, 2+float64(k)/4)
		case row > column || form == "chol":
			x[i] = d.Between(-0.25, 0.25)
		default:
			continue
		}
		if form == "cov" || form == "precision" {
			x[i/(k*k)*k*k+column*k+row] = x[i]
		}
	}
}

func mahalanobis(d *Draw, p *loss.Mahalanobis[float64]) {
	k := Pick(d, 2, 3)
	if d.Size > 1000 {
		k = Pick(d, 1, 4, 8)
	}
	n := d.Side(k, 1, 2)
	if p.Form == "cov" {
		p.Jitter = Pick(d, 0, 0.25)
	}
	p.X = d.Normal(n, k)
	one := []int{k, k}
	if p.Form == "diag" {
		one = one[:1]
	}
	switch d.IntN(3) {
	case 0: // one matrix
		p.Mean, p.Matrix = d.Normal(k), loss.Make[float64](one...)
		if d.Coin() {
			p.Mean = d.Normal(n, k)
		}
	case 1: // one a row
		p.Mean, p.Matrix = d.Normal(n, k), loss.Make[float64](append([]int{n}, one...)...)
		if d.Coin() {
			p.Mean = d.Normal(k)
		}
	default:
		m := 2 + n/10
		p.Mean, p.Matrix, p.Index = d.Normal(m, k), loss.Make[float64](append([]int{m}, one...)...), d.Labels(m, n)
	}
	d.definite(p.Form, p.Matrix.Data, k)
}

func crossCorrelation(d *Draw, p *loss.CrossCorrelation[float64]) {
	n, c, h, w := 2, 1, 4, 5
	if d.Size > 1000 {
		c, h, w = d.Side(2*9*10, 1, 1), 9, 10
		if d.Coin() {
			n, c = d.Side(2*9*10, 1, 1), 2
		}
	}
	hz, wz := Pick(d, 1, 2), Pick(d, 1, 2, 3)
	if d.Size > 1000 {
		hz, wz = 4, Pick(d, 2, 5)
	}
	p.Scale, p.RPos, p.RNeg, p.Stride = d.Between(0.1, 1), 8, Pick(d, 0, 9.), 8
	p.Template, p.Search = d.Normal(n, c, hz, wz), d.Normal(n, c, h, w)
	if d.Coin() {
		p.Bias = d.Normal()
	}
	if d.Coin() {
		shape := []int{h - hz + 1, w - wz + 1}
		if d.Coin() {
			shape = append([]int{n}, shape...)
		}
		p.Labels = d.Labels(3, shape...)
		cells := (h - hz + 1) * (w - wz + 1)
		for i := range p.Labels.Data {
			p.Labels.Data[i]--
			if i%cells < 2 {
				p.Labels.Data[i] = int64(1 - 2*(i%cells))
			}
		}
	}
}

func diffusion(d *Draw, p *loss.Diffusion[float64]) {
	if p.LossType == "hybrid" && !p.Learned() {
		p.VarType = "learned_range"
	}
	p.LambdaVLB, p.ProbFloor = Pick(d, 0.001, 0.25), 1e-9
	n, size := 2, d.Side(2, 1, 2)
	if d.Size > 1000 && d.Coin() {
		n, size = d.Side(8, 1, 2), 8
	}
	p.MeanOut, p.X0, p.Eps = d.Normal(n, size), d.Uniform(n, size), d.Normal(n, size)
	if p.LossType != "simple" && p.Learned() {
		p.VarOut = d.Normal(n, size)
	}
	for i := range p.X0.Data {
		p.X0.Data[i] = float64(float32(2*p.X0.Data[i] - 1))
		if i%4 == 0 {
			p.X0.Data[i] = float64(1 - i%8/2)
		}
	}
	p.Betas = loss.Make[float64](4)
	for i := range p.Betas.Data {
		p.Betas.Data[i] = d.Between(0.05+0.05*float64(i), 0.1+0.05*float64(i))
	}
	p.T = d.Labels(4, n)
}
