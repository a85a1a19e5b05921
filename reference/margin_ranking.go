package reference

import (
	"math"

	"github.com/goldenloss/goldenloss/reference/loss"
)

// MarginRanking is the value of the margin ranking loss.
func MarginRanking(in *loss.MarginRanking[float64]) []float64 {
	items := make([]float64, len(in.X1.Data))
	for i := range items {
		items[i] = math.Max(0, in.Margin-in.Y.Data[i]*(in.X1.Data[i]-in.X2.Data[i]))
	}
	return reduce(in.Reduction, items, float64(len(items)))
}

// MarginRankingGrad is its vector-Jacobian product.
func MarginRankingGrad(in *loss.MarginRanking[float64], dOut []float64) *loss.MarginRanking[float64] {
	g := &loss.MarginRanking[float64]{X1: zeros(in.X1), X2: zeros(in.X2)}
	c := itemWeights(in.Reduction, len(in.X1.Data), float64(len(in.X1.Data)), dOut)
	for i, y := range in.Y.Data {
		u := in.Margin - y*(in.X1.Data[i]-in.X2.Data[i])
		switch {
		case math.IsNaN(u):
			g.X1.Data[i], g.X2.Data[i] = u, u
		case u > 0:
			g.X1.Data[i], g.X2.Data[i] = -c[i]*y, c[i]*y
		}
	}
	return g
}
