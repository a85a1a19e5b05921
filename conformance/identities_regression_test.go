package main

import (
	"math"
	"math/rand/v2"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/goldenloss/goldenloss/reference"
	"github.com/goldenloss/goldenloss/reference/loss"
)

// regressionAnswer is the value and the gradients of a pair.
type regressionAnswer struct{ value, pred, target []float64 }

// scaled multiplies an answer.
func (a regressionAnswer) scaled(by float64) regressionAnswer {
	times := func(x []float64) []float64 {
		y := make([]float64, len(x))
		for i := range x {
			y[i] = by * x[i]
		}
		return y
	}
	return regressionAnswer{times(a.value), times(a.pred), times(a.target)}
}

// regressionRun evaluates the reference. The cotangent follows from the shape of the value.
func regressionRun(t *testing.T, p loss.Problem[float64]) regressionAnswer {
	t.Helper()
	require.NoError(t, loss.Validate(p))
	for _, impl := range reference.All {
		if impl.ID != p.Def().ID {
			continue
		}
		out := make([]float64, loss.Size(p.Out()))
		dOut := make([]float64, len(out))
		for i := range dOut {
			dOut[i] = float64(1+i%3) * float64(1-2*(i%2))
		}
		grad := loss.NewGrad(p, impl.New())
		impl.Run(out, grad, p, dOut)
		f := loss.Fields(grad)
		return regressionAnswer{out, f[0].Float.Data, f[1].Float.Data}
	}
	require.Fail(t, p.Def().ID)
	return regressionAnswer{}
}

// requireRegressionSame compares to a relative accuracy, entry by entry.
func requireRegressionSame(t *testing.T, want, got regressionAnswer, name string) {
	t.Helper()
	for k, pair := range [][2][]float64{{want.value, got.value}, {want.pred, got.pred}, {want.target, got.target}} {
		require.Len(t, pair[1], len(pair[0]), name)
		for i, w := range pair[0] {
			require.LessOrEqual(t, math.Abs(w-pair[1][i]), 1e-13*math.Abs(w)+5e-324, "%s, output %d, element %d: want %g, got %g", name, k, i, w, pair[1][i])
		}
	}
}

