package mutants

import "github.com/goldenloss/goldenloss/reference/loss"

const (
	condGenerator = "generator scaled"
	condMismatch  = "mismatched pairs not halved"
	condSum       = "terms of the discriminator averaged"
	condHinge     = "generator of the hinge cut off"
	condHalf      = "generator of least squares halved"
	condCorner    = "slope of the hinge at its corner"
	condTie       = "sign of zero is one"
	condZero      = "zero factor times NaN"
	condNaN       = "NaN in its own stream alone"
	condPooled    = "mean over fake and mismatched logits together"
	condAll       = "logits summed"
	condCritic    = "critic with the wrong sign"
)

var conditionalFlaws = []flaw{
	{condGenerator, "applies d_scale to the generator too"},
	{condMismatch, "adds the mismatched pairs to the fake ones without halving both"},
	{condSum, "takes half of the discriminator beside d_scale"},
	{condHinge, "gives the generator of hinge max(0, 1-f)"},
	{condHalf, "halves the square of the generator, as the paper of LSGAN prints it"},
	{condCorner, "gives the hinge its slope at the corner"},
	{condTie, "gives the absolute error the slope 1 at the origin"},
	{condZero, "multiplies an image term without weight by 0, which keeps its NaN"},
	{condNaN, "does not spread a NaN to the other inputs of its sample"},
	{condPooled, "averages fake and mismatched logits as one stream"},
	{condAll, "sums over the logits of a sample"},
	{condCritic, "gives the critic of wgan the sign of its generator"},
}

func conditionalAdversarial(out []float64, grad, in *loss.ConditionalAdversarial[float64], dOut []float64, flaw string) {
	const (
		asReal = iota
		asFake
		asGenerator
	)
	term := func(x float64, as int) (l, d float64) {
		side := 1.0
		if as == asFake {
			side = -1
		}
		switch {
		case in.GANMode == "bce":
			return softplus(-side * x), -side * sigmoid(-side*x)
		case in.GANMode == "lsgan":
			e, half := x, 1.0
			if as != asFake {
				e = x - 1
			}
			if as == asGenerator && flaw == condHalf {
				half = 0.5
			}
			return half * e * e, half * 2 * e
		case in.GANMode == "hinge" && (as != asGenerator || flaw == condHinge):
			u := 1 - side*x
			switch {
			case u < 0, u == 0 && flaw != condCorner:
				return 0, 0
			case u != u:
				return u, u
			}
			return u, -side
		case in.GANMode == "wgan" && as != asGenerator && flaw == condCritic:
			side = -side
		}
		return -side * x, -side
	}
	n := in.LogitsFake.Shape[0]
	items := make([]float64, n)
	for i := range n {
		outer := share(in.Reduction, dOut, i, float64(n))
		var touched [][]float64
		cut := func(x loss.Tensor[float64]) []float64 {
			d := len(x.Data) / n
			return x.Data[i*d:][:d]
		}
		stream := func(x, g loss.Tensor[float64], as int, factor float64) {
			size := float64(len(cut(x)))
			if flaw == condPooled && as == asFake && in.LogitsMismatch.Given() {
				factor, size = 2*factor, float64(len(cut(in.LogitsFake))+len(cut(in.LogitsMismatch)))
			}
			if flaw == condAll {
				size = 1
			}
			var terms []float64
			for k, v := range cut(x) {
				l, d := term(v, as)
				terms = append(terms, l)
				cut(g)[k] = outer * factor / size * d
			}
			items[i] += factor * (total(terms) / size)
			touched = append(touched, cut(g))
		}
		if in.Player == "discriminator" {
			s := in.DScale
			if flaw == condSum {
				s /= 2
			}
			stream(in.LogitsReal, grad.LogitsReal, asReal, s)
			if in.LogitsMismatch.Given() {
				lie := s / 2
				if flaw == condMismatch {
					lie = s
				}
				stream(in.LogitsMismatch, grad.LogitsMismatch, asFake, lie)
				stream(in.LogitsFake, grad.LogitsFake, asFake, lie)
			} else {
				stream(in.LogitsFake, grad.LogitsFake, asFake, s)
			}
		} else {
			s := 1.0
			if flaw == condGenerator {
				s = in.DScale
			}
			stream(in.LogitsFake, grad.LogitsFake, asGenerator, s)
			if in.LambdaL1 > 0 || flaw == condZero {
				factor := in.LambdaL1
				if in.L1Norm == "mean" {
					factor /= float64(len(cut(in.Fake)))
				}
				var terms []float64
				for k, x := range cut(in.Fake) {
					e := x - cut(in.Target)[k]
					d := sign(e)
					if flaw == condTie && e == 0 {
						d = 1
					}
					terms = append(terms, e*sign(e))
					cut(grad.Fake)[k] = outer * factor * d
				}
				items[i] += factor * total(terms)
				touched = append(touched, cut(grad.Fake))
			}
		}
		if l := items[i]; l != l && flaw != condNaN {
			for _, g := range touched {
				for k := range g {
					g[k] = l
				}
			}
		}
	}
	reduce(out, in.Reduction, items, float64(n))
}
