package optimized

import (
	"math"

	"github.com/goldenloss/goldenloss/reference/loss"
)

// perceptualChunk is the number of elements of a chunk.
const perceptualChunk = 16384

// layer is the work on one layer: every sample is cut into chunks.
type layer[T loss.Float] struct {
	x, y, g, channelWeight []T
	weight                 float64
	size, channels         int // of a sample
	length                 int // of a chunk: elements, or positions for lpips
	perSample, first       int // chunks of a sample, chunks of the layers before
}

type perceptualTask[T loss.Float] struct {
	in       *loss.Perceptual[T]
	layers   []layer[T]
	w        weights[T]
	partial  []float64 // per chunk
	terms    []float64 // per layer
	items    []float64 // per sample
	poisoned bool      // the pass that spreads NaN
}

// Perceptual is the feature reconstruction loss. See loss.Perceptual.
func Perceptual[T loss.Float](out []T, grad, in *loss.Perceptual[T], dOut []T) {
	k := take[perceptualTask[T]]()
	k.in = in
	n, lpips := in.Batch(), in.Variant == "lpips"
	k.layers = grown(k.layers, len(in.Features.Features))
	chunks := 0
	for l := range k.layers {
		f := &in.Features.Features[l]
		p := layer[T]{x: f.Data, y: in.Target[l].Data, weight: 1, size: len(f.Data) / n, channels: 1, first: chunks}
		if in.LayerWeights.Given() {
			p.weight = float64(in.LayerWeights.Data[l])
		}
		if grad != nil {
			p.g = grad.Features.Features[l].Data
		}
		if len(in.ChannelWeights) > 0 {
			p.channelWeight = in.ChannelWeights[l].Data
		}
		if lpips {
			p.channels = f.Shape[1]
		}
		p.length = max(strip, perceptualChunk/p.channels/strip*strip)
		p.perSample = ceilDiv(p.size/p.channels, p.length)
		chunks += n * p.perSample
		k.layers[l] = p
	}
	k.w = newWeights(in.Reduction, dOut, float64(n))
	k.partial = grown(k.partial, chunks)
	cost := perceptualChunk
	if lpips {
		cost *= 4
	}
	each(chunks, cost, k)
	k.items, k.terms = grown(k.items, n), grown(k.terms, len(k.layers))
	bad := false
	for i := range k.items {
		for l := range k.layers {
			k.terms[l] = k.term(&k.layers[l], i)
		}
		k.items[i] = pairwise(k.terms)
		bad = bad || k.items[i] != k.items[i]
	}
	if in.Reduction == loss.None {
		store(out, k.items)
	}
	finish(out, in.Reduction, k.items, float64(n))
	if bad && grad != nil {
		k.poisoned = true
		each(chunks, cost, k)
	}
	clear(k.layers)
	*k = perceptualTask[T]{layers: k.layers, partial: k.partial, terms: k.terms, items: k.items}
	give(k)
}

// term is what a layer adds to item i.
func (k *perceptualTask[T]) term(l *layer[T], i int) float64 {
	if l.weight == 0 {
		return 0
	}
	s := pairwise(k.partial[l.first+i*l.perSample:][:l.perSample])
	if k.in.Variant == "content" {
		return l.weight * (s / 2)
	}
	return l.weight * (s / float64(l.size/l.channels))
}

