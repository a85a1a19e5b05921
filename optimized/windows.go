package optimized

import (
	"math"

	"github.com/goldenloss/goldenloss/reference/loss"
)

// imageFilter is the window of local statistics. It is separable also in its variance: that of a window is the mean of the variances
// of its rows and the variance of their means, so two passes over the deviations cost as little as one over the squares and never
// cancel. Rows of statistics go through a ring.
type imageFilter struct {
	window      []float64 // of one axis
	kap, c1, c2 float64
}

func (k *imageFilter) set(in *loss.Windows) {
	k.window = grown(k.window, in.WindowSize)
	total := 0.0
	for i := range k.window {
		k.window[i] = 1
		if in.Window == "gaussian" {
			d := float64(i-(in.WindowSize-1)/2) / in.Sigma
			k.window[i] = math.Exp(-0.5 * d * d)
		}
		total += k.window[i]
	}
	for i := range k.window {
		k.window[i] /= total
	}
	k.kap = 1
	if in.Covariance == "sample" {
		area := float64(in.WindowSize) * float64(in.WindowSize)
		k.kap = area / (area - 1)
	}
	k.c1, k.c2 = in.K1*in.DataRange, in.K2*in.DataRange
	k.c1 *= k.c1
	k.c2 *= k.c2
}

// imagePlane is one channel under the filter.
type imagePlane struct {
	imageFilter
	padding    string
	h, w       int
	border     int  // pixels that the padding adds on a side
	rows, cols int  // windows
	contrast   bool // the map is cs in place of l cs
	unit       int  // rows whose sum is kept: the value does not depend on how many are worked on at a time
	units      int
	height     int // rows that are worked on at a time
	blocks     int
}

func newPlane(f *imageFilter, padding string, h, w, planes int) imagePlane {
	p := imagePlane{imageFilter: *f, padding: padding, h: h, w: w}
	size := len(f.window)
	if padding != "valid" {
		p.border = (size - 1) / 2
	}
	p.rows, p.cols = h+2*p.border-size+1, w+2*p.border-size+1
	p.unit = min(h, max(64, 4*size))
	p.height = p.unit // a block costs a border of windows that its neighbors compute too
	if planes >= 8 {
		p.height = h
	}
	p.units, p.blocks = ceilDiv(h, p.unit), ceilDiv(h, p.height)
	return p
}

// source is the pixel of a line of n that stands at position i of the padded line, whose pixel 0 is at 0; -1 for a zero.
func (k *imagePlane) source(i, n int) int {
	switch {
	case i >= 0 && i < n:
		return i
	case k.padding == "reflect" && i < 0:
		return -i
	case k.padding == "reflect":
		return 2*(n-1) - i
	case k.padding == "symmetric" && i < 0:
		return -i - 1
	case k.padding == "symmetric":
		return 2*n - i - 1
	}
	return -1
}

// ring holds a number for every column and each of the last rows, side by side for a column. Row i is in slot i mod size.
type ring []float64

// column is what the ring holds for column j.
func (r ring) column(j, size int) []float64 { return r[j*size:][:size] }

// ssimScratch is what a block of one plane is worked on with.
type ssimScratch struct {
	x, y                  []float64 // a padded row of pixels
	mx, my, vx, vy, cov   ring      // of rows of pixels under the window: means, variances, covariance
	gm, gxx, gxy          ring      // of rows of windows: derivatives, spread over the pixels below them
	lineM, lineXX, lineXY []float64 // the same in a row of windows, between zeros
	weight                []float64 // of the slots
}

func (s *ssimScratch) init(size, w, border, cols int, grad bool) {
	s.x, s.y = grown(s.x, w+2*border), grown(s.y, w+2*border)
	clear(s.x)
	clear(s.y)
	s.weight = grown(s.weight, size)
	for _, r := range []*ring{&s.mx, &s.my, &s.vx, &s.vy, &s.cov} {
		*r = grown(*r, cols*size)
		clear(*r)
	}
	if !grad {
		return
	}
	for _, r := range []*ring{&s.gm, &s.gxx, &s.gxy} {
		*r = grown(*r, w*size)
		clear(*r)
	}
	for _, l := range []*[]float64{&s.lineM, &s.lineXX, &s.lineXY} {
		*l = grown(*l, cols+2*(size-1))
		clear(*l)
	}
}

// work does block i of a plane: the windows that begin in its rows (or are centered there, with padding), whose maps it adds to the sums of
// units of rows, and where g is not nil for the gradient of scale times the sum all windows that cover the rows.
func work[E loss.Float](k *imagePlane, i int, x, y, g []E, sums []float64, scale float64) {
	first, last := i*k.height, min((i+1)*k.height, k.h) // excluded
	clear(sums[first/k.unit : ceilDiv(last, k.unit)])
	size := len(k.window)
	s := take[ssimScratch]()
	s.init(size, k.w, k.border, k.cols, g != nil)
	from, to := first, min(last, k.rows) // windows
	if g != nil {
		from, to = max(0, first+k.border-(size-1)), min(last+k.border, k.rows)
	}
	var sum running
	row, done := max(0, from-k.border), first // next rows of pixels to take in, to write the gradient of
	for t := from; t < to; t++ {
		for ; row < min(k.h, t-k.border+size); row++ {
			takeIn(k, s, row, x[row*k.w:(row+1)*k.w], y[row*k.w:(row+1)*k.w])
		}
		similarity := k.windows(s, t, scale, g != nil)
		if t >= first && t < last {
			if t%k.unit == 0 {
				sum = running{}
			}
			sum.add(similarity)
			sums[t/k.unit] = sum.value()
		}
		if g == nil {
			continue
		}
		k.spread(s, t)
		for ; done < last && (done+k.border <= t || t == k.rows-1); done++ {
			pullRow(k, s, done, g[done*k.w:][:k.w], x[done*k.w:][:k.w], y[done*k.w:][:k.w])
		}
	}
	give(s)
}

