package main

import (
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/goldenloss/goldenloss/reference"
	"github.com/goldenloss/goldenloss/reference/loss"
)

// gameAnswer is the value of a loss and its gradients by input.
type gameAnswer map[string][]float64

// gameRun evaluates the reference for a cotangent that follows from the shape of the value.
func gameRun(t *testing.T, p loss.Problem[float64]) gameAnswer {
	t.Helper()
	require.NoError(t, loss.Validate(p))
	i := slices.IndexFunc(reference.All, func(r loss.Impl[float64]) bool { return r.ID == p.Def().ID })
	impl := reference.All[i]
	out := make([]float64, loss.Size(p.Out()))
	dOut := make([]float64, len(out))
	for i := range dOut {
		dOut[i] = float64(1+i%3) * float64(1-2*(i%2))
	}
	grad := loss.NewGrad(p, impl.New())
	impl.Run(out, grad, p, dOut)
	a := gameAnswer{"value": out}
	for _, f := range loss.Fields(grad) {
		if f.Role == loss.RoleVar && f.Given() {
			a[f.Name] = f.Float.Data
		}
	}
	return a
}

// gameSame compares to an accuracy relative to the largest entry of an output.
func gameSame(t *testing.T, want, got []float64, accuracy float64, name string) {
	t.Helper()
	require.Len(t, got, len(want), name)
	top := 0.0
	for _, w := range want {
		top = max(top, math.Abs(w))
	}
	for i, w := range want {
		require.LessOrEqual(t, math.Abs(w-got[i]), accuracy*top, "%s, element %d: want %g, got %g", name, i, w, got[i])
	}
}

// gameSum adds outputs with factors.
func gameSum(factor float64, x []float64, more ...[]float64) []float64 {
	out := make([]float64, len(x))
	for i := range x {
		out[i] = x[i]
		for _, y := range more {
			out[i] += y[i]
		}
		out[i] *= factor
	}
	return out
}

func gameDraw(r *rand.Rand, sigma float64, shape ...int) loss.Tensor[float64] {
	x := loss.Make[float64](shape...)
	for i := range x.Data {
		x.Data[i] = sigma * r.NormFloat64()
	}
	return x
}

func gameReduction(r *rand.Rand) loss.Reduction {
	return []loss.Reduction{loss.Mean, loss.Sum, loss.None}[r.IntN(3)]
}

func gameMap(x loss.Tensor[float64], f func(float64) float64) loss.Tensor[float64] {
	y := loss.Make[float64](x.Shape...)
	for i, v := range x.Data {
		y.Data[i] = f(v)
	}
	return y
}

func TestAdversarialIdentities(t *testing.T) {
	r := rand.New(rand.NewPCG(70, 1))
	minus := func(x float64) float64 { return -x }
	for range 200 {
		red := gameReduction(r)
		z := gameDraw(r, 5, 2, 1, 3)
		role := func(role string, smoothing float64, z loss.Tensor[float64]) gameAnswer {
			return gameRun(t, &loss.Adversarial[float64]{Reduction: red, Role: role, LabelSmoothing: smoothing, Logits: z})
		}
		real, fake, ns, sat := role("d_real", 0, z), role("d_fake", 0, z), role("g_ns", 0, z), role("g_sat", 0, z)
		for _, k := range []string{"value", "logits"} {
			gameSame(t, real[k], ns[k], 0, "g_ns = d_real without smoothing")
			gameSame(t, gameSum(-1, fake[k]), sat[k], 0, "g_sat = -d_fake")
			s := r.Float64()
			gameSame(t, gameSum(1, gameSum(1-s, real[k]), gameSum(s, fake[k])), role("d_real", s, z)[k], 1e-14, "smoothing mixes both labels")
		}
		gameSame(t, role("d_fake", 0, gameMap(z, minus))["value"], ns["value"], 1e-14, "softplus(-z)")
		if red == loss.None {
			gameSame(t, z.Data, gameSum(1, fake["value"], gameSum(-1, real["value"])), 1e-14, "softplus(z) - softplus(-z) = z")
		}
	}
}

