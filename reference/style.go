package reference

import (
	"math"

	"github.com/goldenloss/goldenloss/reference/loss"
)

// gram is X X^T / nu of a map of c channels, row-major.
func gram(x []float64, c int, norm string) (g []float64, nu float64) {
	p := len(x) / c
	nu = map[string]float64{"none": 1, "hw": float64(p), "chw": float64(c * p)}[norm]
	for a := range c {
		for b := range c {
			g = append(g, dot(x[a*p:(a+1)*p], x[b*p:(b+1)*p])/nu)
		}
	}
	return g, nu
}

// styleTerm returns the term of a layer of one sample, without the layer's weight, and its derivatives.
func styleTerm(in *loss.Style[float64], layer int, x, y []float64) (l float64, d []float64) {
	c := in.Features.Features[layer].Shape[1]
	p := len(x) / c
	g, nu := gram(x, c, in.Norm())
	target, _ := gram(y, c, in.Norm())
	kappa := 1.0
	switch in.Variant {
	case "gatys":
		kappa = 1 / (4 * float64(c*c) * float64(p*p))
	case "mse", "l1":
		kappa = 1 / float64(c*c)
	}
	var total accumulator
	psi := make([]float64, len(g))
	for i := range g {
		e := g[i] - target[i]
		if in.Variant == "l1" {
			total.add(math.Abs(e))
			psi[i] = sign(e)
		} else {
			total.addProduct(e, e)
			psi[i] = 2 * e
		}
	}
	d = make([]float64, len(x))
	for a := range c {
		for i := range p {
			var s accumulator
			for b := range c {
				s.addProduct(psi[a*c+b], x[b*p+i])
			}
			d[a*p+i] = 2 * kappa / nu * s.value()
		}
	}
	return kappa * total.value(), d
}

// styleItems returns the items.
func styleItems(in *loss.Style[float64]) []float64 {
	totals := make([]accumulator, in.Batch())
	layers(&in.Features, func(n, l int, w float64, x, y []float64) {
		term, _ := styleTerm(in, l, x, y)
		totals[n].add(w * term)
	})
	items := make([]float64, in.Batch())
	for n := range items {
		items[n] = totals[n].value()
	}
	return items
}

// Style is the value of the Gram matrix loss.
func Style(in *loss.Style[float64]) []float64 {
	return reduce(in.Reduction, styleItems(in), float64(in.Batch()))
}

// StyleGrad is its vector-Jacobian product.
func StyleGrad(in *loss.Style[float64], dOut []float64) *loss.Style[float64] {
	g := &loss.Style[float64]{Features: zeroLayers(&in.Features)}
	c := itemWeights(in.Reduction, in.Batch(), float64(in.Batch()), dOut)
	items := styleItems(in)
	layers(&in.Features, func(n, l int, w float64, x, y []float64) {
		_, d := styleTerm(in, l, x, y)
		for i := range d {
			if math.IsNaN(items[n]) { // in every layer that participates
				d[i] = math.NaN()
			}
			g.Features.Features[l].Data[n*len(d)+i] = c[n] * w * d[i]
		}
	})
	return g
}
