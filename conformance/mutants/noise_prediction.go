package mutants

import (
	"math"

	"github.com/goldenloss/goldenloss/reference/loss"
)

type noiseProblem = *loss.NoisePrediction[float64]

// noisePrediction lists what people get wrong in the weights and targets of denoising.
func noisePrediction(base implementation) []Mutant {
	// reweighed computes with other weights than min_snr or snr give.
	reweighed := func(name, does string, applies func(p noiseProblem) bool, weight func(p noiseProblem, a float64) float64) Mutant {
		return changed(base, name, does, func(q problem) bool {
			p := q.(noiseProblem)
			if p.Weighting != "min_snr" && p.Weighting != "snr" || !applies(p) {
				return false
			}
			p.Weight = loss.Make[float64](len(p.AlphaBar.Data))
			for n, a := range p.AlphaBar.Data {
				p.Weight.Data[n] = weight(p, a)
			}
			p.Weighting = "custom"
			return true
		})
	}
	minimum := func(p noiseProblem) bool { return p.Weighting == "min_snr" }
	snr := func(a float64) float64 { return a / (1 - a) }
	return []Mutant{
		reweighed("SNR clipped for every prediction", "weighs by min(SNR, gamma) whatever is predicted", minimum,
			func(p noiseProblem, a float64) float64 { return math.Min(snr(a), p.Gamma) }),
		reweighed("quotient of SNR", "divides by an SNR of 0, which is NaN at alpha_bar 0", func(p noiseProblem) bool { return minimum(p) && p.Prediction == "eps" },
			func(p noiseProblem, a float64) float64 { return math.Min(snr(a), p.Gamma) / snr(a) }),
		reweighed("weight of eps for v", "divides by SNR where v asks for SNR + 1", func(p noiseProblem) bool { return minimum(p) && p.Prediction == "v" },
			func(p noiseProblem, a float64) float64 { return math.Min(1, p.Gamma*(1-a)/a) }),
		reweighed("plus one inside the minimum", "has the older weight min(SNR+1, gamma)/(SNR+1) of v", func(p noiseProblem) bool { return minimum(p) && p.Prediction == "v" },
			func(p noiseProblem, a float64) float64 { return math.Min(snr(a)+1, p.Gamma) / (snr(a) + 1) }),
		reweighed("weight one at SNR zero", "has weight 1 at alpha_bar 0 for every prediction, like the first code", minimum,
			func(p noiseProblem, a float64) float64 {
				if a == 0 {
					return 1
				}
				switch p.Prediction {
				case "eps":
					return math.Min(1, p.Gamma*(1-a)/a)
				case "x0":
					return math.Min(snr(a), p.Gamma)
				}
				return math.Min(a, p.Gamma*(1-a))
			}),
		reweighed("one over SNR", "weighs eps by 1/SNR", func(p noiseProblem) bool { return p.Weighting == "snr" && p.Prediction == "eps" },
			func(_ noiseProblem, a float64) float64 { return math.Min((1-a)/a, math.MaxFloat64) }),
		changed(base, "v with a plus", "takes sqrt(a) eps + sqrt(1-a) x0 for the velocity", func(q problem) bool {
			p := q.(noiseProblem)
			for i := range p.X0.Data {
				p.X0.Data[i] = -p.X0.Data[i]
			}
			return p.Prediction == "v"
		}),
		changed(base, "v of x_t", "exchanges eps and x0 in the velocity", func(q problem) bool {
			p := q.(noiseProblem)
			p.Eps, p.X0 = p.X0, p.Eps
			return p.Prediction == "v"
		}),
		changed(base, "alpha for its square root", "takes alpha_bar^2, so that sqrt(alpha_bar) becomes alpha_bar (v)", func(q problem) bool {
			p := q.(noiseProblem)
			for i, a := range p.AlphaBar.Data {
				p.AlphaBar.Data[i] = a * a
			}
			return p.Prediction == "v" && (p.Weighting == "none" || p.Weighting == "custom")
		}),
		{"sum over the elements", "does not divide by the number of elements: the printed norm", implementation{ID: base.ID, New: base.New,
			Run: func(out []float64, grad, in problem, dOut []float64) {
				base.Run(out, grad, in, dOut)
				p := in.(noiseProblem)
				d := float64(len(p.Pred.Data) / p.Pred.Shape[0])
				multiply(out, d)
				for _, g := range gradients(grad) {
					multiply(g.data, d)
				}
			}}, always},
		changed(base, "weight of 0 multiplied", "multiplies a sample of weight 0 instead of leaving it out", func(q problem) bool {
			p := q.(noiseProblem)
			if p.Weighting != "custom" {
				return false
			}
			any := false
			for n, w := range p.Weight.Data {
				if w == 0 {
					p.Weight.Data[n], any = math.SmallestNonzeroFloat64, true
				}
			}
			return any
		}),
		changed(base, "weights normalized", "divides the weights by their mean", func(q problem) bool {
			p := q.(noiseProblem)
			if p.Weighting != "custom" {
				return false
			}
			mean := total(p.Weight.Data) / float64(len(p.Weight.Data))
			for n := range p.Weight.Data {
				p.Weight.Data[n] /= mean
			}
			return mean > 0
		}),
	}
}

func multiply(x []float64, by float64) {
	for i := range x {
		x[i] *= by
	}
}
