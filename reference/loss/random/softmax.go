package random

import "github.com/goldenloss/goldenloss/reference/loss"

func crossEntropy(d *Draw, p *loss.CrossEntropy[float64]) {
	n, c, inner := 2, 4, []int{d.Side(8, 1, 3)}
	if d.Size > 1000 {
		n, c, inner = d.Side(101, 1, 2), 101, nil
		if d.Coin() {
			n, c, inner = 2, 19, []int{d.Side(38*8, 1, 2), 8}
		}
	}
	p.Logits = d.Normal(append([]int{n, c}, inner...)...)
	outer := append([]int{n}, inner...)
	if d.Coin() {
		p.TargetProb = d.Uniform(append([]int{n, c}, inner...)...)
	} else {
		p.Target = d.Labels(c, outer...)
		p.Target.Data[1] = -100
		if d.Coin() {
			p.IgnoreIndex = loss.Some(1)
			p.Target.Data[1] = 1
		}
	}
	if d.Coin() {
		p.LabelSmoothing = d.Between(0, 1)
	}
	if d.Coin() {
		p.ClassWeight = d.Uniform(c)
	}
}

func focal(d *Draw, p *loss.Focal[float64]) {
	p.Alpha, p.Gamma = d.Between(-0.5, 1), Pick(d, 0, 0.5, 1, 1.5, 2, 5)
	n := d.Side(2, 1, 3)
	p.Logits, p.Target = d.Normal(n, 2), d.Uniform(n, 2)
	for i := range p.Target.Data {
		if i%8 < 6 {
			p.Target.Data[i] = float64(i % 2)
		}
	}
	if d.Coin() {
		p.Normalizer = loss.Some(7.)
	}
}
