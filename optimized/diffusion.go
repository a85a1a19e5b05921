package optimized

import (
	"math"

	"github.com/goldenloss/goldenloss/reference/loss"
)

type diffusionTask[T loss.Float] struct {
	samples
	in              *loss.Diffusion[T]
	bound, simple   bool // parts of the loss
	attached        bool // the bound has a gradient to mean_out
	gm, gv          []T
	w               weights[T]
	factor          float64   // of the bound
	abar, om        []float64 // per step
	broken          int       // first step whose beta is NaN
	squares, bounds []float64 // per chunk
	items           []float64
	bad             bool // the pass that spreads NaN
}

// Diffusion is the objective of a diffusion model. See loss.Diffusion.
func Diffusion[T loss.Float](out []T, grad, in *loss.Diffusion[T], dOut []T) {
	k := take[diffusionTask[T]]()
	k.in = in
	n := in.MeanOut.Shape[0]
	k.samples = newSamples(n, len(in.MeanOut.Data)/n)
	k.w = newWeights(in.Reduction, dOut, float64(n))
	k.bound, k.simple = in.Bound(), in.LossType != "vlb"
	k.attached = k.bound && (in.LossType == "vlb" || !in.DetachMean)
	k.factor = 1
	switch steps := float64(len(in.Betas.Data)); {
	case in.LossType == "hybrid":
		k.factor = in.LambdaVLB * steps
	case in.Rescale:
		k.factor = steps
	}
	if in.Units == "bits" {
		k.factor *= math.Log2E
	}
	if grad != nil {
		k.gm, k.gv = grad.MeanOut.Data, grad.VarOut.Data
	}
	k.schedule()
	k.squares, k.bounds, k.items = grown(k.squares, k.chunks()), grown(k.bounds, k.chunks()), grown(k.items, n)
	cost := 2
	if k.bound {
		cost = 12
	}
	each(k.chunks(), k.cost(cost), k)
	for i := range k.items {
		x := 0.0
		if k.simple {
			x = pairwise(k.of(k.squares, i)) / float64(k.size)
		}
		if k.bound {
			x += k.factor * (pairwise(k.of(k.bounds, i)) / float64(k.size))
		}
		k.items[i] = x
		k.bad = k.bad || x != x
	}
	if in.Reduction == loss.None {
		store(out, k.items)
	}
	finish(out, in.Reduction, k.items, float64(n))
	if k.bad && (k.gm != nil || k.gv != nil) {
		each(k.chunks(), k.cost(1), k)
	}
	*k = diffusionTask[T]{abar: k.abar, om: k.om, squares: k.squares, bounds: k.bounds, items: k.items}
	give(k)
}

// schedule fills in abar and 1 - abar up to the last step in use.
func (k *diffusionTask[T]) schedule() {
	last := int64(1)
	for _, t := range k.in.T.Data {
		last = max(last, t)
	}
	k.abar, k.om = grown(k.abar, int(last)+1), grown(k.om, int(last)+1)
	abar, om := 1.0, 0.0
	k.broken = len(k.abar)
	for i := range k.abar {
		b := float64(k.in.Betas.Data[i])
		if b != b {
			k.broken = min(k.broken, i)
		}
		om += abar * b
		abar *= 1 - b
		k.abar[i], k.om[i] = abar, om
	}
}

// diffusionStep is what an element needs of a step.
type diffusionStep struct {
	x0, eps   float64 // m1 = x0 x0 + eps eps, for x_prev
	slope     float64 // m2 - m1 over the error of the network
	pv, logPV float64 // posterior variance
	b         float64
	narrower  float64 // log(pv/b)
	lost      bool    // a NaN among the betas
	t         int
}

