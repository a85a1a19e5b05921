package main

import (
	"math/rand/v2"

	"github.com/goldenloss/goldenloss/reference/loss"
)

func ntXent(rows, dims int) func(*rand.Rand) loss.Problem[float64] {
	return func(r *rand.Rand) loss.Problem[float64] {
		p := loss.New[float64, loss.NTXent[float64]]()
		p.Temperature = 0.1
		p.Z = tensor(r, normal(r, 0, 1), rows, dims)
		for i := range rows / 2 * dims { // views of one image are near each other
			p.Z.Data[rows/2*dims+i] = p.Z.Data[i] + 0.5*r.NormFloat64()
		}
		return p
	}
}
