package main

import (
	"math"
	"math/rand/v2"
	"runtime"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/goldenloss/goldenloss/optimized"
	"github.com/goldenloss/goldenloss/reference"
	"github.com/goldenloss/goldenloss/reference/loss"
)

// large problems span many chunks of the optimized code, which golden cases are too small for.
var large = map[string]func(r *rand.Rand) loss.Problem[float64]{
	"smooth_l1": func(r *rand.Rand) loss.Problem[float64] {
		p := loss.New[float64, loss.SmoothL1[float64]]()
		p.Pred, p.Target = draw(r, 30011, 1), draw(r, 30011, 1)
		return p
	},
	"cross_entropy": func(r *rand.Rand) loss.Problem[float64] {
		p := loss.New[float64, loss.CrossEntropy[float64]]()
		p.IgnoreIndex = loss.Some(255)
		p.Logits = draw(r, 2, 19, 37, 53)
		p.Target = loss.Make[int64](2, 37, 53)
		for i := range p.Target.Data {
			if p.Target.Data[i] = int64(r.IntN(20)); p.Target.Data[i] == 19 {
				p.Target.Data[i] = 255
			}
		}
		p.ClassWeight = draw(r, 19)
		for i, x := range p.ClassWeight.Data {
			p.ClassWeight.Data[i] = math.Abs(x)
		}
		return p
	},
	"focal": func(r *rand.Rand) loss.Problem[float64] {
		p := loss.New[float64, loss.Focal[float64]]()
		p.Logits, p.Target = draw(r, 30011), loss.Make[float64](30011)
		for i := range p.Target.Data {
			p.Target.Data[i] = float64(r.IntN(3)) / 2
		}
		return p
	},
	"iou": func(r *rand.Rand) loss.Problem[float64] {
		p := loss.New[float64, loss.IoU[float64]]()
		p.Format = "xywh"
		p.Pred, p.Target = draw(r, 3001, 4), draw(r, 3001, 4)
		for _, b := range [][]float64{p.Pred.Data, p.Target.Data} {
			for i := 2; i < len(b); i += 4 {
				b[i], b[i+1] = math.Abs(b[i])+0.5, math.Abs(b[i+1])+0.5
			}
		}
		return p
	},
	"dice": func(r *rand.Rand) loss.Problem[float64] {
		p := loss.New[float64, loss.Dice[float64]]()
		p.Activation, p.Omega, p.IncludeBackground = "softmax", "per_channel", false
		p.Pred = draw(r, 3, 4, 61, 83)
		p.TargetLabel = loss.Make[int64](3, 61, 83)
		p.Mask = loss.Make[bool](3, 61, 83)
		for i := range p.TargetLabel.Data {
			p.TargetLabel.Data[i], p.Mask.Data[i] = int64(r.IntN(4)), r.IntN(5) > 0
		}
		return p
	},
	"nt_xent": func(r *rand.Rand) loss.Problem[float64] {
		p := loss.New[float64, loss.NTXent[float64]]()
		p.Temperature = 0.25
		p.Z = draw(r, 90, 33)
		return p
	},
	"perceptual": func(r *rand.Rand) loss.Problem[float64] {
		p := loss.New[float64, loss.Perceptual[float64]]()
		p.Variant = "lpips"
		for _, s := range [][]int{{3, 16, 33, 31}, {3, 8, 7, 5}} {
			p.Features.Features, p.Target = append(p.Features.Features, draw(r, s...)), append(p.Target, draw(r, s...))
		}
		return p
	},
	"ssim": func(r *rand.Rand) loss.Problem[float64] {
		p := loss.New[float64, loss.SSIM[float64]]()
		p.Padding = "symmetric"
		p.Pred, p.Target = draw(r, 2, 3, 31, 37), draw(r, 2, 3, 31, 37)
		return p
	},
	"binary_cross_entropy_with_logits": largeBinaryCrossEntropyWithLogits,
	"binary_cross_entropy":             largeBinaryCrossEntropy,
	"logistic":                         largeLogistic,
	"kl_divergence":                    largeKLDivergence,
}

// draw returns normal numbers that float32 holds.
func draw(r *rand.Rand, shape ...int) loss.Tensor[float64] {
	t := loss.Make[float64](shape...)
	for i := range t.Data {
		t.Data[i] = float64(float32(r.NormFloat64()))
	}
	return t
}

// result runs an implementation and returns the value followed by all gradients.
func result[T loss.Float](impl loss.Impl[T], p loss.Problem[float64], dOut []float64) []float64 {
	in := impl.New()
	loss.Convert(in, p, func(_ string, _ loss.Role, x float64) T { return T(x) })
	out, d := make([]T, len(dOut)), make([]T, len(dOut))
	for i, x := range dOut {
		d[i] = T(x)
	}
	grad := loss.NewGrad(in, impl.New())
	impl.Run(out, grad, in, d)
	var all []float64
	for _, x := range out {
		all = append(all, float64(x))
	}
	for _, f := range loss.Fields(grad) {
		if f.Role == loss.RoleVar {
			for _, x := range f.Float.Data {
				all = append(all, float64(x))
			}
		}
	}
	return all
}

func setReduction(p loss.Problem[float64], r loss.Reduction) {
	for _, q := range loss.Params(p) {
		if q.Name == "reduction" {
			q.Set(string(r))
		}
	}
}

// TestLargeProblems compares the optimized code with the reference where it works in many chunks, for every reduction, and from
// several goroutines at the same time.
func TestLargeProblems(t *testing.T) {
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(4))
	require.Len(t, large, len(loss.All))
	for i, ref := range reference.All {
		make := large[ref.ID]
		require.NotNil(t, make, ref.ID)
		for _, red := range []loss.Reduction{loss.Mean, loss.Sum, loss.None} {
			r := rand.New(rand.NewPCG(7, uint64(i)))
			p := make(r)
			setReduction(p, red)
			require.NoError(t, loss.Validate(p), ref.ID)
			dOut := draw(r, loss.Size(p.Out())).Data
			want := result(ref, p, dOut)
			row := optimized.CPU[i]
			require.Equal(t, ref.ID, row.Float64.ID)
			var wg sync.WaitGroup
			got := [3][]float64{}
			for k := range got {
				wg.Go(func() {
					if k < 2 {
						got[k] = result(row.Float64, p, dOut)
					} else {
						got[k] = result(row.Float32, p, dOut)
					}
				})
			}
			wg.Wait()
			require.Equal(t, got[0], got[1], "%s %s: two calls at once", ref.ID, red)
			largest := 0.0
			for _, w := range want[len(dOut):] {
				largest = math.Max(largest, math.Abs(w))
			}
			for k, w := range want {
				bound := largest
				if k < len(dOut) {
					bound = math.Abs(w)
				}
				require.InDelta(t, w, got[0][k], 1e-12*bound, "%s %s float64 [%d]", ref.ID, red, k)
				require.InDelta(t, w, got[2][k], 1e-5*bound, "%s %s float32 [%d]", ref.ID, red, k)
			}
		}
	}
}
