package reference

import (
	"math"

	"github.com/goldenloss/goldenloss/reference/loss"
)

// guardedBernoulli is -y log p - (1-y) log(1-p) under a guard, and its derivative.
func guardedBernoulli(p, y float64, g *loss.BernoulliGuard) (l, d float64) {
	logP, logQ := log(p), math.Log1p(-p)
	hasP, hasQ := y != 0, y != 1 // that a term has a derivative
	switch {
	case math.IsNaN(p) || math.IsNaN(y):
		return math.NaN(), math.NaN()
	case g.Guard == "log_floor":
		hasP, hasQ = hasP && logP >= g.LogFloor, hasQ && logQ >= g.LogFloor
		logP, logQ = math.Max(logP, g.LogFloor), math.Max(logQ, g.LogFloor)
	case g.Guard == "clip" && p < g.ClipEps:
		logP, logQ, hasP, hasQ = log(g.ClipEps), math.Log1p(-g.ClipEps), false, false
	case g.Guard == "clip" && 1-p < g.ClipEps:
		logP, logQ, hasP, hasQ = math.Log1p(-g.ClipEps), log(g.ClipEps), false, false
	}
	if y != 0 {
		l -= y * logP
	}
	if y != 1 {
		l -= (1 - y) * logQ
	}
	switch {
	case g.Guard == "log_floor" && g.GradMode == "torch":
		d = (p - y) / math.Max(p*(1-p), g.GradEps)
	case hasP && hasQ:
		d = (p - y) / (p * (1 - p))
	case hasP:
		d = -y / p
	case hasQ:
		d = (1 - y) / (1 - p)
	}
	return l, d
}

func bceItems(in *loss.BinaryCrossEntropy[float64]) (l, d []float64) {
	l, d = make([]float64, len(in.Prob.Data)), make([]float64, len(in.Prob.Data))
	weight := broadcast(in.Weight, in.Prob.Shape)
	for i, p := range in.Prob.Data {
		if w := weight[i]; w != 0 {
			l[i], d[i] = guardedBernoulli(p, in.Target.Data[i], &in.BernoulliGuard)
			l[i], d[i] = w*l[i], w*d[i]
		}
	}
	return l, d
}

// BinaryCrossEntropy is the value of the binary cross-entropy of probabilities.
func BinaryCrossEntropy(in *loss.BinaryCrossEntropy[float64]) []float64 {
	l, _ := bceItems(in)
	return reduce(in.Reduction, l, float64(len(l)))
}

// BinaryCrossEntropyGrad is its vector-Jacobian product.
func BinaryCrossEntropyGrad(in *loss.BinaryCrossEntropy[float64], dOut []float64) *loss.BinaryCrossEntropy[float64] {
	g := &loss.BinaryCrossEntropy[float64]{Prob: zeros(in.Prob)}
	_, d := bceItems(in)
	c := itemWeights(in.Reduction, len(d), float64(len(d)), dOut)
	for i := range d {
		g.Prob.Data[i] = c[i] * d[i]
	}
	return g
}
