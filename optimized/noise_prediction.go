package optimized

import (
	"math"

	"github.com/goldenloss/goldenloss/reference/loss"
)

type noisePredictionTask[T loss.Float] struct {
	samples
	in      *loss.NoisePrediction[T]
	g       []T
	w       weights[T]
	partial []float64 // per chunk: sum of the squares, or of the absolute values under an infinite weight
	items   []float64 // per sample
	bad     bool      // the pass that spreads NaN
}

// NoisePrediction is the denoising regression. See loss.NoisePrediction.
func NoisePrediction[T loss.Float](out []T, grad, in *loss.NoisePrediction[T], dOut []T) {
	k := take[noisePredictionTask[T]]()
	k.in = in
	n := in.Pred.Shape[0]
	k.samples = newSamples(n, len(in.Pred.Data)/n)
	k.w = newWeights(in.Reduction, dOut, float64(n))
	if grad != nil {
		k.g = grad.Pred.Data
	}
	k.partial, k.items = grown(k.partial, k.chunks()), grown(k.items, n)
	each(k.chunks(), k.cost(1), k)
	for i := range k.items {
		w, s := k.weight(i), pairwise(k.of(k.partial, i))
		switch {
		case w == 0, math.IsInf(w, 1) && s == 0:
			k.items[i] = 0
		default:
			k.items[i] = w * (s / float64(k.size))
		}
		k.bad = k.bad || k.items[i] != k.items[i]
	}
	if in.Reduction == loss.None {
		store(out, k.items)
	}
	finish(out, in.Reduction, k.items, float64(n))
	if k.bad && k.g != nil {
		each(k.chunks(), k.cost(1), k)
	}
	*k = noisePredictionTask[T]{partial: k.partial, items: k.items}
	give(k)
}

// weight is the weight of sample n.
func (k *noisePredictionTask[T]) weight(n int) float64 {
	in := k.in
	a, gamma := 0.0, in.Gamma
	switch in.Weighting {
	case "none":
		return 1
	case "custom":
		return float64(in.Weight.Data[n])
	default:
		a = float64(in.AlphaBar.Data[n])
	}
	snr := in.Weighting == "snr"
	switch {
	case a != a:
		return a
	case in.Prediction == "eps" && (snr || gamma*(1-a) >= a):
		return 1
	case in.Prediction == "eps":
		return gamma * (1 - a) / a
	case in.Prediction == "x0" && (snr || a <= gamma*(1-a)):
		return a / (1 - a)
	case in.Prediction == "x0":
		return gamma
	case snr || a <= gamma*(1-a):
		return a
	}
	return gamma * (1 - a)
}

func (k *noisePredictionTask[T]) run(i int) {
	n, lo, hi := k.chunk(i)
	w := k.weight(n)
	g := cut(k.g, lo, hi)
	switch {
	case k.bad:
		if k.items[n] != k.items[n] {
			fill(g, T(math.NaN()))
		}
		return
	case w == 0:
		clear(g)
		k.partial[i] = 0
		return
	}
	endless := math.IsInf(w, 1)
	c := 0.0
	if g != nil {
		c = k.w.at(n) * (2 * w / float64(k.size))
	}
	scaleEps, scaleX0 := 0.0, 0.0
	if k.in.Prediction == "v" {
		a := float64(k.in.AlphaBar.Data[n])
		scaleEps, scaleX0 = math.Sqrt(a), math.Sqrt(1-a)
	}
	var buf [strip]float64
	var sum running
	for ; lo < hi; lo += strip {
		e := buf[:min(strip, hi-lo)]
		x := k.in.Pred.Data[lo:][:len(e)]
		switch k.in.Prediction {
		case "eps":
			subtract(e, x, k.in.Eps.Data[lo:])
		case "x0":
			subtract(e, x, k.in.X0.Data[lo:])
		default:
			subtractVelocity(e, x, k.in.Eps.Data[lo:], k.in.X0.Data[lo:], scaleEps, scaleX0)
		}
		sum.add(norm(e, endless))
		if g == nil {
			continue
		}
		for j, e := range e {
			g[j] = T(c * e)
		}
		if endless {
			for j, e := range e {
				if e == 0 {
					g[j] = 0
				}
			}
		}
		g = g[len(e):]
	}
	k.partial[i] = sum.value()
}

// subtract fills e with x - y.
func subtract[T loss.Float](e []float64, x, y []T) {
	x, y = x[:len(e)], y[:len(e)]
	for j := range e {
		e[j] = float64(x[j]) - float64(y[j])
	}
}

// subtractVelocity fills e with x - (a eps - b x0). A coefficient of 0 removes an infinity, not a NaN.
func subtractVelocity[T loss.Float](e []float64, x, eps, x0 []T, a, b float64) {
	x, eps, x0 = x[:len(e)], eps[:len(e)], x0[:len(e)]
	if a != 0 && b != 0 {
		for j := range e {
			e[j] = float64(x[j]) - (a*float64(eps[j]) - b*float64(x0[j]))
		}
		return
	}
	if a == 0 {
		x0, eps, a = eps, x0, -b // now a is not 0
	}
	for j := range e {
		e[j] = float64(x[j]) - a*float64(eps[j])
		if x0[j] != x0[j] {
			e[j] = math.NaN()
		}
	}
}
