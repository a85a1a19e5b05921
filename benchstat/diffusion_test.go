package main

import (
	"math/rand/v2"

	"github.com/goldenloss/goldenloss/reference/loss"
)

// noisePrediction has a prediction near its target, as in a trained network.
func noisePrediction(prediction, weighting string, shape ...int) func(*rand.Rand) loss.Problem[float64] {
	return func(r *rand.Rand) loss.Problem[float64] {
		p := loss.New[float64, loss.NoisePrediction[float64]]()
		p.Prediction, p.Weighting = prediction, weighting
		target := tensor(r, normal(r, 0, 1), shape...)
		p.Pred = tensor(r, normal(r, 0, 0.3), shape...)
		for i, x := range target.Data {
			p.Pred.Data[i] += x
		}
		if prediction != "x0" {
			p.Eps = target
		}
		if prediction != "eps" {
			p.X0 = tensor(r, normal(r, 0, 1), shape...)
		}
		if prediction == "v" || weighting != "none" {
			p.AlphaBar = tensor(r, r.Float64, shape[0])
		}
		return p
	}
}

// denoising is a batch of images at random steps of the linear schedule.
func denoising(lossType string, shape ...int) func(*rand.Rand) loss.Problem[float64] {
	return func(r *rand.Rand) loss.Problem[float64] {
		p := loss.New[float64, loss.Diffusion[float64]]()
		p.LossType, p.CDF = lossType, "tanh"
		p.Eps, p.X0 = tensor(r, normal(r, 0, 1), shape...), tensor(r, func() float64 { return 2*float64(r.IntN(256))/255 - 1 }, shape...)
		p.MeanOut = tensor(r, normal(r, 0, 0.3), shape...)
		for i, x := range p.Eps.Data {
			p.MeanOut.Data[i] += x
		}
		if lossType != "simple" {
			p.VarOut = tensor(r, normal(r, 0, 0.5), shape...)
		}
		p.Betas, p.T = loss.Make[float64](1000), loss.Make[int64](shape[0])
		for i := range p.Betas.Data {
			p.Betas.Data[i] = 1e-4 + (0.02-1e-4)*float64(i)/999
		}
		for i := range p.T.Data {
			p.T.Data[i] = r.Int64N(1000)
		}
		return p
	}
}

// autoencoder has latents near the prior and images of the given shapes.
func autoencoder(kind string, latent, data []int) func(*rand.Rand) loss.Problem[float64] {
	return func(r *rand.Rand) loss.Problem[float64] {
		p := loss.New[float64, loss.VAE[float64]]()
		p.ReconKind = kind
		p.Mu, p.Logvar = tensor(r, normal(r, 0, 1), latent...), tensor(r, normal(r, -1, 0.5), latent...)
		p.Target, p.Recon = tensor(r, r.Float64, data...), tensor(r, normal(r, 0, 2), data...)
		return p
	}
}

// gating compares detections with tracks; rows is their number, tracks that of the covariances.
func gating(form string, rows, tracks, k int) func(*rand.Rand) loss.Problem[float64] {
	return func(r *rand.Rand) loss.Problem[float64] {
		p := loss.New[float64, loss.Mahalanobis[float64]]()
		p.Form = form
		p.X, p.Mean = tensor(r, normal(r, 0, 2), rows, k), tensor(r, normal(r, 0, 1), tracks, k)
		p.Index = loss.Make[int64](rows)
		for i := range p.Index.Data {
			p.Index.Data[i] = r.Int64N(int64(tracks))
		}
		p.Matrix = loss.Make[float64](tracks, k, k)
		for m := range tracks {
			s := p.Matrix.Data[m*k*k:][:k*k]
			for i := range k {
				for j := range i {
					s[i*k+j] = 0.2 * r.NormFloat64()
					s[j*k+i] = s[i*k+j]
				}
				s[i*k+i] = 2 + float64(k)*r.Float64()
			}
		}
		return p
	}
}

// pursuit slides exemplars over search regions.
func pursuit(n, c, exemplar, region int) func(*rand.Rand) loss.Problem[float64] {
	return func(r *rand.Rand) loss.Problem[float64] {
		p := loss.New[float64, loss.CrossCorrelation[float64]]()
		p.Template, p.Search = tensor(r, normal(r, 0, 1), n, c, exemplar, exemplar), tensor(r, normal(r, 0, 1), n, c, region, region)
		return p
	}
}
