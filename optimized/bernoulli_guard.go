package optimized

import (
	"math"

	"github.com/goldenloss/goldenloss/reference/loss"
)

// bernoulliGuard is a guard with its logarithms.
type bernoulliGuard struct {
	clip, floored, torch bool
	least                float64 // floor of a logarithm
	eps, gradEps         float64
	low, high            float64 // log eps, log(1-eps)
}

func newBernoulliGuard(g *loss.BernoulliGuard) bernoulliGuard {
	b := bernoulliGuard{clip: g.Guard == "clip", floored: g.Guard == "log_floor", least: math.Inf(-1), eps: g.ClipEps, gradEps: g.GradEps}
	if b.floored {
		b.least, b.torch = g.LogFloor, g.GradMode == "torch"
	}
	if b.clip {
		b.low, b.high = logOf(b.eps), math.Log1p(-b.eps)
	}
	return b
}

// item is the cross-entropy of a probability p with target y, and its derivative.
func (b *bernoulliGuard) item(p, y float64) (l, d float64) {
	if p != p || y != y {
		return math.NaN(), math.NaN()
	}
	q := 1 - p
	if b.clip && (p < b.eps || q < b.eps) {
		logP, logQ := b.low, b.high
		if q < b.eps {
			logP, logQ = logQ, logP
		}
		return -(y*logP + (1-y)*logQ), 0
	}
	var slopes [2]float64 // -y/p and (1-y)/(1-p)
	both := 0
	if y != 0 {
		logP := logOf(p)
		if logP >= b.least {
			slopes[0] = -y / p
			both++
		} else {
			logP = b.least
		}
		l = -y * logP
	}
	if y != 1 {
		logQ := math.Log1p(-p)
		if logQ >= b.least {
			slopes[1] = (1 - y) / q
			both++
		} else {
			logQ = b.least
		}
		l -= (1 - y) * logQ
	}
	switch {
	case b.torch:
		return l, (p - y) / max(p*q, b.gradEps)
	case both == 2:
		return l, (p - y) / (p * q)
	}
	return l, slopes[0] + slopes[1]
}
