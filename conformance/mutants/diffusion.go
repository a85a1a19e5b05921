package mutants

import (
	"math"

	"github.com/goldenloss/goldenloss/reference/loss"
)

type diffusionProblem = *loss.Diffusion[float64]

// diffusion lists what people get wrong in the bound.
func diffusion(base implementation) []Mutant {
	when := func(name, does string, change func(p diffusionProblem) bool) Mutant {
		return changed(base, name, does, func(q problem) bool { return change(q.(diffusionProblem)) })
	}
	return []Mutant{
		when("step plus one", "counts steps from 1", func(p diffusionProblem) bool {
			any := false
			for n, t := range p.T.Data {
				if int(t)+1 < len(p.Betas.Data) {
					p.T.Data[n], any = t+1, true
				}
			}
			return any
		}),
		when("step of the first sample", "takes the step of the first sample for all", func(p diffusionProblem) bool {
			for n := range p.T.Data {
				p.T.Data[n] = p.T.Data[0]
			}
			return true
		}),
		when("divergence at step 0", "has no likelihood: takes step 1 for step 0", func(p diffusionProblem) bool {
			any := false
			for n, t := range p.T.Data {
				if t == 0 {
					p.T.Data[n], any = 1, true
				}
			}
			return any && p.Bound()
		}),
		when("betas reversed", "goes through the schedule from its end", func(p diffusionProblem) bool {
			b := p.Betas.Data
			for i := range len(b) / 2 {
				b[i], b[len(b)-1-i] = b[len(b)-1-i], b[i]
			}
			return true
		}),
		when("betas in float32", "keeps the schedule in float32", func(p diffusionProblem) bool {
			for i, b := range p.Betas.Data {
				p.Betas.Data[i] = round(b)
			}
			return true
		}),
		when("fraction clamped", "keeps the fraction of the two variances in [0, 1]", func(p diffusionProblem) bool {
			for i, v := range p.VarOut.Data {
				p.VarOut.Data[i] = math.Max(-1, math.Min(v, 1))
			}
			return p.VarType == "learned_range" && p.VarOut.Given()
		}),
		when("fraction as it is", "takes var_out for the fraction, without (v+1)/2", func(p diffusionProblem) bool {
			for i, v := range p.VarOut.Data {
				p.VarOut.Data[i] = 2*v - 1
			}
			return p.VarType == "learned_range" && p.VarOut.Given()
		}),
		when("bounds exchanged", "gives the small variance to fraction 1", func(p diffusionProblem) bool {
			for i, v := range p.VarOut.Data {
				p.VarOut.Data[i] = -v
			}
			return p.VarType == "learned_range" && p.VarOut.Given()
		}),
		when("standard deviation", "takes var_out for the logarithm of the standard deviation", func(p diffusionProblem) bool {
			for i, v := range p.VarOut.Data {
				p.VarOut.Data[i] = 2 * v
			}
			return p.VarType == "learned" && p.VarOut.Given()
		}),
		when("pixels clipped", "clips x0 to [-1, 1]", func(p diffusionProblem) bool {
			for i, x := range p.X0.Data {
				p.X0.Data[i] = math.Max(-1, math.Min(x, 1))
			}
			return true
		}),
		when("closed bins at the ends", "has no open bins", func(p diffusionProblem) bool {
			if p.MeanType != "x_prev" {
				return false
			}
			any := false
			d := len(p.MeanOut.Data) / p.MeanOut.Shape[0]
			for i, x := range p.X0.Data {
				if math.Abs(x) > 0.999 && p.T.Data[i/d] == 0 { // the same residual in the middle
					p.MeanOut.Data[i] -= x
					p.X0.Data[i], any = 0, true
				}
			}
			return any && p.LossType == "vlb"
		}),
		when("lambda without steps", "does not multiply the bound of the hybrid by the number of steps", func(p diffusionProblem) bool {
			p.LambdaVLB /= float64(len(p.Betas.Data))
			return p.LossType == "hybrid"
		}),
		split(base, "variance detached", "gives var_out no gradient in the hybrid", func(q problem) bool {
			p := q.(diffusionProblem)
			if p.LossType != "hybrid" {
				return false
			}
			p.LambdaVLB = 0
			return true
		}),
		split(base, "bound attached", "gives mean_out the gradient of the bound in the hybrid", func(q problem) bool {
			p := q.(diffusionProblem)
			p.DetachMean = false
			return p.LossType == "hybrid"
		}),
	}
}