func TestRegressionIdentities(t *testing.T) {
	r := rand.New(rand.NewPCG(10, 1))
	for range 200 {
		n, c := 1+r.IntN(3), 1+r.IntN(4)
		shape := []int{n, c, 3}
		x := loss.Pair[float64]{Pred: loss.Make[float64](shape...), Target: loss.Make[float64](shape...)}
		sigma := math.Exp(2 * r.NormFloat64())
		for i := range x.Pred.Data {
			x.Pred.Data[i], x.Target.Data[i] = sigma*r.NormFloat64(), sigma*r.NormFloat64()
		}
		red := []loss.Reduction{loss.Mean, loss.Sum, loss.None}[r.IntN(3)]
		width := math.Exp(r.NormFloat64())

		l1 := regressionRun(t, &loss.L1[float64]{Reduction: red, Pair: x})
		mse := regressionRun(t, &loss.MSE[float64]{Reduction: red, Pair: x})
		huber := regressionRun(t, &loss.Huber[float64]{Reduction: red, Delta: width, Pair: x})
		smooth := func(beta float64) regressionAnswer {
			return regressionRun(t, &loss.SmoothL1[float64]{Reduction: red, Beta: beta, Pair: x})
		}
		charbonnier := func(eps, alpha float64, offset bool) regressionAnswer {
			return regressionRun(t, &loss.Charbonnier[float64]{Reduction: red, Eps: eps, Alpha: alpha, Offset: offset, Pair: x})
		}
		quantile := func(tau, scale float64, x loss.Pair[float64]) regressionAnswer {
			return regressionRun(t, &loss.Quantile[float64]{Reduction: red, Taus: []float64{tau}, Scale: scale, Pred: x.Pred, Target: x.Target})
		}

		// One loss as a special case of another.
		requireRegressionSame(t, huber, smooth(width).scaled(width), "huber(delta) = delta smooth_l1(beta = delta)")
		requireRegressionSame(t, l1, smooth(0), "smooth_l1(beta = 0) = l1")
		requireRegressionSame(t, mse, regressionRun(t, &loss.Huber[float64]{Reduction: red, Delta: 1e6 * sigma, Pair: x}).scaled(2), "huber of a wide core = mse/2")
		requireRegressionSame(t, mse, regressionRun(t, &loss.MSE[float64]{Reduction: red, Half: true, Pair: x}).scaled(2), "half = mse/2")
		requireRegressionSame(t, l1, charbonnier(0, 0.5, r.IntN(2) == 0), "charbonnier(eps = 0) = l1")
		requireRegressionSame(t, mse, charbonnier(width, 1, true), "charbonnier(alpha = 1, offset) = mse")
		requireRegressionSame(t, l1, quantile(0.5, 2, x), "2 quantile(0.5) = l1")

		// Pixels are the elements of MSE and L1, summed over channels.
		if red != loss.None {
			pixels := func(p int, channel string) regressionAnswer {
				return regressionRun(t, &loss.PixelwiseMean[float64]{Reduction: red, P: p, Channel: channel, Pair: x})
			}
			for p, base := range map[int]regressionAnswer{1: l1, 2: mse} {
				by := 1.0
				if red == loss.Mean {
					by = float64(c)
				}
				requireRegressionSame(t, base.scaled(by), pixels(p, "sum"), "pixelwise_mean(sum) = C l1, C mse")
				requireRegressionSame(t, base.scaled(by/float64(c)), pixels(p, "mean"), "pixelwise_mean(mean) = l1, mse")
			}
		}

		// Only the difference counts; its sign swaps the sides of the quantile.
		swapped := loss.Pair[float64]{Pred: x.Target, Target: x.Pred}
		tau := r.Float64()
		requireRegressionSame(t, quantile(tau, 1, x), regressionAnswer{quantile(1-tau, 1, swapped).value, quantile(1-tau, 1, swapped).target,
			quantile(1-tau, 1, swapped).pred}, "quantile(tau) of a swapped pair = quantile(1 - tau)")
		for _, a := range []regressionAnswer{l1, mse, huber, smooth(width), charbonnier(width, 0.3, false), quantile(tau, 1, x),
			regressionRun(t, &loss.LogCosh[float64]{Reduction: red, Pair: x})} {
			requireRegressionSame(t, regressionAnswer{pred: a.pred}.scaled(-1), regressionAnswer{pred: a.target}, "grad target = -grad pred")
		}

		// Scaling.
		k := math.Ldexp(float64(1+r.IntN(7)), r.IntN(5)-2) * float64(1-2*r.IntN(2))
		scaled := loss.Pair[float64]{Pred: loss.Make[float64](shape...), Target: loss.Make[float64](shape...)}
		for i := range x.Pred.Data {
			scaled.Pred.Data[i], scaled.Target.Data[i] = k*(x.Pred.Data[i]-x.Target.Data[i]), 0
		}
		requireRegressionSame(t, regressionAnswer{value: l1.scaled(math.Abs(k)).value}, regressionAnswer{value: regressionRun(t,
			&loss.L1[float64]{Reduction: red, Pair: scaled}).value}, "l1(k e) = |k| l1(e)")
		requireRegressionSame(t, regressionAnswer{value: mse.scaled(k * k).value}, regressionAnswer{value: regressionRun(t,
			&loss.MSE[float64]{Reduction: red, Pair: scaled}).value}, "mse(k e) = k^2 mse(e)")
	}
}

// TestLogCoshBounds: between e^2/2 and |e| - log 2, with a gradient between -1 and 1 that grows.
func TestLogCoshBounds(t *testing.T) {
	r := rand.New(rand.NewPCG(10, 2))
	last := -1.0
	for i := range 400 {
		e := float64(i-200)/10 + 0.01*r.Float64()
		p := loss.New[float64, loss.LogCosh[float64]]()
		p.Pred, p.Target = loss.Tensor[float64]{Shape: []int{1}, Data: []float64{e}}, loss.Make[float64](1)
		a := regressionRun(t, p)
		require.LessOrEqual(t, a.value[0], e*e/2*(1+1e-15))
		require.GreaterOrEqual(t, a.value[0], math.Abs(e)-math.Ln2)
		require.GreaterOrEqual(t, a.pred[0], last)
		require.InDelta(t, -2*math.Expm1(-2*e)/2/(1+math.Exp(-2*e)), a.pred[0], 1e-15)
		last = a.pred[0]
	}
}
