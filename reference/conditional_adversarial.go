package reference

import (
	"math"

	"github.com/goldenloss/goldenloss/reference/loss"
)

// Parts of a logit in an adversarial game.
const (
	realPart = iota
	fakePart
	generatorPart
)

// gameTerm is the term of a logit and its derivative.
func gameTerm(mode string, part int, x float64) (l, d float64) {
	side := -1.0 // of the slope: real logits and those of the generator are to rise
	if part == fakePart {
		side = 1
	}
	switch {
	case mode == "bce":
		return softplus(side * x), side * sigmoid(side*x)
	case mode == "lsgan":
		e := x
		if part != fakePart {
			e = x - 1
		}
		return e * e, 2 * e
	case mode == "hinge" && part != generatorPart:
		switch u := 1 + side*x; {
		case u > 0:
			return u, side
		case math.IsNaN(u):
			return u, u
		}
		return 0, 0
	}
	return side * x, side
}

// gameMean is the mean of the terms of a sample.
func gameMean(mode string, part int, xs []float64) float64 {
	var a accumulator
	for _, x := range xs {
		l, _ := gameTerm(mode, part, x)
		a.add(l)
	}
	return a.value() / float64(len(xs))
}

// conditionalItem is the item of sample i.
func conditionalItem(in *loss.ConditionalAdversarial[float64], i int) float64 {
	fake := sample(in.LogitsFake, i)
	if in.Player == "discriminator" {
		lie := gameMean(in.GANMode, fakePart, fake)
		if in.LogitsMismatch.Given() {
			lie = 0.5 * (gameMean(in.GANMode, fakePart, sample(in.LogitsMismatch, i)) + lie)
		}
		return in.DScale * (gameMean(in.GANMode, realPart, sample(in.LogitsReal, i)) + lie)
	}
	l := gameMean(in.GANMode, generatorPart, fake)
	if in.LambdaL1 == 0 {
		return l
	}
	image := meanDifference(sample(in.Fake, i), sample(in.Target, i), false)
	if in.L1Norm == "sum" {
		var a accumulator
		for k, x := range sample(in.Fake, i) {
			a.add(math.Abs(x - sample(in.Target, i)[k]))
		}
		image = a.value()
	}
	return l + in.LambdaL1*image
}

// ConditionalAdversarial is the value of the paired translation objective.
func ConditionalAdversarial(in *loss.ConditionalAdversarial[float64]) []float64 {
	items := make([]float64, in.LogitsFake.Shape[0])
	for i := range items {
		items[i] = conditionalItem(in, i)
	}
	return reduce(in.Reduction, items, float64(len(items)))
}

// ConditionalAdversarialGrad is its vector-Jacobian product.
func ConditionalAdversarialGrad(in *loss.ConditionalAdversarial[float64], dOut []float64) *loss.ConditionalAdversarial[float64] {
	n := in.LogitsFake.Shape[0]
	g := &loss.ConditionalAdversarial[float64]{Player: in.Player, LogitsFake: zeros(in.LogitsFake)}
	c := itemWeights(in.Reduction, n, float64(n), dOut)
	stream := func(g, x loss.Tensor[float64], part int, scale float64) {
		for i := range n {
			to := sample(g, i)
			for k, v := range sample(x, i) {
				_, d := gameTerm(in.GANMode, part, v)
				to[k] = c[i] * scale / float64(len(to)) * d
			}
			if math.IsNaN(conditionalItem(in, i)) {
				spoil(to)
			}
		}
	}
	if in.Player == "discriminator" {
		g.LogitsReal = zeros(in.LogitsReal)
		stream(g.LogitsReal, in.LogitsReal, realPart, in.DScale)
		lie := in.DScale
		if in.LogitsMismatch.Given() {
			lie /= 2
			g.LogitsMismatch = zeros(in.LogitsMismatch)
			stream(g.LogitsMismatch, in.LogitsMismatch, fakePart, lie)
		}
		stream(g.LogitsFake, in.LogitsFake, fakePart, lie)
		return g
	}
	stream(g.LogitsFake, in.LogitsFake, generatorPart, 1)
	g.Fake = zeros(in.Fake)
	if in.LambdaL1 == 0 {
		return g
	}
	for i := range n {
		to := sample(g.Fake, i)
		scale := c[i] * in.LambdaL1
		if in.L1Norm == "mean" {
			scale /= float64(len(to))
		}
		differenceSlopes(to, sample(in.Fake, i), sample(in.Target, i), false, scale)
		if math.IsNaN(conditionalItem(in, i)) {
			spoil(to)
		}
	}
	return g
}
