package mutants

import (
	"math"

	"github.com/goldenloss/goldenloss/reference/loss"
)

const (
	anchorsOnly      = "gradient of anchors alone"
	withItself       = "itself in the denominator"
	withoutPositive  = "positive left out of the denominator"
	meanOfPairs      = "mean over pairs"
	normDetached     = "normalization detached"
	timesTemperature = "multiplied by the temperature"
	rawExponentials  = "exponentials without the maximum"
	quotientLog      = "logarithm of the quotient"
	positiveMinusOne = "probability minus one"
	epsAdded         = "norm plus norm_eps"
)

var ntXentFlaws = []flaw{
	{anchorsOnly, "forgets that every row is also a key: G u for (G + G^T) u"},
	{withItself, "keeps the similarity of a row with itself in the denominator"},
	{withoutPositive, "leaves the positive out of the denominator"},
	{meanOfPairs, "divides the mean by the number of pairs, N, instead of 2N"},
	{normDetached, "does not differentiate the norm of a row"},
	{timesTemperature, "multiplies by the temperature where it divides"},
	{rawExponentials, "does not subtract the maximum, so a low temperature overflows"},
	{quotientLog, "takes the logarithm of a sum of 1 and little, which loses a small loss"},
	{positiveMinusOne, "takes P - 1 at the positive, which cancels for a sure match"},
	{epsAdded, "adds norm_eps to the norm instead of taking the larger"},
}

func ntXent(out []float64, grad, in *loss.NTXent[float64], dOut []float64, flaw string) {
	rows, dims := in.Z.Shape[0], in.Z.Shape[1]
	u, norms := make([]float64, len(in.Z.Data)), make([]float64, rows)
	copy(u, in.Z.Data)
	if in.Normalize {
		for i := range rows {
			norms[i] = norm(in.Z.Data[i*dims : (i+1)*dims])
			length := math.Max(norms[i], in.NormEps)
			if flaw == epsAdded {
				length = norms[i] + in.NormEps
			}
			for d := range dims {
				u[i*dims+d] /= length
			}
		}
	}
	temperature := in.Temperature
	if flaw == timesTemperature {
		temperature = 1 / temperature
	}
	positive := func(i int) int {
		if in.Pairing == "interleaved" {
			return i ^ 1
		}
		return (i + rows/2) % rows
	}
	z := float64(rows)
	if flaw == meanOfPairs {
		z /= 2
	}
	items := make([]float64, rows)
	g := make([]float64, rows*rows) // by the similarities
	for i := range rows {
		p := positive(i)
		s := make([]float64, rows)
		other, top := math.Inf(-1), math.Inf(-1) // largest of the negatives, of all
		for k := range rows {
			for d := range dims {
				s[k] += u[i*dims+d] * u[k*dims+d]
			}
			s[k] /= temperature
			if (k != i || flaw == withItself) && k != p {
				other = math.Max(other, s[k])
			}
		}
		top = math.Max(other, s[p])
		negatives := 0.0 // relative to other
		for k := range rows {
			if (k != i || flaw == withItself) && k != p {
				negatives += math.Exp(s[k] - other)
			}
		}
		gap := other + math.Log(negatives) - s[p] // log of negatives over positive
		if rows == 2 && flaw != withItself {
			gap = math.Inf(-1) // there is no negative
		}
		items[i] = softplus(gap)
		switch flaw {
		case withoutPositive:
			items[i] = gap
		case quotientLog:
			all := math.Exp(s[p] - top)
			for k := range rows {
				if k != i && k != p {
					all += math.Exp(s[k] - top)
				}
			}
			items[i] = math.Log(all) + top - s[p]
		case rawExponentials:
			all := 0.0
			for k := range rows {
				if k != i {
					all += math.Exp(s[k])
				}
			}
			items[i] = -math.Log(math.Exp(s[p]) / all)
		}
		c := share(in.Reduction, dOut, i, z)
		miss := sigmoid(gap) // the sum of P over the negatives
		for k := range rows {
			switch {
			case k == p && flaw == withoutPositive:
				g[i*rows+k] = -c
			case k == p && flaw == positiveMinusOne:
				g[i*rows+k] = c * (sigmoid(-gap) - 1)
			case k == p:
				g[i*rows+k] = -c * miss
			case k == i && flaw != withItself:
			case flaw == withoutPositive:
				g[i*rows+k] = c * math.Exp(s[k]-other) / negatives
			default:
				g[i*rows+k] = c * miss * (math.Exp(s[k]-other) / negatives)
			}
		}
	}
	for i := range rows {
		du := make([]float64, dims)
		for k := range rows {
			w := g[i*rows+k] + g[k*rows+i]
			if flaw == anchorsOnly {
				w = g[i*rows+k]
			}
			for d := range du {
				du[d] += w * u[k*dims+d] / temperature
			}
		}
		along := 0.0 // component of du along u
		for d := range du {
			along += du[d] * u[i*dims+d]
		}
		for d := range du {
			x := &grad.Z.Data[i*dims+d]
			switch {
			case !in.Normalize:
				*x = du[d]
			case norms[i] <= in.NormEps:
				*x = du[d] / in.NormEps
			case flaw == normDetached:
				*x = du[d] / norms[i]
			case flaw == epsAdded:
				*x = (du[d] - u[i*dims+d]*along*(norms[i]+in.NormEps)/norms[i]) / (norms[i] + in.NormEps)
			default:
				*x = (du[d] - u[i*dims+d]*along) / norms[i]
			}
		}
	}
	reduce(out, in.Reduction, items, z)
}

// norm is the Euclidean norm, scaled by the largest entry.
func norm(v []float64) float64 {
	m := 0.0
	for _, x := range v {
		m = math.Max(m, math.Abs(x))
	}
	if m == 0 {
		return 0
	}
	s := 0.0
	for _, x := range v {
		s += (x / m) * (x / m)
	}
	return m * math.Sqrt(s)
}
