package mutants

import (
	"math"

	"github.com/goldenloss/goldenloss/reference/loss"
)

type vaeProblem = *loss.VAE[float64]

// vae lists what people get wrong in the evidence lower bound.
func vae(base implementation) []Mutant {
	when := func(name, does string, change func(p vaeProblem) bool) Mutant {
		return changed(base, name, does, func(q problem) bool { return change(q.(vaeProblem)) })
	}
	// spoiled adds to the value, sample by sample, what an inexact divergence has too much.
	spoiled := func(name, does string, wrong func(mu, lv float64) float64) Mutant {
		right := func(mu, lv float64) float64 {
			if math.Abs(lv) > 0.25 {
				return (mu*mu + (math.Expm1(lv) - lv)) / 2
			}
			rest, term := 0.0, lv
			for j := 2.0; j < 16; j++ {
				term *= lv / j
				rest += term
			}
			return (mu*mu + rest) / 2
		}
		applies := func(q problem) bool {
			p := q.(vaeProblem)
			return p.Reduction == loss.None && p.Inner == "sum" && p.FreeBitsMode == "none" && !p.LogvarClamp && p.Beta > 0
		}
		return Mutant{name, does, implementation{ID: base.ID, New: base.New, Run: func(out []float64, grad, in problem, dOut []float64) {
			base.Run(out, grad, in, dOut)
			if !applies(in) {
				return
			}
			p := in.(vaeProblem)
			d := len(p.Mu.Data) / len(out)
			for i, mu := range p.Mu.Data {
				lv := p.Logvar.Data[i]
				if w, r := wrong(mu, lv), right(mu, lv); w != r && !(w-r != w-r) {
					out[i/d] += p.Beta * (w - r)
				}
			}
		}}, applies}
	}
	samples := func(p vaeProblem) float64 { return float64(p.Mu.Shape[0]) }
	return []Mutant{
		spoiled("exp(lv) - 1 - lv", "subtracts 1 and lv from the exponential, which loses a divergence next to 0",
			func(mu, lv float64) float64 { return (mu*mu + math.Exp(lv) - 1 - lv) / 2 }),
		spoiled("expm1(lv) - lv", "has no power series next to 0, where expm1(lv) and lv agree",
			func(mu, lv float64) float64 { return (mu*mu + (math.Expm1(lv) - lv)) / 2 }),
		spoiled("standard deviation", "takes logvar for the logarithm of the standard deviation",
			func(mu, lv float64) float64 { return (mu*mu + math.Expm1(2*lv) - 2*lv) / 2 }),
		when("divergence by the data", "divides both terms by the number of data elements", func(p vaeProblem) bool {
			if p.Inner != "mean" {
				return false
			}
			p.Beta *= float64(len(p.Mu.Data)) / float64(len(p.Recon.Data))
			return true
		}),
		when("beta per latent", "divides beta by the number of latents", func(p vaeProblem) bool {
			p.Beta /= float64(len(p.Mu.Data)) / samples(p)
			return true
		}),
		when("logvar negated", "has the divergence of a posterior of precision exp(lv)", func(p vaeProblem) bool {
			for i, x := range p.Logvar.Data {
				p.Logvar.Data[i] = -x
			}
			return p.Beta > 0
		}),
		when("free bits in all", "gives the free bits to all groups together", func(p vaeProblem) bool {
			if p.FreeBitsMode == "none" || p.Group == "all" {
				return false
			}
			p.FreeBits *= float64(p.Groups())
			p.Group = "all"
			return true
		}),
		when("free bits of each latent", "gives every latent of a group its own free bits", func(p vaeProblem) bool {
			if p.FreeBitsMode == "none" || p.Group == "element" {
				return false
			}
			p.FreeBits /= float64(len(p.Mu.Data)) / samples(p) / float64(p.Groups())
			p.Group = "element"
			return true
		}),
		split(base, "gradient below the free bits", "gives groups below the free bits their gradient", func(q problem) bool {
			p := q.(vaeProblem)
			if p.FreeBitsMode != "per_sample" {
				return false
			}
			p.FreeBitsMode = "none"
			return true
		}),
		split(base, "gradient through the clamp", "gives a clamped logvar its gradient", func(q problem) bool {
			p := q.(vaeProblem)
			p.LogvarClamp = false
			return true
		}),
		split(base, "gradient of the clamped value", "differentiates the guarded value where the library has a formula of its own", func(q problem) bool {
			p := q.(vaeProblem)
			if p.ReconKind != "bernoulli_probs" || p.Guard != "log_floor" || p.GradMode != "torch" {
				return false
			}
			p.GradMode = "exact"
			return true
		}),
		when("target rounded", "takes the nearest hard label for a target (Bernoulli)", func(p vaeProblem) bool {
			if p.ReconKind != "bernoulli_logits" && p.ReconKind != "bernoulli_probs" {
				return false
			}
			for i, x := range p.Target.Data {
				p.Target.Data[i] = math.Round(x)
			}
			return true
		}),
		when("variance of the reconstruction clamped", "takes recon_logvar within [-13.8, inf), a floor of 1e-6 on the variance", func(p vaeProblem) bool {
			for i, s := range p.ReconLogvar.Data {
				p.ReconLogvar.Data[i] = math.Max(s, math.Log(1e-6))
			}
			return p.ReconKind == "gaussian_logvar"
		}),
		when("NaN times beta", "computes the divergence at beta 0", func(p vaeProblem) bool {
			if p.Beta != 0 {
				return false
			}
			p.Beta = math.SmallestNonzeroFloat64
			return true
		}),
	}
}
