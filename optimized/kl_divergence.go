package optimized

import (
	"math"

	"github.com/goldenloss/goldenloss/reference/loss"
)

// KLDivergence is the Kullback-Leibler divergence. See loss.KLDivergence.
func KLDivergence[T loss.Float](out []T, grad, in *loss.KLDivergence[T], dOut []T) {
	k := take[spreadTask[T]]()
	kernel := divergence
	if in.LogTarget {
		kernel = logDivergence
	}
	k.start(kernel, in.LogQ, in.Target, out, in.Reduction, dOut, in.Denominator())
	if grad != nil {
		k.g, k.gy = grad.LogQ.Data, grad.Target.Data
	}
	k.finish(out, in.Reduction, 6)
}

// divergenceItems fills l with p (log p - x), and logs with log p. rest is scratch.
func divergenceItems[T loss.Float](l []float64, x, p []T, logs, rest []float64) {
	x, p, logs, rest = x[:len(l)], p[:len(l)], logs[:len(l)], rest[:len(l)]
	for j := range l {
		logs[j] = float64(p[j])
		rest[j] = logs[j] - 1
	}
	logsNear[T](logs, logs, rest)
	for j := range l {
		x, p := float64(x[j]), float64(p[j])
		switch {
		case p == 0:
			l[j] = 0
			if x != x {
				l[j] = x
			}
		case p > math.MaxFloat64:
			logs[j] = p
			fallthrough
		default:
			l[j] = p * (logs[j] - x)
		}
	}
}

// divergenceSlopes fills d with -p, and with NaN where the item is NaN.
func divergenceSlopes[T loss.Float](d []float64, x, p []T) {
	x, p = x[:len(d)], p[:len(d)]
	for j := range d {
		x, p := float64(x[j]), float64(p[j])
		d[j] = -p
		if x != x || x > math.MaxFloat64 && p > math.MaxFloat64 {
			d[j] = math.NaN()
		}
	}
}

// targetSlopes fills d with log p + 1 - x, given the logarithms.
func targetSlopes[T loss.Float](d []float64, x, p []T, logs []float64) {
	x, logs = x[:len(d)], logs[:len(d)]
	for j := range d {
		d[j] = (logs[j] - float64(x[j])) + 1
	}
}

// masses fills e with exp(t).
func masses[T loss.Float](e []float64, t []T) {
	t = t[:len(e)]
	for j := range e {
		v := float64(t[j])
		switch {
		case v <= 0:
			e[j] = expNeg[T](v) * expScale
		case v > 700 && v < 710: // math.Exp overflows too early
			e[j] = math.Exp(v / 2)
			e[j] *= e[j]
		default:
			e[j] = math.Exp(v)
		}
	}
}

// logDivergenceItems fills l with exp(t) (t - x), given the exponentials.
func logDivergenceItems[T loss.Float](l []float64, x, t []T, e []float64) {
	x, t, e = x[:len(l)], t[:len(l)], e[:len(l)]
	for j := range l {
		x, t := float64(x[j]), float64(t[j])
		l[j] = e[j] * (t - x)
		if (t-x)*0 != 0 {
			l[j] = logDivergenceLimit(x, t)
		}
	}
}

// logDivergenceLimit is the item where a logarithm is infinite or NaN.
func logDivergenceLimit(x, t float64) float64 {
	switch {
	case x != x || t != t:
		return math.NaN()
	case t < -math.MaxFloat64:
		return 0
	}
	return t - x
}

// logDivergenceSlopes fills d with -exp(t), and with NaN where the item is NaN.
func logDivergenceSlopes[T loss.Float](d []float64, x, t []T, e []float64) {
	x, t, e = x[:len(d)], t[:len(d)], e[:len(d)]
	for j := range d {
		x, t := float64(x[j]), float64(t[j])
		d[j] = -e[j]
		if (t-x)*0 != 0 && logDivergenceLimit(x, t) != logDivergenceLimit(x, t) {
			d[j] = math.NaN()
		}
	}
}

// logTargetSlopes fills d with exp(t) (t - x + 1), given the exponentials.
func logTargetSlopes[T loss.Float](d []float64, x, t []T, e []float64) {
	x, t, e = x[:len(d)], t[:len(d)], e[:len(d)]
	for j := range d {
		x, t := float64(x[j]), float64(t[j])
		d[j] = e[j] * ((t - x) + 1)
		if (t-x)*0 != 0 {
			d[j] = logDivergenceLimit(x, t)
		}
	}
}
