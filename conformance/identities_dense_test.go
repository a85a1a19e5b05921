package main

import (
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/goldenloss/goldenloss/optimized"
	"github.com/goldenloss/goldenloss/reference"
	"github.com/goldenloss/goldenloss/reference/loss"
)

// denseTensor draws from [0, 1).
func denseTensor(r *rand.Rand, shape ...int) loss.Tensor[float64] {
	x := loss.Make[float64](shape...)
	for i := range x.Data {
		x.Data[i] = r.Float64()
	}
	return x
}

// denseClose holds two answers to each other, up to a tolerance relative to the larger of them and 1.
func denseClose(t *testing.T, want, got []float64, tolerance float64, name string) {
	t.Helper()
	require.Len(t, got, len(want), name)
	for i := range want {
		require.InDelta(t, want[i], got[i], tolerance*math.Max(1, math.Abs(want[i])), "%s[%d]", name, i)
	}
}

// denseOnes is a cotangent.
func denseOnes(n int) []float64 { return slices.Repeat([]float64{1}, n) }

// overlapCall is a problem of one of the overlap losses: its items and the gradient of their sum.
type overlapCall struct {
	name string
	run  func(o loss.Overlap[float64]) (items, grad []float64)
}

func overlapDice(power int) overlapCall {
	return overlapCall{fmt.Sprint("dice r=", power), func(o loss.Overlap[float64]) ([]float64, []float64) {
		p := &loss.Dice[float64]{Reduction: loss.None, Power: power, Overlap: o}
		return reference.Dice(p), reference.DiceGrad(p, denseOnes(loss.Size(p.Out()))).Pred.Data
	}}
}

func overlapJaccard(power int) overlapCall {
	return overlapCall{fmt.Sprint("jaccard r=", power), func(o loss.Overlap[float64]) ([]float64, []float64) {
		p := &loss.Jaccard[float64]{Reduction: loss.None, Power: power, Overlap: o}
		return reference.Jaccard(p), reference.JaccardGrad(p, denseOnes(loss.Size(p.Out()))).Pred.Data
	}}
}

func overlapTversky(fp, fn float64) overlapCall {
	return overlapCall{fmt.Sprint("tversky ", fp, fn), func(o loss.Overlap[float64]) ([]float64, []float64) {
		p := &loss.Tversky[float64]{Reduction: loss.None, AlphaFP: fp, BetaFN: fn, Overlap: o}
		return reference.Tversky(p), reference.TverskyGrad(p, denseOnes(loss.Size(p.Out()))).Pred.Data
	}}
}

// denseOverlap draws hard targets of [n, c, pixels].
func denseOverlap(r *rand.Rand, smooth float64, n, c, pixels int) loss.Overlap[float64] {
	o := loss.New[float64, loss.Dice[float64]]().Overlap
	o.SmoothNr, o.SmoothDr = smooth, smooth
	o.Pred, o.Target = denseTensor(r, n, c, pixels), denseTensor(r, n, c, pixels)
	for i, x := range o.Target.Data {
		o.Target.Data[i] = math.Round(x)
	}
	return o
}