func (k *diffusionTask[T]) step(n int) diffusionStep {
	in := k.in
	t := int(in.T.Data[n])
	b := float64(in.Betas.Data[t])
	s := diffusionStep{x0: 1, slope: 1, b: b, t: t}
	posterior := func(t int) float64 { return float64(in.Betas.Data[t]) * (k.om[t-1] / k.om[t]) }
	needed := -1
	if k.bound || in.MeanType == "x_prev" {
		needed = t
	}
	if t > 0 {
		c1, c2 := b*math.Sqrt(k.abar[t-1])/k.om[t], k.om[t-1]*math.Sqrt(1-b)/k.om[t]
		s.x0, s.eps = c1+c2*math.Sqrt(k.abar[t]), c2*math.Sqrt(k.om[t])
		s.pv, s.narrower = posterior(t), math.Log1p(-(k.abar[t-1] / k.om[t] * b))
		if in.MeanType == "x0" {
			s.slope = c1
		}
	} else {
		s.pv = posterior(1)
		if k.bound && in.VarType != "learned" {
			needed = 1
		}
	}
	if in.MeanType == "eps" {
		s.slope = -b / math.Sqrt((1-b)*k.om[t])
	}
	s.logPV = logOf(s.pv)
	s.lost = needed >= k.broken
	return s
}

func (k *diffusionTask[T]) run(i int) {
	n, lo, hi := k.chunk(i)
	gm, gv := cut(k.gm, lo, hi), cut(k.gv, lo, hi)
	if k.bad {
		if k.items[n] != k.items[n] {
			fill(gm, T(math.NaN()))
			if k.bound {
				fill(gv, T(math.NaN()))
			}
		}
		return
	}
	s := k.step(n)
	if s.lost {
		k.squares[i], k.bounds[i] = math.NaN(), math.NaN()
		return
	}
	c := 0.0
	if gm != nil || gv != nil {
		c = k.w.at(n) / float64(k.size)
	}
	perSimple, perMean, perVar := 0.0, 0.0, c*k.factor
	if k.simple {
		perSimple = 2 * c
	}
	if k.attached {
		perMean = c * k.factor * s.slope
	}
	if !k.bound {
		clear(gv)
		gv = nil
	}
	var r, l, de, dv [strip]float64
	var squares, bounds running
	for ; lo < hi; lo += strip {
		m := min(strip, hi-lo)
		k.errors(r[:m], lo, &s)
		if k.simple {
			squares.add(norm(r[:m], false))
		}
		if k.bound {
			if s.t == 0 {
				k.likelihoods(l[:m], de[:m], dv[:m], r[:m], lo, &s)
			} else {
				k.divergences(l[:m], de[:m], dv[:m], r[:m], lo, &s)
			}
			bounds.add(lanes(l[:m]))
		}
		if gm != nil {
			switch {
			case !k.attached:
				for j, e := range r[:m] {
					gm[j] = T(perSimple * e)
				}
			case !k.simple:
				for j, d := range de[:m] {
					gm[j] = T(perMean * d)
				}
			default:
				for j, d := range de[:m] {
					gm[j] = T(perSimple*r[j] + perMean*d)
				}
			}
			gm = gm[m:]
		}
		if gv != nil {
			for j, d := range dv[:m] {
				gv[j] = T(perVar * d)
			}
			gv = gv[m:]
		}
	}
	k.squares[i], k.bounds[i] = squares.value(), bounds.value()
}

// errors fills in mean_out minus its target, from element lo on.
func (k *diffusionTask[T]) errors(r []float64, lo int, s *diffusionStep) {
	x := k.in.MeanOut.Data[lo:][:len(r)]
	switch {
	case k.in.MeanType == "eps":
		subtract(r, x, k.in.Eps.Data[lo:])
	case k.in.MeanType == "x0" || s.t == 0:
		subtract(r, x, k.in.X0.Data[lo:])
	default:
		x0, eps := k.in.X0.Data[lo:][:len(r)], k.in.Eps.Data[lo:][:len(r)]
		for j := range r {
			r[j] = float64(x[j]) - (s.x0*float64(x0[j]) + s.eps*float64(eps[j]))
		}
	}
}

// exponential is exp(x).
func exponential[T loss.Float](x float64) float64 {
	if math.Abs(x) <= 500 {
		return expNeg[T](x) * expScale
	}
	return math.Exp(x)
}