// takeIn computes the statistics of a row of pixels under the window of one axis.
func takeIn[E loss.Float](k *imagePlane, s *ssimScratch, row int, x, y []E) {
	size := len(k.window)
	for j, v := range x {
		s.x[k.border+j], s.y[k.border+j] = float64(v), float64(y[j])
	}
	for j := range k.border {
		for _, u := range [2]int{j - k.border, k.w + j} {
			if v := k.source(u, k.w); v >= 0 {
				s.x[k.border+u], s.y[k.border+u] = float64(x[v]), float64(y[v])
			}
		}
	}
	slot := row % size
	for j := range k.cols {
		x, y := s.x[j:][:size], s.y[j:][:size]
		p, q := means2(k.window, x, y)
		xx, yy, xy := deviations(k.window, x, y, p, q)
		i := j*size + slot
		s.mx[i], s.my[i], s.vx[i], s.vy[i], s.cov[i] = p, q, xx, yy, xy
	}
}

// means2 and means3 return the weighted sums of two and three lines.
func means2(w, x, y []float64) (p, q float64) {
	x, y = x[:len(w)], y[:len(w)]
	for i, w := range w {
		p += w * x[i]
		q += w * y[i]
	}
	return
}

func means3(w, x, y, z []float64) (p, q, r float64) {
	x, y, z = x[:len(w)], y[:len(w)], z[:len(w)]
	for i, w := range w {
		p += w * x[i]
		q += w * y[i]
		r += w * z[i]
	}
	return
}

// deviations returns the weighted sums of (x-p)^2, (y-q)^2 and (x-p)(y-q).
func deviations(w, x, y []float64, p, q float64) (xx, yy, xy float64) {
	x, y = x[:len(w)], y[:len(w)]
	for i, w := range w {
		dx, dy := x[i]-p, y[i]-q
		wx := w * dx
		xx += wx * dx
		xy += wx * dy
		yy += w * dy * dy
	}
	return
}

// windows returns the sum of the similarities of row t of windows and fills the lines of their derivatives.
func (k *imagePlane) windows(s *ssimScratch, t int, scale float64, grad bool) (sum float64) {
	size := len(k.window)
	outside := 0.0 // the weight of rows of zeros
	clear(s.weight)
	for i, w := range k.window {
		if row := k.source(t-k.border+i, k.h); row >= 0 {
			s.weight[row%size] += w
		} else {
			outside += w
		}
	}
	part := 0.0
	for j := range k.cols {
		mx, my := s.mx.column(j, size), s.my.column(j, size)
		p, q := means2(s.weight, mx, my)
		xx, yy, xy := deviations(s.weight, mx, my, p, q)
		vx, vy, cov := means3(s.weight, s.vx.column(j, size), s.vy.column(j, size), s.cov.column(j, size))
		xx, yy, xy = xx+(vx+outside*p*p), yy+(vy+outside*q*q), xy+(cov+outside*p*q)
		b1, b2 := p*p+q*q+k.c1, k.kap*(xx+yy)+k.c2
		l, cs := (2*(p*q)+k.c1)/b1, (2*(k.kap*xy)+k.c2)/b2
		if k.contrast {
			l = 1
		}
		part += l * cs
		if j%strip == strip-1 || j == k.cols-1 {
			sum += part
			part = 0
		}
		if grad {
			gp := 0.0
			if !k.contrast {
				gp = 2 * scale * cs * ((q - p*l) / b1)
			}
			gxx, gxy := -scale*k.kap*(l*cs/b2), 2*scale*k.kap*(l/b2)
			i := size - 1 + j
			s.lineM[i], s.lineXX[i], s.lineXY[i] = gp-2*p*gxx-q*gxy, gxx, gxy
		}
	}
	return sum
}

// spread distributes the derivatives of row t of windows over the columns of pixels below them.
func (k *imagePlane) spread(s *ssimScratch, t int) {
	size := len(k.window)
	slot := t % size
	for j := range k.w {
		u := j + k.border
		i := j*size + slot
		s.gm[i], s.gxx[i], s.gxy[i] = means3(k.window, s.lineM[u:][:size], s.lineXX[u:][:size], s.lineXY[u:][:size])
	}
	// The derivatives of pixels of the border belong to those they were copied from.
	for j := range k.border {
		for _, u := range [2]int{j - k.border, k.w + j} {
			if v := k.source(u, k.w); v >= 0 {
				u += k.border
				i := v*size + slot
				m, xx, xy := means3(k.window, s.lineM[u:][:size], s.lineXX[u:][:size], s.lineXY[u:][:size])
				s.gm[i], s.gxx[i], s.gxy[i] = s.gm[i]+m, s.gxx[i]+xx, s.gxy[i]+xy
			}
		}
	}
}

// pull writes the gradient of a row of pixels, all of whose windows were spread.
func pullRow[E loss.Float](k *imagePlane, s *ssimScratch, row int, g, x, y []E) {
	size := len(k.window)
	clear(s.weight)
	for t := max(0, row+k.border-(size-1)); t <= min(row+k.border, k.rows-1); t++ {
		for i, w := range k.window {
			if k.source(t-k.border+i, k.h) == row {
				s.weight[t%size] += w
			}
		}
	}
	for j := range g {
		m, xx, xy := means3(s.weight, s.gm.column(j, size), s.gxx.column(j, size), s.gxy.column(j, size))
		g[j] = E(m + 2*float64(x[j])*xx + float64(y[j])*xy)
	}
}
