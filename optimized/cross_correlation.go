package optimized

import (
	"math"

	"github.com/goldenloss/goldenloss/reference/loss"
)

// crossCorrelationTask works on blocks of channels of a sample: responses first, then the losses of the maps, then gradients.
type crossCorrelationTask[T loss.Float] struct {
	in                           *loss.CrossCorrelation[T]
	n, c, hz, wz, hx, wx, hr, wr int
	block, blocks                int // channels of a block, blocks of a sample
	phase                        int
	gz, gx                       []T
	w                            weights[T]
	partial                      []float64 // responses of each block
	slopes                       []float64 // derivative by R of each cell; rows padded by wz-1 zeros on both sides
	labels                       []int8    // of each sample, or of all
	items, biases                []float64 // per sample
}

// crossCorrelationScratch holds planes of one channel and of the cells.
type crossCorrelationScratch struct{ z, x, dz, dx, r []float64 }

const (
	correlate   = iota // responses of a block
	respond            // loss of a sample
	decorrelate        // gradients of a block
)

// CrossCorrelation is the loss of a response map. See loss.CrossCorrelation.
func CrossCorrelation[T loss.Float](out []T, grad, in *loss.CrossCorrelation[T], dOut []T) {
	k := take[crossCorrelationTask[T]]()
	k.in = in
	z, x := in.Template.Shape, in.Search.Shape
	k.n, k.c, k.hz, k.wz, k.hx, k.wx = z[0], z[1], z[2], z[3], x[2], x[3]
	k.hr, k.wr = in.Map()
	k.w = newWeights(in.Reduction, dOut, float64(k.n))
	k.block = max(1, 128/k.hz)
	k.blocks = ceilDiv(k.c, k.block)
	k.partial = grown(k.partial, k.n*k.blocks*k.hr*k.wr)
	k.slopes = grown(k.slopes, k.n*k.hr*k.padded())
	k.items, k.biases = grown(k.items, k.n), grown(k.biases, k.n)
	k.label()
	wanted := false
	var bias []T
	if grad != nil {
		k.gz, k.gx, bias = grad.Template.Data, grad.Search.Data, grad.Bias.Data
		wanted = k.gz != nil || k.gx != nil || bias != nil
	}
	work := k.hz * k.wz * k.hr * k.wr * min(k.block, k.c)
	k.phase = correlate
	each(k.n*k.blocks, work, k)
	if !wanted {
		k.w.none, k.w.fixed = false, 0 // slopes of no use
	}
	k.phase = respond
	each(k.n, 30*k.hr*k.wr, k)
	if in.Reduction == loss.None {
		store(out, k.items)
	}
	finish(out, in.Reduction, k.items, float64(k.n))
	if bias != nil {
		bias[0] = T(pairwise(k.biases))
	}
	if k.gz != nil || k.gx != nil {
		k.phase = decorrelate
		each(k.n*k.blocks, 2*work, k)
	}
	*k = crossCorrelationTask[T]{partial: k.partial, slopes: k.slopes, labels: k.labels, items: k.items, biases: k.biases}
	give(k)
}

// padded is the length of a row of slopes.
func (k *crossCorrelationTask[T]) padded() int { return k.wr + 2*(k.wz-1) }

// label fills in the labels, one map or one a sample.
func (k *crossCorrelationTask[T]) label() {
	in := k.in
	if in.Labels.Given() {
		k.labels = grown(k.labels, len(in.Labels.Data))
		for i, y := range in.Labels.Data {
			k.labels[i] = int8(y)
		}
		return
	}
	k.labels = grown(k.labels, k.hr*k.wr)
	for i := range k.hr {
		for j := range k.wr {
			// Distances in halves of a cell are integers.
			di, dj := 2*i-(k.hr-1), 2*j-(k.wr-1)
			d := in.Stride / 2 * float64(max(di, -di)+max(dj, -dj))
			pos, neg := in.RPos, in.RNeg
			if in.Metric == "l2" {
				d = in.Stride * in.Stride / 4 * float64(di*di+dj*dj)
				pos, neg = pos*pos, neg*neg
			}
			y := int8(-1)
			if d <= pos {
				y = 1
			} else if d <= neg {
				y = 0
			}
			k.labels[i*k.wr+j] = y
		}
	}
}

// labelsOf returns the labels of sample n.
func (k *crossCorrelationTask[T]) labelsOf(n int) []int8 {
	cells := k.hr * k.wr
	if len(k.labels) == cells {
		return k.labels
	}
	return k.labels[n*cells:][:cells]
}

func (k *crossCorrelationTask[T]) run(i int) {
	s := take[crossCorrelationScratch]()
	if k.phase == respond {
		k.response(i, s)
		give(s)
		return
	}
	n, first := i/k.blocks, i%k.blocks*k.block
	last := min(first+k.block, k.c)
	s.z, s.x = grown(s.z, k.hz*k.wz), grown(s.x, k.hx*k.wx)
	s.dz, s.dx = grown(s.dz, k.hz*k.wz), grown(s.dx, k.hx*k.wx)
	cells := k.hr * k.wr
	if k.phase == correlate {
		r := k.partial[i*cells:][:cells]
		clear(r)
		for c := first; c < last; c++ {
			k.planes(n*k.c+c, s)
			for a := range k.hr {
				for u := range k.hz {
					slide(r[a*k.wr:][:k.wr], s.x[(a+u)*k.wx:][:k.wx], s.z[u*k.wz:][:k.wz])
				}
			}
		}
		give(s)
		return
	}
	for c := first; c < last; c++ {
		k.gradients(n, n*k.c+c, s)
	}
	give(s)
}

