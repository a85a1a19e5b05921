package reference

import (
	"math"

	"github.com/goldenloss/goldenloss/reference/loss"
)

// bernoulli returns -(y log p + (1-y) log(1-p)) and its derivative. A logarithm below the floor is the floor and has no derivative;
// a zero coefficient drops its term.
func bernoulli(p, y, floor float64) (l, d float64) {
	hit, miss := log(p), math.Log1p(-p)
	lowHit, lowMiss := hit < floor, miss < floor
	if y != 0 {
		l -= y * math.Max(hit, floor)
	}
	if y != 1 {
		l -= (1 - y) * math.Max(miss, floor)
	}
	switch {
	case math.IsNaN(l):
		d = l
	case y == 0 && !lowMiss:
		d = 1 / (1 - p)
	case y == 1 && !lowHit:
		d = -1 / p
	case y == 0 || y == 1 || lowHit && lowMiss:
	case lowHit:
		d = (1 - y) / (1 - p)
	case lowMiss:
		d = -y / p
	default:
		d = (p - y) / (p * (1 - p))
	}
	return l, d
}

func bceItem(in *loss.BinaryCrossEntropy[float64], p, y float64) (l, d float64) {
	e := in.ClipEps
	switch {
	case in.Guard == "log_floor":
		l, d = bernoulli(p, y, in.LogFloor)
		if in.GradMode == "torch" {
			d = (p - y) / math.Max(p*(1-p), in.GradEps)
		}
	case in.Guard == "none" || p >= e && 1-p >= e || math.IsNaN(p):
		l, d = bernoulli(p, y, math.Inf(-1))
	case p < e:
		l, d = bernoulli(e, y, math.Inf(-1))
		d *= 0
	default: // p is 1-e
		l, d = bernoulli(e, 1-y, math.Inf(-1))
		d *= 0
	}
	return l, d
}

func bceItems(in *loss.BinaryCrossEntropy[float64]) (l, d []float64) {
	l, d = make([]float64, len(in.Prob.Data)), make([]float64, len(in.Prob.Data))
	weight := broadcast(in.Weight, in.Prob.Shape)
	for i, p := range in.Prob.Data {
		if w := weight[i]; w != 0 {
			l[i], d[i] = bceItem(in, p, in.Target.Data[i])
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
