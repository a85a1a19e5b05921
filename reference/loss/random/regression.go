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
