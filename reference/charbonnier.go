package reference

import (
	"math"

	"github.com/goldenloss/goldenloss/reference/loss"
)

// Charbonnier is the value of the Charbonnier loss.
func Charbonnier(in *loss.Charbonnier[float64]) []float64 {
	items := make([]float64, len(in.Pred.Data))
	for i := range items {
		items[i] = charbonnier(in.Pred.Data[i]-in.Target.Data[i], in.Eps, in.Alpha, in.Offset)
	}
	return reduce(in.Reduction, items, float64(len(items)))
}

// CharbonnierGrad is its vector-Jacobian product.
func CharbonnierGrad(in *loss.Charbonnier[float64], dOut []float64) *loss.Charbonnier[float64] {
	return &loss.Charbonnier[float64]{Pair: pairGrad(in.Reduction, in.Pair, dOut, func(e float64) float64 {
		h := math.Hypot(e, in.Eps)
		unit := e / h // the derivative of h
		switch {
		case h == 0:
			return 0
		case math.IsInf(e, 0):
			unit = sign(e)
		case in.Alpha == 1:
			return 2 * e
		}
		return 2 * in.Alpha * unit * power(h, 2*in.Alpha-1)
	})}
}

func charbonnier(e, eps, alpha float64, offset bool) float64 {
	h := math.Hypot(e, eps)
	switch {
	case math.IsInf(e, 0):
		return h
	case alpha == 1 && offset:
		return e * e
	case alpha == 1:
		return e*e + eps*eps
	case !offset || eps == 0:
		return power(h, 2*alpha)
	case alpha == 0.5: // h - eps without cancellation
		return e * (e / (h + eps))
	}
	q := e / eps
	if math.Abs(q) > 1e8 {
		return power(h, 2*alpha) - power(eps, 2*alpha)
	}
	return power(eps, 2*alpha) * math.Expm1(alpha*math.Log1p(q*q))
}

// power is x^p for x >= 0. math.Pow is wrong for subnormal x on some processors.
func power(x, p float64) float64 {
	if 0 < x && x < 0x1p-1022 {
		return math.Pow(x*0x1p100, p) * math.Pow(0x1p-100, p)
	}
	return math.Pow(x, p)
}
