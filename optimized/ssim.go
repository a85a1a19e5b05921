package optimized

import (
	"math"

	"github.com/goldenloss/goldenloss/reference/loss"
)

type ssimTask[T loss.Float] struct {
	in             *loss.SSIM[T]
	g              []T
	window         []float64 // of one axis
	kap, c1, c2    float64
	channels, h, w int
	border         int // pixels that the padding adds on a side
	rows, cols     int // windows
	height, blocks int // rows of a block of pixels, blocks of a plane
	weights        weights[T]
	partial        []float64 // sums of the similarity, by plane and block
	items          []float64
	poisoned       bool // the pass that spreads NaN
}

// SSIM is the structural similarity loss. The window is separable also in its variance: that of a window is the mean of the variances
// of its rows and the variance of their means, so two passes over the deviations cost as little as one over the squares and never
// cancel. Rows of statistics go through a ring. See loss.SSIM.
func SSIM[T loss.Float](out []T, grad, in *loss.SSIM[T], dOut []T) {
	k := take[ssimTask[T]]()
	n := in.Pred.Shape[0]
	k.in, k.channels, k.h, k.w = in, in.Pred.Shape[1], in.Pred.Shape[2], in.Pred.Shape[3]
	if grad != nil {
		k.g = grad.Pred.Data
	}
	size := in.WindowSize
	if in.Padding != "valid" {
		k.border = (size - 1) / 2
	}
	k.rows, k.cols = k.h+2*k.border-size+1, k.w+2*k.border-size+1
	k.setWindow()
	k.weights = newWeights(in.Reduction, dOut, float64(n))
	planes := n * k.channels
	k.height = k.h // a block costs a border of windows that its neighbors compute too
	if planes < 8 {
		k.height = min(k.h, max(64, 4*size))
	}
	k.blocks = ceilDiv(k.h, k.height)
	k.partial, k.items = grown(k.partial, planes*k.blocks), grown(k.items, n)
	each(planes*k.blocks, 4*size*k.height*k.w, k)
	perSample, bad := k.channels*k.blocks, false
	for s := range k.items {
		v := 1 - pairwise(k.partial[s*perSample:(s+1)*perSample])/float64(k.channels*k.rows*k.cols)
		if in.Form == "half" {
			v /= 2
		}
		k.items[s] = v
		bad = bad || v != v
	}
	if in.Reduction == loss.None {
		store(out, k.items)
	}
	finish(out, in.Reduction, k.items, float64(n))
	if bad && k.g != nil {
		k.poisoned = true
		each(planes*k.blocks, k.height*k.w, k)
	}
	*k = ssimTask[T]{window: k.window, partial: k.partial, items: k.items}
	give(k)
}

func (k *ssimTask[T]) setWindow() {
	in := k.in
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

// source is the pixel of a line of n that stands at position i of the padded line, whose pixel 0 is at 0; -1 for a zero.
func (k *ssimTask[T]) source(i, n int) int {
	switch {
	case i >= 0 && i < n:
		return i
	case k.in.Padding == "reflect" && i < 0:
		return -i
	case k.in.Padding == "reflect":
		return 2*(n-1) - i
	case k.in.Padding == "symmetric" && i < 0:
		return -i - 1
	case k.in.Padding == "symmetric":
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

// run works on a block of rows of one plane: on the windows that begin there (or are centered, with padding), and for the gradient on
// all windows that cover them.
func (k *ssimTask[T]) run(i int) {
	plane, first := i/k.blocks, i%k.blocks*k.height
	last := min(first+k.height, k.h) // excluded
	at := plane * k.h * k.w
	if k.poisoned {
		if v := k.items[plane/k.channels]; v != v {
			fill(k.g[at+first*k.w:at+last*k.w], T(v))
		}
		return
	}
	size := len(k.window)
	x, y := k.in.Pred.Data[at:][:k.h*k.w], k.in.Target.Data[at:][:k.h*k.w]
	s := take[ssimScratch]()
	s.init(size, k.w, k.border, k.cols, k.g != nil)
	scale := 0.0
	from, to := first, min(last, k.rows) // windows
	if k.g != nil {
		scale = -k.weights.at(plane/k.channels) / float64(k.channels*k.rows*k.cols)
		if k.in.Form == "half" {
			scale /= 2
		}
		from, to = max(0, first+k.border-(size-1)), min(last+k.border, k.rows)
	}
	var sum running
	row, done := max(0, from-k.border), first // next rows of pixels to take in, to write the gradient of
	for t := from; t < to; t++ {
		for ; row < min(k.h, t-k.border+size); row++ {
			k.takeIn(s, row, x[row*k.w:(row+1)*k.w], y[row*k.w:(row+1)*k.w])
		}
		similarity := k.windows(s, t, scale)
		if t >= first && t < last {
			sum.add(similarity)
		}
		if k.g == nil {
			continue
		}
		k.spread(s, t)
		for ; done < last && (done+k.border <= t || t == k.rows-1); done++ {
			g := k.g[at+done*k.w:][:k.w]
			k.pull(s, done, g, x[done*k.w:][:k.w], y[done*k.w:][:k.w])
		}
	}
	k.partial[i] = sum.value()
	give(s)
}

// takeIn computes the statistics of a row of pixels under the window of one axis.
func (k *ssimTask[T]) takeIn(s *ssimScratch, row int, x, y []T) {
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
func (k *ssimTask[T]) windows(s *ssimScratch, t int, scale float64) (sum float64) {
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
		part += l * cs
		if j%strip == strip-1 || j == k.cols-1 {
			sum += part
			part = 0
		}
		if k.g != nil {
			gp := 2 * scale * cs * ((q - p*l) / b1)
			gxx, gxy := -scale*k.kap*(l*cs/b2), 2*scale*k.kap*(l/b2)
			i := size - 1 + j
			s.lineM[i], s.lineXX[i], s.lineXY[i] = gp-2*p*gxx-q*gxy, gxx, gxy
		}
	}
	return sum
}

// spread distributes the derivatives of row t of windows over the columns of pixels below them.
func (k *ssimTask[T]) spread(s *ssimScratch, t int) {
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
func (k *ssimTask[T]) pull(s *ssimScratch, row int, g, x, y []T) {
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
		g[j] = T(m + 2*float64(x[j])*xx + float64(y[j])*xy)
	}
}
