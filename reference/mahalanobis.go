package reference

import (
	"math"

	"github.com/goldenloss/goldenloss/reference/loss"
)

// gaussian is one matrix of the Mahalanobis distance.
type gaussian struct {
	form string
	k    int
	bad  bool        // an entry is not finite
	p    []float64   // the matrix
	l    [][]float64 // L with S = L L^T, or S^-1 = L L^T for form precision; lower triangle
	vars []float64   // form diag
	det  float64     // log det S
}

func newGaussian(in *loss.Mahalanobis[float64], m int) *gaussian {
	k := in.X.Shape[1]
	g := &gaussian{form: in.Form, k: k}
	size := len(in.Matrix.Data) / in.Matrices()
	data := in.Matrix.Data[m*size : (m+1)*size]
	for i, x := range data {
		above := in.Form == "chol" && i%k > i/k
		g.bad = g.bad || !above && (math.IsNaN(x) || math.IsInf(x, 0))
	}
	g.p = data
	var logs accumulator
	switch {
	case g.bad:
		return g
	case in.Form == "diag":
		g.vars = data
		for _, x := range data {
			logs.add(log(x))
		}
		g.det = logs.value()
		return g
	}
	for i := range k {
		g.l = append(g.l, append([]float64{}, data[i*k:i*k+i+1]...))
		for j := range i + 1 {
			if in.Form == "chol" {
				break
			}
			var a accumulator // S_ij - sum over n < j of L_in L_jn
			a.add(g.l[i][j])
			if i == j && in.Form == "cov" {
				a.add(in.Jitter)
			}
			for n := range j {
				a.addProduct(-g.l[i][n], g.l[j][n])
			}
			if i == j {
				g.l[i][i] = math.Sqrt(a.value())
			} else {
				g.l[i][j] = a.value() / g.l[j][j]
			}
		}
		logs.add(2 * log(g.l[i][i]))
	}
	g.det = logs.value()
	if in.Form == "precision" {
		g.det = -g.det
	}
	return g
}

// forward solves L w = b.
func (g *gaussian) forward(b []float64) []float64 {
	w := make([]float64, g.k)
	for i := range w {
		var a accumulator
		a.add(b[i])
		for j := range i {
			a.addProduct(-g.l[i][j], w[j])
		}
		w[i] = a.value() / g.l[i][i]
	}
	return w
}

// backward solves L^T v = w.
func (g *gaussian) backward(w []float64) []float64 {
	v := make([]float64, g.k)
	for i := g.k - 1; i >= 0; i-- {
		var a accumulator
		a.add(w[i])
		for j := i + 1; j < g.k; j++ {
			a.addProduct(-g.l[j][i], v[j])
		}
		v[i] = a.value() / g.l[i][i]
	}
	return v
}

// whiten returns w with d2 = sum w^2, and v = S^-1 delta.
func (g *gaussian) whiten(delta []float64) (w, v []float64) {
	w, v = make([]float64, g.k), make([]float64, g.k)
	switch g.form {
	case "diag":
		for i, d := range delta {
			w[i], v[i] = d/math.Sqrt(g.vars[i]), d/g.vars[i]
		}
	case "precision":
		row := make([]float64, g.k)
		for i := range w { // L^T delta
			var a accumulator
			for j := i; j < g.k; j++ {
				a.addProduct(g.l[j][i], delta[j])
			}
			w[i] = a.value()
		}
		for i := range v { // P delta
			for j := range g.k {
				row[j] = g.p[max(i, j)*g.k+min(i, j)]
			}
			v[i] = dot(row, delta)
		}
	default:
		w = g.forward(delta)
		v = g.backward(w)
	}
	return w, v
}

// inverse is column j of the inverse of L L^T.
func (g *gaussian) inverse(j int) []float64 {
	unit := make([]float64, g.k)
	unit[j] = 1
	return g.backward(g.forward(unit))
}

// mahalanobisRow is one observation.
type mahalanobisRow struct {
	g            *gaussian
	mean, matrix int // their numbers
	delta, w, v  []float64
	item         float64
	lost         bool // the gradient is NaN
}

