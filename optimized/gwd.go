package optimized

import (
	"math"

	"github.com/goldenloss/goldenloss/reference/loss"
)

type gwdTask[T loss.Float] struct {
	pred, target, out, g                 []T
	columns, format                      int
	alpha2, tau, floor, leastScale       float64
	rooted, normalize, root, log, turned bool
	w                                    weights[T]
	partial                              []float64
}

// gwdStrip holds a strip of pairs: y becomes the items, slope their derivatives with respect to the squared distance and rate those with
// respect to the logarithm of the scale. d has the derivatives of the squared distance with respect to center, sides and angle.
type gwdStrip struct {
	y, slope, rate, scale [strip]float64
	sin, cos              [strip]float64
	d                     [strip][5]float64
	size                  [strip][2]float64
}

// GWD is the Gaussian Wasserstein distance loss. See loss.GWD.
func GWD[T loss.Float](out []T, grad, in *loss.GWD[T], dOut []T) {
	k := take[gwdTask[T]]()
	n := in.Pred.Shape[0]
	k.pred, k.target, k.columns = in.Pred.Data, in.Target.Data, 4
	switch in.Format {
	case "cxcywhr":
		k.columns, k.turned, k.format = 5, true, centers
	case "cxcywh":
		k.format = centers
	case "xywh":
		k.format = topLeft
	}
	k.alpha2, k.tau, k.floor, k.leastScale = in.Alpha*in.Alpha, in.Tau, in.D2Floor, in.ScaleFloor
	k.rooted, k.normalize, k.root, k.log = in.Variant == "mmrotate", in.Normalize, in.Fun == "sqrt", in.Fun == "log1p"
	k.w = newWeights(in.Reduction, dOut, float64(n))
	if in.Reduction == loss.None {
		k.out = out
	}
	if grad != nil {
		k.g = grad.Pred.Data
	}
	chunks := ceilDiv(n, boxChunk)
	k.partial = grown(k.partial, chunks)
	each(chunks, 60*boxChunk, k)
	finish(out, in.Reduction, k.partial, float64(n))
	*k = gwdTask[T]{partial: k.partial}
	give(k)
}

func (k *gwdTask[T]) run(i int) {
	s := take[gwdStrip]()
	c := k.columns
	var sum running
	for lo, hi := i*boxChunk, min((i+1)*boxChunk, len(k.pred)/c); lo < hi; lo += strip {
		n := min(strip, hi-lo)
		p, t := k.pred[c*lo:c*(lo+n)], k.target[c*lo:c*(lo+n)]
		if k.turned {
			k.turnedDistances(s, p, t)
		} else {
			k.distances(s, p, t)
		}
		k.shrink(s, n)
		for j, v := range p { // infinity and NaN
			if v = (v - v) + (t[j] - t[j]); v != v {
				s.y[j/c], s.slope[j/c] = float64(v), float64(v)
			}
		}
		if k.out != nil {
			store(k.out[lo:], s.y[:n])
		} else {
			sum.add(lanes(s.y[:n]))
		}
		if k.g != nil {
			k.pull(s, lo, n)
		}
	}
	k.partial[i] = sum.value()
	give(s)
}

// distances is |mu_p - mu_t|^2 + alpha^2 ((a-c)^2 + (b-d)^2) for boxes along the axes, with half sides.
func (k *gwdTask[T]) distances(s *gwdStrip, p, t []T) {
	for j := range len(p) / 4 {
		v, u := p[4*j:][:4], t[4*j:][:4]
		x, y, w, h := float64(v[0]), float64(v[1]), float64(v[2]), float64(v[3])
		dx, dy, dw, dh := x-float64(u[0]), y-float64(u[1]), w-float64(u[2]), h-float64(u[3])
		W, H := float64(u[2]), float64(u[3])
		switch k.format {
		case corners:
			dx, dy, dw, dh = (dx+dw)/2, (dy+dh)/2, dw-dx, dh-dy
			w, h, W, H = w-x, h-y, W-float64(u[0]), H-float64(u[1])
		case topLeft:
			dx, dy = dx+dw/2, dy+dh/2
		}
		a := k.alpha2 / 2
		s.y[j] = dx*dx + dy*dy + a/2*(dw*dw+dh*dh)
		s.d[j] = [5]float64{2 * dx, 2 * dy, a * dw, a * dh, 0}
		s.measure(j, w, h, W, H, k.normalize)
	}
}

func (s *gwdStrip) measure(j int, w, h, W, H float64, wanted bool) {
	s.size[j] = [2]float64{w, h}
	if wanted {
		s.scale[j] = math.Sqrt(math.Sqrt(w*h) * math.Sqrt(W*H))
	}
}

