package reference

import (
	"math"

	"github.com/goldenloss/goldenloss/reference/loss"
)

// exp is math.Exp, which overflows too early on some processors.
func exp(x float64) float64 {
	if x > 709 && x < 710 {
		h := math.Exp(x / 2)
		return h * h
	}
	return math.Exp(x)
}

// klItem returns an item and its derivatives with respect to the logarithm x of the prediction and to the target t.
func klItem(x, t float64, logTarget bool) (l, dx, dt float64) {
	switch {
	case math.IsNaN(x) || math.IsNaN(t):
		return math.NaN(), math.NaN(), math.NaN()
	case !logTarget && t == 0:
		return 0, 0, math.Inf(-1) - x
	case !logTarget:
		diff := log(t) - x
		l, dx, dt = t*diff, -t, diff+1
	case math.IsInf(t, -1):
		return 0, 0, 0
	case math.IsInf(x, 0) && !math.IsInf(t, 0):
		return -x, -exp(t), -x // also where exp(t) underflows
	default:
		p := exp(t)
		l, dx, dt = p*(t-x), -p, p*(t-x+1)
	}
	if math.IsNaN(l) {
		return l, l, l
	}
	return l, dx, dt
}

// KLDivergence is the value of the Kullback-Leibler divergence.
func KLDivergence(in *loss.KLDivergence[float64]) []float64 {
	items := make([]float64, len(in.LogQ.Data))
	for i, x := range in.LogQ.Data {
		items[i], _, _ = klItem(x, in.Target.Data[i], in.LogTarget)
	}
	return reduce(in.Reduction, items, float64(in.Denominator()))
}

// KLDivergenceGrad is its vector-Jacobian product.
func KLDivergenceGrad(in *loss.KLDivergence[float64], dOut []float64) *loss.KLDivergence[float64] {
	g := &loss.KLDivergence[float64]{LogQ: zeros(in.LogQ), Target: zeros(in.Target)}
	c := itemWeights(in.Reduction, len(in.LogQ.Data), float64(in.Denominator()), dOut)
	for i, x := range in.LogQ.Data {
		_, dx, dt := klItem(x, in.Target.Data[i], in.LogTarget)
		g.LogQ.Data[i], g.Target.Data[i] = c[i]*dx, c[i]*dt
	}
	return g
}
