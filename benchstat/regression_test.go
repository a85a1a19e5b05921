package main

import (
	"math/rand/v2"

	"github.com/goldenloss/goldenloss/reference/loss"
)

func smoothL1(n int) func(*rand.Rand) loss.Problem[float64] {
	return func(r *rand.Rand) loss.Problem[float64] {
		p := loss.New[float64, loss.SmoothL1[float64]]()
		p.Beta = 1.0 / 9
		p.Pred, p.Target = tensor(r, normal(r, 0, 0.5), n, 4), tensor(r, normal(r, 0, 0.5), n, 4)
		return p
	}
}