// divergences fills in the KL of a strip, and its derivatives by the mean and by var_out.
func (k *diffusionTask[T]) divergences(l, de, dv, r []float64, lo int, s *diffusionStep) {
	de, dv, r = de[:len(l)], dv[:len(l)], r[:len(l)]
	if !k.in.Learned() {
		q, precision := 0.0, 1/s.pv
		if k.in.VarType == "fixed_large" {
			q, precision = s.narrower, 1/s.b
		}
		rest, _ := expRests[T](q)
		for j, x := range r {
			e := s.slope * x
			de[j] = e * precision
			l[j] = (rest + e*de[j]) / 2
		}
		return
	}
	v := k.in.VarOut.Data[lo:][:len(l)]
	ranged, half, perPV := k.in.VarType == "learned_range", s.narrower/2, 1/s.pv
	for j, x := range r {
		v, e := float64(v[j]), s.slope*x
		var q, precision float64
		slope := -1.
		if ranged {
			q, slope = (v+1)*half, half
		} else {
			q, precision = s.logPV-v, exponential[T](-v)
		}
		rest, growth := expRests[T](q)
		if ranged {
			precision = (1 + growth) * perPV
			if growth < -0.5 { // 1 + growth has lost its digits
				precision = exponential[T](q) * perPV
			}
		}
		if math.IsInf(q, 1) {
			l[j], de[j], dv[j] = q, 0, slope*q
			if e != 0 {
				de[j] = math.Copysign(q, e)
			}
			continue
		}
		de[j] = e * precision
		if e == 0 { // the precision may be infinite
			de[j] = 0
		}
		square := e * de[j]
		l[j] = (rest + square) / 2
		dv[j] = slope * (growth + square) / 2
	}
}

// expRests returns expm1(q) - q and expm1(q).
func expRests[T loss.Float](q float64) (rest, growth float64) {
	switch size := math.Abs(q); {
	case size <= 0.25:
		rest = expRest(q)
		return rest, rest + q
	case size <= 500:
		growth = expNeg[T](q)*expScale - 1
		return growth - q, growth
	case math.IsInf(q, 0):
		return math.Inf(1), math.Expm1(q)
	}
	growth = math.Expm1(q)
	return growth - q, growth
}

// likelihoods fills in the NLL of a strip at t = 0, and its derivatives by the mean and by var_out.
func (k *diffusionTask[T]) likelihoods(l, de, dv, r []float64, lo int, s *diffusionStep) {
	const delta = 1. / 255
	in := k.in
	bound, root := -logOf(in.ProbFloor), 1/math.Sqrt(s.pv)
	wide := logOf(s.b / s.pv)
	for j := range l {
		x0 := float64(in.X0.Data[lo+j])
		scale, slope, v := root, 0.0, 0.0
		switch in.VarType {
		case "learned":
			v = float64(in.VarOut.Data[lo+j])
			scale, slope = math.Exp(-v/2), 0.5
		case "learned_range":
			v = float64(in.VarOut.Data[lo+j])
			scale, slope = root*math.Exp(-wide*(v+1)/4), wide/4
		}
		l[j], de[j], dv[j] = bound, 0, 0
		side := 0.
		if x0 < -0.999 {
			side = -1
		} else if x0 > 0.999 {
			side = 1
		}
		gap := -s.slope * r[j] // x0 - m2
		switch {
		case x0 != x0 || gap != gap || v != v:
			l[j] = math.NaN()
			continue
		case math.IsInf(gap, 0) || math.IsInf(scale, 0):
			if side*gap < delta && side != 0 || side == 0 && math.Abs(gap) < delta {
				l[j] = 0
			}
			continue
		}
		var m binMass
		if in.CDF == "tanh" {
			m = sigmoidMass(scale*gap, scale*delta, side)
		} else {
			m = normalMass(scale*gap, scale*delta, side)
		}
		if !(m.inside >= in.ProbFloor) {
			continue
		}
		if m.inside > 0.5 {
			l[j] = -math.Log1p(-m.outside)
		} else {
			l[j] = -logOf(m.inside)
		}
		de[j] = scale * m.shift
		if slope != 0 && !math.IsInf(v, 0) {
			dv[j] = slope * (scale*gap*m.shift + scale*delta*m.spread)
		}
	}
}

