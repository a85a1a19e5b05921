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

// mixup is rows of two classes mixed.
func mixup(r *rand.Rand, n, classes int) loss.Tensor[float64] {
	q := loss.Make[float64](n, classes)
	for i := range n {
		mix := r.Float64()
		q.Data[i*classes+r.IntN(classes)] += mix
		q.Data[i*classes+r.IntN(classes)] += 1 - mix
	}
	return q
}

func softCrossEntropy(n, classes int) func(*rand.Rand) loss.Problem[float64] {
	return func(r *rand.Rand) loss.Problem[float64] {
		p := loss.New[float64, loss.CrossEntropy[float64]]()
		p.Logits, p.TargetProb = tensor(r, normal(r, 0, 1), n, classes), mixup(r, n, classes)
		return p
	}
}

func softmaxCrossEntropy(n, classes int) func(*rand.Rand) loss.Problem[float64] {
	return func(r *rand.Rand) loss.Problem[float64] {
		p := loss.New[float64, loss.SoftmaxCrossEntropy[float64]]()
		p.Logits, p.TargetProb = tensor(r, normal(r, 0, 1), n, classes), mixup(r, n, classes)
		return p
	}
}

// distillation is a student against the softmax of a teacher.
func distillation(axis int, shape ...int) func(*rand.Rand) loss.Problem[float64] {
	return func(r *rand.Rand) loss.Problem[float64] {
		p := loss.New[float64, loss.SoftmaxCrossEntropy[float64]]()
		p.Axis, p.Temperature = axis, 4
		p.Logits, p.TargetProb = tensor(r, normal(r, 0, 3), shape...), softmax(r, axis, shape...)
		return p
	}
}

// softmax is the softmax of normal logits along an axis.
func softmax(r *rand.Rand, axis int, shape ...int) loss.Tensor[float64] {
	p := tensor(r, normal(r, 0, 2), shape...)
	outer, classes, inner := loss.AlongAxis(shape, axis)
	for i := range outer * inner {
		at, sum := i/inner*classes*inner+i%inner, 0.0
		for c := range classes {
			v := &p.Data[at+c*inner]
			*v = math.Exp(*v)
			sum += *v
		}
		for c := range classes {
			p.Data[at+c*inner] /= sum
		}
	}
	return p
}

func classWeighted(shape ...int) func(*rand.Rand) loss.Problem[float64] {
	return func(r *rand.Rand) loss.Problem[float64] {
		p := loss.New[float64, loss.WeightedCrossEntropy[float64]]()
		p.Target, p.Logits = labelMap(r, shape...)
		p.IgnoreIndex, p.ClassWeight = loss.Some(255), tensor(r, func() float64 { return 0.5 + r.ExpFloat64() }, shape[1])
		return p
	}
}

func pixelWeighted(shape ...int) func(*rand.Rand) loss.Problem[float64] {
	return func(r *rand.Rand) loss.Problem[float64] {
		p := loss.New[float64, loss.WeightedCrossEntropy[float64]]()
		p.Mode, p.Normalize, p.IgnoreIndex = "pixel", "count", loss.Some(255)
		p.Target, p.Logits = labelMap(r, shape...)
		p.PixelWeight = tensor(r, func() float64 { return 1 + r.ExpFloat64() }, p.Target.Shape...)
		return p
	}
}

func posWeighted(shape ...int) func(*rand.Rand) loss.Problem[float64] {
	return func(r *rand.Rand) loss.Problem[float64] {
		p := loss.New[float64, loss.WeightedCrossEntropy[float64]]()
		p.Mode, p.PosWeight = "binary_pos", 20
		p.Logits, p.TargetValue = tensor(r, normal(r, -3, 1), shape...), tensor(r, coin(r, 0.05), shape...)
		return p
	}
}

// labelMap is a label map with a tenth of its pixels ignored, and logits.
func labelMap(r *rand.Rand, shape ...int) (target loss.Tensor[int64], x loss.Tensor[float64]) {
	outer := append([]int{shape[0]}, shape[2:]...)
	target = loss.Tensor[int64]{Shape: outer, Data: labels(r, loss.Size(outer), shape[1], 0.1)}
	return target, logits(r, target.Data, shape...)
}

func pixelwiseCrossEntropy(shape ...int) func(*rand.Rand) loss.Problem[float64] {
	return func(r *rand.Rand) loss.Problem[float64] {
		p := loss.New[float64, loss.PixelwiseCrossEntropy[float64]]()
		p.IgnoreIndex = loss.Some(255)
		p.Target, p.Logits = labelMap(r, shape...)
		return p
	}
}

func categoricalCrossEntropy(smoothing float64, n, classes int) func(*rand.Rand) loss.Problem[float64] {
	return func(r *rand.Rand) loss.Problem[float64] {
		p := loss.New[float64, loss.CategoricalCrossEntropy[float64]]()
		p.LabelSmoothing = smoothing
		p.Prob, p.TargetProb = softmax(r, 1, n, classes), loss.Make[float64](n, classes)
		for i := range n {
			p.TargetProb.Data[i*classes+r.IntN(classes)] = 1
		}
		return p
	}
}

func focalSoftmax(shape ...int) func(*rand.Rand) loss.Problem[float64] {
	return func(r *rand.Rand) loss.Problem[float64] {
		p := loss.New[float64, loss.FocalSoftmax[float64]]()
		p.IgnoreIndex = loss.Some(255)
		p.Target, p.Logits = labelMap(r, shape...)
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
