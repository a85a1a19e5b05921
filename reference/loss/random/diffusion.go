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
