package reference

import (
	"math"

	"github.com/goldenloss/goldenloss/reference/loss"
)

// filter is the window of local statistics and where it looks.
type filter struct {
	k, r int
	w    []float64 // k x k, sum 1
	kap  float64
	c1   float64
	c2   float64
}

func newFilter(in *loss.Windows) filter {
	k := in.WindowSize
	f := filter{k: k, r: (k - 1) / 2, kap: 1}
	g := make([]float64, k)
	for i := range g {
		g[i] = 1
		if in.Window == "gaussian" {
			q := float64(i-f.r) / in.Sigma
			g[i] = math.Exp(-q * q / 2)
		}
	}
	total := sum(g)
	for i := range g {
		for j := range g {
			f.w = append(f.w, (g[i]/total)*(g[j]/total))
		}
	}
	if in.Covariance == "sample" {
		f.kap = float64(k*k) / float64(k*k-1)
	}
	f.c1, f.c2 = in.K1*in.DataRange, in.K2*in.DataRange
	f.c1, f.c2 = f.c1*f.c1, f.c2*f.c2
	return f
}

// reflected returns the pixel that stands at position i of a padded axis of length n, -1 for a zero.
func reflected(i, n int, padding string) int {
	edge := 0 // how often the edge pixel stands
	switch padding {
	case "zero":
		if i < 0 || i >= n {
			return -1
		}
	case "symmetric":
		edge = 1
	}
	if i < 0 {
		return -i - edge
	}
	if i >= n {
		return 2*n - 2 - i + edge
	}
	return i
}

// ssimWindows calls f with the pixel indices of every window of an image of h x w, -1 for a padded zero.
func ssimWindows(k, h, w int, padding string, f func(pixels []int)) {
	r := (k - 1) / 2
	first, rows, cols := -r, h, w
	if padding == "valid" {
		first, rows, cols = 0, h-k+1, w-k+1
	}
	pixels := make([]int, k*k)
	for a := range rows {
		for b := range cols {
			for i := range k {
				for j := range k {
					u, v := a+first+i, b+first+j
					if padding != "valid" {
						u, v = reflected(u, h, padding), reflected(v, w, padding)
					}
					pixels[i*k+j] = u*w + v
					if u < 0 || v < 0 {
						pixels[i*k+j] = -1
					}
				}
			}
			f(pixels)
		}
	}
}

// local holds the statistics of one window.
type local struct{ p, q, sxx, syy, sxy, l, cs, b1, b2 float64 }

func pixel(x []float64, i int) float64 {
	if i < 0 {
		return 0
	}
	return x[i]
}

func (f *filter) local(x, y []float64, pixels []int) local {
	var s local
	var p, q, xx, yy, xy accumulator
	for i, u := range pixels {
		p.addProduct(f.w[i], pixel(x, u))
		q.addProduct(f.w[i], pixel(y, u))
	}
	s.p, s.q = p.value(), q.value()
	for i, u := range pixels {
		dx, dy := pixel(x, u)-s.p, pixel(y, u)-s.q
		xx.add(f.w[i] * dx * dx)
		yy.add(f.w[i] * dy * dy)
		xy.add(f.w[i] * dx * dy)
	}
	s.sxx, s.syy, s.sxy = f.kap*xx.value(), f.kap*yy.value(), f.kap*xy.value()
	s.b1, s.b2 = s.p*s.p+s.q*s.q+f.c1, s.sxx+s.syy+f.c2
	s.l, s.cs = (2*s.p*s.q+f.c1)/s.b1, (2*s.sxy+f.c2)/s.b2
	return s
}

// channels calls f with the pixels of every channel of sample n.
func ssimChannels(in *loss.SSIM[float64], n int, f func(from int, x, y []float64)) {
	size := in.Pred.Shape[2] * in.Pred.Shape[3]
	for c := range in.Pred.Shape[1] {
		from := (n*in.Pred.Shape[1] + c) * size
		f(from, in.Pred.Data[from:from+size], in.Target.Data[from:from+size])
	}
}

func allFinite(xs []float64) bool {
	for _, x := range xs {
		if math.IsNaN(x) || math.IsInf(x, 0) {
			return false
		}
	}
	return true
}

// sampleFinite reports whether sample n holds neither NaN nor infinities.
func sampleFinite(in *loss.SSIM[float64], n int) bool {
	ok := true
	ssimChannels(in, n, func(_ int, x, y []float64) { ok = ok && allFinite(x) && allFinite(y) })
	return ok
}

// SSIM is the value of the structural similarity loss.
func SSIM(in *loss.SSIM[float64]) []float64 {
	f := newFilter(&in.Windows)
	items := make([]float64, in.Pred.Shape[0])
	for n := range items {
		if !sampleFinite(in, n) {
			items[n] = math.NaN()
			continue
		}
		var s accumulator
		count := 0
		ssimChannels(in, n, func(_ int, x, y []float64) {
			ssimWindows(f.k, in.Pred.Shape[2], in.Pred.Shape[3], in.Padding, func(pixels []int) {
				m := f.local(x, y, pixels)
				s.addProduct(m.l, m.cs)
				count++
			})
		})
		items[n] = 1 - s.value()/float64(count)
		if in.Form == "half" {
			items[n] /= 2
		}
	}
	return reduce(in.Reduction, items, float64(len(items)))
}

// SSIMGrad is its vector-Jacobian product.
func SSIMGrad(in *loss.SSIM[float64], dOut []float64) *loss.SSIM[float64] {
	g := &loss.SSIM[float64]{Pred: zeros(in.Pred)}
	f := newFilter(&in.Windows)
	h, w := in.Pred.Shape[2], in.Pred.Shape[3]
	perChannel := h * w
	if in.Padding == "valid" {
		perChannel = (h - f.k + 1) * (w - f.k + 1)
	}
	size := len(in.Pred.Data) / in.Pred.Shape[0]
	for n, c := range itemWeights(in.Reduction, in.Pred.Shape[0], float64(in.Pred.Shape[0]), dOut) {
		if !sampleFinite(in, n) {
			for i := range size {
				g.Pred.Data[n*size+i] = math.NaN()
			}
			continue
		}
		a := -c / float64(in.Pred.Shape[1]*perChannel)
		if in.Form == "half" {
			a /= 2
		}
		ssimChannels(in, n, func(from int, x, y []float64) {
			d := make([]accumulator, len(x))
			ssimWindows(f.k, h, w, in.Padding, func(pixels []int) {
				m := f.local(x, y, pixels)
				gp := a * m.cs * (2*m.q - 2*m.p*m.l) / m.b1
				gxx := -a * f.kap * m.l * m.cs / m.b2
				gxy := 2 * a * f.kap * m.l / m.b2
				for i, u := range pixels {
					if u >= 0 {
						d[u].add(f.w[i] * (gp + 2*gxx*(x[u]-m.p) + gxy*(y[u]-m.q)))
					}
				}
			})
			for i := range d {
				g.Pred.Data[from+i] = d[i].value()
			}
		})
	}
	return g
}