// binMass is the mass in a bin and outside of it, and the derivatives of the logarithm of the first by the position of the bin and by
// its half width.
type binMass struct{ inside, outside, shift, spread float64 }

// normalMass is the mass of a standard normal distribution in (u-h, u+h), or beyond one of these edges.
func normalMass(u, h, side float64) binMass {
	const density = 0.39894228040143267793994605993438187 // 1/sqrt(2 pi)
	if side != 0 {
		z := (h - side*u) / math.Sqrt2
		m := binMass{inside: 0.5 * math.Erfc(-z), outside: 0.5 * math.Erfc(z)}
		m.spread = density * math.Exp(-z*z) / m.inside
		m.shift = -side * m.spread
		return m
	}
	c := math.Abs(u)
	low, high := c-h, c+h
	m := binMass{outside: 0.5 * (math.Erfc(-low/math.Sqrt2) + math.Erfc(high/math.Sqrt2))}
	if h < 0.5 {
		for i, x := range legendreNodes { // both of a pair of nodes
			for _, v := range [2]float64{h * (1 - x), h * (1 + x)} {
				v /= 2
				// cosh(cv) exp(-(c^2+v^2)/2), without an exponential that overflows
				m.inside += legendreWeights[i] * (math.Exp(-0.5*(c-v)*(c-v)) + math.Exp(-0.5*(c+v)*(c+v)))
			}
		}
		m.inside *= density * h / 2
	} else {
		m.inside = 0.5 * (math.Erfc(low/math.Sqrt2) - math.Erfc(high/math.Sqrt2))
	}
	peak := density * math.Exp(-0.5*low*low) / m.inside
	decay := math.Expm1(-2 * c * h)
	m.shift = math.Copysign(peak*decay, -u)
	m.spread = peak * (2 + decay)
	return m
}

var (
	legendreNodes = [5]float64{0.14887433898163121088482600112971998, 0.43339539412924719079926594316578416, 0.67940956829902440623432736511487358,
		0.86506336668898451073209668842349305, 0.97390652851717172007796401208445205}
	legendreWeights = [5]float64{0.29552422471475287017389299465133833, 0.26926671930999635509122692156946935, 0.21908636251598204399553493422816319,
		0.14945134915058059314577633965769733, 0.06667134430868813759356880989333179}
)

// sigmoidMass is normalMass for the approximation of the distribution function by a sigmoid.
func sigmoidMass(u, h, side float64) binMass {
	const a, cube = 1.5957691216057307117597842397375275, 0.044715 // 2 sqrt(2/pi)
	logit := func(u float64) (s, slope float64) { return a * (u + cube*u*u*u), a + 3*a*cube*u*u }
	both := func(s float64) (up, down float64) {
		q := math.Exp(-math.Abs(s))
		return sigmoid(q, negative(s))
	}
	if side != 0 {
		s, slope := logit(h - side*u)
		in, out := both(s)
		return binMass{in, out, -side * slope * out, slope * out}
	}
	s1, d1 := logit(u + h)
	s0, d0 := logit(u - h)
	up1, down1 := both(s1)
	up0, down0 := both(s0)
	gap := 2 * a * h * (1 + cube*(3*u*u+h*h))
	lost := math.Exp(-gap)
	kept := -math.Expm1(-gap)
	// down1 - up0 without cancellation: both arguments add up to a multiple of u
	tilt := math.Expm1(-2 * a * math.Abs(u) * (1 + cube*(u*u+3*h*h)))
	if u > 0 {
		tilt *= up1 * up0
	} else {
		tilt *= -down1 * down0
	}
	return binMass{up1 * down0 * kept, down1 + up0, d0*tilt + 12*a*cube*u*h*(lost/kept+down1), d1*down1 + d0*up0 + (d1+d0)*lost/kept}
}
