package main

import (
	"math"
	"math/rand/v2"
	"testing"

	"github.com/goldenloss/goldenloss/reference"
	"github.com/goldenloss/goldenloss/reference/loss"
)

// overlapLosses evaluates the three overlap losses, items and gradient, on the same inputs and options; Tversky has the weights fp and fn.
type overlapLosses struct {
	loss.Overlap[float64]
	power  int
	fp, fn float64
}

func (o *overlapLosses) dice() (l, g []float64) {
	p := &loss.Dice[float64]{Reduction: loss.None, Power: o.power, Overlap: o.Overlap}
	l = reference.Dice(p)
	return l, reference.DiceGrad(p, overlapOnes(l)).Pred.Data
}

func (o *overlapLosses) jaccard() (l, g []float64) {
	p := &loss.Jaccard[float64]{Reduction: loss.None, Power: o.power, Overlap: o.Overlap}
	l = reference.Jaccard(p)
	return l, reference.JaccardGrad(p, overlapOnes(l)).Pred.Data
}

func (o *overlapLosses) tversky() (l, g []float64) {
	p := &loss.Tversky[float64]{Reduction: loss.None, AlphaFP: o.fp, BetaFN: o.fn, Overlap: o.Overlap}
	l = reference.Tversky(p)
	return l, reference.TverskyGrad(p, overlapOnes(l)).Pred.Data
}

func (o *overlapLosses) all() []func() (l, g []float64) {
	return []func() (l, g []float64){o.dice, o.jaccard, o.tversky}
}

func overlapOnes(l []float64) []float64 {
	d := make([]float64, len(l))
	for i := range d {
		d[i] = 1
	}
	return d
}

// overlapRounds calls f with problems of soft or hard targets [n, c, s] without smoothing.
func overlapRounds(f func(r *rand.Rand, o overlapLosses)) {
	r := rand.New(rand.NewPCG(40, 26))
	for i := range 60 {
		o := overlapLosses{power: 1, fp: r.Float64(), fn: r.Float64()}
		o.Overlap = loss.New[float64, loss.Dice[float64]]().Overlap
		o.SmoothNr, o.SmoothDr = 0, 0
		n, c, s := 1+r.IntN(3), 2+r.IntN(3), 2+r.IntN(8)
		o.Pred, o.Target = softmaxUniform(r, n, c, s), softmaxUniform(r, n, c, s)
		if i%2 == 0 {
			for k, t := range o.Target.Data {
				o.Target.Data[k] = math.Round(t)
			}
		}
		f(r, o)
	}
}

func TestDenseOverlapOfOthers(t *testing.T) {
	overlapRounds(func(r *rand.Rand, o overlapLosses) {
		dice, _ := o.dice()
		jaccard, slope := o.jaccard()
		twice := make([]float64, len(dice))
		for k, d := range dice {
			twice[k] = 2 * d / (1 + d)
		}
		softmaxEqual(t, twice, jaccard, "jaccard = 2 dice/(1+dice)")
		o.fp, o.fn = 1, 1
		l, g := o.tversky()
		softmaxEqual(t, jaccard, l, "tversky(1, 1) = jaccard")
		softmaxEqual(t, slope, g, "its gradient")
		smooth := r.Float64()
		o.SmoothNr, o.SmoothDr = smooth, smooth
		dice, slope = o.dice()
		o.fp, o.fn, o.SmoothNr, o.SmoothDr = 0.5, 0.5, smooth/2, smooth/2
		l, g = o.tversky()
		softmaxEqual(t, dice, l, "tversky(1/2, 1/2, s/2) = dice(s)")
		softmaxEqual(t, slope, g, "its gradient")
	})
}

func TestDenseOverlapOfSums(t *testing.T) {
	overlapRounds(func(r *rand.Rand, o overlapLosses) {
		n, c, s := o.Pred.Shape[0], o.Pred.Shape[1], o.Pred.Shape[2]
		for i, f := range o.all() {
			items, _ := f()
			// The order of the pixels.
			turned := o
			turned.Pred, turned.Target = loss.Make[float64](n, c, s), loss.Make[float64](n, c, s)
			for k := range o.Pred.Data {
				to := k/s*s + (k%s+1)%s
				turned.Pred.Data[to], turned.Target.Data[to] = o.Pred.Data[k], o.Target.Data[k]
			}
			l, _ := turned.all()[i]()
			softmaxEqual(t, items, l, "pixels in another order")
			// The last pixel masked, and deleted.
			masked, deleted := o, o
			masked.Mask = loss.Make[bool](n, s)
			deleted.Pred, deleted.Target = loss.Make[float64](n, c, s-1), loss.Make[float64](n, c, s-1)
			for k := range masked.Mask.Data {
				masked.Mask.Data[k] = k%s < s-1
			}
			for k := range deleted.Pred.Data {
				from := k/(s-1)*s + k%(s-1)
				deleted.Pred.Data[k], deleted.Target.Data[k] = o.Pred.Data[from], o.Target.Data[from]
			}
			want, _ := deleted.all()[i]()
			l, _ = masked.all()[i]()
			softmaxEqual(t, want, l, "a mask deletes pixels")
			// Labels.
			hot, labels := o, o
			labels.Target, labels.TargetLabel = loss.Tensor[float64]{}, softmaxLabels(r, c, n, s)
			hot.Target = softmaxOneHot(labels.TargetLabel, o.Pred.Shape)
			want, slope := hot.all()[i]()
			l, g := labels.all()[i]()
			softmaxEqual(t, want, l, "labels are one-hot targets")
			softmaxEqual(t, slope, g, "gradient by labels")
			// Hard targets.
			minima := hot
			minima.Intersection = "l1"
			l, g = minima.all()[i]()
			softmaxEqual(t, want, l, "product = l1 for hard targets")
			softmaxEqual(t, slope, g, "gradient of l1")
			// One sample and channel.
			one := o
			one.Pred = loss.Tensor[float64]{Shape: []int{1, 1, s}, Data: o.Pred.Data[:s]}
			one.Target = loss.Tensor[float64]{Shape: []int{1, 1, s}, Data: o.Target.Data[:s]}
			for _, omega := range []string{"per_sample_per_channel", "per_channel", "per_sample", "global"} {
				one.Omega = omega
				l, _ = one.all()[i]()
				softmaxEqual(t, items[:1], l, omega)
			}
			// Two classes.
			two, single := one, one
			two.Omega, single.Omega = "per_sample_per_channel", "per_sample_per_channel"
			single.Activation, single.Pred = "sigmoid", softmaxNormal(r, 3, 1, 1, s)
			two.Activation, two.IncludeBackground, two.Pred, two.Target = "softmax", false, loss.Make[float64](1, 2, s), loss.Make[float64](1, 2, s)
			copy(two.Pred.Data[s:], single.Pred.Data)
			copy(two.Target.Data[s:], single.Target.Data)
			want, slope = single.all()[i]()
			l, g = two.all()[i]()
			softmaxEqual(t, want, l, "softmax of (0, x) = sigmoid of x")
			softmaxEqual(t, slope, g[s:], "its gradient")
		}
	})
}