// turnedDistances has the difference of the shapes of turned boxes. A box whose sides are swapped and which is turned by a quarter is the
// same box: swapping those of the target makes (a^2-b^2)(c^2-d^2) positive, so that nothing cancels.
func (k *gwdTask[T]) turnedDistances(s *gwdStrip, p, t []T) {
	for j := range len(p) / 5 {
		s.sin[j], s.cos[j] = turn(float64(p[5*j+4]) - float64(t[5*j+4]))
	}
	for j := range len(p) / 5 {
		v, u := p[5*j:][:5], t[5*j:][:5]
		dx, dy := float64(v[0])-float64(u[0]), float64(v[1])-float64(u[1])
		w, h, W, H := float64(v[2]), float64(v[3]), float64(u[2]), float64(u[3])
		a, b, c, d := w/2, h/2, W/2, H/2
		sin, cos := s.sin[j], s.cos[j]
		si, co := sin*sin, cos*cos
		q := (a - b) * (a + b) * (c - d) * (c + d)
		swap := negative(q)
		c, d = swapped(c, d, swap)
		co, si = swapped(co, si, swap)
		along, across := a*c+b*d, a*d+b*c
		r := math.Sqrt(along*along*co + across*across*si)
		shape := (a-c)*(a-c) + (b-d)*(b-d) + 2*math.Abs(q)*si*inverse(along+r)
		s.y[j] = dx*dx + dy*dy + k.alpha2*shape
		r = inverse(r)
		co, si = along*co*r, across*si*r
		s.d[j] = [5]float64{2 * dx, 2 * dy, k.alpha2 * (a - (co*c + si*d)), k.alpha2 * (b - (co*d + si*c)), k.alpha2 * (q * 2 * sin * cos * r)}
		s.measure(j, w, h, W, H, k.normalize)
	}
}

const (
	piHigh = 0x1.921fb544p1 // pi to 34 bits, with piMid to 67
	piMid  = 0x1.0b4611a6p-33
	piLow  = 0x1.3198a2e037073p-68
)

// turn returns the sine and the cosine of an angle, or both with the other sign. They are made of those of half of the angle, which is at
// most a quarter of pi.
func turn(x float64) (sin, cos float64) {
	if !(math.Abs(x) < 1<<18) {
		return math.Sincos(x)
	}
	k := x*(1/math.Pi) + round - round
	h := ((x - k*piHigh) - k*piMid - k*piLow) / 2
	h2 := h * h
	s := h - h*h2*(1./6-h2*(1./120-h2*(1./5040-h2*(1./362880-h2*(1./39916800-h2*(1./6227020800-h2*(1./1307674368000)))))))
	c := 1 - h2*(1./2-h2*(1./24-h2*(1./720-h2*(1./40320-h2*(1./3628800-h2*(1./479001600-h2*(1./87178291200-h2*(1./20922789888000))))))))
	return 2 * s * c, (c - s) * (c + s)
}

// shrink makes losses of squared distances.
func (k *gwdTask[T]) shrink(s *gwdStrip, n int) {
	y, slope, rate := s.y[:n], s.slope[:n], s.rate[:n]
	for j := range slope {
		slope[j], rate[j] = 1, 0
	}
	atLeast(y, slope, rate, k.floor)
	if k.rooted {
		roots(y, slope, rate)
		if k.normalize {
			for j := range y {
				scale := s.scale[j]
				own := 1.0
				if scale < k.leastScale {
					scale, own = k.leastScale, 0
				}
				r := 1 / scale
				y[j] *= r
				slope[j] *= r
				rate[j] = -y[j] * own
			}
		}
		if k.root {
			atLeast(y, slope, rate, k.floor)
		}
	}
	switch {
	case k.root:
		roots(y, slope, rate)
	case k.log:
		for j := range y {
			r := 1 / (1 + y[j])
			y[j] = log1p[T](y[j])
			slope[j] *= r
			rate[j] *= r
		}
	}
	if k.tau > 0 {
		for j := range y {
			r := 1 / (k.tau + y[j])
			y[j] = (k.tau - 1 + y[j]) * r
			slope[j] *= r * r
			rate[j] *= r * r
		}
	}
}

// atLeast clamps y from below.
func atLeast(y, slope, rate []float64, floor float64) {
	if floor == 0 {
		return
	}
	slope, rate = slope[:len(y)], rate[:len(y)]
	for j := range y {
		if y[j] < floor {
			y[j], slope[j], rate[j] = floor, 0, 0
		}
	}
}

// roots takes square roots, without slope at 0.
func roots(y, slope, rate []float64) {
	slope, rate = slope[:len(y)], rate[:len(y)]
	for j := range y {
		v := math.Sqrt(y[j])
		r := inverse(v) / 2
		y[j] = v
		slope[j] *= r
		rate[j] *= r
	}
}

// pull writes the gradient in the format of the boxes.
func (k *gwdTask[T]) pull(s *gwdStrip, lo, n int) {
	c := k.columns
	for j := range n {
		weight := k.w.at(lo + j)
		slope := weight * s.slope[j]
		d := &s.d[j]
		x, y, w, h := slope*d[0], slope*d[1], slope*d[2], slope*d[3]
		if k.normalize {
			rate := weight * s.rate[j] / 4
			w += rate * inverse(s.size[j][0])
			h += rate * inverse(s.size[j][1])
		}
		g := k.g[c*(lo+j):][:c]
		switch k.format {
		case corners:
			g[0], g[1], g[2], g[3] = T(x/2-w), T(y/2-h), T(x/2+w), T(y/2+h)
		case topLeft:
			g[0], g[1], g[2], g[3] = T(x), T(y), T(w+x/2), T(h+y/2)
		default:
			g[0], g[1], g[2], g[3] = T(x), T(y), T(w), T(h)
		}
		if k.turned {
			g[4] = T(slope * d[4])
		}
	}
}
