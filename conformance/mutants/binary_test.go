package mutants

import (
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