func TestGANIdentities(t *testing.T) {
	r := rand.New(rand.NewPCG(70, 2))
	sigmoid := func(z float64) float64 { return 1 / (1 + math.Exp(-z)) }
	for range 200 {
		red, scale := gameReduction(r), 0.25+r.Float64()
		real, fake := gameDraw(r, 4, 2, 3), gameDraw(r, 4, 2, 5)
		for _, x := range [][]float64{real.Data, fake.Data} {
			for i := range x {
				x[i] = max(-15, min(x[i], 15))
			}
		}
		game := func(player, input, mode, guard string, real, fake loss.Tensor[float64]) gameAnswer {
			p := loss.New[float64, loss.GAN[float64]]()
			p.Reduction, p.Player, p.Input, p.GMode, p.DScale, p.Fake = red, player, input, mode, scale, fake
			p.Guard, p.GradMode = guard, "exact"
			if player == "discriminator" {
				p.Real = real
			}
			return gameRun(t, p)
		}
		role := func(name string, z loss.Tensor[float64]) gameAnswer {
			return gameRun(t, &loss.Adversarial[float64]{Reduction: red, Role: name, Logits: z})
		}
		both := game("discriminator", "logits", "ns", "none", real, fake)
		asReal, asFake := role("d_real", real), role("d_fake", fake)
		want := slices.Concat(asReal["value"], asFake["value"])
		if red != loss.None {
			want = gameSum(1, asReal["value"], asFake["value"])
		}
		gameSame(t, gameSum(scale, want), both["value"], 1e-14, "discriminator = d_real + d_fake")
		if red != loss.None {
			gameSame(t, gameSum(scale, asReal["logits"]), both["real"], 1e-14, "discriminator = d_real + d_fake, real")
			gameSame(t, gameSum(scale, asFake["logits"]), both["fake"], 1e-14, "discriminator = d_real + d_fake, fake")
		}
		for mode, name := range map[string]string{"ns": "g_ns", "sat": "g_sat"} {
			a, b := role(name, fake), game("generator", "logits", mode, "none", real, fake)
			gameSame(t, a["value"], b["value"], 1e-14, name)
			gameSame(t, a["logits"], b["fake"], 1e-14, name)
		}
		// The sigmoid of logits, as far as probabilities have the digits; the chain rule for the gradient.
		p, q := gameMap(real, sigmoid), gameMap(fake, sigmoid)
		for _, player := range []string{"discriminator", "generator"} {
			mode := []string{"ns", "sat"}[r.IntN(2)]
			guard := []string{"none", "log_floor"}[r.IntN(2)]
			z, x := game(player, "logits", mode, "none", real, fake), game(player, "probs", mode, guard, p, q)
			gameSame(t, z["value"], x["value"], 1e-9, "probs(sigmoid(z)) = logits")
			for i, v := range q.Data {
				x["fake"][i] *= v * (1 - v)
			}
			gameSame(t, z["fake"], x["fake"], 1e-9, "probs(sigmoid(z)) = logits, gradient")
		}
	}
}

