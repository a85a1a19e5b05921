package random

import "github.com/goldenloss/goldenloss/reference/loss"

func ntXent(d *Draw, p *loss.NTXent[float64]) {
	rows, dims := 6, d.Side(6, 1, 3)
	if d.Size > 1000 {
		dims = Pick(d, 5, 131)
		rows = min(2*d.Side(2*dims, 1, 3), 600)
	}
	p.Temperature, p.Z = d.Between(0.1, 1.1), d.Normal(rows, dims)
	if d.Coin() {
		p.NormEps = 1.5 // some rows are below
	}
}
