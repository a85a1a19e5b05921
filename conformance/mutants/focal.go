package mutants

import (
	"math"

	"github.com/goldenloss/goldenloss/reference/loss"
)

const (
	detached         = "focusing weight detached"
	alphaOfNegatives = "alpha for the negatives"
	onePredicted     = "focusing weight by subtraction"
	negativeAlpha    = "negative alpha used"
	hardFactor       = "factor of hard labels for soft ones"
	normalizedSum    = "normalizer in the sum"
	doubleNormalized = "normalizer and count"
	clippedProb      = "probabilities clipped"
)

var focalFlaws = []flaw{
	{detached, "does not differentiate (1-p_t)^gamma"},
	{alphaOfNegatives, "gives alpha to t = 0 and 1 - alpha to t = 1"},
	{onePredicted, "takes 1 - p_t by subtraction, which is 0 from logits of 37 on"},
	{negativeAlpha, "does not take a negative alpha for off"},
	{hardFactor, "takes exp(-gamma softplus((2t-1)x)) for soft labels too"},
	{normalizedSum, "divides the sum, too, by the normalizer"},
	{doubleNormalized, "divides the mean by the number of elements and by the normalizer"},
	{clippedProb, "clips probabilities to [1e-7, 1-1e-7] before the logarithm"},
}

func focal(out []float64, grad, in *loss.Focal[float64], dOut []float64, flaw string) {
	alpha, gamma := in.Alpha, in.Gamma
	if flaw == alphaOfNegatives && alpha >= 0 {
		alpha = 1 - alpha
	}
	n := len(in.Logits.Data)
	z := float64(n)
	if in.Normalizer.Set {
		z = in.Normalizer.Value
		if flaw == doubleNormalized {
			z *= float64(n)
		}
	}
	items := make([]float64, n)
	for i, x := range in.Logits.Data {
		t := in.Target.Data[i]
		weight := 1.0
		if alpha >= 0 || flaw == negativeAlpha {
			weight = alpha*t + (1-alpha)*(1-t)
		}
		bce := 0.0
		if t != 0 {
			bce += t * softplus(-x)
		}
		if t != 1 {
			bce += (1 - t) * softplus(x)
		}
		p := sigmoid(x)
		u := t*sigmoid(-x) + (1-t)*p
		slope := (1 - 2*t) * p * sigmoid(-x) // of u
		residual := (1-t)*p - t*sigmoid(-x)
		switch flaw {
		case onePredicted:
			u = 1 - (p*t + (1-p)*(1-t))
		case hardFactor:
			u = sigmoid((1 - 2*t) * x)
			slope = (1 - 2*t) * u * (1 - u)
		case clippedProb:
			q := math.Min(math.Max(p, 1e-7), 1-1e-7)
			bce = -t*math.Log(q) - (1-t)*math.Log(1-q)
		}
		factor := math.Pow(u, gamma)
		d := factor * residual
		if gamma > 0 && flaw != detached {
			if (t == 0 || t == 1) && flaw != onePredicted { // u^(gamma-1) slope without a quotient of small numbers
				d += gamma * factor * (1 - 2*t) * (1 - u) * bce
			} else {
				d += gamma * math.Pow(u, gamma-1) * slope * bce
			}
		}
		items[i] = weight * factor * bce
		grad.Logits.Data[i] = share(in.Reduction, dOut, i, z) * weight * d
		if flaw == normalizedSum && in.Reduction == loss.Sum && in.Normalizer.Set {
			items[i] /= z
			grad.Logits.Data[i] /= z
		}
	}
	reduce(out, in.Reduction, items, z)
}
