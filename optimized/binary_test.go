package optimized

import (
	"math"
	"math/rand/v2"

	"github.com/goldenloss/goldenloss/reference/loss"
)

func hardBinary(r *rand.Rand) loss.Problem[float64] {
	p := loss.New[float64, loss.BinaryCrossEntropyWithLogits[float64]]()
	p.Logits, p.Target = draw(r, func() float64 { return 5 * r.NormFloat64() }, 30011), draw(r, func() float64 { return float64(r.IntN(2)) }, 30011)
	return p
}

func weightedBinary(r *rand.Rand) loss.Problem[float64] {
	p := loss.New[float64, loss.BinaryCrossEntropyWithLogits[float64]]()
	p.Reduction = loss.None
	p.Logits, p.Target = draw(r, r.NormFloat64, 4, 3, 41, 37), draw(r, r.Float64, 4, 3, 41, 37)
	p.Weight, p.PosWeight = draw(r, r.ExpFloat64, 41, 1), draw(r, r.ExpFloat64, 3, 1, 1)
	return p
}

func hardProbabilities(r *rand.Rand) loss.Problem[float64] {
	p := loss.New[float64, loss.BinaryCrossEntropy[float64]]()
	p.Prob, p.Target = draw(r, r.Float64, 30011), draw(r, func() float64 { return float64(r.IntN(2)) }, 30011)
	return p
}

// softProbabilities has hard targets among soft ones, in strips of both kinds.
func softProbabilities(r *rand.Rand) loss.Problem[float64] {
	p := loss.New[float64, loss.BinaryCrossEntropy[float64]]()
	p.Reduction, p.Guard, p.ClipEps = loss.None, "clip", 0.01
	p.Prob, p.Target = draw(r, r.Float64, 9001), draw(r, func() float64 { return math.Max(0, 1-float64(r.IntN(150))) }, 9001)
	for i := range p.Target.Data {
		if i%97 == 0 {
			p.Target.Data[i] = 0.25
		}
	}
	return p
}

func margins(r *rand.Rand) loss.Problem[float64] {
	p := loss.New[float64, loss.Logistic[float64]]()
	p.Score, p.Target = draw(r, func() float64 { return 5 * r.NormFloat64() }, 30011), draw(r, func() float64 { return float64(2*r.IntN(2) - 1) }, 30011)
	return p
}

func divergences(r *rand.Rand) loss.Problem[float64] {
	p := loss.New[float64, loss.KLDivergence[float64]]()
	p.Reduction = loss.BatchMean
	p.LogQ, p.Target = draw(r, r.NormFloat64, 3001, 10), draw(r, r.Float64, 3001, 10)
	return p
}

func logDivergences(r *rand.Rand) loss.Problem[float64] {
	p := loss.New[float64, loss.KLDivergence[float64]]()
	p.Reduction, p.LogTarget = loss.None, true
	p.LogQ, p.Target = draw(r, r.NormFloat64, 9001), draw(r, r.NormFloat64, 9001)
	return p
}
