package random

import (
	"math"

	"github.com/goldenloss/goldenloss/reference/loss"
)

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

// rows returns the shape of a matrix of about Size/parts elements.
func (d *Draw) rows(parts int) (n, dims int) {
	dims = 1 + d.IntN(4)
	if d.Size > 1000 {
		dims = Pick(d, 3, 131)
	}
	return d.Side(parts*dims, 1, 2), dims
}

func contrastive(d *Draw, p *loss.Contrastive[float64]) {
	p.Margin, p.Scale, p.SimilarLabel = d.Between(0.1, 4), Pick(d, 0.5, 1, d.Between(0.1, 3)), d.IntN(2)
	n, dims := d.rows(2)
	p.X1, p.X2, p.Y = d.Normal(n, dims), d.Normal(n, dims), d.Mask(n)
}

func infoNCE(d *Draw, p *loss.InfoNCE[float64]) {
	p.Temperature = d.Between(0.1, 1.1)
	if d.Coin() {
		p.NormEps = 1.5 // some rows are below
	}
	n, dims := d.rows(3)
	n = min(n, 300)
	p.Query, p.Key = d.Normal(n, dims), d.Normal(n, dims)
	if p.Negatives == "queue" {
		p.Queue = d.Normal(min(d.Side(2*dims, 1, 3), 300), dims)
	}
}

func triplet(d *Draw, p *loss.Triplet[float64]) {
	p.Margin, p.P, p.Eps = d.Between(0.1, 3), Pick(d, 1, 1.5, 2, 3, math.Inf(1), d.Between(1, 5)), Pick(d, 1e-6, 0.25, d.Between(0, 1))
	if d.Ties {
		p.Eps = Pick(d, 0, p.Eps)
	}
	n, dims := d.rows(3)
	p.Anchor, p.Positive, p.Negative = d.Normal(n, dims), d.Normal(n, dims), d.Normal(n, dims)
}

func marginRanking(d *Draw, p *loss.MarginRanking[float64]) {
	p.Margin = d.Between(0, 2)
	if d.Ties {
		p.Margin = Pick(d, 0, 0.5, p.Margin)
	}
	n := d.Side(2, 1, 2)
	p.X1, p.X2, p.Y = d.Normal(n, 2), d.Normal(n, 2), loss.Make[float64](n, 2)
	for i := range p.Y.Data {
		p.Y.Data[i] = Pick(d, -1, 1.)
	}
}

func crossModalRanking(d *Draw, p *loss.CrossModalRanking[float64]) {
	p.Margin = d.Between(0, 1)
	if d.Ties {
		p.Margin = Pick(d, 0, 0.5, p.Margin)
	}
	if p.Mining != "all" {
		p.Divisor = "batch"
	}
	if d.Coin() {
		p.NormEps = 1.5 // some rows are below
	}
	n, dims := d.rows(2)
	n = min(n, 200)
	if p.Input == "scores" {
		n = min(d.Side(1, 2, 2), 200)
		p.Scores = d.Normal(n, n)
	} else {
		p.Image, p.Text = d.Normal(n, dims), d.Normal(n, dims)
	}
	if p.Mining == "sampled" {
		for _, x := range []*loss.Tensor[int64]{&p.ImpostorText, &p.ImpostorImage} {
			*x = d.Labels(n-1, n)
			for i, j := range x.Data {
				if j >= int64(i) {
					x.Data[i]++
				}
			}
		}
	}
}

func attentionRanking(d *Draw, p *loss.AttentionRanking[float64]) {
	p.Theta = d.Between(0, 0.5)
	if d.Ties {
		p.Theta = Pick(d, 0, 0.5, p.Theta)
	}
	w := 1 + d.IntN(5)
	if d.Size > 1000 {
		w = Pick(d, 7, 40, 197)
	}
	n := d.Side(2*w, 1, 1)
	p.Pred, p.Target = d.Normal(n, 1, 2, w), d.Normal(n, 1, 2, w)
}