func TestConditionalAdversarialIdentities(t *testing.T) {
	r := rand.New(rand.NewPCG(70, 3))
	for range 200 {
		red := gameReduction(r)
		mode := []string{"bce", "lsgan", "hinge", "wgan"}[r.IntN(4)]
		fake, real := gameDraw(r, 2, 3, 1, 4), gameDraw(r, 2, 3, 2)
		image, target := gameDraw(r, 1, 3, 2, 2, 2), gameDraw(r, 1, 3, 2, 2, 2)
		scale := 0.25 + r.Float64()
		judge := func(red loss.Reduction, mode string, scale float64, mismatch loss.Tensor[float64]) gameAnswer {
			return gameRun(t, &loss.ConditionalAdversarial[float64]{Reduction: red, Player: "discriminator", GANMode: mode, DScale: scale, L1Norm: "mean",
				LogitsFake: fake, LogitsReal: real, LogitsMismatch: mismatch})
		}
		maker := func(red loss.Reduction, mode, norm string, lambda float64) gameAnswer {
			return gameRun(t, &loss.ConditionalAdversarial[float64]{Reduction: red, Player: "generator", GANMode: mode, LambdaL1: lambda, L1Norm: norm, DScale: scale,
				LogitsFake: fake, Fake: image, Target: target})
		}
		none := loss.Tensor[float64]{}

		// Without image and factor it is the two-stream game.
		game := loss.New[float64, loss.GAN[float64]]()
		game.Input, game.Real, game.Fake = "logits", real, fake
		a, b := gameRun(t, game), judge(loss.Mean, "bce", 1, none)
		gameSame(t, a["value"], b["value"], 1e-14, "bce = gan")
		gameSame(t, a["real"], b["logits_real"], 1e-14, "bce = gan, real")
		gameSame(t, a["fake"], b["logits_fake"], 1e-14, "bce = gan, fake")
		game.Player, game.Real = "generator", none
		a, b = gameRun(t, game), maker(loss.Mean, "bce", "mean", 0)
		gameSame(t, a["value"], b["value"], 1e-14, "bce = gan, generator")
		gameSame(t, a["fake"], b["logits_fake"], 1e-14, "bce = gan, generator")

		// Least squares are squared errors from the labels.
		mse := func(x loss.Tensor[float64], label float64) float64 {
			y := gameMap(x, func(float64) float64 { return label })
			return gameRun(t, &loss.MSE[float64]{Reduction: loss.Mean, Pair: loss.Pair[float64]{Pred: x, Target: y}})["value"][0]
		}
		gameSame(t, []float64{scale * (mse(real, 1) + mse(fake, 0))}, judge(loss.Mean, "lsgan", scale, none)["value"], 1e-14, "lsgan = mse")
		gameSame(t, []float64{mse(fake, 1)}, maker(loss.Mean, "lsgan", "mean", 0)["value"], 1e-14, "lsgan = mse, generator")

		// Fake logits for mismatched pairs change nothing; d_scale is a factor.
		plain := judge(red, mode, scale, none)
		twice := judge(red, mode, scale, fake)
		gameSame(t, plain["value"], twice["value"], 1e-13, "mismatched = fake")
		gameSame(t, plain["logits_fake"], gameSum(1, twice["logits_fake"], twice["logits_mismatch"]), 1e-13, "mismatched = fake")
		gameSame(t, gameSum(2, plain["value"]), judge(red, mode, 2*scale, none)["value"], 0, "d_scale")

		// The image term is an L1 error beside the game, and its printed norm C H W times as large.
		lambda := 100 * r.Float64()
		l1 := gameRun(t, &loss.L1[float64]{Reduction: loss.Mean, Pair: loss.Pair[float64]{Pred: image, Target: target}})
		alone, beside := maker(loss.Mean, mode, "mean", 0), maker(loss.Mean, mode, "mean", lambda)
		gameSame(t, gameSum(1, alone["value"], gameSum(lambda, l1["value"])), beside["value"], 1e-13, "lambda l1")
		gameSame(t, gameSum(lambda, l1["pred"]), beside["fake"], 1e-13, "lambda l1, gradient")
		gameSame(t, beside["value"], maker(loss.Mean, mode, "sum", lambda/8)["value"], 1e-13, "sum = C H W mean")
	}
}