// planes loads a channel of template and search, numbered over all samples, and reports whether they are finite.
func (k *crossCorrelationTask[T]) planes(c int, s *crossCorrelationScratch) bool {
	check := 0.0
	for i, v := range k.in.Template.Data[c*len(s.z):][:len(s.z)] {
		s.z[i] = float64(v)
		check += s.z[i] * 0
	}
	for i, v := range k.in.Search.Data[c*len(s.x):][:len(s.x)] {
		s.x[i] = float64(v)
		check += s.x[i] * 0
	}
	return check == 0
}

// slide adds to each r_j the sum of z_v x_(j+v).
func slide(r, x, z []float64) {
	v := 0
	for ; v+3 < len(z); v += 4 {
		z0, z1, z2, z3 := z[v], z[v+1], z[v+2], z[v+3]
		x0, x1, x2, x3 := x[v:][:len(r)], x[v+1:][:len(r)], x[v+2:][:len(r)], x[v+3:][:len(r)]
		for j := range r {
			r[j] += (z0*x0[j] + z1*x1[j]) + (z2*x2[j] + z3*x3[j])
		}
	}
	for ; v+1 < len(z); v += 2 {
		z0, z1 := z[v], z[v+1]
		x0, x1 := x[v:][:len(r)], x[v+1:][:len(r)]
		for j := range r {
			r[j] += z0*x0[j] + z1*x1[j]
		}
	}
	if v < len(z) {
		z0, x0 := z[v], x[v:][:len(r)]
		for j := range r {
			r[j] += z0 * x0[j]
		}
	}
}

// response fills in the loss of sample n and its slopes.
func (k *crossCorrelationTask[T]) response(n int, s *crossCorrelationScratch) {
	cells, y := k.hr*k.wr, k.labelsOf(n)
	s.r = grown(s.r, cells)
	bias := 0.0
	if k.in.Bias.Given() {
		bias = float64(k.in.Bias.Data[0])
	}
	positive, negative := 0, 0
	for i := range s.r {
		var sum running
		for b := range k.blocks {
			sum.add(k.partial[(n*k.blocks+b)*cells+i])
		}
		s.r[i] = k.in.Scale*sum.value() + bias
		switch {
		case y[i] > 0:
			positive++
		case y[i] < 0:
			negative++
		}
	}
	up, down := 0.5/float64(positive), 0.5/float64(negative)
	if k.in.Weighting == "uniform" {
		up = 1 / float64(positive+negative)
		down = up
	}
	c, pad := k.w.at(n), k.wz-1
	var item, slope running
	for a := range k.hr {
		g := k.slopes[(n*k.hr+a)*k.padded():][:k.padded()]
		clear(g)
		for j := range k.wr {
			label := float64(y[a*k.wr+j])
			if label == 0 {
				continue
			}
			w, miss := up, -label*s.r[a*k.wr+j]
			if label < 0 {
				w = down
			}
			q := math.Exp(-math.Abs(miss))
			l := math.Log1p(q)
			d := q / (1 + q)
			if miss > 0 {
				l, d = l+miss, 1/(1+q)
			}
			if miss != miss {
				l = miss
			}
			item.add(w * l)
			d *= -c * w * label
			slope.add(d)
			g[pad+j] = d
		}
	}
	k.items[n], k.biases[n] = item.value(), slope.value()
	if k.items[n] != k.items[n] {
		k.biases[n] = k.items[n]
	}
}

// gradients writes those of a channel of sample n.
func (k *crossCorrelationTask[T]) gradients(n, c int, s *crossCorrelationScratch) {
	gz, gx := cut(k.gz, c*len(s.z), (c+1)*len(s.z)), cut(k.gx, c*len(s.x), (c+1)*len(s.x))
	if k.items[n] != k.items[n] {
		fill(gz, T(math.NaN()))
		fill(gx, T(math.NaN()))
		return
	}
	clear(s.dz)
	clear(s.dx)
	if k.planes(c, s) {
		k.backward(n, s, gz != nil, gx != nil)
	} else {
		k.selected(n, s)
	}
	for i := range gz {
		gz[i] = T(k.in.Scale * s.dz[i])
	}
	for i := range gx {
		gx[i] = T(k.in.Scale * s.dx[i])
	}
}

// backward adds up the gradients of finite planes; ignored cells have slope 0.
func (k *crossCorrelationTask[T]) backward(n int, s *crossCorrelationScratch, template, search bool) {
	pad := k.wz - 1
	for u := range k.hz {
		for v := range k.wz / 2 { // reversed, so that slide runs along the padded slopes
			z := s.z[u*k.wz:][:k.wz]
			z[v], z[pad-v] = z[pad-v], z[v]
		}
	}
	for a := range k.hr {
		g := k.slopes[(n*k.hr+a)*k.padded():][:k.padded()]
		for u := range k.hz {
			if search {
				slide(s.dx[(a+u)*k.wx:][:k.wx], g, s.z[u*k.wz:][:k.wz])
			}
			if template {
				slide(s.dz[u*k.wz:][:k.wz], s.x[(a+u)*k.wx:][:k.wx], g[pad:][:k.wr])
			}
		}
	}
}

// selected adds up the gradients cell by cell, those with a label alone.
func (k *crossCorrelationTask[T]) selected(n int, s *crossCorrelationScratch) {
	y := k.labelsOf(n)
	for a := range k.hr {
		for j := range k.wr {
			if y[a*k.wr+j] == 0 {
				continue
			}
			d := k.slopes[(n*k.hr+a)*k.padded()+k.wz-1+j]
			for u := range k.hz {
				for v := range k.wz {
					at := (a+u)*k.wx + j + v
					s.dz[u*k.wz+v] += d * s.x[at]
					s.dx[at] += d * s.z[u*k.wz+v]
				}
			}
		}
	}
}
