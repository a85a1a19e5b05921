package optimized

import (
	"math"

	"github.com/goldenloss/goldenloss/reference/loss"
)

// msScale is one level of the pyramids of all planes.
type msScale struct {
	plane       imagePlane
	x, y, d     []float64 // pixels and derivatives; nil at the first scale, which is that of the caller
	tasks, sums int       // of the scales before
}

type msTask[T loss.Float] struct {
	in       *loss.MSSSIM[T]
	g        []T
	filter   imageFilter
	scales   []msScale
	channels int
	planes   int
	pixels   []float64 // of the scales
	weights  weights[T]
	partial  []float64 // sums of the maps, by scale, plane and unit of rows
	factor   []float64 // of the derivatives of v_s, by plane and scale
	items    []float64
	phase    int
}

const (
	msPool = iota
	msMaps
	msBack
)

// MSSSIM is the multi-scale structural similarity loss. The gradient is linear in those of the v_s, so one pass over every scale yields
// the maps and, but for a factor, their derivatives; a second one multiplies by the factors and hands gradients down the pyramid. See
// loss.MSSSIM.
func MSSSIM[T loss.Float](out []T, grad, in *loss.MSSSIM[T], dOut []T) {
	k := take[msTask[T]]()
	n, size := in.Pred.Shape[0], in.WindowSize
	k.in, k.channels = in, in.Pred.Shape[1]
	k.planes = n * k.channels
	if grad != nil {
		k.g = grad.Pred.Data
	}
	k.filter.set(&in.Windows)
	m := in.Scales()
	k.scales = grown(k.scales, m)
	h, w, pixels, tasks, sums, area := in.Pred.Shape[2], in.Pred.Shape[3], 0, 0, 0, 0
	for s := range k.scales {
		p := msScale{plane: newPlane(&k.filter, "valid", h, w, k.planes), tasks: tasks, sums: sums}
		p.plane.contrast = s < m-1
		tasks += k.planes * p.plane.blocks
		sums += k.planes * p.plane.units
		area += h * w
		if s > 0 {
			pixels += h * w
		}
		k.scales[s] = p
		h, w = in.Halved(h), in.Halved(w)
	}
	k.pixels = grown(k.pixels, 3*k.planes*pixels)
	at := k.pixels
	for s := 1; s < m; s++ {
		p := &k.scales[s]
		n := k.planes * p.plane.h * p.plane.w
		p.x, p.y, p.d, at = at[:n], at[n:2*n], at[2*n:3*n], at[3*n:]
	}
	k.weights = newWeights(in.Reduction, dOut, float64(n))
	k.partial, k.factor, k.items = grown(k.partial, sums), grown(k.factor, k.planes*m), grown(k.items, n)
	if m > 1 {
		k.phase = msPool
		each(k.planes, 2*area, k)
	}
	k.phase = msMaps
	each(tasks, 4*size*area*k.planes/tasks, k)
	for i := range k.items {
		k.items[i] = k.item(i)
	}
	if in.Reduction == loss.None {
		store(out, k.items)
	}
	finish(out, in.Reduction, k.items, float64(n))
	if k.g != nil {
		k.phase = msBack
		each(k.planes, 2*area, k)
	}
	clear(k.scales)
	*k = msTask[T]{filter: imageFilter{window: k.filter.window}, scales: k.scales, pixels: k.pixels, partial: k.partial, factor: k.factor,
		items: k.items}
	give(k)
}

// weight is that of a scale.
func (k *msTask[T]) weight(s int) float64 {
	if k.in.ScaleWeights.Given() {
		return float64(k.in.ScaleWeights.Data[s])
	}
	return loss.MSSSIMWeights[s]
}

// item returns the loss of a sample and keeps the factors of its channels.
func (k *msTask[T]) item(i int) float64 {
	m := len(k.scales)
	var total running
	for c := range k.channels {
		plane := i*k.channels + c
		f := k.factor[plane*m:][:m]
		logs, zero, slope := 0.0, false, 1.0
		for s := range f {
			p := &k.scales[s]
			v := pairwise(k.partial[p.sums+plane*p.plane.units:][:p.plane.units]) / float64(p.plane.rows*p.plane.cols)
			switch {
			case v != v || k.weight(s) != k.weight(s):
				return math.NaN()
			case k.in.Negative == "shift":
				v, slope = (v+1)/2, 0.5
			case k.in.Negative == "none" && v < 0:
				return math.NaN()
			}
			f[s] = v
			zero = zero || v <= 0
		}
		if zero {
			clear(f)
			continue
		}
		for s, v := range f {
			logs += k.weight(s) * math.Log(v)
		}
		ms := math.Exp(logs)
		total.add(ms)
		for s, v := range f {
			f[s] = k.weight(s) * slope * (ms / v)
		}
	}
	return 1 - total.value()/float64(k.channels)
}