func (k *perceptualTask[T]) run(i int) {
	l := &k.layers[0]
	for j := range k.layers {
		if k.layers[j].first <= i {
			l = &k.layers[j]
		}
	}
	n, at := (i-l.first)/l.perSample, (i-l.first)%l.perSample*l.length
	end := min(at+l.length, l.size/l.channels)
	c := 0.0
	if l.g != nil && !k.poisoned {
		c = k.w.at(n) * l.weight
	}
	switch {
	case k.poisoned && (l.weight == 0 || l.g == nil || k.items[n] == k.items[n]):
		// nothing to spread
	case k.poisoned:
		for ch := range l.channels {
			fill(l.g[n*l.size+ch*(l.size/l.channels):][at:end], T(math.NaN()))
		}
	case l.weight == 0:
		k.partial[i] = 0
		for ch := range l.channels {
			clear(cut(l.g, n*l.size+ch*(l.size/l.channels)+at, n*l.size+ch*(l.size/l.channels)+end))
		}
	case k.in.Variant == "lpips":
		k.partial[i] = k.lpips(l, n, at, end, c)
	default:
		at, end = n*l.size+at, n*l.size+end
		k.partial[i] = k.differences(l.x[at:end], l.y[at:end], cut(l.g, at, end), c, float64(l.size))
	}
}

// differences sums (x-y)^2 or |x-y| and writes the gradient for the cotangent c of the layer, whose samples have size elements.
func (k *perceptualTask[T]) differences(x, y, g []T, c, size float64) float64 {
	var buf [strip]float64
	var sum running
	absolute := k.in.Variant == "l1"
	switch k.in.Variant {
	case "l1":
		c /= size
	case "johnson":
		c = 2 * (c / size)
	}
	for lo := 0; lo < len(x); lo += strip {
		n := min(strip, len(x)-lo)
		x, y, e := x[lo:][:n], y[lo:][:n], buf[:n]
		for j := range e {
			e[j] = float64(x[j]) - float64(y[j])
		}
		sum.add(norm(e, absolute))
		if g == nil {
			continue
		}
		g := g[lo:][:n]
		for j, e := range e {
			if absolute {
				e = sign(e)
			}
			g[j] = T(c * e)
		}
	}
	return sum.value()
}

// norm sums the squares or the absolute values of e.
func norm(e []float64, absolute bool) float64 {
	var a, b float64
	if absolute {
		for ; len(e) >= 2; e = e[2:] {
			a += math.Abs(e[0])
			b += math.Abs(e[1])
		}
		for _, v := range e {
			a += math.Abs(v)
		}
		return a + b
	}
	for ; len(e) >= 2; e = e[2:] {
		a += e[0] * e[0]
		b += e[1] * e[1]
	}
	for _, v := range e {
		a += v * v
	}
	return a + b
}

// lpips sums wc (u-v)^2 over the channels at positions at to end of sample n, and writes their gradient.
func (k *perceptualTask[T]) lpips(l *layer[T], n, at, end int, c float64) float64 {
	var xx, yy, total, along [strip]float64
	var sum running
	positions := l.size / l.channels
	x, y, g := l.x[n*l.size:][:l.size], l.y[n*l.size:][:l.size], cut(l.g, n*l.size, (n+1)*l.size)
	scale := 2 * c / float64(positions)
	eps, inside := k.in.Eps, k.in.EpsMode == "inside"
	for ; at < end; at += strip {
		m := min(strip, end-at)
		clear(xx[:])
		clear(yy[:])
		clear(total[:])
		clear(along[:])
		for p := at; p < l.size; p += positions {
			y := y[p:][:m]
			for j, v := range x[p:][:m] {
				x, y := float64(v), float64(y[j])
				xx[j] += x * x
				yy[j] += y * y
			}
		}
		var odd [strip]bool // squares leave the range, or an infinity or NaN
		var ux, uy, a, b [strip]float64
		for j := range m {
			ux[j], uy[j] = 1/divisor(xx[j], eps, inside), 1/divisor(yy[j], eps, inside)
			odd[j] = !(xx[j] >= 0x1p-900 && xx[j] <= 0x1p900 && yy[j] >= 0x1p-900 && yy[j] <= 0x1p900 &&
				ux[j] >= 0x1p-1000 && uy[j] >= 0x1p-1000)
		}
		for p, ch := at, 0; p < l.size; p, ch = p+positions, ch+1 {
			w := l.channel(ch)
			if w == 0 {
				continue
			}
			y := y[p:][:m]
			for j, v := range x[p:][:m] {
				u := float64(v) * ux[j]
				e := u - float64(y[j])*uy[j]
				we := w * e
				total[j] += we * e
				along[j] += we * u
			}
		}
		if g != nil {
			// d/dx_c = scale (w_c (u_c - v_c) - along/norm' x_c)/divisor
			for j := range m {
				a[j] = scale * ux[j]
				b[j] = a[j] * (along[j] / math.Sqrt(xx[j]))
				if inside {
					b[j] = a[j] * (along[j] * ux[j])
				}
			}
			for p, ch := at, 0; p < l.size; p, ch = p+positions, ch+1 {
				w := l.channel(ch)
				y, g := y[p:][:m], g[p:][:m]
				for j, v := range x[p:][:m] {
					x := float64(v)
					g[j] = T(a[j]*(w*(x*ux[j]-float64(y[j])*uy[j])) - b[j]*x)
				}
			}
		}
		for j := range m {
			if odd[j] {
				total[j] = k.position(l, x, y, g, at+j, scale)
			}
		}
		sum.add(lanes(total[:m]))
	}
	return sum.value()
}

