package reference

import (
	"math"

	"github.com/goldenloss/goldenloss/reference/loss"
)

// unitRow is a centered feature vector of norm r, divided by max(r, eps).
type unitRow struct {
	u    []float64
	r    float64
	full bool // of norm 1
}

// contextRows returns the points of a map [C, P] less mu.
func contextRows(in *loss.Context[float64], x, mu []float64) []unitRow {
	c := in.Pred.Shape[1]
	p := len(x) / c
	list := make([]unitRow, p)
	for i := range list {
		z := make([]float64, c)
		for k := range z {
			z[k] = x[k*p+i] - mu[k]
		}
		r := norm(z)
		row := unitRow{u: z, r: r, full: r > in.NormEps}
		for k := range z {
			z[k] /= math.Max(r, in.NormEps)
		}
		list[i] = row
	}
	return list
}

// contextMean is what the vectors of sample n are centered with.
func contextMean(in *loss.Context[float64], n int) []float64 {
	c := in.Target.Shape[1]
	mu := make([]float64, c)
	first, last := n, n+1
	switch in.Center {
	case "none":
		return mu
	case "batch":
		first, last = 0, in.Target.Shape[0]
	}
	for k := range mu {
		var a accumulator
		count := 0
		for s := first; s < last; s++ {
			y := sampleOf(in.Target, s)
			p := len(y) / c
			for _, v := range y[k*p : (k+1)*p] {
				a.add(v)
				count++
			}
		}
		mu[k] = a.value() / float64(count)
	}
	return mu
}

// affinity is a row of distances d with its minimum, and of the softmax A of their ratios.
type affinity struct {
	d    []float64
	m    float64 // the minimum plus eps
	near int     // where it is
	a    []float64
}

func newAffinity(in *loss.Context[float64], x unitRow, y []unitRow) affinity {
	r := affinity{d: make([]float64, len(y)), a: make([]float64, len(y))}
	for j := range y {
		var s accumulator
		for k, u := range x.u {
			if x.full && y[j].full { // 1 - x.y = ||x-y||^2/2, which does not cancel
				e := u - y[j].u[k]
				s.addProduct(e, e)
			} else {
				s.addProduct(u, y[j].u[k])
			}
		}
		r.d[j] = in.DistScale * (1 - s.value())
		if x.full && y[j].full {
			r.d[j] = in.DistScale * (s.value() / 2)
		}
		if r.d[j] < r.d[r.near] {
			r.near = j
		}
	}
	r.m = r.d[r.near] + in.Eps
	var total accumulator
	for j, d := range r.d {
		r.a[j] = math.Exp((r.d[r.near] - d) / (r.m * in.H))
		total.add(r.a[j])
	}
	for j := range r.a {
		r.a[j] /= total.value()
	}
	return r
}

// contextual is the matching of one sample.
type contextual struct {
	x, y []unitRow
	rows []affinity
	won  [][]bool // [I][J], entries that are a maximum
	cx   float64
	best float64 // number of maxima
}

// newContextual returns nil for a sample that is NaN.
func newContextual(in *loss.Context[float64], n int) *contextual {
	pred, target := sampleOf(in.Pred, n), sampleOf(in.Target, n)
	if !allFinite(pred) || !allFinite(target) || in.Center == "batch" && !allFinite(in.Target.Data) {
		return nil
	}
	mu := contextMean(in, n)
	c := &contextual{x: contextRows(in, pred, mu), y: contextRows(in, target, mu)}
	for _, x := range c.x {
		c.rows = append(c.rows, newAffinity(in, x, c.y))
		c.won = append(c.won, make([]bool, len(c.y)))
	}
	var total accumulator
	if in.MaxAxis == "row" {
		for i, r := range c.rows {
			top := 0
			for j := range r.a {
				if r.a[j] > r.a[top] {
					top = j
				}
			}
			c.won[i][top] = true
			total.add(r.a[top])
		}
		c.best = float64(len(c.x))
	} else {
		for j := range c.y {
			top := 0
			for i := range c.rows {
				if c.rows[i].a[j] > c.rows[top].a[j] {
					top = i
				}
			}
			c.won[top][j] = true
			total.add(c.rows[top].a[j])
		}
		c.best = float64(len(c.y))
	}
	c.cx = total.value() / c.best
	return c
}

// Context is the value of the contextual loss.
func Context(in *loss.Context[float64]) []float64 {
	items := make([]float64, in.Pred.Shape[0])
	for n := range items {
		items[n] = math.NaN()
		if c := newContextual(in, n); c != nil {
			items[n] = -log(c.cx + in.LogEps)
		}
	}
	return reduce(in.Reduction, items, float64(len(items)))
}

// pull returns the gradient with respect to the unit vector of point i, for gA at its maxima.
func (c *contextual) pull(in *loss.Context[float64], i int, gA float64) []float64 {
	r := c.rows[i]
	var won, lost accumulator // sums of A over the maxima and over the others
	for j, a := range r.a {
		if c.won[i][j] {
			won.add(a)
		} else {
			lost.add(a)
		}
	}
	// gz = A (gA - sum of gA A), which is A gA lost at a maximum and -A gA won elsewhere
	gt := make([]float64, len(r.a))
	for j, a := range r.a {
		if c.won[i][j] {
			gt[j] = -a * gA * lost.value() / in.H
		} else {
			gt[j] = a * gA * won.value() / in.H
		}
	}
	gd := make([]float64, len(gt))
	var through accumulator // what the minimum collects; the sum of gt is 0 and m - d = eps at the minimum
	for j, g := range gt {
		gd[j] = g / r.m
		if j != r.near {
			through.addProduct(-g/r.m, r.d[j]/r.m)
		}
	}
	through.addProduct(gt[r.near]/r.m, in.Eps/r.m)
	gd[r.near] = through.value()
	gx := make([]float64, len(c.x[i].u))
	for k, u := range c.x[i].u {
		var s accumulator
		for j, y := range c.y {
			if c.x[i].full && y.full {
				s.addProduct(gd[j], u-y.u[k])
			} else {
				s.addProduct(gd[j], -y.u[k])
			}
		}
		gx[k] = in.DistScale * s.value()
	}
	return gx
}

// back takes a gradient back through the division by the norm.
func (x *unitRow) back(in *loss.Context[float64], g []float64) {
	if !x.full {
		for k := range g {
			g[k] /= in.NormEps
		}
		return
	}
	along := dot(x.u, g)
	for k, u := range x.u {
		g[k] = (g[k] - u*along) / x.r
	}
}

// ContextGrad is its vector-Jacobian product.
func ContextGrad(in *loss.Context[float64], dOut []float64) *loss.Context[float64] {
	g := &loss.Context[float64]{Pred: zeros(in.Pred)}
	for n, w := range itemWeights(in.Reduction, in.Pred.Shape[0], float64(in.Pred.Shape[0]), dOut) {
		out := sampleOf(g.Pred, n)
		c := newContextual(in, n)
		if c == nil {
			for i := range out {
				out[i] = math.NaN()
			}
			continue
		}
		for i := range c.x {
			gx := c.pull(in, i, -w/((c.cx+in.LogEps)*c.best))
			c.x[i].back(in, gx)
			for k := range gx {
				out[k*len(c.x)+i] = gx[k]
			}
		}
	}
	return g
}
