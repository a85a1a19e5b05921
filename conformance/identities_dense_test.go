package main

import (
	"math"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/goldenloss/goldenloss/optimized"
	"github.com/goldenloss/goldenloss/reference"
	"github.com/goldenloss/goldenloss/reference/loss"
)

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