// TestDenseOverlap: the identities between and within the overlap losses.
func TestDenseOverlap(t *testing.T) {
	r := rand.New(rand.NewPCG(4, 40))
	const tight = 1e-13
	same := func(name string, a, b overlapCall, p, q loss.Overlap[float64]) {
		t.Helper()
		wantItems, wantGrad := a.run(p)
		items, grad := b.run(q)
		denseClose(t, wantItems, items, tight, name)
		denseClose(t, wantGrad, grad, tight, name+" gradient")
	}
	all := []overlapCall{overlapDice(1), overlapDice(2), overlapJaccard(1), overlapJaccard(2), overlapTversky(.3, .7)}
	omegas := []string{"per_sample_per_channel", "per_channel", "per_sample", "global"}
	for round := range 20 {
		o := denseOverlap(r, 0.25, 2, 3, 7)
		o.Omega = omegas[round%4]
		half := o
		half.SmoothNr, half.SmoothDr = o.SmoothNr/2, o.SmoothDr/2
		for _, intersection := range []string{"product", "l1"} {
			p, q := o, half
			p.Intersection, q.Intersection = intersection, intersection
			same("tversky(1/2, 1/2) is dice", overlapDice(1), overlapTversky(.5, .5), p, q)
			same("tversky(1, 1) is jaccard", overlapJaccard(1), overlapTversky(1, 1), p, p)
			p.SmoothNr, p.SmoothDr = 0, 0
			dice, _ := overlapDice(1).run(p)
			jaccard, _ := overlapJaccard(1).run(p)
			for i, d := range dice {
				dice[i] = 2 * d / (1 + d)
			}
			denseClose(t, dice, jaccard, tight, "jaccard is 2 dice/(1 + dice)")
		}
		for _, l := range all {
			if l.name != "dice r=2" && l.name != "jaccard r=2" {
				p := o
				p.Intersection = "l1"
				same(l.name+": product is l1 for hard targets", l, l, o, p)
			}
			// Pixels in another order.
			p := o
			p.Pred, p.Target = denseTensor(r, 2, 3, 7), denseTensor(r, 2, 3, 7)
			for i := range o.Pred.Data {
				j := i - i%7 + 6 - i%7
				p.Pred.Data[j], p.Target.Data[j] = o.Pred.Data[i], o.Target.Data[i]
			}
			want, _ := l.run(o)
			got, _ := l.run(p)
			denseClose(t, want, got, tight, l.name+": pixel order")
			// A mask deletes pixels.
			p = o
			p.Mask = loss.Make[bool](2, 7)
			for i := range p.Mask.Data {
				p.Mask.Data[i] = i%7 > 2
			}
			q := o
			q.Pred, q.Target = loss.Make[float64](2, 3, 4), loss.Make[float64](2, 3, 4)
			for i := range q.Pred.Data {
				j := i/4*7 + 3 + i%4
				q.Pred.Data[i], q.Target.Data[i] = o.Pred.Data[j], o.Target.Data[j]
			}
			want, _ = l.run(q)
			got, _ = l.run(p)
			denseClose(t, want, got, tight, l.name+": mask")
			// A label map is its one-hot expansion.
			p, q = o, o
			p.Target, p.TargetLabel = loss.Tensor[float64]{}, loss.Make[int64](2, 7)
			q.Target = loss.Make[float64](2, 3, 7)
			for i := range p.TargetLabel.Data {
				c := r.IntN(3)
				p.TargetLabel.Data[i] = int64(c)
				q.Target.Data[i/7*21+c*7+i%7] = 1
			}
			same(l.name+": labels", l, l, q, p)
			// One sample and one channel: every omega is the same.
			p = denseOverlap(r, 0.25, 1, 1, 9)
			p.Omega = "per_sample_per_channel"
			q = p
			q.Omega = omegas[round%4]
			same(l.name+": omega", l, l, p, q)
			// Softmax of (0, x) without background is the sigmoid of x.
			p = denseOverlap(r, 0.25, 2, 1, 5)
			p.Activation = "sigmoid"
			q = p
			q.Activation, q.IncludeBackground = "softmax", false
			q.Pred, q.Target = loss.Make[float64](2, 2, 5), loss.Make[float64](2, 2, 5)
			for i, x := range p.Pred.Data {
				j := i/5*10 + 5 + i%5
				q.Pred.Data[j], q.Target.Data[j] = x, p.Target.Data[i]
			}
			want, wantGrad := l.run(p)
			got, grad := l.run(q)
			denseClose(t, want, got, tight, l.name+": softmax of two")
			for i, g := range wantGrad {
				j := i/5*10 + 5 + i%5
				require.InDelta(t, g, grad[j], tight*math.Max(1, math.Abs(g)))
				require.InDelta(t, -g, grad[j-5], tight*math.Max(1, math.Abs(g)))
			}
		}
		// Without spatial axes a sample is one pixel.
		p := denseOverlap(r, 0, 4, 3, 1)
		p.Omega = "per_sample"
		q := p
		q.Pred.Shape, q.Target.Shape = []int{4, 3}, []int{4, 3}
		same("label sets", overlapJaccard(1), overlapJaccard(1), p, q)
	}
}

// denseFeatures draws layers of [2, c, 2, 3].
func denseFeatures(r *rand.Rand, channels ...int) loss.Features[float64] {
	var f loss.Features[float64]
	for _, c := range channels {
		f.Features, f.Target = append(f.Features, denseTensor(r, 2, c, 2, 3)), append(f.Target, denseTensor(r, 2, c, 2, 3))
	}
	f.LayerWeights = denseTensor(r, len(channels))
	return f
}

