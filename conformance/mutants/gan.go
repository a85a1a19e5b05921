package mutants

import (
	"math"

	"github.com/goldenloss/goldenloss/reference/loss"
)

const (
	ganJoined      = "mean of the concatenation"
	ganScaledBoth  = "generator scaled"
	ganHalfScaled  = "fake stream not scaled"
	ganLog         = "logarithm of 1 - p"
	ganPlusSat     = "minimax generator without its sign"
	ganPasses      = "gradient through the clip"
	ganClipped     = "complement of the clipped probability"
	ganZeroAtFloor = "gradient of torch cut at the floor"
	ganFloorOne    = "floor of log p alone"
	ganFlipped     = "labels flipped"
)

var ganFlaws = []flaw{
	{ganJoined, "takes one mean over real and fake together"},
	{ganScaledBoth, "applies d_scale to the generator too"},
	{ganHalfScaled, "applies d_scale to the real stream alone"},
	{ganLog, "takes log(1-p) for log1p(-p)"},
	{ganPlusSat, "gives the minimax generator the loss of the discriminator"},
	{ganPasses, "passes the gradient where the probability is clipped"},
	{ganClipped, "takes 1 - (1 - clip_eps) for clip_eps"},
	{ganZeroAtFloor, "gives grad_mode torch the gradient 0 where the logarithm is floored"},
	{ganFloorOne, "does not floor the logarithm of 1 - p"},
	{ganFlipped, "takes real for fake and fake for real"},
}

func gan(out []float64, grad, in *loss.GAN[float64], dOut []float64, flaw string) {
	term := func(x float64, label int) (l, d float64) {
		if in.Input == "logits" {
			if label == 1 {
				return softplus(-x), -sigmoid(-x)
			}
			return softplus(x), sigmoid(x)
		}
		hit, miss, sign := x, 1-x, -1.0
		if label == 0 {
			hit, miss, sign = 1-x, x, 1
		}
		clipped := false
		if in.Guard == "clip" {
			switch {
			case hit < in.ClipEps:
				hit, miss, clipped = in.ClipEps, 1-in.ClipEps, true
				if flaw == ganClipped {
					hit = 1 - miss
				}
			case miss < in.ClipEps:
				hit, miss, clipped = 1-in.ClipEps, in.ClipEps, true
			}
		}
		switch {
		case hit > 0.5 && !(flaw == ganLog && label == 0) && !(flaw == ganClipped && clipped):
			l = -math.Log1p(-miss)
		case hit > 0 && hit < 0x1p-1000:
			l = -math.Log(hit*0x1p60) + 60*math.Ln2
		default:
			l = -math.Log(hit)
		}
		d = sign / hit
		floored := in.Guard == "log_floor" && l > -in.LogFloor
		if floored && !(flaw == ganFloorOne && label == 0) {
			l = -in.LogFloor
		}
		switch {
		case clipped && flaw != ganPasses, floored && (in.GradMode == "exact" || flaw == ganZeroAtFloor):
			d = 0
		case in.Guard == "log_floor" && in.GradMode == "torch":
			d = sign * miss / math.Max(hit*miss, in.GradEps)
			if hit*miss >= in.GradEps {
				d = sign / hit
			}
		}
		return l, d
	}
	var items []float64
	mean := 0.0
	stream := func(x, g []float64, label int, factor float64) {
		from, z := len(items), float64(len(x))
		if flaw == ganFlipped {
			label = 1 - label
		}
		if flaw == ganJoined {
			z = float64(len(in.Real.Data) + len(in.Fake.Data))
		}
		for i, v := range x {
			l, d := term(v, label)
			g[i] = share(in.Reduction, dOut, from+i, z) * factor * d
			items = append(items, factor*l)
		}
		mean += total(items[from:]) / z
	}
	scale := in.DScale
	generator := 1.0
	if flaw == ganScaledBoth {
		generator = scale
	}
	switch {
	case in.Player == "discriminator":
		stream(in.Real.Data, grad.Real.Data, 1, scale)
		if flaw == ganHalfScaled {
			scale = 1
		}
		stream(in.Fake.Data, grad.Fake.Data, 0, scale)
	case in.GMode == "sat" && flaw == ganPlusSat:
		stream(in.Fake.Data, grad.Fake.Data, 0, generator)
	case in.GMode == "sat":
		stream(in.Fake.Data, grad.Fake.Data, 0, -generator)
	default:
		stream(in.Fake.Data, grad.Fake.Data, 1, generator)
	}
	if reduce(out, in.Reduction, items, 1); in.Reduction == loss.Mean {
		out[0] = mean
	}
}
