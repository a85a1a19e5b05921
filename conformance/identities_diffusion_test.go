package main

import (
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/goldenloss/goldenloss/reference"
	"github.com/goldenloss/goldenloss/reference/loss"
	"github.com/goldenloss/goldenloss/reference/loss/random"
)

// diffusionRun returns the items of a loss, and its gradients for a cotangent of ones.
func diffusionRun(t *testing.T, p loss.Problem[float64]) (items []float64, grads map[string][]float64) {
	t.Helper()
	for _, q := range loss.Params(p) {
		if q.Name == "reduction" {
			q.Set(string(loss.None))
		}
	}
	require.NoError(t, loss.Validate(p))
	impl := reference.All[slices.IndexFunc(reference.All, func(r loss.Impl[float64]) bool { return r.ID == p.Def().ID })]
	items = make([]float64, loss.Size(p.Out()))
	ones := make([]float64, len(items))
	for i := range ones {
		ones[i] = 1
	}
	grad := loss.NewGrad(p, impl.New())
	impl.Run(items, grad, p, ones)
	grads = map[string][]float64{}
	for _, f := range loss.Fields(grad) {
		if f.Role == loss.RoleVar && f.Given() {
			grads[f.Name] = f.Float.Data
		}
	}
	return items, grads
}

// diffusionSame compares to an accuracy relative to the largest number.
func diffusionSame(t *testing.T, want, got []float64, accuracy float64, name string) {
	t.Helper()
	require.Len(t, got, len(want), name)
	top := 0.0
	for _, w := range want {
		top = max(top, math.Abs(w))
	}
	for i, w := range want {
		require.LessOrEqual(t, math.Abs(w-got[i]), accuracy*top, "%s, element %d: want %g, got %g", name, i, w, got[i])
	}
}

func diffusionDraw(r *rand.Rand, shape ...int) loss.Tensor[float64] {
	x := loss.Make[float64](shape...)
	for i := range x.Data {
		x.Data[i] = r.NormFloat64()
	}
	return x
}

func diffusionScaled(by float64, x []float64) []float64 {
	y := slices.Clone(x)
	for i := range y {
		y[i] *= by
	}
	return y
}

func diffusionProblem(t *testing.T, r *rand.Rand, id string) loss.Problem[float64] {
	m, ok := random.Lookup(id)
	require.True(t, ok)
	return m.Problem(r, 24, false)
}

// TestNoisePredictionIdentities: one estimate of the clean sample has one min-SNR loss, whatever the network predicts of it; the
// weights are those of custom.
func TestNoisePredictionIdentities(t *testing.T) {
	r := rand.New(rand.NewPCG(70, 11))
	const n, d = 3, 5
	for range 200 {
		x0, eps, estimate := diffusionDraw(r, n, d), diffusionDraw(r, n, d), diffusionDraw(r, n, d)
		a := loss.Make[float64](n)
		for i := range a.Data {
			a.Data[i] = 0.05 + 0.9*r.Float64()
		}
		gamma := 0.5 + 5*r.Float64()
		var values [][]float64
		for _, prediction := range []string{"x0", "eps", "v"} {
			p := loss.New[float64, loss.NoisePrediction[float64]]()
			p.Prediction, p.Weighting, p.Gamma, p.AlphaBar = prediction, "min_snr", gamma, a
			p.Pred, p.Eps, p.X0 = loss.Make[float64](n, d), eps, x0
			for i := range p.Pred.Data {
				s, o := math.Sqrt(a.Data[i/d]), math.Sqrt(1-a.Data[i/d])
				x := s*x0.Data[i] + o*eps.Data[i]
				noise := (x - s*estimate.Data[i]) / o // of the estimate
				p.Pred.Data[i] = map[string]float64{"x0": estimate.Data[i], "eps": noise, "v": s*noise - o*estimate.Data[i]}[prediction]
			}
			items, _ := diffusionRun(t, p)
			values = append(values, items)
		}
		diffusionSame(t, values[0], values[1], 1e-12, "eps")
		diffusionSame(t, values[0], values[2], 1e-12, "v")
	}
	for range 200 {
		p := diffusionProblem(t, r, "noise_prediction").(*loss.NoisePrediction[float64])
		p.Weighting, p.Weight, p.AlphaBar = "none", loss.Tensor[float64]{}, diffusionUnit(r, p.Pred.Shape[0])
		plain, _ := diffusionRun(t, p)
		p.Weighting, p.Weight = "custom", diffusionUnit(r, p.Pred.Shape[0])
		items, _ := diffusionRun(t, p)
		for i, w := range p.Weight.Data {
			plain[i] *= w
		}
		diffusionSame(t, plain, items, 1e-15, "custom")
	}
}