func TestCycleConsistencyIdentities(t *testing.T) {
	r := rand.New(rand.NewPCG(70, 4))
	for range 200 {
		red, norm := gameReduction(r), []string{"l1", "l2"}[r.IntN(2)]
		a, b := []int{2, 1, 2, 3}, []int{3, 2, 1, 2}
		p := &loss.CycleConsistency[float64]{Reduction: red, Norm: norm, LambdaA: 4 * r.Float64(), LambdaB: 4 * r.Float64(), LambdaIdt: r.Float64(),
			RecA: gameDraw(r, 1, a...), RealA: gameDraw(r, 1, a...), IdtA: gameDraw(r, 1, a...),
			RecB: gameDraw(r, 1, b...), RealB: gameDraw(r, 1, b...), IdtB: gameDraw(r, 1, b...)}
		got := gameRun(t, p)

		// Both directions alike.
		q := *p
		q.LambdaA, q.LambdaB, q.RecA, q.RecB, q.RealA, q.RealB, q.IdtA, q.IdtB = p.LambdaB, p.LambdaA, p.RecB, p.RecA, p.RealB, p.RealA, p.IdtB, p.IdtA
		if red != loss.None {
			swapped := gameRun(t, &q)
			gameSame(t, got["value"], swapped["value"], 1e-14, "directions swapped")
			gameSame(t, got["rec_a"], swapped["rec_b"], 1e-14, "directions swapped")
			gameSame(t, got["idt_b"], swapped["idt_a"], 1e-14, "directions swapped")
		}

		// Four pixel losses with their factors.
		if red == loss.Mean {
			pixel := func(x, y loss.Tensor[float64]) (value, grad []float64) {
				pair := loss.Pair[float64]{Pred: x, Target: y}
				a := gameRun(t, &loss.MSE[float64]{Reduction: red, Pair: pair})
				if norm == "l1" {
					a = gameRun(t, &loss.L1[float64]{Reduction: red, Pair: pair})
				}
				return a["value"], a["pred"]
			}
			sum := 0.0
			for _, term := range []struct {
				name   string
				factor float64
				x, y   loss.Tensor[float64]
			}{{"rec_a", p.LambdaA, p.RecA, p.RealA}, {"rec_b", p.LambdaB, p.RecB, p.RealB}, {"idt_a", p.LambdaA * p.LambdaIdt, p.IdtA, p.RealA}, {"idt_b", p.LambdaB * p.LambdaIdt, p.IdtB, p.RealB}} {
				value, grad := pixel(term.x, term.y)
				sum += term.factor * value[0]
				gameSame(t, gameSum(term.factor, grad), got[term.name], 1e-13, term.name)
			}
			gameSame(t, []float64{sum}, got["value"], 1e-13, "four pixel losses")
		}
	}
}

