package optimized

import (
	"math"

	"github.com/goldenloss/goldenloss/reference/loss"
)

// guard is how a cross-entropy of probabilities keeps its logarithms finite, and what its gradient is.
type guard struct {
	clip             bool
	eps              float64 // of the clamp
	floor            float64 // of a logarithm
	least, leastLow  float64 // probabilities of this logarithm, and minus 1
	torch            bool
	slopeEps         float64
	near, everything bool // the floor is near 0, below every logarithm
}

func newGuard(g *loss.BernoulliGuard) guard {
	if g.Guard == "log_floor" {
		return guard{floor: g.LogFloor, least: math.Exp(g.LogFloor), leastLow: math.Expm1(g.LogFloor), near: g.LogFloor > -0.5,
			torch: g.GradMode == "torch", slopeEps: g.GradEps}
	}
	return guard{clip: g.Guard == "clip", eps: g.ClipEps, floor: math.Inf(-1), everything: true}
}

// BinaryCrossEntropy is the binary cross-entropy of probabilities. See loss.BinaryCrossEntropy.
func BinaryCrossEntropy[T loss.Float](out []T, grad, in *loss.BinaryCrossEntropy[T], dOut []T) {
	k := take[spreadTask[T]]()
	k.start(fromProb, in.Prob, in.Target, out, in.Reduction, dOut, len(in.Prob.Data))
	k.weight.reset(in.Weight, in.Prob.Shape)
	k.guard = newGuard(&in.BernoulliGuard)
	if grad != nil {
		k.g = grad.Prob.Data
	}
	k.finish(out, in.Reduction, 8)
}

// above reports whether log a is not below the floor, given f = a-1.
func (g *guard) above(a, f float64) bool {
	switch {
	case g.everything:
		return true
	case g.near:
		return f >= g.leastLow
	}
	return a >= g.least && a > 0
}

// pair returns p and 1-p, clamped if asked for, and whether the gradient passes.
func (g *guard) pair(p float64) (hit, miss float64, passes bool) {
	q := 1 - p
	switch {
	case !g.clip:
		return p, q, true
	case p < g.eps:
		return g.eps, 1 - g.eps, false
	case q < g.eps:
		return 1 - g.eps, g.eps, false
	}
	return p, q, true
}

// bernoulliItems fills l with -(y log p + (1-y) log(1-p)). a and f are scratch. Where all targets of a strip are 0 or 1 one
// logarithm an element suffices.
func bernoulliItems[T loss.Float](l []float64, p, y []T, a, f []float64, g *guard) {
	n := len(l)
	p, y, a, f = p[:n], y[:n], a[:n], f[:n]
	hard := true
	for j := range l {
		y := float64(y[j])
		hit, miss, _ := g.pair(float64(p[j]))
		a[j], f[j] = y*hit+(1-y)*miss, -(y*miss + (1-y)*hit)
		hard = hard && (y == 0 || y == 1)
	}
	floor := g.floor
	if hard {
		logsNear[T](l, a, f)
		for j, v := range l {
			l[j] = -max(v, floor)
		}
		return
	}
	for j := range l {
		hit, miss, _ := g.pair(float64(p[j]))
		a[j], f[j] = hit, -miss
	}
	logsNear[T](l, a, f)
	for j := range l {
		a[j], f[j] = -f[j], -a[j]
	}
	logsNear[T](a, a, f)
	for j, v := range l {
		y := float64(y[j])
		switch {
		case y == 1:
			l[j] = -max(v, floor)
		case y == 0:
			l[j] = -max(a[j], floor)
		default:
			l[j] = y*-max(v, floor) + (1-y)*-max(a[j], floor)
		}
	}
}

// bernoulliSlopes fills d with the derivatives. A NaN target does not reach a gradient of 0 by arithmetic.
func bernoulliSlopes[T loss.Float](d []float64, p, y []T, g *guard) {
	p, y = p[:len(d)], y[:len(d)]
	if g.torch {
		eps := g.slopeEps
		for j := range d {
			p, y := float64(p[j]), float64(y[j])
			d[j] = (p - y) / max(p*(1-p), eps)
		}
		return
	}
	for j := range d {
		y := float64(y[j])
		hit, miss, passes := g.pair(float64(p[j]))
		switch {
		case y != y || hit != hit:
			d[j] = math.NaN()
		case !passes:
			d[j] = 0
		case y == 0 || y == 1:
			a, f := y*hit+(1-y)*miss, -(y*miss + (1-y)*hit)
			d[j] = 0
			if g.above(a, f) {
				d[j] = (1 - 2*y) / a
			}
		default:
			switch high, low := g.above(hit, -miss), g.above(miss, -hit); {
			case high && low:
				d[j] = (hit - y) / (hit * miss)
			case high:
				d[j] = -y / hit
			case low:
				d[j] = (1 - y) / miss
			default:
				d[j] = 0
			}
		}
	}
}

const sqrtHalf = 0x3fe6a09e667f3bcd // bits of sqrt(1/2)

// logsNear fills l with log(a), given f = a-1, which may have more digits where a is near 1. With a = 2^n (1+r), r within
// [sqrt(1/2)-1, sqrt(2)-1), and s = r/(2+r), log(1+r) = 2 atanh(s) = r - s (r - 2 s^2 (1/3 + s^2/5 + ...)). l may be a.
func logsNear[T loss.Float](l, a, f []float64) {
	a, f = a[:len(l)], f[:len(l)]
	for j := range l {
		x, r := a[j], f[j]
		if !(x >= 0x1p-1022) {
			l[j] = logOf(x)
			continue
		}
		b := math.Float64bits(x)
		n := int64(b-sqrtHalf) >> 52
		if n != 0 {
			r = math.Float64frombits(b-uint64(n)<<52) - 1
		}
		s := r / (2 + r)
		z := s * s
		var tail float64
		if single[T]() {
			tail = z * (2./3 + z*(2./5+z*(2./7+z*(2./9))))
		} else {
			tail = z * (2./3 + z*(2./5+z*(2./7+z*(2./9+z*(2./11+z*(2./13+z*(2./15+z*(2./17+z*(2./19)))))))))
		}
		l[j] = float64(n)*ln2 + (r - s*(r-tail) + float64(n)*ln2Low)
	}
}
