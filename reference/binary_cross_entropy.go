package reference

import "github.com/goldenloss/goldenloss/reference/loss"

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
