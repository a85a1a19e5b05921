package random

import (
	"math"

	"github.com/goldenloss/goldenloss/reference/loss"
)

// hard replaces three in four of the numbers by 0 and 1.
func hard(d *Draw, x loss.Tensor[float64]) loss.Tensor[float64] {
	for i := range x.Data {
		if d.IntN(4) > 0 {
			x.Data[i] = float64(d.IntN(2))
		}
	}
	return x
}

// spreadWeights draws weights that broadcast to a shape, or none; one may be 0.
func spreadWeights(d *Draw, shape []int) loss.Tensor[float64] {
	dims := append([]int{}, shape[d.IntN(len(shape)):]...)
	for i := range dims {
		if d.Coin() {
			dims[i] = 1
		}
	}
	switch d.IntN(4) {
	case 0:
		return loss.Tensor[float64]{}
	case 1:
		dims = append([]int{}, shape...)
	}
	return weightsWithZero(d, dims...)
}

func binaryCrossEntropyWithLogits(d *Draw, p *loss.BinaryCrossEntropyWithLogits[float64]) {
	shape := []int{d.Side(12, 1, 2), 3, 2, 2}
	p.Logits, p.Target = d.Normal(shape...), hard(d, d.Normal(shape...))
	p.Weight, p.PosWeight = spreadWeights(d, shape[1:]), spreadWeights(d, shape[1:])
}

func binaryCrossEntropy(d *Draw, p *loss.BinaryCrossEntropy[float64]) {
	p.LogFloor, p.ClipEps, p.GradEps = d.Between(-3, -0.05), d.Between(0.01, 0.3), d.Between(0.01, 0.3)
	shape := []int{d.Side(12, 1, 2), 3, 2, 2}
	p.Prob, p.Target = d.Uniform(shape...), hard(d, d.Uniform(shape...))
	for i, v := range p.Prob.Data { // inside (0, 1), where no guard is needed
		p.Prob.Data[i] = float64(float32(0.01 + 0.98*v))
	}
	p.Weight = spreadWeights(d, shape[1:])
}

func logistic(d *Draw, p *loss.Logistic[float64]) {
	n := d.Side(3, 1, 2)
	p.Score, p.Target = d.Normal(n, 3), d.Normal(n, 3)
	for i, v := range p.Target.Data {
		p.Target.Data[i] = math.Copysign(1, v)
	}
}

func klDivergence(d *Draw, p *loss.KLDivergence[float64]) {
	n := d.Side(4, 1, 2)
	p.LogQ, p.Target = d.Normal(n, 4), d.Normal(n, 4)
	if !p.LogTarget {
		for i, v := range p.Target.Data {
			p.Target.Data[i] = float64(float32(math.Exp(v)))
		}
	}
}

func attentionTarget(d *Draw, p *loss.AttentionTarget[float64]) {
	const layers, samples, heads, queries, classes = 3, 2, 2, 3, 4
	keys := d.Side(layers*samples*heads*queries, 1, 3)
	p.Lambda = d.Between(0.25, 2)
	if d.Coin() {
		p.Layers = []int{2, d.IntN(2)}
	}
	p.Logits, p.Class = d.Normal(samples, classes), d.Labels(classes, samples)
	p.Attn = d.Normal(layers, samples, heads, queries, keys)
	if !p.FromScores {
		for i, v := range p.Attn.Data {
			p.Attn.Data[i] = float64(float32(math.Exp(v-2) + 0.0625))
		}
	}
	if p.Variant == "per_query" {
		p.TargetIndex = d.Labels(keys, samples)
		return
	}
	p.TargetMask = d.Mask(samples, keys)
	for n := range samples {
		p.TargetMask.Data[n*keys], p.TargetMask.Data[n*keys+1] = true, false
	}
}
