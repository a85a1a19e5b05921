package main

import (
	"math"
	"math/rand/v2"

	"github.com/goldenloss/goldenloss/reference/loss"
)

// binaryCrossEntropyWithLogits draws logits around that of the share of ones.
func binaryCrossEntropyWithLogits(ones float64, shape ...int) func(*rand.Rand) loss.Problem[float64] {
	return func(r *rand.Rand) loss.Problem[float64] {
		p := loss.New[float64, loss.BinaryCrossEntropyWithLogits[float64]]()
		p.Logits, p.Target = tensor(r, normal(r, math.Log(ones/(1-ones)), 2), shape...), tensor(r, coin(r, ones), shape...)
		return p
	}
}

func posWeightedBinary(shape ...int) func(*rand.Rand) loss.Problem[float64] {
	return func(r *rand.Rand) loss.Problem[float64] {
		p := binaryCrossEntropyWithLogits(0.1, shape...)(r).(*loss.BinaryCrossEntropyWithLogits[float64])
		p.PosWeight = tensor(r, r.ExpFloat64, shape[1], 1, 1)
		return p
	}
}

func probability(r *rand.Rand) func() float64 {
	return func() float64 { return 1 / (1 + math.Exp(-2*r.NormFloat64())) }
}

func binaryCrossEntropy(shape ...int) func(*rand.Rand) loss.Problem[float64] {
	return func(r *rand.Rand) loss.Problem[float64] {
		p := loss.New[float64, loss.BinaryCrossEntropy[float64]]()
		p.Prob, p.Target = tensor(r, probability(r), shape...), tensor(r, coin(r, 0.3), shape...)
		return p
	}
}

func logistic(shape ...int) func(*rand.Rand) loss.Problem[float64] {
	return func(r *rand.Rand) loss.Problem[float64] {
		p := loss.New[float64, loss.Logistic[float64]]()
		p.Score = tensor(r, normal(r, -2, 2), shape...)
		p.Target = tensor(r, func() float64 { return math.Copysign(1, r.Float64()-0.95) }, shape...)
		return p
	}
}

// logProbabilities are the logarithms of the softmax of normal rows.
func logProbabilities(r *rand.Rand, rows, classes int) loss.Tensor[float64] {
	x := tensor(r, normal(r, 0, 2), rows, classes)
	for ; rows > 0; rows-- {
		row := x.Data[(rows-1)*classes : rows*classes]
		sum := 0.0
		for _, v := range row {
			sum += math.Exp(v)
		}
		for k := range row {
			row[k] -= math.Log(sum)
		}
	}
	return x
}

func klDivergence(log bool, rows, classes int) func(*rand.Rand) loss.Problem[float64] {
	return func(r *rand.Rand) loss.Problem[float64] {
		p := loss.New[float64, loss.KLDivergence[float64]]()
		p.Reduction, p.LogTarget = loss.BatchMean, log
		p.LogQ, p.Target = logProbabilities(r, rows, classes), logProbabilities(r, rows, classes)
		if !log {
			for i, v := range p.Target.Data {
				p.Target.Data[i] = math.Exp(v)
			}
		}
		return p
	}
}

// attentionTarget looks from all tokens of a vision transformer at four patches, or at one.
func attentionTarget(perQuery, scores bool, layers, samples, heads, tokens int) func(*rand.Rand) loss.Problem[float64] {
	return func(r *rand.Rand) loss.Problem[float64] {
		p := loss.New[float64, loss.AttentionTarget[float64]]()
		p.FromScores, p.Lambda = scores, 0.002
		p.Logits, p.Class = tensor(r, normal(r, 0, 2), samples, 10), loss.Make[int64](samples)
		p.Attn = tensor(r, normal(r, 0, 2), layers, samples, heads, tokens, tokens)
		if !scores {
			rows := logProbabilities(r, layers*samples*heads*tokens, tokens)
			for i, v := range rows.Data {
				p.Attn.Data[i] = math.Exp(v)
			}
		}
		if perQuery {
			p.Variant, p.TargetIndex = "per_query", loss.Make[int64](samples)
			return p
		}
		p.TargetMask = loss.Make[bool](samples, tokens)
		for n := range samples {
			for j := 1; j <= 4; j++ {
				p.TargetMask.Data[n*tokens+j*tokens/6] = true
			}
		}
		return p
	}
}
