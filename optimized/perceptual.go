package optimized

import (
	"math"

	"github.com/goldenloss/goldenloss/reference/loss"
)

// Perceptual is the feature reconstruction loss. See loss.Perceptual.
func Perceptual[T loss.Float](out []T, grad, in *loss.Perceptual[T], dOut []T) {
	k := take[featureTask[T]]()
	k.absolute, k.halved, k.angular = in.Variant == "l1", in.Variant == "content", in.Variant == "lpips"
	k.eps, k.inside, k.scale = in.Eps, in.EpsMode == "inside", 1
	var g *loss.Features[T]
	if grad != nil {
		g = &grad.Features
	}
	k.compute(out, g, &in.Features, in.ChannelWeights, in.Reduction, dOut)
}

// lpips sums wc (u-v)^2 over the channels at positions at to end of sample n, and writes their gradient.
func (k *featureTask[T]) lpips(l *layer[T], n, at, end int, c float64) float64 {
	var xx, yy, total, along [strip]float64
	var sum running
	positions := l.size / l.channels
	x, y, g := l.x[n*l.size:][:l.size], l.y[n*l.size:][:l.size], cut(l.g, n*l.size, (n+1)*l.size)
	scale := 2 * c / float64(positions)
	eps, inside := k.eps, k.inside
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
func (k *featureTask[T]) position(l *layer[T], x, y, g []T, at int, scale float64) float64 {
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

func (k *featureTask[T]) divided(x []T, at, stride int) divided {
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
	if k.inside {
		by := math.Hypot(norm, math.Sqrt(k.eps))
		return divided{norm, by, by}
	}
	return divided{norm, norm + k.eps, norm}
}