func mahalanobisRows(in *loss.Mahalanobis[float64]) []mahalanobisRow {
	k := in.X.Shape[1]
	gaussians := make([]*gaussian, in.Matrices())
	for m := range gaussians {
		gaussians[m] = newGaussian(in, m)
	}
	rows := make([]mahalanobisRow, in.X.Shape[0])
	for b := range rows {
		r := &rows[b]
		r.mean, r.matrix = in.Of(b)
		r.g = gaussians[r.matrix]
		r.delta = make([]float64, k)
		infinite := false
		for i := range r.delta {
			r.delta[i] = in.X.Data[b*k+i] - in.Mean.Data[r.mean*k+i]
			infinite = infinite || math.IsInf(r.delta[i], 0)
		}
		r.lost = r.g.bad || anyNaN(r.delta...)
		switch {
		case r.lost:
			r.item = math.NaN()
			continue
		case infinite && in.Form != "diag":
			r.item, r.lost = math.Inf(1), true
			continue
		}
		r.w, r.v = r.g.whiten(r.delta)
		switch in.Variant {
		case "squared":
			r.item = dot(r.w, r.w)
		case "root":
			r.item = norm(r.w)
		default:
			r.item = 0.5 * (dot(r.w, r.w) + r.g.det + float64(k)*math.Log(2*math.Pi))
		}
	}
	return rows
}

// Mahalanobis is the value of the Mahalanobis distance.
func Mahalanobis(in *loss.Mahalanobis[float64]) []float64 {
	var items []float64
	for _, r := range mahalanobisRows(in) {
		items = append(items, r.item)
	}
	return reduce(in.Reduction, items, float64(len(items)))
}

// MahalanobisGrad is its vector-Jacobian product.
func MahalanobisGrad(in *loss.Mahalanobis[float64], dOut []float64) *loss.Mahalanobis[float64] {
	rows := mahalanobisRows(in)
	k := in.X.Shape[1]
	g := &loss.Mahalanobis[float64]{Form: in.Form, X: zeros(in.X), Mean: zeros(in.Mean), Matrix: zeros(in.Matrix), Index: in.Index}
	c := itemWeights(in.Reduction, len(rows), float64(len(rows)), dOut)
	means, matrices := make([]accumulator, len(in.Mean.Data)), make([]accumulator, len(in.Matrix.Data))
	size := len(in.Matrix.Data) / in.Matrices()
	dets := make([]accumulator, in.Matrices()) // weights of log det S
	for b, r := range rows {
		for i := range k {
			d := c[b] * r.slope(in, i)
			g.X.Data[b*k+i] = d
			means[r.mean*k+i].add(-d)
		}
		for i := range size {
			row, column := i/k, i%k
			if in.Form == "diag" {
				row = i
				column = i
			}
			if in.Form != "chol" || column <= row {
				matrices[r.matrix*size+i].add(c[b] * r.bend(in, row, column))
			}
		}
		dets[r.matrix].add(c[b] / 2)
	}
	for i := range means {
		g.Mean.Data[i] = means[i].value()
	}
	for m := range in.Matrices() {
		lost := in.Form != "diag" && math.IsNaN(matrices[m*size].value()) // all of it
		if in.Variant == "nll" && dets[m].value() != 0 && !lost {
			newGaussian(in, m).addDet(matrices[m*size:(m+1)*size], dets[m].value())
		}
	}
	for i := range matrices {
		g.Matrix.Data[i] = matrices[i].value()
	}
	return g
}

// slope is the derivative of the item by delta_i.
func (r *mahalanobisRow) slope(in *loss.Mahalanobis[float64], i int) float64 {
	switch {
	case r.lost:
		return math.NaN()
	case in.Variant == "squared":
		return 2 * r.v[i]
	case in.Variant == "nll":
		return r.v[i]
	case r.item == 0:
		return 0
	case math.IsInf(r.delta[i], 0):
		return sign(r.delta[i]) / math.Sqrt(r.g.vars[i])
	}
	return r.v[i] / r.item
}

// bend is the derivative of the item, without the determinant, by entry i, j of the matrix.
func (r *mahalanobisRow) bend(in *loss.Mahalanobis[float64], i, j int) float64 {
	f := 1.0
	switch {
	case r.lost:
		return math.NaN()
	case in.Variant == "nll":
		f = 0.5
	case in.Variant == "root" && r.item == 0:
		return 0
	case in.Variant == "root" && math.IsInf(r.delta[i], 0):
		return math.Inf(-1)
	case in.Variant == "root":
		f = 0.5 / r.item
	}
	switch in.Form {
	case "precision":
		return f * r.delta[i] * r.delta[j]
	case "chol":
		return -2 * f * r.v[i] * r.w[j]
	}
	return -f * r.v[i] * r.v[j]
}

// addDet adds c times the derivative of log det S.
func (g *gaussian) addDet(d []accumulator, c float64) {
	switch g.form {
	case "diag":
		for i, x := range g.vars {
			d[i].add(c / x)
		}
	case "chol":
		for i := range g.k {
			d[i*g.k+i].add(2 * c / g.l[i][i])
		}
	default:
		if g.form == "precision" {
			c = -c
		}
		for j := range g.k {
			for i, x := range g.inverse(j) {
				d[i*g.k+j].add(c * x)
			}
		}
	}
}
