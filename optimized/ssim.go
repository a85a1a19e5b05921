package optimized

import (
	"math"

	"github.com/goldenloss/goldenloss/reference/loss"
)

type ssimTask[T loss.Float] struct {
	in             *loss.SSIM[T]
	g              []T
	win            []float64 // k x k
	kap, c1, c2    float64
	channels, h, w int
	border, pw, ph int // of the padded plane
	cols, rows     int // windows
	plane          []float64
	bad            []bool // of the samples
	items          []float64
	weights        weights[T]
}

// SSIM is the structural similarity loss. See loss.SSIM.
func SSIM[T loss.Float](out []T, grad, in *loss.SSIM[T], dOut []T) {
	k := take[ssimTask[T]]()
	n := in.Pred.Shape[0]
	k.in = in
	k.channels, k.h, k.w = in.Pred.Shape[1], in.Pred.Shape[2], in.Pred.Shape[3]
	k.g = nil
	if grad != nil {
		k.g = grad.Pred.Data
	}
	k.border = 0
	if in.Padding != "valid" {
		k.border = (in.WindowSize - 1) / 2
	}
	k.ph, k.pw = k.h+2*k.border, k.w+2*k.border
	k.rows, k.cols = k.ph-in.WindowSize+1, k.pw-in.WindowSize+1
	k.window()
	k.plane, k.bad, k.items = grown(k.plane, n*k.channels), grown(k.bad, n), grown(k.items, n)
	size := k.channels * k.h * k.w
	for s := range n {
		k.bad[s] = false
		for i, x := range in.Pred.Data[s*size : (s+1)*size] {
			if v := (x - x) + (in.Target.Data[s*size+i] - in.Target.Data[s*size+i]); v != v {
				k.bad[s] = true
				break
			}
		}
	}
	k.weights = newWeights(in.Reduction, dOut, float64(n))
	each(n*k.channels, k)
	for s := range k.items {
		v := 1 - pairwise(k.plane[s*k.channels:(s+1)*k.channels])/float64(k.channels*k.rows*k.cols)
		if in.Form == "half" {
			v /= 2
		}
		if k.bad[s] {
			v = math.NaN()
		}
		k.items[s] = v
		if in.Reduction == loss.None {
			out[s] = T(v)
		}
	}
	finish(out, in.Reduction, k.items, float64(n))
	k.in, k.g, k.weights = nil, nil, weights[T]{}
	give(k)
}

func (k *ssimTask[T]) window() {
	in := k.in
	size := in.WindowSize
	k.win = grown(k.win, size*size+size)
	axis := k.win[size*size:]
	total := 0.0
	for i := range axis {
		axis[i] = 1
		if in.Window == "gaussian" {
			d := float64(i - (size-1)/2)
			axis[i] = math.Exp(-0.5 * (d / in.Sigma) * (d / in.Sigma))
		}
		total += axis[i]
	}
	for i := range axis {
		axis[i] /= total
	}
	for i := range size {
		for j := range size {
			k.win[i*size+j] = axis[i] * axis[j]
		}
	}
	k.win = k.win[:size*size]
	k.kap = 1
	if in.Covariance == "sample" {
		k.kap = 1 + 1/float64(size*size-1)
	}
	k.c1, k.c2 = in.K1*in.DataRange, in.K2*in.DataRange
	k.c1 *= k.c1
	k.c2 *= k.c2
}

// ssimScratch holds a padded plane of either image, and its gradient.
type ssimScratch struct{ x, y, g []float64 }

// source is the pixel of a line of n that stands at padded position i, -1 for a zero.
func (k *ssimTask[T]) source(i, n int) int {
	i -= k.border
	if i >= 0 && i < n {
		return i
	}
	switch k.in.Padding {
	case "reflect":
		if i < 0 {
			return -i
		}
		return 2*(n-1) - i
	case "symmetric":
		if i < 0 {
			return -i - 1
		}
		return 2*n - i - 1
	}
	return -1
}

