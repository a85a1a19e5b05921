package random

import "github.com/goldenloss/goldenloss/reference/loss"

// pair fills in two tensors of one shape.
func (d *Draw) pair(p *loss.Pair[float64]) {
	n := d.Side(3, 1, 2)
	p.Pred, p.Target = d.Normal(n, 3), d.Normal(n, 3)
}

func smoothL1(d *Draw, p *loss.SmoothL1[float64]) {
	p.Beta = d.Between(0, 1)
	d.pair(&p.Pair)
}

func l1(d *Draw, p *loss.L1[float64]) { d.pair(&p.Pair) }

func mse(d *Draw, p *loss.MSE[float64]) { d.pair(&p.Pair) }

func huber(d *Draw, p *loss.Huber[float64]) {
	p.Delta = d.Between(0.1, 2)
	d.pair(&p.Pair)
}

func logCosh(d *Draw, p *loss.LogCosh[float64]) {
	d.pair(&p.Pair)
	if d.Coin() { // far apart
		for i := range p.Pred.Data {
			p.Pred.Data[i] *= 8
		}
	}
}

func charbonnier(d *Draw, p *loss.Charbonnier[float64]) {
	p.Eps, p.Alpha = Pick(d, 1e-3, 0.5, d.Between(0, 2)), Pick(d, 0.25, 0.45, 0.5, 1, 1-d.Between(0, 1))
	if d.Ties {
		p.Eps = Pick(d, 0, p.Eps)
	}
	d.pair(&p.Pair)
}

func quantile(d *Draw, p *loss.Quantile[float64]) {
	p.Scale = Pick(d, 1, 2, d.Between(0.1, 3))
	p.Taus = make([]float64, Pick(d, 1, 2, 3, 9))
	for k := range p.Taus {
		if p.Taus[k] = d.Between(0, 1); d.IntN(4) == 0 {
			p.Taus[k] = Pick(d, 0, 0.5, 1.)
		}
	}
	n := d.Side(2*len(p.Taus), 1, 2)
	p.Pred, p.Target = d.Normal(n, 2), d.Normal(n, 2)
	if k := len(p.Taus); k > 1 {
		p.Pred = d.Normal(n, 2, k)
	}
}

func pixelwiseMean(d *Draw, p *loss.PixelwiseMean[float64]) {
	p.P = 1 + d.IntN(2)
	shape := []int{2, 1 + d.IntN(4), 2, 1}
	shape[3] = d.Side(4*shape[1], 1, 2)
	if d.Size > 1000 && d.Coin() {
		shape = []int{2, d.Side(10, 1, 2), 5}
	}
	p.Pred, p.Target = d.Normal(shape...), d.Normal(shape...)
}
