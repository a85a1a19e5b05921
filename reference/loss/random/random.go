// Package random draws valid problems of every loss, for tests.
package random

import (
	"math"
	"math/rand/v2"
	"strings"

	"github.com/goldenloss/goldenloss/reference/loss"
)

// Draw is a stream of random numbers and what is wanted of a problem. All floats that it draws are float32 numbers.
type Draw struct {
	*rand.Rand
	Size int  // about how many elements the largest input has
	Ties bool // coincidences are welcome: equal elements, equal edges, rows of zeros

	grid bool // this problem has them
}

// Maker draws problems of one loss.
type Maker struct {
	ID string
	// Samples reports whether axis 0 of the inputs whose pattern begins with "N" or "..." counts samples, each with items of its own.
	Samples func(loss.Problem[float64]) bool
	draw    func(d *Draw) loss.Problem[float64]
}

// All lists the losses.
var All = []Maker{
	of(l1, always),
	of(mse, always),
	of(smoothL1, always),
	of(huber, always),
	of(logCosh, always),
	of(charbonnier, always),
	of(quantile, always),
	of(pixelwiseMean, always),
	of(reconstruction, always),
	of(crossEntropy, always),
	of(weightedCrossEntropy, always),
	of(softmaxCrossEntropy, func(p *loss.SoftmaxCrossEntropy[float64]) bool { return p.Axis != 0 && p.Axis != -len(p.Logits.Shape) }),
	of(categoricalCrossEntropy, func(p *loss.CategoricalCrossEntropy[float64]) bool {
		return p.Axis != 0 && p.Axis != -len(p.Prob.Shape)
	}),
	of(binaryCrossEntropy, always),
	of(binaryCrossEntropyWithLogits, always),
	of(pixelwiseCrossEntropy, always),
	of(logistic, always),
	of(focal, always),
	of(focalSoftmax, always),
	of(klDivergence, always),
	of(attentionTarget, never),
	of(iou, always),
	of(giou, always),
	of(diou, always),
	of(ciou, always),
	of(eiou, always),
	of(focalEIoU, always),
	of(gwd, always),
	of(dice, func(p *loss.Dice[float64]) bool {
		return p.Omega == "per_sample_per_channel" || p.Omega == "per_sample"
	}),
	of(jaccard, func(p *loss.Jaccard[float64]) bool {
		return p.Omega == "per_sample_per_channel" || p.Omega == "per_sample"
	}),
	of(tversky, func(p *loss.Tversky[float64]) bool {
		return p.Omega == "per_sample_per_channel" || p.Omega == "per_sample"
	}),
	of(contrastive, always),
	of(ntXent, never),
	of(infoNCE, never),
	of(triplet, always),
	of(marginRanking, always),
	of(crossModalRanking, never),
	of(attentionRanking, always),
	of(crossCorrelation, func(p *loss.CrossCorrelation[float64]) bool { return !p.Bias.Given() }),
	of(mahalanobis, never),
	of(adversarial, always),
	of(gan, func(p *loss.GAN[float64]) bool { return p.Player == "generator" }),
	of(conditionalAdversarial, always),
	of(cycleConsistency, never),
	of(noisePrediction, always),
	of(diffusion, always),
	of(vae, func(p *loss.VAE[float64]) bool {
		return p.FreeBitsMode != "batch_mean" && (p.ReconKind != "gaussian_logvar" || len(p.ReconLogvar.Shape) > 0)
	}),
	of(perceptual, always),
	of(style, func(p *loss.Style[float64]) bool { return p.Target[0].Shape[0] == 1 }), // shared by all samples
	of(featureMatching, func(p *loss.FeatureMatching[float64]) bool { return p.Variant != "moment" }),
	of(context, func(p *loss.Context[float64]) bool { return p.Center != "batch" }),
	of(ssim, always),
	of(msSSIM, always),
}

// of makes a Maker of a function that fills in numbers and inputs; switches and enumerations are drawn already, and the function
// resets those that do not go together.
func of[L any, P loss.Of[float64, L]](fill func(d *Draw, p P), samples func(P) bool) Maker {
	return Maker{
		ID:      P(new(L)).Def().ID,
		Samples: func(p loss.Problem[float64]) bool { return samples(p.(P)) },
		draw: func(d *Draw) loss.Problem[float64] {
			p := loss.New[float64, L, P]()
			for _, q := range loss.Params[float64](p) {
				switch q.Kind {
				case "enum":
					q.Set(q.Enum[d.IntN(len(q.Enum))])
				case "bool":
					q.Set(d.Coin())
				}
			}
			fill(d, p)
			return p
		},
	}
}

func always[P any](P) bool { return true }
func never[P any](P) bool  { return false }

// Problem draws a problem.
func (m Maker) Problem(r *rand.Rand, size int, ties bool) loss.Problem[float64] {
	return m.draw(&Draw{Rand: r, Size: size, Ties: ties, grid: ties && r.IntN(3) == 0})
}

// Differentiable sets the parameters that make the gradient of a loss something else than the derivative of its value so that it is
// one: nothing is detached, and gradients that a library defines are not asked for.
func Differentiable(p loss.Problem[float64]) {
	for _, q := range loss.Params(p) {
		switch {
		case strings.HasPrefix(q.Name, "detach_"):
			q.Set(false)
		case q.Name == "grad_mode":
			q.Set("exact")
		}
	}
}

// Lookup returns the Maker of a loss id.
func Lookup(id string) (Maker, bool) {
	for _, m := range All {
		if m.ID == id {
			return m, true
		}
	}
	return Maker{}, false
}

// Coin is true half of the time.
func (d *Draw) Coin() bool { return d.IntN(2) == 0 }

// Pick returns one of a list.
func Pick[V any](d *Draw, list ...V) V { return list[d.IntN(len(list))] }

// Between returns a number in [lo, hi).
func (d *Draw) Between(lo, hi float64) float64 { return float64(float32(lo + (hi-lo)*d.Float64())) }

// Normal draws from N(0, 1).
func (d *Draw) Normal(shape ...int) loss.Tensor[float64] { return d.tensor(d.NormFloat64, shape) }

// Uniform draws from [0, 1).
func (d *Draw) Uniform(shape ...int) loss.Tensor[float64] { return d.tensor(d.Float64, shape) }

func (d *Draw) tensor(f func() float64, shape []int) loss.Tensor[float64] {
	x := loss.Make[float64](shape...)
	for i := range x.Data {
		x.Data[i] = d.round(f())
	}
	return x
}

// round rounds to float32, or to a half where ties are wanted.
func (d *Draw) round(x float64) float64 {
	if d.grid {
		return math.Round(2*x) / 2
	}
	return float64(float32(x))
}

// Labels draws classes.
func (d *Draw) Labels(classes int, shape ...int) loss.Tensor[int64] {
	x := loss.Make[int64](shape...)
	for i := range x.Data {
		x.Data[i] = d.Int64N(int64(classes))
	}
	return x
}

// Mask is true three times out of four.
func (d *Draw) Mask(shape ...int) loss.Tensor[bool] {
	x := loss.Make[bool](shape...)
	for i := range x.Data {
		x.Data[i] = d.IntN(4) > 0
	}
	return x
}

// Side returns k such that k^dims times the given number is about Size, at least least.
func (d *Draw) Side(times, dims, least int) int {
	return max(least, int(math.Pow(float64(d.Size)/float64(times), 1/float64(dims))))
}