func diffusionUnit(r *rand.Rand, shape ...int) loss.Tensor[float64] {
	x := loss.Make[float64](shape...)
	for i := range x.Data {
		x.Data[i] = 0.0625 + 0.875*r.Float64()
	}
	return x
}

// TestDiffusionIdentities: the hybrid is its parts; simple is the loss of noise prediction; the divergence with the right variance is a
// multiple of the squared error; the bins of all pixels have a mass of 1 together.
func TestDiffusionIdentities(t *testing.T) {
	r := rand.New(rand.NewPCG(70, 12))
	for range 200 {
		p := diffusionProblem(t, r, "diffusion").(*loss.Diffusion[float64])
		p.VarType, p.DetachMean = []string{"learned", "learned_range"}[r.IntN(2)], r.IntN(2) == 0
		p.VarOut = diffusionDraw(r, p.MeanOut.Shape...)
		p.LossType, p.Rescale = "vlb", true
		bound, ofBound := diffusionRun(t, p)
		p.LossType = "simple"
		simple, ofSimple := diffusionRun(t, p)
		p.LossType = "hybrid"
		hybrid, ofHybrid := diffusionRun(t, p)
		for i := range simple {
			simple[i] += p.LambdaVLB * bound[i]
		}
		diffusionSame(t, simple, hybrid, 1e-13, "hybrid")
		if mean := slices.Clone(ofSimple["mean_out"]); !p.DetachMean {
			for i := range mean {
				mean[i] += p.LambdaVLB * ofBound["mean_out"][i]
			}
			diffusionSame(t, mean, ofHybrid["mean_out"], 1e-13, "mean_out")
		} else {
			require.Equal(t, mean, ofHybrid["mean_out"])
		}
		diffusionSame(t, diffusionScaled(p.LambdaVLB, ofBound["var_out"]), ofHybrid["var_out"], 1e-13, "var_out")
		if p.MeanType != "x_prev" {
			q := loss.New[float64, loss.NoisePrediction[float64]]()
			q.Prediction, q.Pred, q.Eps, q.X0 = p.MeanType, p.MeanOut, p.Eps, p.X0
			p.LossType = "simple"
			want, of := diffusionRun(t, q)
			got, _ := diffusionRun(t, p)
			require.Equal(t, want, got)
			require.Equal(t, of["pred"], ofSimple["mean_out"])
		}
	}
	for range 100 {
		p := diffusionProblem(t, r, "diffusion").(*loss.Diffusion[float64])
		p.LossType, p.MeanType, p.VarType, p.Units, p.VarOut, p.Rescale = "vlb", "eps", "fixed_small", "nats", loss.Tensor[float64]{}, false
		for i := range p.T.Data {
			p.T.Data[i] = 1 + r.Int64N(3)
		}
		got, _ := diffusionRun(t, p)
		p.LossType = "simple"
		want, _ := diffusionRun(t, p)
		for n, step := range p.T.Data { // kap^2/(2 pv) = b/(2 a om_(t-1))
			abar := 1.0
			for _, b := range p.Betas.Data[:step] {
				abar *= 1 - b
			}
			b := p.Betas.Data[step]
			want[n] *= b / (2 * (1 - b) * (1 - abar))
		}
		diffusionSame(t, want, got, 1e-13, "perfect variance")
	}
	for _, cdf := range []string{"erf", "tanh"} {
		for range 30 {
			const pixels = 256
			p := loss.New[float64, loss.Diffusion[float64]]()
			p.LossType, p.MeanType, p.VarType, p.CDF, p.Units, p.ProbFloor = "vlb", "x_prev", "learned", cdf, "nats", 1e-300
			p.MeanOut, p.VarOut, p.X0, p.Eps = loss.Make[float64](pixels), loss.Make[float64](pixels), loss.Make[float64](pixels), loss.Make[float64](pixels)
			p.T, p.Betas = loss.Make[int64](pixels), loss.Tensor[float64]{Shape: []int{2}, Data: []float64{0.1, 0.2}}
			mean, v := r.NormFloat64(), -4+3*r.NormFloat64()
			for i := range pixels {
				p.X0.Data[i], p.MeanOut.Data[i], p.VarOut.Data[i] = 2*float64(i)/255-1, mean, v
			}
			items, _ := diffusionRun(t, p)
			sum := 0.0
			for _, l := range items {
				sum += math.Exp(-l)
			}
			require.InDelta(t, 1, sum, 1e-12, "%s mean %g log-variance %g", cdf, mean, v)
		}
	}
}

