package mutants

import (
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/goldenloss/goldenloss/reference"
	"github.com/goldenloss/goldenloss/reference/loss"
)

// draw makes a random valid problem of every loss.
var draw = map[string]func(r *rand.Rand) problem{
	"smooth_l1": func(r *rand.Rand) problem {
		p := loss.New[float64, loss.SmoothL1[float64]]()
		p.Reduction, p.Beta = loss.Reduction(pick(r, "mean", "sum", "none")), r.Float64()
		p.Pred, p.Target = normal(r, 3, 2), normal(r, 3, 2)
		return p
	},
	"cross_entropy": func(r *rand.Rand) problem {
		p := loss.New[float64, loss.CrossEntropy[float64]]()
		p.Reduction = loss.Reduction(pick(r, "mean", "sum", "none"))
		p.LabelSmoothing = r.Float64() * float64(r.IntN(2))
		p.Logits = normal(r, 2, 3, 4)
		if r.IntN(2) == 0 {
			p.TargetProb = uniform(r, 2, 3, 4)
		} else {
			p.Target = labels(r, 3, 2, 4)
			p.Target.Data[1] = -100
			if r.IntN(2) == 0 {
				p.IgnoreIndex = loss.Some(1)
				p.Target.Data[1] = 1
			}
		}
		if r.IntN(2) == 0 {
			p.ClassWeight = uniform(r, 3)
		}
		return p
	},
	"focal": func(r *rand.Rand) problem {
		p := loss.New[float64, loss.Focal[float64]]()
		p.Reduction = loss.Reduction(pick(r, "mean", "sum", "none"))
		p.Alpha, p.Gamma = 2*r.Float64()-1, float64(r.IntN(5))/2
		p.Logits, p.Target = normal(r, 6), uniform(r, 6)
		p.Target.Data[0], p.Target.Data[1] = 0, 1
		if r.IntN(2) == 0 {
			p.Normalizer = loss.Some(3 * (1 - r.Float64()))
		}
		return p
	},
	"iou": func(r *rand.Rand) problem {
		p := loss.New[float64, loss.IoU[float64]]()
		p.Reduction = loss.Reduction(pick(r, "mean", "sum", "none"))
		p.Variant, p.Format = pick(r, "linear", "log"), pick(r, "xyxy", "cxcywh", "xywh")
		p.IoUFloor = 0.2
		boxes := func() loss.Tensor[float64] {
			x := loss.Make[float64](5, 4)
			for i := 0; i < 20; i += 4 {
				a, b := float64(r.IntN(5)), float64(r.IntN(5))
				w, h := float64(1+r.IntN(4)), float64(1+r.IntN(4))
				copy(x.Data[i:], []float64{a, b, w, h})
				if p.Format == "xyxy" {
					copy(x.Data[i:], []float64{a, b, a + w, b + h})
				}
			}
			return x
		}
		p.Pred, p.Target = boxes(), boxes()
		return p
	},
	"dice": func(r *rand.Rand) problem {
		p := loss.New[float64, loss.Dice[float64]]()
		p.Reduction = loss.Reduction(pick(r, "mean", "sum", "none"))
		p.Power = 1 + r.IntN(2)
		p.Omega = pick(r, "per_sample_per_channel", "per_channel", "per_sample", "global")
		p.Activation, p.Form, p.Absent = pick(r, "none", "sigmoid", "softmax"), pick(r, "linear", "log"), pick(r, "keep", "zero")
		p.IncludeBackground, p.WeightNorm = r.IntN(2) == 0, pick(r, "count", "sum")
		p.SmoothNr, p.SmoothDr, p.DenFloor = r.Float64()*float64(r.IntN(2)), r.Float64()*float64(r.IntN(2)), 4*float64(r.IntN(2))
		p.EmptyValue, p.LogFloor = float64(r.IntN(2)), 0.3
		if p.Power == 1 {
			p.Intersection = pick(r, "product", "l1")
		}
		p.Pred = uniform(r, 2, 3, 4)
		if r.IntN(2) == 0 {
			p.Target = uniform(r, 2, 3, 4)
			copy(p.Target.Data[:4], p.Pred.Data)
			copy(p.Target.Data[16:20], make([]float64, 4))
		} else {
			p.TargetLabel, p.IgnoreIndex = labels(r, 3, 2, 4), loss.Some(1)
		}
		if r.IntN(2) == 0 {
			p.Mask = loss.Make[bool](2, 4)
			for i := range p.Mask.Data {
				p.Mask.Data[i] = r.IntN(3) > 0
			}
		}
		if p.Omega == "per_sample_per_channel" || p.Omega == "per_channel" {
			p.ClassWeight = uniform(r, p.Channels())
		}
		return p
	},
	"nt_xent": func(r *rand.Rand) problem {
		p := loss.New[float64, loss.NTXent[float64]]()
		p.Reduction = loss.Reduction(pick(r, "mean", "sum", "none"))
		p.Temperature, p.Pairing, p.Normalize = 0.1+r.Float64(), pick(r, "concatenated", "interleaved"), r.IntN(2) == 0
		p.NormEps = []float64{1e-12, 1.5}[r.IntN(2)]
		p.Z = normal(r, []int{2, 6}[r.IntN(2)], 3)
		return p
	},
	"perceptual": func(r *rand.Rand) problem {
		p := loss.New[float64, loss.Perceptual[float64]]()
		p.Reduction = loss.Reduction(pick(r, "mean", "sum", "none"))
		p.Variant, p.EpsMode, p.Eps = pick(r, "johnson", "l1", "content", "lpips"), pick(r, "outside", "inside"), 0.1*r.Float64()
		p.Features.Features = []loss.Tensor[float64]{normal(r, 2, 3, 2, 2), normal(r, 2, 2, 1, 3)}
		p.Target = []loss.Tensor[float64]{normal(r, 2, 3, 2, 2), normal(r, 2, 2, 1, 3)}
		for _, i := range []int{0, 4, 8} { // a zero vector
			p.Features.Features[0].Data[i] = 0
		}
		if r.IntN(2) == 0 {
			p.LayerWeights = uniform(r, 2)
			p.LayerWeights.Data[0] *= float64(r.IntN(2))
		}
		if p.Variant == "lpips" && r.IntN(2) == 0 {
			p.ChannelWeights = []loss.Tensor[float64]{uniform(r, 3), uniform(r, 2)}
		}
		return p
	},
	"ssim": func(r *rand.Rand) problem {
		p := loss.New[float64, loss.SSIM[float64]]()
		p.Reduction = loss.Reduction(pick(r, "mean", "sum", "none"))
		p.WindowSize, p.Window, p.Sigma = 3+2*r.IntN(2), pick(r, "gaussian", "uniform"), 0.5+r.Float64()
		p.DataRange, p.K1, p.K2 = 1+r.Float64(), r.Float64(), r.Float64()
		p.Covariance, p.Padding, p.Form = pick(r, "population", "sample"), pick(r, "valid", "zero", "reflect", "symmetric"), pick(r, "one_minus", "half")
		p.Pred, p.Target = uniform(r, 2, 2, 6, 5), uniform(r, 2, 2, 6, 5)
		return p
	},
	"binary_cross_entropy_with_logits": drawBinaryCrossEntropyWithLogits,
	"binary_cross_entropy":             drawBinaryCrossEntropy,
	"logistic":                         drawLogistic,
	"kl_divergence":                    drawKLDivergence,
}

