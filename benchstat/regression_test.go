package main

import (
	"math/rand/v2"

	"github.com/goldenloss/goldenloss/reference/loss"
)

func smoothL1(n int) func(*rand.Rand) loss.Problem[float64] {
	return func(r *rand.Rand) loss.Problem[float64] {
		p := loss.New[float64, loss.SmoothL1[float64]]()
		p.Beta = 1.0 / 9
		p.Pred, p.Target = tensor(r, normal(r, 0, 0.5), n, 4), tensor(r, normal(r, 0, 0.5), n, 4)
		return p
	}
}

// restored fills in a picture and what a network makes of it.
func restored(r *rand.Rand, p *loss.Pair[float64], shape ...int) {
	p.Target = tensor(r, r.Float64, shape...)
	p.Pred = loss.Make[float64](shape...)
	for i, x := range p.Target.Data {
		p.Pred.Data[i] = x + 0.05*r.NormFloat64()
	}
}

// forecast fills in standardized targets and predictions that miss them by a heavy-tailed error.
func forecast(r *rand.Rand, p *loss.Pair[float64], shape ...int) {
	p.Target = tensor(r, r.NormFloat64, shape...)
	p.Pred = loss.Make[float64](shape...)
	for i, x := range p.Target.Data {
		p.Pred.Data[i] = x + 0.5*r.NormFloat64()*r.ExpFloat64()
	}
}

func l1(shape ...int) func(*rand.Rand) loss.Problem[float64] {
	return func(r *rand.Rand) loss.Problem[float64] {
		p := loss.New[float64, loss.L1[float64]]()
		restored(r, &p.Pair, shape...)
		return p
	}
}

// mse compares the noise of a diffusion step with its prediction, or targets of a table.
func mse(shape ...int) func(*rand.Rand) loss.Problem[float64] {
	return func(r *rand.Rand) loss.Problem[float64] {
		p := loss.New[float64, loss.MSE[float64]]()
		forecast(r, &p.Pair, shape...)
		return p
	}
}

func huber(shape ...int) func(*rand.Rand) loss.Problem[float64] {
	return func(r *rand.Rand) loss.Problem[float64] {
		p := loss.New[float64, loss.Huber[float64]]()
		forecast(r, &p.Pair, shape...)
		return p
	}
}

func logCosh(shape ...int) func(*rand.Rand) loss.Problem[float64] {
	return func(r *rand.Rand) loss.Problem[float64] {
		p := loss.New[float64, loss.LogCosh[float64]]()
		forecast(r, &p.Pair, shape...)
		return p
	}
}

func charbonnier(alpha float64, shape ...int) func(*rand.Rand) loss.Problem[float64] {
	return func(r *rand.Rand) loss.Problem[float64] {
		p := loss.New[float64, loss.Charbonnier[float64]]()
		p.Alpha = alpha
		restored(r, &p.Pair, shape...)
		return p
	}
}

// quantile predicts k quantiles of every target.
func quantile(k int, shape ...int) func(*rand.Rand) loss.Problem[float64] {
	return func(r *rand.Rand) loss.Problem[float64] {
		p := loss.New[float64, loss.Quantile[float64]]()
		p.Target, p.Taus = tensor(r, r.NormFloat64, shape...), nil
		for i := range k {
			p.Taus = append(p.Taus, (float64(i)+0.5)/float64(k))
		}
		p.Pred = loss.Make[float64](append(append([]int{}, shape...), k)...)
		for i, y := range p.Target.Data {
			mean := y + 0.5*r.NormFloat64()
			for j, tau := range p.Taus {
				p.Pred.Data[i*k+j] = mean + 2*(tau-0.5)
			}
		}
		return p
	}
}

func pixelwiseMean(shape ...int) func(*rand.Rand) loss.Problem[float64] {
	return func(r *rand.Rand) loss.Problem[float64] {
		p := loss.New[float64, loss.PixelwiseMean[float64]]()
		restored(r, &p.Pair, shape...)
		return p
	}
}
