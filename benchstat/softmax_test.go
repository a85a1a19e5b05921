package main

import (
	"math"
	"math/rand/v2"

	"github.com/goldenloss/goldenloss/reference/loss"
)

// logits are drawn small, then one class in each position is set apart, as in a trained model; 30 % of them saturate.
func logits(r *rand.Rand, target []int64, shape ...int) loss.Tensor[float64] {
	x := tensor(r, normal(r, 0, 1), shape...)
	inner := loss.Size(shape[2:])
	for i, y := range target {
		gap := 8 + 4*r.Float64()
		if r.Float64() < 0.3 {
			gap = 20
		}
		if y >= 0 && y < int64(shape[1]) {
			x.Data[(i/inner*shape[1]+int(y))*inner+i%inner] += gap
		}
	}
	return x
}

// labels come in blobs with a skewed class distribution, some ignored.
func labels(r *rand.Rand, n, classes int, ignore float64) []int64 {
	y := make([]int64, n)
	for i := 0; i < n; {
		c := int64(float64(classes) * math.Pow(r.Float64(), 2))
		if r.Float64() < ignore {
			c = 255
		}
		for run := 1 + r.IntN(64); run > 0 && i < n; run-- {
			y[i] = c
			i++
		}
	}
	return y
}

func crossEntropy(ignore float64, shape ...int) func(*rand.Rand) loss.Problem[float64] {
	return func(r *rand.Rand) loss.Problem[float64] {
		p := loss.New[float64, loss.CrossEntropy[float64]]()
		outer := append([]int{shape[0]}, shape[2:]...)
		p.Target = loss.Tensor[int64]{Shape: outer, Data: labels(r, loss.Size(outer), shape[1], ignore)}
		p.IgnoreIndex = loss.Some(255)
		p.Logits = logits(r, p.Target.Data, shape...)
		return p
	}
}

func softCrossEntropy(n, classes int) func(*rand.Rand) loss.Problem[float64] {
	return func(r *rand.Rand) loss.Problem[float64] {
		p := loss.New[float64, loss.CrossEntropy[float64]]()
		p.Logits = tensor(r, normal(r, 0, 1), n, classes)
		p.TargetProb = loss.Make[float64](n, classes)
		for i := range n { // two classes mixed
			mix := r.Float64()
			p.TargetProb.Data[i*classes+r.IntN(classes)] += mix
			p.TargetProb.Data[i*classes+r.IntN(classes)] += 1 - mix
		}
		return p
	}
}

func focal(positive float64, shape ...int) func(*rand.Rand) loss.Problem[float64] {
	return func(r *rand.Rand) loss.Problem[float64] {
		p := loss.New[float64, loss.Focal[float64]]()
		p.Logits, p.Target = tensor(r, normal(r, -4.6, 1), shape...), tensor(r, coin(r, positive), shape...)
		return p
	}
}
