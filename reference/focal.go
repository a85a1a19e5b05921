package reference

import (
	"math"

	"github.com/goldenloss/goldenloss/reference/loss"
)

// focalItem returns the item of a logit x with target t, and its derivative.
func focalItem(in *loss.Focal[float64], x, t float64) (l, d float64) {
	alpha, gamma := in.Alpha, in.Gamma
	a := 1.0
	if alpha >= 0 {
		a = alpha*t + (1-alpha)*(1-t)
	}
	if a == 0 && !math.IsNaN(x) {
		return 0, 0
	}
	if t == 0 || t == 1 { // the stable form in z, exact in the far tails
		s := 2*t - 1
		z := s * x
		if math.IsInf(z, -1) {
			return math.Inf(1), -s * a
		}
		focus := 1.0
		if gamma != 0 {
			focus = math.Exp(-gamma * softplus(z))
		}
		ce := softplus(-z)
		return a * focus * ce, -s * a * focus * (gamma*sigmoid(z)*ce + sigmoid(-z))
	}
	switch {
	case math.IsInf(x, 1):
		return x, a * math.Pow(1-t, gamma+1)
	case math.IsInf(x, -1):
		return -x, -a * math.Pow(t, gamma+1)
	}
	p, q := sigmoid(x), sigmoid(-x)
	u := t*q + (1-t)*p
	ce := t*softplus(-x) + (1-t)*softplus(x)
	focus := math.Pow(u, gamma)
	return a * focus * ce, a * (gamma*math.Pow(u, gamma-1)*(1-2*t)*p*q*ce + focus*((1-t)*p-t*q))
}

func focalDenominator(in *loss.Focal[float64]) float64 {
	if in.Normalizer.Set {
		return in.Normalizer.Value
	}
	return float64(len(in.Logits.Data))
}

// Focal is the value of the sigmoid focal loss.
func Focal(in *loss.Focal[float64]) []float64 {
	items := make([]float64, len(in.Logits.Data))
	for i, x := range in.Logits.Data {
		items[i], _ = focalItem(in, x, in.Target.Data[i])
	}
	return reduce(in.Reduction, items, focalDenominator(in))
}

// FocalGrad is its vector-Jacobian product.
func FocalGrad(in *loss.Focal[float64], dOut []float64) *loss.Focal[float64] {
	g := &loss.Focal[float64]{Logits: zeros(in.Logits)}
	c := itemWeights(in.Reduction, len(in.Logits.Data), focalDenominator(in), dOut)
	for i, x := range in.Logits.Data {
		_, d := focalItem(in, x, in.Target.Data[i])
		g.Logits.Data[i] = c[i] * d
	}
	return g
}
