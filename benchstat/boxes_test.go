package main

import (
	"math/rand/v2"

	"github.com/goldenloss/goldenloss/reference/loss"
)

// boxes fills in pairs as detectors see them: targets of 4 to 64 pixels, predictions that are off by a third of that.
func boxes(r *rand.Rand, n int, p *loss.Boxes[float64]) {
	p.Pred, p.Target = loss.Make[float64](n, 4), loss.Make[float64](n, 4)
	for i := range n {
		x, y, w, h := 640*r.Float64(), 640*r.Float64(), 4+60*r.Float64(), 4+60*r.Float64()
		dx, dy := 0.3*w*r.NormFloat64(), 0.3*h*r.NormFloat64()
		copy(p.Target.Data[4*i:], []float64{x, y, x + w, y + h})
		copy(p.Pred.Data[4*i:], []float64{x + dx, y + dy, x + dx + w*(0.8+0.4*r.Float64()), y + dy + h*(0.8+0.4*r.Float64())})
	}
}

func iou(n int) func(*rand.Rand) loss.Problem[float64] {
	return func(r *rand.Rand) loss.Problem[float64] {
		p := loss.New[float64, loss.IoU[float64]]()
		boxes(r, n, &p.Boxes)
		return p
	}
}

func giou(n int) func(*rand.Rand) loss.Problem[float64] {
	return func(r *rand.Rand) loss.Problem[float64] {
		p := loss.New[float64, loss.GIoU[float64]]()
		boxes(r, n, &p.Boxes)
		return p
	}
}

func diou(n int) func(*rand.Rand) loss.Problem[float64] {
	return func(r *rand.Rand) loss.Problem[float64] {
		p := loss.New[float64, loss.DIoU[float64]]()
		boxes(r, n, &p.Boxes)
		return p
	}
}

func ciou(n int) func(*rand.Rand) loss.Problem[float64] {
	return func(r *rand.Rand) loss.Problem[float64] {
		p := loss.New[float64, loss.CIoU[float64]]()
		boxes(r, n, &p.Boxes)
		return p
	}
}

func eiou(n int) func(*rand.Rand) loss.Problem[float64] {
	return func(r *rand.Rand) loss.Problem[float64] {
		p := loss.New[float64, loss.EIoU[float64]]()
		boxes(r, n, &p.Boxes)
		return p
	}
}

func focalEIoU(n int) func(*rand.Rand) loss.Problem[float64] {
	return func(r *rand.Rand) loss.Problem[float64] {
		p := loss.New[float64, loss.FocalEIoU[float64]]()
		boxes(r, n, &p.Boxes)
		return p
	}
}

func gwd(n int) func(*rand.Rand) loss.Problem[float64] {
	return func(r *rand.Rand) loss.Problem[float64] {
		p := loss.New[float64, loss.GWD[float64]]()
		p.Pred, p.Target = loss.Make[float64](n, 5), loss.Make[float64](n, 5)
		var b loss.Boxes[float64]
		boxes(r, n, &b)
		for i := range n {
			turn := 3 * r.Float64()
			row := func(x []float64, turn float64) []float64 {
				return []float64{(x[0] + x[2]) / 2, (x[1] + x[3]) / 2, x[2] - x[0], x[3] - x[1], turn}
			}
			copy(p.Target.Data[5*i:], row(b.Target.Data[4*i:], turn))
			copy(p.Pred.Data[5*i:], row(b.Pred.Data[4*i:], turn+0.2*r.NormFloat64()))
		}
		return p
	}
}
