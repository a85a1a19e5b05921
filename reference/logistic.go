package reference

import "github.com/goldenloss/goldenloss/reference/loss"

// Logistic is the value of the logistic loss.
func Logistic(in *loss.Logistic[float64]) []float64 {
	items := make([]float64, len(in.Score.Data))
	for i, v := range in.Score.Data {
		items[i] = softplus(-in.Target.Data[i] * v)
	}
	return reduce(in.Reduction, items, float64(len(items)))
}

// LogisticGrad is its vector-Jacobian product.
func LogisticGrad(in *loss.Logistic[float64], dOut []float64) *loss.Logistic[float64] {
	g := &loss.Logistic[float64]{Score: zeros(in.Score)}
	c := itemWeights(in.Reduction, len(in.Score.Data), float64(len(in.Score.Data)), dOut)
	for i, v := range in.Score.Data {
		y := in.Target.Data[i]
		g.Score.Data[i] = c[i] * -y * sigmoid(-y*v)
	}
	return g
}
