package main

import (
	"math"
	"math/rand/v2"

	"github.com/goldenloss/goldenloss/reference/loss"
)

// positive makes weights of random numbers.
func positive(x loss.Tensor[float64]) loss.Tensor[float64] {
	for i, v := range x.Data {
		x.Data[i] = math.Abs(v)
	}
	return x
}

func largeBinaryCrossEntropyWithLogits(r *rand.Rand) loss.Problem[float64] {
	p := loss.New[float64, loss.BinaryCrossEntropyWithLogits[float64]]()
	p.Logits, p.Target = draw(r, 5, 7, 31, 29), draw(r, 5, 7, 31, 29)
	for i, v := range p.Target.Data {
		p.Target.Data[i] = math.Round(math.Abs(v))
	}
	p.Weight, p.PosWeight = positive(draw(r, 31, 1)), positive(draw(r, 7, 1, 1))
	return p
}

// unit squeezes random numbers into (0, 1), to what float32 holds.
func unit(x loss.Tensor[float64]) loss.Tensor[float64] {
	for i, v := range x.Data {
		x.Data[i] = float64(float32(1 / (1 + math.Exp(-v))))
	}
	return x
}

func largeBinaryCrossEntropy(r *rand.Rand) loss.Problem[float64] {
	p := loss.New[float64, loss.BinaryCrossEntropy[float64]]()
	p.Guard = "none"
	p.Prob, p.Target = unit(draw(r, 5, 7, 31, 29)), unit(draw(r, 5, 7, 31, 29))
	for i, v := range p.Target.Data[:len(p.Target.Data)/2] {
		p.Target.Data[i] = math.Round(v)
	}
	p.Weight = positive(draw(r, 31, 1))
	return p
}

func largeLogistic(r *rand.Rand) loss.Problem[float64] {
	p := loss.New[float64, loss.Logistic[float64]]()
	p.Score, p.Target = draw(r, 30011), draw(r, 30011)
	for i, v := range p.Target.Data {
		p.Target.Data[i] = math.Copysign(1, v)
	}
	return p
}

func largeKLDivergence(r *rand.Rand) loss.Problem[float64] {
	p := loss.New[float64, loss.KLDivergence[float64]]()
	p.LogQ, p.Target = draw(r, 3001, 10), unit(draw(r, 3001, 10))
	return p
}
