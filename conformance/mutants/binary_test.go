package mutants

import (
	"math"
	"math/rand/v2"

	"github.com/goldenloss/goldenloss/reference/loss"
)

func drawBinaryCrossEntropyWithLogits(r *rand.Rand) problem {
	p := loss.New[float64, loss.BinaryCrossEntropyWithLogits[float64]]()
	p.Reduction = loss.Reduction(pick(r, "mean", "sum", "none"))
	p.Logits, p.Target = normal(r, 2, 3, 2), normal(r, 2, 3, 2)
	copy(p.Target.Data, []float64{0, 1, 0.5})
	if r.IntN(2) == 0 {
		p.Weight = uniform(r, 2)
		p.Weight.Data[0] *= float64(r.IntN(2))
	}
	if r.IntN(2) == 0 {
		p.PosWeight = uniform(r, 3, 1)
	}
	return p
}

func drawBinaryCrossEntropy(r *rand.Rand) problem {
	p := loss.New[float64, loss.BinaryCrossEntropy[float64]]()
	p.Reduction = loss.Reduction(pick(r, "mean", "sum", "none"))
	p.Guard, p.GradMode = pick(r, "log_floor", "clip", "none"), pick(r, "torch", "exact")
	p.LogFloor, p.ClipEps, p.GradEps = -2*(1-r.Float64()), 0.1+0.3*r.Float64(), 0.3*(1-r.Float64())
	p.Prob, p.Target = uniform(r, 2, 3, 2), uniform(r, 2, 3, 2)
	copy(p.Prob.Data, []float64{0, 1, p.ClipEps})
	copy(p.Target.Data, []float64{0, 1})
	if p.Guard != "none" { // where these are infinite
		copy(p.Target.Data, []float64{1, 0})
	}
	if r.IntN(2) == 0 {
		p.Weight = uniform(r, 2)
		p.Weight.Data[0] *= float64(r.IntN(2))
	}
	return p
}

func drawLogistic(r *rand.Rand) problem {
	p := loss.New[float64, loss.Logistic[float64]]()
	p.Reduction = loss.Reduction(pick(r, "mean", "sum", "none"))
	p.Score, p.Target = normal(r, 5), normal(r, 5)
	for i, v := range p.Target.Data {
		p.Target.Data[i] = math.Copysign(1, v)
	}
	return p
}

func drawKLDivergence(r *rand.Rand) problem {
	p := loss.New[float64, loss.KLDivergence[float64]]()
	p.Reduction, p.LogTarget = loss.Reduction(pick(r, "mean", "sum", "none", "batchmean")), r.IntN(2) == 0
	p.LogQ, p.Target = normal(r, 2, 3, 2), normal(r, 2, 3, 2)
	if !p.LogTarget {
		p.Target = uniform(r, 2, 3, 2)
	}
	return p
}
