package reference

import "github.com/goldenloss/goldenloss/reference/loss"

// streamTerm is on softplus(z) + off softplus(-z), a term without coefficient left out, and its derivative.
func streamTerm(on, off, z float64) (l, d float64) {
	if on != 0 {
		l, d = on*softplus(z), on*sigmoid(z)
	}
	if off != 0 {
		l, d = l+off*softplus(-z), d-off*sigmoid(-z)
	}
	return l, d
}

// adversarialItem returns the item of a logit z and its derivative.
func adversarialItem(in *loss.Adversarial[float64], z float64) (l, d float64) {
	switch in.Role {
	case "d_real":
		return streamTerm(in.LabelSmoothing, 1-in.LabelSmoothing, z)
	case "d_fake":
		return streamTerm(1, 0, z)
	case "g_ns":
		return streamTerm(0, 1, z)
	}
	l, d = streamTerm(1, 0, z)
	return -l, -d
}

// Adversarial is the value of the logistic adversarial loss.
func Adversarial(in *loss.Adversarial[float64]) []float64 {
	items := make([]float64, len(in.Logits.Data))
	for i, z := range in.Logits.Data {
		items[i], _ = adversarialItem(in, z)
	}
	return reduce(in.Reduction, items, float64(len(items)))
}

// AdversarialGrad is its vector-Jacobian product.
func AdversarialGrad(in *loss.Adversarial[float64], dOut []float64) *loss.Adversarial[float64] {
	g := &loss.Adversarial[float64]{Logits: zeros(in.Logits)}
	c := itemWeights(in.Reduction, len(in.Logits.Data), float64(len(in.Logits.Data)), dOut)
	for i, z := range in.Logits.Data {
		_, d := adversarialItem(in, z)
		g.Logits.Data[i] = c[i] * d
	}
	return g
}
