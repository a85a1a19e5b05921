package benchstat

import (
	"math/rand/v2"

	"github.com/goldenloss/goldenloss/reference/loss"
)

func iou(n int) func(*rand.Rand) loss.Problem[float64] {
	return func(r *rand.Rand) loss.Problem[float64] {
		p := loss.New[float64, loss.IoU[float64]]()
		p.Pred, p.Target = loss.Make[float64](n, 4), loss.Make[float64](n, 4)
		for i := range n {
			x, y, w, h := 640*r.Float64(), 640*r.Float64(), 4+60*r.Float64(), 4+60*r.Float64()
			dx, dy := 0.3*w*r.NormFloat64(), 0.3*h*r.NormFloat64()
			copy(p.Target.Data[4*i:], []float64{x, y, x + w, y + h})
			copy(p.Pred.Data[4*i:], []float64{x + dx, y + dy, x + dx + w*(0.8+0.4*r.Float64()), y + dy + h*(0.8+0.4*r.Float64())})
		}
		return p
	}
}
