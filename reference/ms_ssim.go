package reference

import (
	"math"

	"github.com/goldenloss/goldenloss/reference/loss"
)

// plane is one channel of one image at one scale.
type plane struct {
	h, w int
	data []float64
}

// lines returns the two lines of an axis of n whose mean is line i of the next scale, -1 for zeros.
func lines(i, n int, oddPad string) [2]int {
	first := 2 * i
	if n%2 == 1 && (oddPad == "replicate_start" || oddPad == "zero_start") {
		first--
	}
	pair := [2]int{first, min(first+1, n-1)}
	if first < 0 && oddPad == "replicate_start" {
		pair[0] = 0
	}
	return pair
}

// halving calls f with the index of every pixel of the next scale and the pixels of p whose mean it is, -1 for a zero.
func (p *plane) halving(in *loss.MSSSIM[float64], f func(i int, of [4]int)) {
	h, w := in.Halved(p.h), in.Halved(p.w)
	for a := range h {
		rows := lines(a, p.h, in.OddPad)
		for b := range w {
			cols := lines(b, p.w, in.OddPad)
			var of [4]int
			for k := range of {
				u, v := rows[k/2], cols[k%2]
				of[k] = u*p.w + v
				if u < 0 || v < 0 {
					of[k] = -1
				}
			}
			f(a*w+b, of)
		}
	}
}

// halved is the next scale.
func (p *plane) halved(in *loss.MSSSIM[float64]) plane {
	q := plane{in.Halved(p.h), in.Halved(p.w), make([]float64, in.Halved(p.h)*in.Halved(p.w))}
	p.halving(in, func(i int, of [4]int) {
		q.data[i] = ((pixel(p.data, of[0]) + pixel(p.data, of[1])) + (pixel(p.data, of[2]) + pixel(p.data, of[3]))) / 4
	})
	return q
}

// pyramid is a channel of both images at every scale, with v and f(v), and MS.
type pyramid struct {
	x, y []plane
	v, f []float64
	ms   float64
}

func newPyramid(in *loss.MSSSIM[float64], f *filter, weights, x, y []float64) *pyramid {
	m := len(weights)
	p := &pyramid{x: make([]plane, m), y: make([]plane, m)}
	p.x[0], p.y[0] = plane{in.Pred.Shape[2], in.Pred.Shape[3], x}, plane{in.Pred.Shape[2], in.Pred.Shape[3], y}
	for s := 1; s < m; s++ {
		p.x[s], p.y[s] = p.x[s-1].halved(in), p.y[s-1].halved(in)
	}
	var logs accumulator
	p.ms = 1
	for s := range weights {
		var total accumulator
		n := 0.0
		ssimWindows(f.k, p.x[s].h, p.x[s].w, "valid", func(pixels []int) {
			l := f.local(p.x[s].data, p.y[s].data, pixels)
			if s == m-1 {
				total.addProduct(l.l, l.cs)
			} else {
				total.add(l.cs)
			}
			n++
		})
		v := total.value() / n
		p.v, p.f = append(p.v, v), append(p.f, v)
		switch {
		case in.Negative == "shift":
			p.f[s] = (v + 1) / 2
		case in.Negative == "none" && v < 0:
			p.ms = math.NaN()
		}
		if p.f[s] <= 0 {
			p.ms *= 0
		}
		logs.addProduct(weights[s], math.Log(math.Max(p.f[s], 0)))
	}
	if p.ms == 1 {
		p.ms = math.Exp(logs.value())
	}
	return p
}

// pull adds to d the gradient of gv v_s with respect to the pixels of scale s.
func (p *pyramid) pull(f *filter, s int, gv float64, d []accumulator) {
	x, y := p.x[s], p.y[s]
	coarsest := s == len(p.x)-1
	b := gv / float64((x.h-f.k+1)*(x.w-f.k+1))
	ssimWindows(f.k, x.h, x.w, "valid", func(pixels []int) {
		m := f.local(x.data, y.data, pixels)
		gp, gxx, gxy := 0.0, -b*f.kap*m.cs/m.b2, 2*b*f.kap/m.b2
		if coarsest {
			gp, gxx, gxy = b*m.cs*(2*m.q-2*m.p*m.l)/m.b1, gxx*m.l, gxy*m.l
		}
		for i, u := range pixels {
			d[u].add(f.w[i] * (gp + 2*gxx*(x.data[u]-m.p) + gxy*(y.data[u]-m.q)))
		}
	})
}

func scaleWeights(in *loss.MSSSIM[float64]) []float64 {
	if in.ScaleWeights.Given() {
		return in.ScaleWeights.Data
	}
	return loss.MSSSIMWeights
}

// pyramids returns those of sample n, nil where a pixel or weight is not finite.
func pyramids(in *loss.MSSSIM[float64], n int) []*pyramid {
	f, weights := newFilter(&in.Windows), scaleWeights(in)
	size := in.Pred.Shape[2] * in.Pred.Shape[3]
	x, y := sampleOf(in.Pred, n), sampleOf(in.Target, n)
	if !allFinite(x) || !allFinite(y) || !allFinite(weights) {
		return nil
	}
	var list []*pyramid
	for c := range in.Pred.Shape[1] {
		list = append(list, newPyramid(in, &f, weights, x[c*size:(c+1)*size], y[c*size:(c+1)*size]))
	}
	return list
}

// MSSSIM is the value of the multi-scale structural similarity loss.
func MSSSIM(in *loss.MSSSIM[float64]) []float64 {
	items := make([]float64, in.Pred.Shape[0])
	for n := range items {
		channels := pyramids(in, n)
		if channels == nil {
			items[n] = math.NaN()
			continue
		}
		var total accumulator
		for _, p := range channels {
			total.add(p.ms)
		}
		items[n] = 1 - total.value()/float64(len(channels))
	}
	return reduce(in.Reduction, items, float64(len(items)))
}

// MSSSIMGrad is its vector-Jacobian product.
func MSSSIMGrad(in *loss.MSSSIM[float64], dOut []float64) *loss.MSSSIM[float64] {
	g := &loss.MSSSIM[float64]{Pred: zeros(in.Pred)}
	f, weights := newFilter(&in.Windows), scaleWeights(in)
	for n, c := range itemWeights(in.Reduction, in.Pred.Shape[0], float64(in.Pred.Shape[0]), dOut) {
		channels := pyramids(in, n)
		undefined := channels == nil
		for _, p := range channels {
			undefined = undefined || math.IsNaN(p.ms)
		}
		out := sampleOf(g.Pred, n)
		if undefined {
			for i := range out {
				out[i] = math.NaN()
			}
			continue
		}
		for k, p := range channels {
			if p.ms == 0 {
				continue
			}
			var coarse []float64 // gradient of the scale before
			for s := len(weights) - 1; s >= 0; s-- {
				d := make([]accumulator, len(p.x[s].data))
				if coarse != nil {
					p.x[s].halving(in, func(i int, of [4]int) {
						for _, u := range of {
							if u >= 0 {
								d[u].add(coarse[i] / 4)
							}
						}
					})
				}
				gv := -c / float64(len(channels)) * weights[s] * p.ms / p.f[s]
				if in.Negative == "shift" {
					gv /= 2
				}
				p.pull(&f, s, gv, d)
				coarse = make([]float64, len(d))
				for i := range d {
					coarse[i] = d[i].value()
				}
			}
			copy(out[k*len(coarse):], coarse)
		}
	}
	return g
}
