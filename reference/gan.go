package reference

import "github.com/goldenloss/goldenloss/reference/loss"

// ganTerm is the term of a probability or logit for a label, and its gradient.
func ganTerm(in *loss.GAN[float64], x float64, label int) (l, d float64) {
	switch {
	case in.Input == "probs":
		return guardedBernoulli(x, float64(label), &in.BernoulliGuard)
	case label == 1:
		return streamTerm(0, 1, x)
	}
	return streamTerm(1, 0, x)
}

// ganTerms returns the items of the player, real before fake, and their derivatives.
func ganTerms(in *loss.GAN[float64]) (items, slopes []float64) {
	add := func(xs []float64, label int, factor float64) {
		for _, x := range xs {
			l, d := ganTerm(in, x, label)
			items, slopes = append(items, factor*l), append(slopes, factor*d)
		}
	}
	switch {
	case in.Player == "discriminator":
		add(in.Real.Data, 1, in.DScale)
		add(in.Fake.Data, 0, in.DScale)
	case in.GMode == "sat":
		add(in.Fake.Data, 0, -1)
	default:
		add(in.Fake.Data, 1, 1)
	}
	return items, slopes
}

// GAN is the value of the game for one player.
func GAN(in *loss.GAN[float64]) []float64 {
	items, _ := ganTerms(in)
	n := len(in.Fake.Data)
	if in.Player == "discriminator" && in.Reduction == loss.Mean {
		r := len(in.Real.Data)
		return []float64{sum(items[:r])/float64(r) + sum(items[r:])/float64(n)}
	}
	return reduce(in.Reduction, items, float64(n))
}

// GANGrad is its vector-Jacobian product.
func GANGrad(in *loss.GAN[float64], dOut []float64) *loss.GAN[float64] {
	g := &loss.GAN[float64]{Player: in.Player, Fake: zeros(in.Fake)}
	_, slopes := ganTerms(in)
	put := func(g loss.Tensor[float64], slopes, dOut []float64) {
		c := itemWeights(in.Reduction, len(slopes), float64(len(slopes)), dOut)
		for i, d := range slopes {
			g.Data[i] = c[i] * d
		}
	}
	if in.Player == "generator" {
		put(g.Fake, slopes, dOut)
		return g
	}
	g.Real = zeros(in.Real)
	r := len(in.Real.Data)
	real, fake := dOut, dOut
	if in.Reduction == loss.None {
		real, fake = dOut[:r], dOut[r:]
	}
	put(g.Real, slopes[:r], real)
	put(g.Fake, slopes[r:], fake)
	return g
}