func pick(r *rand.Rand, list ...string) string { return list[r.IntN(len(list))] }

func normal(r *rand.Rand, shape ...int) loss.Tensor[float64] {
	x := loss.Make[float64](shape...)
	for i := range x.Data {
		x.Data[i] = r.NormFloat64()
	}
	return x
}

func uniform(r *rand.Rand, shape ...int) loss.Tensor[float64] {
	x := loss.Make[float64](shape...)
	for i := range x.Data {
		x.Data[i] = r.Float64()
	}
	return x
}

func labels(r *rand.Rand, classes int, shape ...int) loss.Tensor[int64] {
	x := loss.Make[int64](shape...)
	for i := range x.Data {
		x.Data[i] = int64(r.IntN(classes))
	}
	return x
}

// outputs runs an implementation on a copy of a problem, into buffers that hold something.
func outputs(impl loss.Impl[float64], in problem, dOut []float64) []float64 {
	q := clone(impl, in)
	out := make([]float64, loss.Size(q.Out()))
	grad := loss.NewGrad(q, impl.New())
	fit(out, []float64{0.25})
	for _, g := range gradients(grad) {
		fit(g.data, []float64{0.5})
	}
	impl.Run(out, grad, q, dOut)
	for _, g := range gradients(grad) {
		out = append(out, g.data...)
	}
	return out
}