// run works on one channel of one sample.
func (k *ssimTask[T]) run(i int) {
	sample := i / k.channels
	from := i * k.h * k.w
	if k.bad[sample] {
		k.plane[i] = math.NaN()
		if k.g != nil {
			for j := range k.h * k.w {
				k.g[from+j] = T(math.NaN())
			}
		}
		return
	}
	s := take[ssimScratch]()
	s.x, s.y = grown(s.x, k.ph*k.pw), grown(s.y, k.ph*k.pw)
	for a := range k.ph {
		u := k.source(a, k.h)
		for b := range k.pw {
			v := k.source(b, k.w)
			s.x[a*k.pw+b], s.y[a*k.pw+b] = 0, 0
			if u >= 0 && v >= 0 {
				s.x[a*k.pw+b], s.y[a*k.pw+b] = float64(k.in.Pred.Data[from+u*k.w+v]), float64(k.in.Target.Data[from+u*k.w+v])
			}
		}
	}
	scale := 0.0
	if k.g != nil {
		s.g = grown(s.g, 2*k.ph*k.pw)
		clear(s.g)
		scale = -k.weights.at(sample) / float64(k.channels*k.rows*k.cols)
		if k.in.Form == "half" {
			scale /= 2
		}
	}
	var total running
	for a := range k.rows {
		row := 0.0
		for b := range k.cols {
			row += k.at(s, a, b, scale)
		}
		total.add(row)
	}
	k.plane[i] = total.value()
	if k.g != nil {
		k.fold(s, from)
	}
	give(s)
}

// at returns the similarity of the window whose corner is (a, b) and adds its gradient. Moments take two passes over the window: the
// difference of squares would cancel on flat areas.
func (k *ssimTask[T]) at(s *ssimScratch, a, b int, scale float64) float64 {
	size := k.in.WindowSize
	var p, q float64
	for i := range size {
		x, y := s.x[(a+i)*k.pw+b:][:size], s.y[(a+i)*k.pw+b:][:size]
		w := k.win[i*size:][:size]
		var rp, rq float64
		for j, v := range w {
			rp += v * x[j]
			rq += v * y[j]
		}
		p += rp
		q += rq
	}
	var xx, yy, xy float64
	for i := range size {
		x, y := s.x[(a+i)*k.pw+b:][:size], s.y[(a+i)*k.pw+b:][:size]
		w := k.win[i*size:][:size]
		var rx, ry, rxy float64
		for j, v := range w {
			dx, dy := x[j]-p, y[j]-q
			rx += v * (dx * dx)
			ry += v * (dy * dy)
			rxy += v * (dx * dy)
		}
		xx += rx
		yy += ry
		xy += rxy
	}
	b1, b2 := p*p+q*q+k.c1, k.kap*(xx+yy)+k.c2
	l, cs := (2*(p*q)+k.c1)/b1, (2*(k.kap*xy)+k.c2)/b2
	if k.g != nil {
		gp := 2 * scale * cs * ((q - p*l) / b1)
		gx, gy := -2*scale*k.kap*(l*cs/b2), 2*scale*k.kap*(l/b2)
		low := s.g[k.ph*k.pw:] // the rounding errors of the sums in g
		for i := range size {
			at := (a+i)*k.pw + b
			x, y, g, c := s.x[at:][:size], s.y[at:][:size], s.g[at:][:size], low[at:][:size]
			for j, v := range k.win[i*size:][:size] {
				d := v * (gp + gx*(x[j]-p) + gy*(y[j]-q))
				t := g[j] + d
				u := t - g[j]
				c[j] += (g[j] - (t - u)) + (d - u)
				g[j] = t
			}
		}
	}
	return l * cs
}

// fold adds the gradient of padded pixels to those they were copied from.
func (k *ssimTask[T]) fold(s *ssimScratch, from int) {
	n := k.ph * k.pw
	for i := range n {
		s.g[i] += s.g[n+i]
	}
	if k.border > 0 {
		inside := func(i, n int) bool { return i >= k.border && i < n+k.border }
		for a := range k.ph {
			u := k.source(a, k.h)
			for b := range k.pw {
				v := k.source(b, k.w)
				if u >= 0 && v >= 0 && !(inside(a, k.h) && inside(b, k.w)) {
					s.g[(u+k.border)*k.pw+v+k.border] += s.g[a*k.pw+b]
				}
			}
		}
	}
	for u := range k.h {
		for v := range k.w {
			k.g[from+u*k.w+v] = T(s.g[(u+k.border)*k.pw+v+k.border])
		}
	}
}
