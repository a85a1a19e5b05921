package reference

import (
	"math"

	"github.com/goldenloss/goldenloss/reference/loss"
)

// responseMap is the response map of one sample.
type responseMap struct {
	r, y, w []float64 // responses, labels and weights of the cells
	item    float64
}

// responseLabel is the label of cell i, j of a map without labels.
func responseLabel(in *loss.CrossCorrelation[float64], i, j int) float64 {
	h, w := in.Map()
	di, dj := float64(i)-float64(h-1)/2, float64(j)-float64(w-1)/2
	within := func(r float64) bool {
		if in.Metric == "l1" {
			return in.Stride*(math.Abs(di)+math.Abs(dj)) <= r
		}
		return in.Stride*in.Stride*(di*di+dj*dj) <= r*r
	}
	switch {
	case within(in.RPos):
		return 1
	case within(in.RNeg):
		return 0
	}
	return -1
}

func responseMaps(in *loss.CrossCorrelation[float64]) []responseMap {
	h, w := in.Map()
	n, c, hz, wz := in.Template.Shape[0], in.Template.Shape[1], in.Template.Shape[2], in.Template.Shape[3]
	hx, wx := in.Search.Shape[2], in.Search.Shape[3]
	bias := 0.0
	if in.Bias.Given() {
		bias = in.Bias.Data[0]
	}
	maps := make([]responseMap, n)
	for s := range maps {
		m := &maps[s]
		m.r, m.y, m.w = make([]float64, h*w), make([]float64, h*w), make([]float64, h*w)
		positive, negative := 0.0, 0.0
		for k := range m.y {
			switch {
			case !in.Labels.Given():
				m.y[k] = responseLabel(in, k/w, k%w)
			case len(in.Labels.Shape) == 3:
				m.y[k] = float64(in.Labels.Data[s*h*w+k])
			default:
				m.y[k] = float64(in.Labels.Data[k])
			}
			positive += math.Max(m.y[k], 0)
			negative += math.Max(-m.y[k], 0)
		}
		var l accumulator
		for k, y := range m.y {
			if y == 0 {
				continue
			}
			var r accumulator
			for ch := range c {
				for u := range hz {
					for v := range wz {
						r.addProduct(in.Template.Data[((s*c+ch)*hz+u)*wz+v], in.Search.Data[((s*c+ch)*hx+k/w+u)*wx+k%w+v])
					}
				}
			}
			m.r[k] = in.Scale*r.value() + bias
			switch {
			case in.Weighting == "uniform":
				m.w[k] = 1 / (positive + negative)
			case y > 0:
				m.w[k] = 0.5 / positive
			default:
				m.w[k] = 0.5 / negative
			}
			l.addProduct(m.w[k], softplus(-y*m.r[k]))
		}
		m.item = l.value()
	}
	return maps
}

// CrossCorrelation is the value of the response-map loss.
func CrossCorrelation(in *loss.CrossCorrelation[float64]) []float64 {
	var items []float64
	for _, m := range responseMaps(in) {
		items = append(items, m.item)
	}
	return reduce(in.Reduction, items, float64(len(items)))
}

// CrossCorrelationGrad is its vector-Jacobian product.
func CrossCorrelationGrad(in *loss.CrossCorrelation[float64], dOut []float64) *loss.CrossCorrelation[float64] {
	g := &loss.CrossCorrelation[float64]{Template: zeros(in.Template), Search: zeros(in.Search)}
	_, w := in.Map()
	n, c, hz, wz := in.Template.Shape[0], in.Template.Shape[1], in.Template.Shape[2], in.Template.Shape[3]
	hx, wx := in.Search.Shape[2], in.Search.Shape[3]
	weights := itemWeights(in.Reduction, n, float64(n), dOut)
	var bias accumulator
	for s, m := range responseMaps(in) {
		d := make([]float64, len(m.r)) // derivative by R
		for k, y := range m.y {
			if d[k] = -weights[s] * m.w[k] * y * sigmoid(-y*m.r[k]); math.IsNaN(m.item) {
				d[k] = math.NaN()
			}
			if y != 0 {
				bias.add(d[k])
			}
		}
		for ch := range c {
			template, search := make([]accumulator, hz*wz), make([]accumulator, hx*wx)
			z, x := in.Template.Data[(s*c+ch)*hz*wz:], in.Search.Data[(s*c+ch)*hx*wx:]
			for k, y := range m.y {
				if y == 0 {
					continue
				}
				for u := range hz {
					for v := range wz {
						at := (k/w+u)*wx + k%w + v
						template[u*wz+v].addProduct(d[k], x[at])
						search[at].addProduct(d[k], z[u*wz+v])
					}
				}
			}
			for e := range template {
				g.Template.Data[(s*c+ch)*hz*wz+e] = in.Scale * template[e].value()
			}
			for e := range search {
				if g.Search.Data[(s*c+ch)*hx*wx+e] = in.Scale * search[e].value(); math.IsNaN(m.item) {
					g.Search.Data[(s*c+ch)*hx*wx+e] = m.item
				}
			}
		}
	}
	if in.Bias.Given() {
		g.Bias = loss.Make[float64]()
		g.Bias.Data[0] = bias.value()
	}
	return g
}