func TestReconstructionIdentities(t *testing.T) {
	r := rand.New(rand.NewPCG(70, 5))
	for range 200 {
		red, power := gameReduction(r), 1+r.IntN(2)
		shape := []int{2, 3, 2, 3}
		x := loss.Pair[float64]{Pred: gameDraw(r, 1, shape...), Target: gameDraw(r, 1, shape...)}
		run := func(variant string, set func(p *loss.Reconstruction[float64])) gameAnswer {
			p := loss.New[float64, loss.Reconstruction[float64]]()
			p.Reduction, p.Variant, p.Pred, p.Target = red, variant, x.Pred, x.Target
			if variant != "context_encoder" {
				p.P = loss.Some(power)
			}
			set(p)
			return gameRun(t, p)
		}
		same := func(want, got gameAnswer, name string) {
			t.Helper()
			for _, k := range []string{"value", "pred", "target"} {
				gameSame(t, want[k], got[k], 1e-14, name+", "+k)
			}
		}
		full := run("full", func(*loss.Reconstruction[float64]) {})
		if power == 1 {
			same(gameRun(t, &loss.L1[float64]{Reduction: red, Pair: x}), full, "full = l1")
		} else {
			same(gameRun(t, &loss.MSE[float64]{Reduction: red, Pair: x}), full, "full = mse")
		}
		gameSame(t, gameSum(-1, full["pred"]), full["target"], 0, "grad target = -grad pred")

		mask := loss.Make[bool](2, 1, 2, 3)
		wide, weight := loss.Make[bool](shape...), loss.Make[float64](shape...)
		count := 0.0
		for i := range mask.Data {
			mask.Data[i] = i == 0 || r.IntN(2) == 0
		}
		for i := range wide.Data {
			if wide.Data[i] = mask.Data[i/18*6+i%6]; wide.Data[i] {
				weight.Data[i] = 1
				count++
			}
		}
		masked := run("masked_mean", func(p *loss.Reconstruction[float64]) { p.Mask = mask })
		same(masked, run("masked_mean", func(p *loss.Reconstruction[float64]) { p.Mask = wide }), "a mask of one channel is one for each")
		same(masked, run("weighted_mean", func(p *loss.Reconstruction[float64]) { p.Weight = weight }), "weights of 0 and 1 are a mask")
		regions := func(valid, hole float64) gameAnswer {
			return run("hole_valid", func(p *loss.Reconstruction[float64]) { p.Mask, p.LambdaValid, p.LambdaHole = mask, valid, hole })
		}
		same(full, regions(1, 1), "hole_valid(1, 1) = full")
		both, valid, hole := regions(2, 5), regions(1, 0), regions(0, 1)
		for _, k := range []string{"value", "pred", "target"} {
			gameSame(t, both[k], gameSum(1, gameSum(2, valid[k]), gameSum(5, hole[k])), 1e-14, "hole_valid is linear in its factors")
			by := 1.0
			if red == loss.Mean {
				by = count / 36
			}
			gameSame(t, gameSum(by, masked[k]), valid[k], 1e-14, "the valid part is a masked mean with another denominator")
		}
		constant := gameMap(weight, func(float64) float64 { return 0.375 })
		c := run("weighted_mean", func(p *loss.Reconstruction[float64]) { p.Weight = constant })
		by := 1.0
		if red != loss.Mean {
			by = 1 / 0.375
		}
		for _, k := range []string{"value", "pred", "target"} {
			gameSame(t, full[k], gameSum(by, c[k]), 1e-14, "weighted_mean(constant) = full")
		}
		if red == loss.Sum && power == 2 {
			same(masked, run("context_encoder", func(p *loss.Reconstruction[float64]) { p.Mask = mask }), "context_encoder sums masked squares")
		}

		// Patches: a masked mean whose elements are those of the patches, and no offset or scale of the target.
		patch := func(norm bool, eps float64, target loss.Tensor[float64]) gameAnswer {
			p := loss.New[float64, loss.Reconstruction[float64]]()
			p.Reduction, p.Variant, p.NormPix, p.NormEps = red, "mae", norm, eps
			p.Pred = loss.Tensor[float64]{Shape: []int{2, 6, 3}, Data: x.Pred.Data}
			p.Target = loss.Tensor[float64]{Shape: []int{2, 6, 3}, Data: target.Data}
			p.Mask = loss.Tensor[bool]{Shape: []int{2, 6}, Data: mask.Data}
			return gameRun(t, p)
		}
		if red == loss.Mean && power == 2 {
			m := loss.Make[bool](shape...)
			for i := range m.Data {
				m.Data[i] = mask.Data[i/3]
			}
			want := run("masked_mean", func(p *loss.Reconstruction[float64]) { p.Mask = m })
			got := patch(false, 0, x.Target)
			gameSame(t, want["value"], got["value"], 1e-14, "mae is a masked mean")
			gameSame(t, want["pred"], got["pred"], 1e-14, "mae is a masked mean")
		}
		moved := gameMap(x.Target, func(v float64) float64 { return 8 * (v + 3) })
		gameSame(t, patch(true, 0, x.Target)["value"], patch(true, 0, moved)["value"], 1e-12, "norm_pix removes offset and scale")
		gameSame(t, patch(true, 0.5, x.Target)["pred"], patch(true, 32, moved)["pred"], 1e-12, "norm_eps is a variance")
	}
}