// problems calls f with random problems of every loss and a cotangent.
func problems(t *testing.T, n int, f func(base loss.Impl[float64], p problem, dOut []float64)) {
	for _, base := range reference.All {
		require.Contains(t, draw, base.ID)
		r := rand.New(rand.NewPCG(7, 11))
		for range n {
			p := draw[base.ID](r)
			require.NoError(t, loss.Validate(p))
			dOut := make([]float64, loss.Size(p.Out()))
			for i := range dOut {
				dOut[i] = r.NormFloat64()
			}
			f(base, p, dOut)
		}
	}
}

// TestFormulasWithoutFlaw: what the mutants of the arithmetic are made of is right where they are not wrong.
func TestFormulasWithoutFlaw(t *testing.T) {
	problems(t, 300, func(base loss.Impl[float64], p problem, dOut []float64) {
		i := slices.IndexFunc(byHand, func(h hand) bool { return h.id == base.ID })
		require.GreaterOrEqual(t, i, 0, base.ID)
		if byHand[i].plain == nil {
			return
		}
		got := byHand[i].plain(p, dOut)
		want := outputs(base, p, dOut)
		require.Len(t, got, len(want))
		for i := range want {
			require.True(t, math.Abs(got[i]-want[i]) <= 1e-11*(1+math.Abs(want[i])) || math.IsNaN(got[i]) && math.IsNaN(want[i]),
				"%s %+v: output %d: want %g, got %g", base.ID, p, i, want[i], got[i])
		}
	})
}

// TestMutants: names are unique, every flaw changes some answer, and a mutant is its base where it says so.
func TestMutants(t *testing.T) {
	differs := map[string]bool{}
	list := map[string][]Mutant{}
	for _, base := range reference.All {
		list[base.ID] = Of(base)
		seen := map[string]bool{}
		for _, m := range list[base.ID] {
			require.False(t, seen[m.Name], "%s: two mutants named %s", base.ID, m.Name)
			require.Equal(t, base.ID, m.Impl.ID)
			require.NotEmpty(t, m.Does)
			seen[m.Name] = true
		}
	}
	problems(t, 60, func(base loss.Impl[float64], p problem, dOut []float64) {
		right := outputs(base, p, dOut)
		for _, m := range list[base.ID] {
			same := true
			for i, x := range outputs(m.Impl, p, dOut) {
				same = same && (x == right[i] || x != x && right[i] != right[i])
			}
			if !m.Affects(p) {
				require.True(t, same, "%s: %s is not its base where it says so", base.ID, m.Name)
			}
			if !same {
				differs[base.ID+": "+m.Name] = true
			}
		}
	})
	require.Len(t, byHand, len(reference.All))
	for _, base := range reference.All {
		i := slices.IndexFunc(byHand, func(h hand) bool { return h.id == base.ID })
		require.GreaterOrEqual(t, i, 0, base.ID)
		require.GreaterOrEqual(t, len(byHand[i].mutants(base)), 2, "%s: mutants written by hand", base.ID)
	}
	require.Greater(t, len(differs), 300)
}