// TestDenseFeatures: layers are summed in any order, and the losses of feature maps contain each other.
func TestDenseFeatures(t *testing.T) {
	r := rand.New(rand.NewPCG(8, 80))
	type call struct {
		name string
		run  func(f loss.Features[float64]) ([]float64, []loss.Tensor[float64])
	}
	var calls []call
	for _, v := range []string{"layerwise_l1", "layerwise_l2", "moment"} {
		calls = append(calls, call{v, func(f loss.Features[float64]) ([]float64, []loss.Tensor[float64]) {
			p := &loss.FeatureMatching[float64]{Reduction: loss.None, Variant: v, MomentNorm: "mean_sq", Scale: 3, Features: f}
			return reference.FeatureMatching(p), reference.FeatureMatchingGrad(p, denseOnes(loss.Size(p.Out()))).Features.Features
		}})
	}
	style := func(variant, norm string) func(f loss.Features[float64]) ([]float64, []loss.Tensor[float64]) {
		return func(f loss.Features[float64]) ([]float64, []loss.Tensor[float64]) {
			p := &loss.Style[float64]{Reduction: loss.None, Variant: variant, GramNorm: norm, Features: f}
			return reference.Style(p), reference.StyleGrad(p, denseOnes(2)).Features.Features
		}
	}
	for _, v := range []string{"gatys", "johnson", "mse", "l1"} {
		calls = append(calls, call{"style " + v, style(v, "auto")})
	}
	const tight = 1e-13
	for range 20 {
		f := denseFeatures(r, 3, 2, 4)
		for _, c := range calls {
			items, grads := c.run(f)
			backward := loss.Features[float64]{LayerWeights: loss.Tensor[float64]{Shape: []int{3}}}
			sum := make([]float64, len(items))
			for l := 2; l >= 0; l-- {
				backward.Features, backward.Target = append(backward.Features, f.Features[l]), append(backward.Target, f.Target[l])
				backward.LayerWeights.Data = append(backward.LayerWeights.Data, f.LayerWeights.Data[l])
				part, g := c.run(loss.Features[float64]{Features: f.Features[l : l+1], Target: f.Target[l : l+1],
					LayerWeights: loss.Tensor[float64]{Shape: []int{1}, Data: f.LayerWeights.Data[l : l+1]}})
				denseClose(t, grads[l].Data, g[0].Data, tight, c.name+": gradient of a layer alone")
				for i := range sum {
					sum[i] += part[i]
				}
			}
			denseClose(t, items, sum, tight, c.name+": sum of layers")
			permuted, _ := c.run(backward)
			denseClose(t, items, permuted, tight, c.name+": layer order")
		}
		for variant, other := range map[string]string{"layerwise_l1": "l1", "layerwise_l2": "johnson"} {
			p := &loss.FeatureMatching[float64]{Reduction: loss.None, Variant: variant, Scale: 0.5, Features: f}
			q := &loss.Perceptual[float64]{Reduction: loss.None, Variant: other, Features: f}
			want := reference.Perceptual(q)
			for i := range want {
				want[i] /= 2
			}
			denseClose(t, want, reference.FeatureMatching(p), tight, variant+" is "+other)
		}
		// The samples in another order have the same moments.
		swapped := denseFeatures(r, 3)
		swapped.Features[0], swapped.Target[0], swapped.LayerWeights = f.Features[0], f.Target[0], loss.Tensor[float64]{}
		first := swapped
		size := len(f.Features[0].Data) / 2
		swapped.Features = []loss.Tensor[float64]{{Shape: f.Features[0].Shape, Data: slices.Concat(f.Features[0].Data[size:], f.Features[0].Data[:size])}}
		want, _ := calls[2].run(first)
		got, _ := calls[2].run(swapped)
		denseClose(t, want, got, tight, "moment: batch order")
		// Gram matrices: johnson is four times gatys, and mse is johnson over C^2.
		johnson, _ := style("johnson", "auto")(first)
		gatys, _ := style("gatys", "none")(first)
		mse, _ := style("mse", "auto")(first)
		for i := range johnson {
			require.InDelta(t, johnson[i], 4*gatys[i], tight)
			require.InDelta(t, johnson[i], 9*mse[i], tight)
		}
		negated := first
		negated.Features = []loss.Tensor[float64]{loss.Make[float64](f.Features[0].Shape...)}
		for i, x := range f.Features[0].Data {
			negated.Features[0].Data[i] = -x
		}
		items, grads := style("l1", "auto")(first)
		again, back := style("l1", "auto")(negated)
		denseClose(t, items, again, 0, "style: negated features")
		for i, g := range grads[0].Data {
			require.Equal(t, -g, back[0].Data[i])
		}
	}
}

// densePair is the pair of images by which the specification checks MS-SSIM: too many windows for the oracle.
func densePair(h, w int) (x, y loss.Tensor[float64]) {
	x, y = loss.Make[float64](1, 1, h, w), loss.Make[float64](1, 1, h, w)
	for i := range h {
		for j := range w {
			fi, fj := float64(i), float64(j)
			v := .5 + .3*math.Sin(.13*fi)*math.Cos(.091*fj) + .2*math.Sin(.0065*fi+.11*fj)
			z := float64((7*i+3*j+5*((i*j)%17))%101) / 100
			x.Data[i*w+j], y.Data[i*w+j] = v, .85*v+.1*z
		}
	}
	return x, y
}

