package random

import "github.com/goldenloss/goldenloss/reference/loss"

// overlap fills in what the overlap losses share.
func (d *Draw) overlap(p *loss.Overlap[float64]) {
	c := 3
	if d.Size > 1000 && p.Activation != "softmax" && d.Coin() {
		c = 2
	}
	s := d.Side(2*c, 1, 4)
	p.SmoothNr, p.SmoothDr = d.Between(0, 1)*float64(d.IntN(2)), d.Between(0, 1)
	p.DenFloor, p.EmptyValue = Pick(d, 0., 3), float64(d.IntN(2))
	if d.Coin() {
		p.LogFloor = 0.3
	}
	p.Pred = d.Uniform(2, c, s)
	if p.Activation != "none" {
		p.Pred = d.Normal(2, c, s)
	}
	if d.Coin() {
		p.Target = d.Uniform(2, c, s)
		if d.Ties {
			copy(p.Target.Data[:s], p.Pred.Data)
			clear(p.Target.Data[s*c : s*c+s])
			for i, x := range p.Target.Data {
				p.Target.Data[i] = max(0, min(x, 1))
			}
		}
	} else {
		p.TargetLabel = d.Labels(c, 2, s)
		p.IgnoreIndex = loss.Some(d.IntN(5))
	}
	if d.Coin() {
		p.Mask = d.Mask(2, s)
		p.Mask.Data[0] = true
	}
	if p.Omega == "per_channel" || p.Omega == "per_sample_per_channel" {
		p.ClassWeight = d.Uniform(p.Channels())
	} else {
		p.WeightNorm = "count"
	}
}

func dice(d *Draw, p *loss.Dice[float64]) {
	if p.Power = 1 + d.IntN(2); p.Power == 2 {
		p.Intersection = "product"
	}
	d.overlap(&p.Overlap)
}

func jaccard(d *Draw, p *loss.Jaccard[float64]) {
	if p.Power = 1 + d.IntN(2); p.Power == 2 {
		p.Intersection = "product"
	}
	d.overlap(&p.Overlap)
}

func tversky(d *Draw, p *loss.Tversky[float64]) {
	p.AlphaFP, p.BetaFN = Pick(d, 0, 0.25, 1.5), d.Between(0, 1)
	d.overlap(&p.Overlap)
}

// features fills in two layers.
func (d *Draw) features(p *loss.Features[float64]) {
	for _, c := range []int{3, 2} {
		shape := []int{2, c, 2, d.Side(20, 1, 2)}
		p.Features, p.Target = append(p.Features, d.Normal(shape...)), append(p.Target, d.Normal(shape...))
	}
	if d.Coin() {
		p.LayerWeights = d.Uniform(2)
	}
}

func perceptual(d *Draw, p *loss.Perceptual[float64]) {
	p.Eps = Pick(d, 1e-10, 1e-3, 1)
	d.features(&p.Features)
	if d.Ties { // a zero vector
		size := len(p.Features.Features[0].Data) / 6
		for c := range 3 {
			p.Features.Features[0].Data[c*size] = 0
		}
		if p.LayerWeights.Given() && d.Coin() {
			p.LayerWeights.Data[0] = 0
		}
	}
	if p.Variant == "lpips" && d.Coin() {
		p.ChannelWeights = []loss.Tensor[float64]{d.Uniform(3), d.Uniform(2)}
	}
}

func featureMatching(d *Draw, p *loss.FeatureMatching[float64]) {
	p.Scale = Pick(d, 1, 0.25, 10)
	d.features(&p.Features)
	if p.Variant == "moment" {
		d.batch(&p.Target[0], 3)
		d.batch(&p.Features.Features[1], 1)
	}
	if d.Ties { // equal elements
		copy(p.Target[0].Data[:3], p.Features.Features[0].Data)
	}
}

func style(d *Draw, p *loss.Style[float64]) {
	d.features(&p.Features)
	if d.Coin() {
		d.batch(&p.Target[0], 1)
		d.batch(&p.Target[1], 1)
	}
	if p.Norm() != "none" && d.Coin() {
		shape := p.Target[1].Shape
		p.Target[1] = d.Normal(shape[0], shape[1], 3, shape[3]+1)
	}
	if d.Ties { // equal matrices
		p.Target[0].Data = append(p.Target[0].Data[:0], p.Features.Features[0].Data[:len(p.Target[0].Data)]...)
	}
}

// context draws points of which no two are equal: where maxima tie the gradient is a choice.
func context(d *Draw, p *loss.Context[float64]) {
	p.H, p.Eps, p.DistScale = d.Between(0.25, 1), Pick(d, 1e-5, 0.125), Pick(d, 1, 0.5)
	p.LogEps, p.NormEps = Pick(d, 0, 0.25), Pick(d, 1e-12, 0.5)
	points := func(h, w int) loss.Tensor[float64] {
		x := loss.Make[float64](2, 3, h, w)
		for i := range x.Data {
			x.Data[i] = d.Between(-1.5, 2)
		}
		return x
	}
	side := d.Side(6, 2, 1) // the work grows with the square of the points
	p.Pred, p.Target = points(2, side+1), points(3, side)
}

// batch draws other samples, n of them.
func (d *Draw) batch(x *loss.Tensor[float64], n int) {
	*x = d.Normal(append([]int{n}, x.Shape[1:]...)...)
}

// windows fills in the parameters of a window.
func (d *Draw) windows(p *loss.Windows) {
	p.WindowSize, p.Sigma = 3, d.Between(0.5, 1.5)
	if d.Size > 30 {
		p.WindowSize = 5
	}
}

func ssim(d *Draw, p *loss.SSIM[float64]) {
	d.windows(&p.Windows)
	p.DataRange, p.K1, p.K2 = d.Between(1, 2), d.Between(0, 0.1), d.Between(0, 0.1)+0.01
	h, w := p.WindowSize, d.Side(2*p.WindowSize, 1, p.WindowSize+1)
	if d.Size > 1000 {
		h, w = d.Side(2, 2, 1), d.Side(2, 2, 1)+3
	}
	p.Pred, p.Target = d.Uniform(1, 2, h, w), d.Uniform(1, 2, h, w)
}

func msSSIM(d *Draw, p *loss.MSSSIM[float64]) {
	d.windows(&p.Windows)
	p.WindowSize = 3
	p.DataRange, p.K1, p.K2 = d.Between(1, 2), d.Between(0, 0.1), d.Between(0, 0.1)+0.01
	m, h, w := 1+d.IntN(2), 7, 6
	if d.Size > 1000 {
		m, h = 1+d.IntN(4), d.Side(2, 2, 33)
		w = h + d.IntN(9)
	}
	p.ScaleWeights = d.Uniform(m)
	for i := range p.ScaleWeights.Data {
		p.ScaleWeights.Data[i] += 0.125
	}
	p.Pred, p.Target = d.Uniform(1, 2, h, w), d.Uniform(1, 2, h, w)
	for i, x := range p.Pred.Data { // images that are alike: a negative similarity has no power
		p.Target.Data[i] = d.round(0.75*x + 0.25*p.Target.Data[i])
	}
}
