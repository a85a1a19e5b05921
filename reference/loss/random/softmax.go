package random

import "github.com/goldenloss/goldenloss/reference/loss"

// rowSizes returns a batch, a number of classes and what follows the class axis: a few rows or maps, or many long rows or maps.
func rowSizes(d *Draw) (n, c int, inner []int) {
	if d.Size <= 1000 {
		return 2, 4, []int{d.Side(8, 1, 3)}
	}
	if d.Coin() {
		return 2, 19, []int{d.Side(38*8, 1, 2), 8}
	}
	return d.Side(101, 1, 2), 101, nil
}

// ignoreSome marks a target as ignored, by the default index or by that of a class.
func ignoreSome(d *Draw, target loss.Tensor[int64], index *loss.Opt[int]) {
	target.Data[1] = -100
	if d.Coin() {
		*index = loss.Some(1)
		target.Data[1] = 1
	}
}

// weightsWithZero draws weights of which one may be 0.
func weightsWithZero(d *Draw, shape ...int) loss.Tensor[float64] {
	w := d.Uniform(shape...)
	if d.Coin() {
		w.Data[d.IntN(len(w.Data))] = 0
	}
	return w
}

func crossEntropy(d *Draw, p *loss.CrossEntropy[float64]) {
	n, c, inner := rowSizes(d)
	p.Logits = d.Normal(append([]int{n, c}, inner...)...)
	if d.Coin() {
		p.TargetProb = d.Uniform(append([]int{n, c}, inner...)...)
	} else {
		p.Target = d.Labels(c, append([]int{n}, inner...)...)
		ignoreSome(d, p.Target, &p.IgnoreIndex)
	}
	if d.Coin() {
		p.LabelSmoothing = d.Between(0, 1)
	}
	if d.Coin() {
		p.ClassWeight = d.Uniform(c)
	}
}

func softmaxCrossEntropy(d *Draw, p *loss.SoftmaxCrossEntropy[float64]) {
	n, c, inner := rowSizes(d)
	shape := append([]int{n, c}, inner...)
	p.Axis = Pick(d, 1, 1-len(shape), d.IntN(len(shape)))
	if d.Coin() {
		p.Temperature = d.Between(0.5, 4)
	}
	p.Logits, p.TargetProb = d.Normal(shape...), d.Uniform(shape...)
}

func weightedCrossEntropy(d *Draw, p *loss.WeightedCrossEntropy[float64]) {
	n, c, inner := rowSizes(d)
	shape, outer := append([]int{n, c}, inner...), append([]int{n}, inner...)
	p.Logits = d.Normal(shape...)
	if p.Mode == "binary_pos" {
		p.PosWeight, p.TargetValue = d.Between(0, 4), d.Uniform(shape...)
		return
	}
	p.Target = d.Labels(c, outer...)
	ignoreSome(d, p.Target, &p.IgnoreIndex)
	if p.Mode == "pixel" {
		p.PixelWeight = weightsWithZero(d, outer...)
	} else {
		p.ClassWeight = weightsWithZero(d, c)
	}
}

func pixelwiseCrossEntropy(d *Draw, p *loss.PixelwiseCrossEntropy[float64]) {
	n, c, inner := rowSizes(d)
	if inner == nil {
		inner = []int{1}
	}
	p.Logits, p.Target = d.Normal(append([]int{n, c}, inner...)...), d.Labels(c, append([]int{n}, inner...)...)
	ignoreSome(d, p.Target, &p.IgnoreIndex)
	if d.Coin() {
		p.ClassWeight = weightsWithZero(d, c)
	}
}

func categoricalCrossEntropy(d *Draw, p *loss.CategoricalCrossEntropy[float64]) {
	n, c, inner := rowSizes(d)
	shape := append([]int{n, c}, inner...)
	p.Axis, p.Eps = Pick(d, 1, 1-len(shape), d.IntN(len(shape))), Pick(d, 0, 1e-7, 0.0625)
	p.Prob, p.TargetProb = d.Uniform(shape...), d.Uniform(shape...)
	for i := range p.Prob.Data {
		p.Prob.Data[i] = max(0.03125, d.round(p.Prob.Data[i]+0.03125)) // -log 0 is infinite
		if d.IntN(3) == 0 {
			p.TargetProb.Data[i] = 0
		}
	}
	if d.Coin() {
		p.LabelSmoothing = d.Between(0, 1)
	}
}

func focal(d *Draw, p *loss.Focal[float64]) {
	p.Alpha, p.Gamma = d.Between(-0.5, 1), Pick(d, 0, 0.5, 1, 1.5, 2, 5)
	n := d.Side(2, 1, 3)
	p.Logits, p.Target = d.Normal(n, 2), d.Uniform(n, 2)
	for i := range p.Target.Data {
		if i%8 < 6 {
			p.Target.Data[i] = float64(i % 2)
		}
	}
	if d.Coin() {
		p.Normalizer = loss.Some(7.)
	}
}

func focalSoftmax(d *Draw, p *loss.FocalSoftmax[float64]) {
	n, c, inner := rowSizes(d)
	p.Gamma = Pick(d, 0, 0.5, 1, 1.5, 2, 5)
	p.Logits, p.Target = d.Normal(append([]int{n, c}, inner...)...), d.Labels(c, append([]int{n}, inner...)...)
	ignoreSome(d, p.Target, &p.IgnoreIndex)
	if d.Coin() {
		p.Alpha = weightsWithZero(d, c)
	}
}