// channel is the weight of a channel.
func (l *layer[T]) channel(c int) float64 {
	if l.channelWeight == nil {
		return 1
	}
	return float64(l.channelWeight[c])
}

// divisor is what a vector of that squared norm is divided by.
func divisor(square, eps float64, inside bool) float64 {
	if inside {
		return math.Sqrt(square + eps)
	}
	return math.Sqrt(square) + eps
}

// position is lpips at one position, for numbers of any size. The norm is taken of numbers divided by a power of two.
func (k *perceptualTask[T]) position(l *layer[T], x, y, g []T, at int, scale float64) float64 {
	stride := l.size / l.channels
	ux, vx := k.divided(x, at, stride), k.divided(y, at, stride)
	total, along := 0.0, 0.0
	for p, ch := at, 0; p < len(x); p, ch = p+stride, ch+1 {
		if w := l.channel(ch); w != 0 {
			u := float64(x[p]) / ux.by
			e := u - float64(y[p])/vx.by
			total += w * (e * e)
			along += w * e * u
		}
	}
	if !(ux.norm <= math.MaxFloat64) || !(vx.norm <= math.MaxFloat64) {
		total = math.NaN()
	}
	if g == nil {
		return total
	}
	for p, ch := at, 0; p < len(x); p, ch = p+stride, ch+1 {
		d := 0.0
		if w := l.channel(ch); w != 0 {
			d = w * (float64(x[p])/ux.by - float64(y[p])/vx.by)
		}
		if ux.norm > 0 {
			d -= float64(x[p]) / ux.slope * along
		}
		g[p] = T(scale * (d / ux.by))
	}
	return total
}

// divided says what a channel vector is divided by: its norm, the divisor, and what the derivative of the divisor divides x by.
type divided struct{ norm, by, slope float64 }

func (k *perceptualTask[T]) divided(x []T, at, stride int) divided {
	top := 0.0
	for p := at; p < len(x); p += stride {
		top = max(top, math.Abs(float64(x[p])))
	}
	if !(top <= math.MaxFloat64) {
		return divided{top, top, top}
	}
	unit := 1.0
	if top > 0x1p500 || top < 0x1p-400 && top > 0 { // squares leave the range
		_, e := math.Frexp(top)
		unit = math.Ldexp(1, -max(e, -1000))
	}
	s := 0.0
	for p := at; p < len(x); p += stride {
		v := float64(x[p]) * unit
		s += v * v
	}
	norm := math.Sqrt(s) / unit
	if k.in.EpsMode == "inside" {
		by := math.Hypot(norm, math.Sqrt(k.in.Eps))
		return divided{norm, by, by}
	}
	return divided{norm, norm + k.in.Eps, norm}
}
