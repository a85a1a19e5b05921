package optimized

import (
	"math"

	"github.com/goldenloss/goldenloss/reference/loss"
)

// guard is how a cross-entropy of probabilities keeps its logarithms finite, and what its gradient is.
type guard struct {
	eps           float64 // of the clamp, 0 without
	floor         float64 // of a logarithm, -Inf without
	least, minus1 float64 // the smallest probability that the floor leaves alone, and that minus 1; one of them is no bound
	torch         bool
	slopeEps      float64
}

func newGuard(b *loss.BernoulliGuard) guard {
	g := guard{floor: math.Inf(-1), minus1: math.Inf(-1)}
	switch b.Guard {
	case "clip":
		g.eps = b.ClipEps
	case "log_floor":
		g.floor, g.torch, g.slopeEps = b.LogFloor, b.GradMode == "torch", b.GradEps
		if g.floor > -0.5 {
			g.minus1 = math.Expm1(g.floor)
		} else {
			g.least = max(math.Exp(g.floor), math.SmallestNonzeroFloat64)
		}
	}
	return g
}

// above reports whether log a is not below the floor, given f = a-1.
func (g *guard) above(a, f float64) bool { return a >= g.least && f >= g.minus1 }

// clamped returns p and 1-p within [eps, 1-eps], and whether the gradient passes.
func clamped(p, eps float64) (hit, miss float64, passes bool) {
	q := 1 - p
	switch {
	case p < eps:
		return eps, 1 - eps, false
	case q < eps:
		return 1 - eps, eps, false
	}
	return p, q, true
}

// bernoulliItems fills l with -(y log p + (1-y) log(1-p)). a and f are scratch. Where all targets of a strip are 0 or 1 one
// logarithm an element suffices.
func bernoulliItems[T loss.Float](l []float64, p, y []T, a, f []float64, g *guard) {
	n := len(l)
	p, y, a, f = p[:n], y[:n], a[:n], f[:n]
	hard, eps := true, g.eps
	for j := range l {
		y := float64(y[j])
		hit, miss, _ := clamped(float64(p[j]), eps)
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
		hit, miss, _ := clamped(float64(p[j]), eps)
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
	eps := g.eps
	for j := range d {
		y := float64(y[j])
		hit, miss, passes := clamped(float64(p[j]), eps)
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