// TestDenseMSSSIM: the printed check values at the default parameters.
func TestDenseMSSSIM(t *testing.T) {
	for _, c := range []struct {
		h, w int
		pad  string
		ms   float64
	}{{176, 192, "replicate_end", 0.968559180819363}, {176, 192, "floor", 0.968559180819363}, {163, 171, "replicate_end", 0.967802168325289},
		{163, 171, "replicate_start", 0.967380221888007}, {163, 171, "zero_start", 0.967398923102382}} {
		p := loss.New[float64, loss.MSSSIM[float64]]()
		p.OddPad = c.pad
		p.Pred, p.Target = densePair(c.h, c.w)
		require.NoError(t, loss.Validate(p))
		require.InDelta(t, 1-c.ms, reference.MSSSIM(p)[0], 1e-14, "%+v", c)
		out := make([]float64, 1)
		optimized.MSSSIM(out, nil, p, []float64{1})
		require.InDelta(t, 1-c.ms, out[0], 1e-14, "%+v", c)
	}
}

// TestDenseScales: one scale of weight 1 is SSIM, even sides need no padding, and neither the order of the images nor their unit matters.
func TestDenseScales(t *testing.T) {
	r := rand.New(rand.NewPCG(9, 90))
	for range 10 {
		p := loss.New[float64, loss.MSSSIM[float64]]()
		p.WindowSize, p.Reduction = 3, loss.None
		p.Pred, p.Target = denseTensor(r, 2, 1, 8, 12), denseTensor(r, 2, 1, 8, 12)
		for i, x := range p.Pred.Data {
			p.Target.Data[i] = 0.75*x + 0.25*p.Target.Data[i]
		}
		p.ScaleWeights = loss.Tensor[float64]{Shape: []int{1}, Data: []float64{1}}
		q := loss.New[float64, loss.SSIM[float64]]()
		q.WindowSize, q.Reduction, q.Pred, q.Target = 3, loss.None, p.Pred, p.Target
		denseClose(t, reference.SSIM(q), reference.MSSSIM(p), 1e-14, "one scale")
		denseClose(t, reference.SSIMGrad(q, denseOnes(2)).Pred.Data, reference.MSSSIMGrad(p, denseOnes(2)).Pred.Data, 1e-14, "one scale, gradient")
		p.ScaleWeights = loss.Tensor[float64]{Shape: []int{2}, Data: []float64{0.25, 0.5}}
		want, grad := reference.MSSSIM(p), reference.MSSSIMGrad(p, denseOnes(2)).Pred.Data
		for _, pad := range []string{"replicate_start", "zero_start", "floor"} {
			p.OddPad = pad
			denseClose(t, want, reference.MSSSIM(p), 0, "even sides, "+pad)
			denseClose(t, grad, reference.MSSSIMGrad(p, denseOnes(2)).Pred.Data, 0, "even sides, gradient, "+pad)
		}
		swapped := *p
		swapped.Pred, swapped.Target = p.Target, p.Pred
		denseClose(t, want, reference.MSSSIM(&swapped), 1e-14, "symmetry")
		eight := *p
		eight.DataRange = 8
		eight.Pred, eight.Target = loss.Make[float64](2, 1, 8, 12), loss.Make[float64](2, 1, 8, 12)
		for i := range p.Pred.Data {
			eight.Pred.Data[i], eight.Target.Data[i] = 8*p.Pred.Data[i], 8*p.Target.Data[i]
		}
		denseClose(t, want, reference.MSSSIM(&eight), 1e-14, "unit")
	}
}

// TestDenseContext: the order of the generated points does not matter, the value lies between 0 and log J, and a common factor of both
// maps, or an offset that the centering takes out, changes nothing.
func TestDenseContext(t *testing.T) {
	r := rand.New(rand.NewPCG(10, 81))
	for range 20 {
		p := loss.New[float64, loss.Context[float64]]()
		p.Pred, p.Target = denseTensor(r, 1, 3, 1, 6), denseTensor(r, 1, 3, 2, 2)
		want, grad := reference.Context(p), reference.ContextGrad(p, denseOnes(1)).Pred.Data
		require.GreaterOrEqual(t, want[0], 0.0)
		require.LessOrEqual(t, want[0], math.Log(4))
		moved, backward := *p, *p
		moved.Pred, moved.Target, backward.Pred = loss.Make[float64](1, 3, 1, 6), loss.Make[float64](1, 3, 2, 2), loss.Make[float64](1, 3, 1, 6)
		for i, x := range p.Pred.Data {
			moved.Pred.Data[i] = 4*x + 8
			backward.Pred.Data[i-i%6+5-i%6] = x
		}
		for i, x := range p.Target.Data {
			moved.Target.Data[i] = 4*x + 8
		}
		denseClose(t, want, reference.Context(&moved), 1e-10, "scale and offset")
		denseClose(t, want, reference.Context(&backward), 1e-13, "order of points")
		back := reference.ContextGrad(&backward, denseOnes(1)).Pred.Data
		for i, g := range grad {
			require.InDelta(t, g, back[i-i%6+5-i%6], 1e-12*math.Max(1, math.Abs(g)))
		}
	}
}