// TestVAEIdentities: a batch of copies, probabilities for logits, groups of everything, and the two terms.
func TestVAEIdentities(t *testing.T) {
	r := rand.New(rand.NewPCG(70, 13))
	for range 200 {
		p := diffusionProblem(t, r, "vae").(*loss.VAE[float64])
		items, grads := diffusionRun(t, p)
		beta := p.Beta
		p.Beta = 0
		data, ofData := diffusionRun(t, p)
		p.Beta = 2 * beta
		double, _ := diffusionRun(t, p)
		for i := range items {
			require.InDelta(t, double[i]-items[i], items[i]-data[i], 1e-12*(1+math.Abs(double[i])))
		}
		require.Equal(t, ofData["recon"], grads["recon"])
		p.Beta, p.FreeBitsMode, p.FreeBits = beta, "per_sample", 0
		free, _ := diffusionRun(t, p)
		p.FreeBitsMode = "none"
		none, _ := diffusionRun(t, p)
		diffusionSame(t, none, free, 1e-14, "no free bits")
		p.ReconKind, p.Guard, p.Target, p.ReconLogvar = "bernoulli_logits", "none", diffusionUnit(r, p.Recon.Shape...), loss.Tensor[float64]{}
		logits, _ := diffusionRun(t, p)
		for i, z := range p.Recon.Data {
			p.Recon.Data[i] = 1 / (1 + math.Exp(-z))
		}
		p.ReconKind = "bernoulli_probs"
		probs, _ := diffusionRun(t, p)
		diffusionSame(t, logits, probs, 1e-12, "probabilities")
		p.ReconKind, p.WithConst = "gaussian_unit", false
		unit, ofUnit := diffusionRun(t, p)
		p.ReconKind, p.ReconLogvar = "gaussian_logvar", loss.Make[float64]()
		scalar, ofScalar := diffusionRun(t, p)
		diffusionSame(t, unit, scalar, 1e-14, "unit variance")
		diffusionSame(t, ofUnit["recon"], ofScalar["recon"], 1e-15, "unit variance, recon")
		p.ReconLogvar = diffusionDraw(r, p.Recon.Shape...)
		for i := range p.ReconLogvar.Data {
			p.ReconLogvar.Data[i] = 0.5
		}
		many, ofMany := diffusionRun(t, p)
		p.ReconLogvar = loss.Tensor[float64]{Shape: []int{}, Data: []float64{0.5}}
		one, ofOne := diffusionRun(t, p)
		require.Equal(t, many, one)
		sum := 0.0
		for _, g := range ofMany["recon_logvar"] {
			sum += g
		}
		require.InDelta(t, sum, ofOne["recon_logvar"][0], 1e-11*(1+math.Abs(sum)))
	}
}

