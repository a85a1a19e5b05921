package optimized

import (
	"math"

	"github.com/goldenloss/goldenloss/reference/loss"
)

type perceptualTask[T loss.Float] struct {
	in       *loss.Perceptual[T]
	grad     *loss.Perceptual[T]
	batch    int
	w        weights[T]
	terms    []float64 // [N, L], the weighted terms
	items    []float64
	partial  []float64
	poisoned bool // the pass that spreads NaN
}

// Perceptual is the feature reconstruction loss. See loss.Perceptual.
func Perceptual[T loss.Float](out []T, grad, in *loss.Perceptual[T], dOut []T) {
	k := take[perceptualTask[T]]()
	k.in, k.grad, k.batch = in, grad, in.Batch()
	layers := len(in.Features.Features)
	k.w = newWeights(in.Reduction, dOut, float64(k.batch))
	k.terms = grown(k.terms, k.batch*layers)
	k.items = grown(k.items, k.batch)
	each(k.batch*layers, k)
	bad := false
	for n := range k.items {
		k.items[n] = pairwise(k.terms[n*layers : (n+1)*layers])
		bad = bad || k.items[n] != k.items[n]
		if in.Reduction == loss.None {
			out[n] = T(k.items[n])
		}
	}
	if bad && grad != nil {
		k.poisoned = true
		each(k.batch*layers, k)
	}
	finish(out, in.Reduction, k.items, float64(k.batch))
	*k = perceptualTask[T]{terms: k.terms, items: k.items}
	give(k)
}

// run works on one layer of one sample.
func (k *perceptualTask[T]) run(i int) {
	layers := len(k.in.Features.Features)
	n, l := i/layers, i%layers
	f := &k.in.Features.Features[l]
	size := len(f.Data) / k.batch
	x, y := f.Data[n*size:(n+1)*size], k.in.Target[l].Data[n*size:(n+1)*size]
	var g []T
	if k.grad != nil && k.grad.Features.Features[l].Data != nil {
		g = k.grad.Features.Features[l].Data[n*size : (n+1)*size]
	}
	w := 1.0
	if k.in.LayerWeights.Given() {
		w = float64(k.in.LayerWeights.Data[l])
	}
	switch {
	case k.poisoned:
		if w != 0 && k.items[n] != k.items[n] {
			for j := range g {
				g[j] = T(math.NaN())
			}
		}
		return
	case w == 0:
		clear(g)
		k.terms[i] = 0
		return
	}
	c := 0.0
	if g != nil {
		c = k.w.at(n) * w
	}
	switch k.in.Variant {
	case "lpips":
		k.terms[i] = w * k.lpips(l, f.Shape[1], x, y, g, c)
	case "l1":
		k.terms[i] = w * (absolute(x, y, g, c/float64(size)) / float64(size))
	case "content":
		k.terms[i] = w * (squares(x, y, g, c) / 2)
	default:
		k.terms[i] = w * (squares(x, y, g, 2*(c/float64(size))) / float64(size))
	}
}

// squares sums (x-y)^2 and writes c (x-y).
func squares[T loss.Float](x, y, g []T, c float64) float64 {
	var l [strip]float64
	var sum running
	for lo := 0; lo < len(x); lo += strip {
		n := min(strip, len(x)-lo)
		for j := range n {
			e := float64(x[lo+j]) - float64(y[lo+j])
			l[j] = e * e
			if g != nil {
				g[lo+j] = T(c * e)
			}
		}
		sum.add(pairwise(l[:n]))
	}
	return sum.value()
}

// absolute sums |x-y| and writes c sign(x-y).
func absolute[T loss.Float](x, y, g []T, c float64) float64 {
	var l [strip]float64
	var sum running
	for lo := 0; lo < len(x); lo += strip {
		n := min(strip, len(x)-lo)
		for j := range n {
			e := float64(x[lo+j]) - float64(y[lo+j])
			l[j] = math.Abs(e)
			if g != nil {
				switch {
				case e > 0:
					g[lo+j] = T(c)
				case e < 0:
					g[lo+j] = T(-c)
				default:
					g[lo+j] = T(e)
				}
			}
		}
		sum.add(pairwise(l[:n]))
	}
	return sum.value()
}

// lpips sums wc (u-v)^2 over positions and channels, divided by the positions.
func (k *perceptualTask[T]) lpips(l, channels int, x, y, g []T, c float64) float64 {
	var buf [strip]float64
	var sum running
	positions := len(x) / channels
	var weight []T
	if len(k.in.ChannelWeights) > 0 {
		weight = k.in.ChannelWeights[l].Data
	}
	for first := 0; first < positions; first += strip {
		n := min(strip, positions-first)
		for j := range n {
			at := first + j
			ux, vx := k.divisor(x, at, positions), k.divisor(y, at, positions)
			total, along := 0.0, 0.0
			for p, ch := at, 0; ch < channels; p, ch = p+positions, ch+1 {
				w := 1.0
				if weight != nil {
					w = float64(weight[ch])
				}
				if w == 0 {
					continue
				}
				u := float64(x[p]) / ux.by
				e := u - float64(y[p])/vx.by
				total += w * (e * e)
				along += w * e * u
			}
			buf[j] = total
			if !(ux.norm <= math.MaxFloat64) || !(vx.norm <= math.MaxFloat64) {
				buf[j] = math.NaN()
			}
			if g == nil {
				continue
			}
			scale := 2 * c / float64(positions)
			for p, ch := at, 0; ch < channels; p, ch = p+positions, ch+1 {
				w := 1.0
				if weight != nil {
					w = float64(weight[ch])
				}
				d := 0.0
				if w != 0 {
					d = w * (float64(x[p])/ux.by - float64(y[p])/vx.by)
				}
				if ux.norm > 0 {
					d -= float64(x[p]) / ux.slope * along
				}
				g[p] = T(scale * (d / ux.by))
			}
		}
		sum.add(pairwise(buf[:n]))
	}
	return sum.value() / float64(positions)
}

// divided says what a channel vector is divided by: its norm, the divisor, and what the derivative of the divisor divides x by.
type divided struct{ norm, by, slope float64 }

func (k *perceptualTask[T]) divisor(x []T, at, stride int) divided {
	top := 0.0
	for p := at; p < len(x); p += stride {
		v := math.Abs(float64(x[p]))
		if v > top || v != v {
			top = v
		}
		if top != top {
			break
		}
	}
	s := 0.0
	unit := 1.0
	if top > 0x1p500 || top < 0x1p-500 && top > 0 { // squares leave the range
		_, e := math.Frexp(top)
		unit = math.Ldexp(1, -min(e, 1000))
	}
	for p := at; p < len(x); p += stride {
		v := float64(x[p]) * unit
		s += v * v
	}
	norm := math.Sqrt(s) / unit
	if top != top || math.IsInf(top, 0) {
		norm = top
	}
	if k.in.EpsMode == "inside" {
		by := math.Sqrt(s+k.in.Eps*unit*unit) / unit
		return divided{norm, by, by}
	}
	return divided{norm, norm + k.in.Eps, norm}
}