func (k *msTask[T]) run(i int) {
	switch k.phase {
	case msPool:
		p := &k.scales[0].plane
		area := p.h * p.w
		pool(k.scales[1].of(k.scales[1].x, i), k.in.Pred.Data[i*area:][:area], p.h, p.w, k.in.OddPad)
		pool(k.scales[1].of(k.scales[1].y, i), k.in.Target.Data[i*area:][:area], p.h, p.w, k.in.OddPad)
		for s := 1; s < len(k.scales)-1; s++ {
			fine, coarse := &k.scales[s], &k.scales[s+1]
			pool(coarse.of(coarse.x, i), fine.of(fine.x, i), fine.plane.h, fine.plane.w, k.in.OddPad)
			pool(coarse.of(coarse.y, i), fine.of(fine.y, i), fine.plane.h, fine.plane.w, k.in.OddPad)
		}
	case msMaps:
		s := len(k.scales) - 1
		for k.scales[s].tasks > i {
			s--
		}
		p := &k.scales[s]
		plane, b := (i-p.tasks)/p.plane.blocks, (i-p.tasks)%p.plane.blocks
		sums := k.partial[p.sums+plane*p.plane.units:][:p.plane.units]
		scale := 0.0
		if k.g != nil {
			scale = -k.weights.at(plane/k.channels) / float64(k.channels*p.plane.rows*p.plane.cols)
		}
		if s > 0 {
			var d []float64
			if k.g != nil {
				d = p.of(p.d, plane)
			}
			work(&p.plane, b, p.of(p.x, plane), p.of(p.y, plane), d, sums, scale)
			return
		}
		area := p.plane.h * p.plane.w
		at := plane * area
		work(&p.plane, b, k.in.Pred.Data[at:][:area], k.in.Target.Data[at:][:area], cut(k.g, at, at+area), sums, scale)
	default:
		k.back(i)
	}
}

// of returns the pixels of one plane.
func (p *msScale) of(pixels []float64, plane int) []float64 {
	area := p.plane.h * p.plane.w
	return pixels[plane*area:][:area]
}

// back turns the derivatives of the v_s of a plane into the gradient.
func (k *msTask[T]) back(plane int) {
	m := len(k.scales)
	f := k.factor[plane*m:][:m]
	fine := &k.scales[0]
	area := fine.plane.h * fine.plane.w
	g := k.g[plane*area:][:area]
	switch v := k.items[plane/k.channels]; {
	case v != v:
		fill(g, T(v))
		return
	case f[0] == 0:
		clear(g)
		return
	}
	var coarse []float64
	for s := m - 1; s > 0; s-- {
		p := &k.scales[s]
		d := p.of(p.d, plane)
		unpool(d, coarse, f[s], p.plane.h, p.plane.w, k.in.OddPad)
		coarse = d
	}
	unpool(g, coarse, f[0], fine.plane.h, fine.plane.w, k.in.OddPad)
}

// ahead is the number of lines that precede an axis of n when it is extended.
func ahead(n int, oddPad string) int {
	if n%2 == 1 && (oddPad == "replicate_start" || oddPad == "zero_start") {
		return 1
	}
	return 0
}

// pool fills y with the 2 x 2 means of a plane of h x w.
func pool[E loss.Float](y []float64, x []E, h, w int, oddPad string) {
	top, left := ahead(h, oddPad), ahead(w, oddPad)
	rows, cols := (h+1)/2, (w+1)/2
	if oddPad == "floor" {
		rows, cols = h/2, w/2
	}
	line := func(i int) []E { // nil for zeros
		if i >= 0 {
			return x[min(i, h-1)*w:][:w]
		}
		if oddPad == "zero_start" {
			return nil
		}
		return x[:w]
	}
	for i := range rows {
		a, b := line(2*i-top), line(2*i+1-top)
		out := y[i*cols:][:cols]
		for j := range out {
			u, v := 2*j-left, min(2*j+1-left, w-1)
			var p, q, r, s float64
			if u < 0 && oddPad != "zero_start" {
				u = 0
			}
			if a != nil {
				q = float64(a[v])
				if u >= 0 {
					p = float64(a[u])
				}
			}
			s = float64(b[v])
			if u >= 0 {
				r = float64(b[u])
			}
			out[j] = ((p + q) + (r + s)) * 0.25
		}
	}
}

// unpool replaces the derivatives d of a plane of h x w by c d and what the gradient of the next scale adds to them.
func unpool[E loss.Float](d []E, coarse []float64, c float64, h, w int, oddPad string) {
	if coarse == nil {
		for i, v := range d {
			d[i] = E(c * float64(v))
		}
		return
	}
	top, left := ahead(h, oddPad), ahead(w, oddPad)
	cols := (w + 1) / 2
	if oddPad == "floor" {
		cols = w / 2
	}
	// times says how often a line occurs in the extended axis.
	times := func(i, n int) float64 {
		switch {
		case n%2 == 0:
		case oddPad == "floor" && i == n-1:
			return 0
		case oddPad == "replicate_end" && i == n-1, oddPad == "replicate_start" && i == 0:
			return 2
		}
		return 1
	}
	for i := range h {
		row := d[i*w:][:w]
		q := 0.25 * times(i, h)
		if q == 0 {
			for j, v := range row {
				row[j] = E(c * float64(v))
			}
			continue
		}
		up := coarse[(i+top)/2*cols:][:cols]
		first, last := float64(row[0]), float64(row[w-1])
		for j, v := range row {
			row[j] = E(c*float64(v) + q*up[min((j+left)/2, cols-1)])
		}
		// The edges may occur twice or not at all.
		row[0] = E(c*first + q*times(0, w)*up[0])
		if w > 1 {
			row[w-1] = E(c*last + q*times(w-1, w)*up[cols-1])
		}
	}
}
