package optimized

import "github.com/goldenloss/goldenloss/reference/loss"

// Parts of a logit in an adversarial game.
const (
	realPart = iota
	fakePart
	generatorPart
)

// adversarialForm says what is summed for a part of the game in a mode.
func adversarialForm(mode string, part int) (f form, sign, center float64) {
	towards := [3]float64{-1, 1, -1}[part]
	switch mode {
	case "bce":
		return soft, towards, 0
	case "lsgan":
		return square, 1, [3]float64{1, 0, 1}[part]
	case "hinge":
		if part != generatorPart {
			return ramp, towards, 0
		}
	}
	return linear, towards, 0
}

// ConditionalAdversarial is the paired translation objective. See loss.ConditionalAdversarial.
func ConditionalAdversarial[T loss.Float](out []T, grad, in *loss.ConditionalAdversarial[T], dOut []T) {
	k := take[sampleTask[T]]()
	n := in.LogitsFake.Shape[0]
	var none loss.ConditionalAdversarial[T]
	if grad == nil {
		grad = &none
	}
	w := newWeights(in.Reduction, dOut, float64(n))
	stream := func(x, g []T, part int, scale float64) {
		f, sign, center := adversarialForm(in.GANMode, part)
		k.add(sampleStream[T]{form: f, sign: sign, center: center, x: x, g: g, factor: scale / float64(len(x)/n), w: w}, n)
	}
	if in.Player == "discriminator" {
		fakes := in.DScale
		if in.LogitsMismatch.Given() {
			fakes /= 2
			stream(in.LogitsMismatch.Data, grad.LogitsMismatch.Data, fakePart, fakes)
		}
		stream(in.LogitsReal.Data, grad.LogitsReal.Data, realPart, in.DScale)
		stream(in.LogitsFake.Data, grad.LogitsFake.Data, fakePart, fakes)
	} else {
		stream(in.LogitsFake.Data, grad.LogitsFake.Data, generatorPart, 1)
		s := sampleStream[T]{x: in.Fake.Data, y: in.Target.Data, g: grad.Fake.Data, factor: in.LambdaL1, off: in.LambdaL1 == 0, w: w}
		if in.L1Norm == "mean" {
			s.factor /= float64(len(s.x) / n)
		}
		k.add(s, n)
	}
	k.evaluate(n, sampleChunk)
	if in.Reduction == loss.None {
		store(out, k.items)
	}
	finish(out, in.Reduction, k.items, float64(n))
	k.reset()
	give(k)
}