// TestMahalanobisIdentities: the forms of one covariance agree, root is the root, a factor 4^m is exact, and the shared layout is the
// batched one.
func TestMahalanobisIdentities(t *testing.T) {
	r := rand.New(rand.NewPCG(60, 1))
	for range 200 {
		const rows = 4
		k := 1 + r.IntN(5)
		l := loss.Make[float64](k, k)
		for i := range k {
			for j := range i {
				l.Data[i*k+j] = r.NormFloat64()
			}
			l.Data[i*k+i] = 0.5 + r.Float64()
		}
		cov := loss.Make[float64](k, k)
		for i := range k {
			for j := range k {
				for n := range min(i, j) + 1 {
					cov.Data[i*k+j] += l.Data[i*k+n] * l.Data[j*k+n]
				}
			}
		}
		p := loss.New[float64, loss.Mahalanobis[float64]]()
		p.X, p.Mean, p.Matrix = diffusionDraw(r, rows, k), diffusionDraw(r, k), cov
		squared, _ := diffusionRun(t, p)
		p.Variant = "root"
		root, _ := diffusionRun(t, p)
		for i := range root {
			require.InEpsilon(t, squared[i], root[i]*root[i], 1e-12)
		}
		for _, v := range []string{"squared", "root", "nll"} {
			p.Variant, p.Form, p.Matrix = v, "cov", cov
			want, of := diffusionRun(t, p)
			p.Form, p.Matrix = "chol", l
			got, ofL := diffusionRun(t, p)
			diffusionSame(t, want, got, 1e-9, "chol")
			diffusionSame(t, of["x"], ofL["x"], 1e-7, "chol, x")
			// dL = tril(2 dS L), and shared is batched with the gradients added up.
			chain := make([]float64, k*k)
			for i := range k {
				for j := range i + 1 {
					for n := range k {
						chain[i*k+j] += 2 * of["matrix"][i*k+n] * l.Data[n*k+j]
					}
				}
			}
			diffusionSame(t, chain, ofL["matrix"], 1e-7, "chol, matrix")
			p.Form, p.Matrix, p.Mean = "cov", loss.Tensor[float64]{Shape: []int{rows, k, k}, Data: slices.Repeat(cov.Data, rows)},
				loss.Tensor[float64]{Shape: []int{rows, k}, Data: slices.Repeat(p.Mean.Data[:k], rows)}
			got, batched := diffusionRun(t, p)
			require.Equal(t, want, got)
			sums := make([]float64, k*k)
			for i, g := range batched["matrix"] {
				sums[i%(k*k)] += g
			}
			diffusionSame(t, of["matrix"], sums, 1e-13, "batched")
			p.Mean = loss.Tensor[float64]{Shape: []int{k}, Data: p.Mean.Data[:k]}
		}
		p.Variant, p.Matrix = "squared", loss.Tensor[float64]{Shape: cov.Shape, Data: diffusionScaled(0x1p10, cov.Data)}
		got, _ := diffusionRun(t, p)
		require.Equal(t, diffusionScaled(0x1p-10, squared), got)
	}
}

// TestCrossCorrelationIdentities: labels turned round are responses turned round; a bias is a constant channel; channels add up.
func TestCrossCorrelationIdentities(t *testing.T) {
	r := rand.New(rand.NewPCG(60, 2))
	for range 200 {
		p := diffusionProblem(t, r, "cross_correlation").(*loss.CrossCorrelation[float64])
		items, of := diffusionRun(t, p)
		h, w := p.Map()
		if p.Labels.Given() {
			q := *p
			q.Labels = loss.Tensor[int64]{Shape: p.Labels.Shape, Data: slices.Clone(p.Labels.Data)}
			for i := range q.Labels.Data {
				q.Labels.Data[i] *= -1
			}
			q.Scale = -p.Scale
			if p.Bias.Given() {
				q.Bias = loss.Tensor[float64]{Shape: []int{}, Data: []float64{-p.Bias.Data[0]}}
			}
			got, turned := diffusionRun(t, &q)
			require.Equal(t, items, got)
			require.Equal(t, of["template"], turned["template"])
		}
		// The second half of the channels again: twice the responses without bias.
		q := *p
		n, c := p.Template.Shape[0], p.Template.Shape[1]
		twice := func(x loss.Tensor[float64]) loss.Tensor[float64] {
			per := len(x.Data) / n
			y := loss.Tensor[float64]{Shape: slices.Clone(x.Shape)}
			y.Shape[1] = 2 * c
			for s := range n {
				y.Data = append(append(y.Data, x.Data[s*per:(s+1)*per]...), x.Data[s*per:(s+1)*per]...)
			}
			return y
		}
		q.Template, q.Search, q.Scale = twice(p.Template), twice(p.Search), p.Scale/2
		got, _ := diffusionRun(t, &q)
		diffusionSame(t, items, got, 1e-13, "channels twice")
		// At scale 0 every cell is at the bias.
		q = *p
		q.Scale = 0
		q.Bias = loss.Make[float64]()
		flat, _ := diffusionRun(t, &q)
		for _, l := range flat {
			require.InDelta(t, math.Ln2, l, 1e-15*float64(h*w))
		}
	}
}
