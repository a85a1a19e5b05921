package reference

import (
	"math"

	"github.com/goldenloss/goldenloss/reference/loss"
)

// broadcast returns x spread out over a shape to which it broadcasts, ones where it is absent.
func broadcast(x loss.Tensor[float64], shape []int) []float64 {
	out := make([]float64, loss.Size(shape))
	for i := range out {
		if out[i] = 1; !x.Given() {
			continue
		}
		at, stride := 0, 1 // in x
		rest := i
		for axis := len(shape) - 1; axis >= 0; axis-- {
			k := axis + len(x.Shape) - len(shape)
			if k < 0 {
				break
			}
			at += rest % shape[axis] % x.Shape[k] * stride
			rest /= shape[axis]
			stride *= x.Shape[k]
		}
		out[i] = x.Data[at]
	}
	return out
}

// sigmoidCrossEntropy returns p softplus(-x) + q softplus(x) without the terms that a zero coefficient drops, and its derivative.
func sigmoidCrossEntropy(x, p, q float64) (l, d float64) {
	if math.IsNaN(x) {
		return x, x
	}
	if p != 0 {
		l += p * softplus(-x)
		d -= p * sigmoid(-x)
	}
	if q != 0 {
		l += q * softplus(x)
		d += q * sigmoid(x)
	}
	if math.IsNaN(l) {
		return l, l
	}
	return l, d
}

func bceLogits(in *loss.BinaryCrossEntropyWithLogits[float64]) (l, d []float64) {
	l, d = make([]float64, len(in.Logits.Data)), make([]float64, len(in.Logits.Data))
	weight, positive := broadcast(in.Weight, in.Logits.Shape), broadcast(in.PosWeight, in.Logits.Shape)
	for i, x := range in.Logits.Data {
		if w, y := weight[i], in.Target.Data[i]; w != 0 {
			l[i], d[i] = sigmoidCrossEntropy(x, positive[i]*y, 1-y)
			l[i], d[i] = w*l[i], w*d[i]
		}
	}
	return l, d
}

// BinaryCrossEntropyWithLogits is the value of the sigmoid cross-entropy.
func BinaryCrossEntropyWithLogits(in *loss.BinaryCrossEntropyWithLogits[float64]) []float64 {
	l, _ := bceLogits(in)
	return reduce(in.Reduction, l, float64(len(l)))
}

// BinaryCrossEntropyWithLogitsGrad is its vector-Jacobian product.
func BinaryCrossEntropyWithLogitsGrad(in *loss.BinaryCrossEntropyWithLogits[float64], dOut []float64) *loss.BinaryCrossEntropyWithLogits[float64] {
	g := &loss.BinaryCrossEntropyWithLogits[float64]{Logits: zeros(in.Logits)}
	_, d := bceLogits(in)
	c := itemWeights(in.Reduction, len(d), float64(len(d)), dOut)
	for i := range d {
		g.Logits.Data[i] = c[i] * d[i]
	}
	return g
}
