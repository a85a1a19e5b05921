package reference

import (
	"math"
	"slices"

	"github.com/goldenloss/goldenloss/reference/loss"
)

// diffusionStep holds what the formulas take of one step of the schedule.
type diffusionStep struct {
	b, a, abar, om float64
	abarBefore     float64
	omBefore       float64
	pv             float64 // posterior variance, that of step 1 at 0
	broken         bool    // a NaN among the betas that matter
}

func newDiffusionStep(in *loss.Diffusion[float64], t int) diffusionStep {
	at := func(t int) diffusionStep {
		s := diffusionStep{abar: 1}
		for _, b := range in.Betas.Data[:t+1] {
			s.abarBefore, s.omBefore = s.abar, s.om
			s.om += s.abar * b
			s.abar *= 1 - b
			s.b, s.a = b, 1-b
		}
		s.pv = s.b * s.omBefore / s.om
		return s
	}
	s := at(t)
	if t == 0 {
		s.pv = at(1).pv
	}
	last := -1 // beta that matters
	if in.Bound() || in.LossType == "simple" && in.MeanType == "x_prev" || in.LossType == "hybrid" && in.MeanType == "x_prev" {
		last = t
	}
	if in.Bound() && t == 0 && in.VarType != "learned" {
		last = 1
	}
	s.broken = slices.ContainsFunc(in.Betas.Data[:last+1], math.IsNaN)
	return s
}

// posteriorMean is m1 of element i.
func (s *diffusionStep) posteriorMean(in *loss.Diffusion[float64], i, t int) float64 {
	if t == 0 {
		return in.X0.Data[i]
	}
	x := math.Sqrt(s.abar)*in.X0.Data[i] + math.Sqrt(s.om)*in.Eps.Data[i]
	return s.b*math.Sqrt(s.abarBefore)/s.om*in.X0.Data[i] + s.omBefore*math.Sqrt(s.a)/s.om*x
}

// residual is m2 - m1 of element i, and its derivative by mean_out.
func (s *diffusionStep) residual(in *loss.Diffusion[float64], i, t int) (e, slope float64) {
	switch m := in.MeanOut.Data[i]; in.MeanType {
	case "eps":
		kap := s.b / math.Sqrt(s.a*s.om)
		return -kap * (m - in.Eps.Data[i]), -kap
	case "x0":
		c1 := 1.0
		if t > 0 {
			c1 = s.b * math.Sqrt(s.abarBefore) / s.om
		}
		return c1 * (m - in.X0.Data[i]), c1
	default:
		return m - s.posteriorMean(in, i, t), 1
	}
}

// divergence is the KL of element i at t >= 1 with residual e, and its derivatives by e and by var_out.
func (s *diffusionStep) divergence(in *loss.Diffusion[float64], i int, e float64) (l, de, dv float64) {
	narrower := math.Log1p(-s.abarBefore * s.b / s.om) // log(pv/b)
	q, precision, slope := 0.0, 1/s.pv, 0.0            // l1 - l2, exp(-l2), dq/dv
	switch in.VarType {
	case "fixed_large":
		q, precision = narrower, 1/s.b
	case "learned":
		v := in.VarOut.Data[i]
		q, precision, slope = log(s.pv)-v, math.Exp(-v), -1
	case "learned_range":
		q = (in.VarOut.Data[i] + 1) / 2 * narrower
		precision, slope = math.Exp(q)/s.pv, narrower/2
	}
	if math.IsInf(q, 1) { // no variance at all
		if e != 0 {
			de = math.Inf(int(sign(e)))
		}
		return q, de, slope * q
	}
	if e != 0 { // whatever the precision
		de = e * precision
	}
	return (expRest(q) + e*de) / 2, de, slope * (math.Expm1(q) + e*de) / 2
}

// normalBin is the mass p of a bin, 1-p, and the derivatives of log p by the position u of the bin and by its half width h.
func normalBin(u, h float64, side int) (p, rest, du, dh float64) {
	tail := func(x float64) float64 { return math.Erfc(x/math.Sqrt2) / 2 }
	phi := func(x float64) float64 { return math.Exp(-x*x/2) / math.Sqrt(2*math.Pi) }
	if side != 0 {
		x := h - float64(side)*u // the edge, seen from the open side
		p, rest = tail(-x), tail(x)
		d := phi(x) / p
		return p, rest, -float64(side) * d, d
	}
	c := math.Abs(u)
	rest = tail(h-c) + tail(c+h)
	if h >= 0.5 {
		p = tail(c-h) - tail(c+h)
	} else {
		p = 2 * phi(c) * integral(c, h)
	}
	height := phi(c - h)
	du = sign(u) * height * math.Expm1(-2*c*h) / p // phi(c+h) - phi(c-h)
	return p, rest, du, height * (1 + math.Exp(-2*c*h)) / p
}

// gauss holds the positive nodes of the Gauss-Legendre rule of 10 points, and their weights.
var gauss = [5][2]float64{
	{0.1488743389816312108848260, 0.2955242247147528701738930}, {0.4333953941292471907992659, 0.2692667193099963550912269},
	{0.6794095682990244062343274, 0.2190863625159820439955349}, {0.8650633666889845107320967, 0.1494513491505805931457763},
	{0.9739065285171717200779640, 0.0666713443086881375935688},
}

// integral of cosh(cu) exp(-u^2/2) from 0 to h.
func integral(c, h float64) float64 {
	var a accumulator
	for _, g := range gauss {
		for _, node := range []float64{-g[0], g[0]} {
			u := h / 2 * (1 + node)
			a.add(h / 2 * g[1] * math.Cosh(c*u) * math.Exp(-u*u/2))
		}
	}
	return a.value()
}

// tanhBin is normalBin for the approximation by tanh.
func tanhBin(u, h float64, side int) (p, rest, du, dh float64) {
	k, cube := 2*math.Sqrt(2/math.Pi), 0.044715
	s := func(u float64) float64 { return k * u * (1 + cube*u*u) }
	slope := func(u float64) float64 { return k * (1 + 3*cube*u*u) }
	if side != 0 {
		x := h - float64(side)*u
		p, rest = sigmoid(s(x)), sigmoid(-s(x))
		d := slope(x) * rest
		return p, rest, -float64(side) * d, d
	}
	gap := k * 2 * h * (1 + cube*(3*u*u+h*h)) // s(u+h) - s(u-h)
	above, below := sigmoid(-s(u+h)), sigmoid(s(u-h))
	p = sigmoid(s(u+h)) * sigmoid(-s(u-h)) * -math.Expm1(-gap)
	perGrow := math.Exp(-gap) / -math.Expm1(-gap) // 1/expm1(gap)
	// sigmoid(-s(u+h)) - sigmoid(s(u-h)) from the sum of both arguments, which is 0 where the bin is in the middle
	both := k * 2 * u * (1 + cube*(u*u+3*h*h))
	tilt := -above * sigmoid(-s(u-h)) * math.Expm1(both)
	if both > 0 {
		tilt = sigmoid(s(u+h)) * below * math.Expm1(-both)
	}
	du = slope(u-h)*tilt + 12*cube*k*u*h*(perGrow+above)
	dh = slope(u+h)*above + slope(u-h)*below + (slope(u+h)+slope(u-h))*perGrow
	return p, above + below, du, dh
}

// likelihood is the NLL of element i at t = 0 with residual e, and its derivatives by e and by var_out.
func (s *diffusionStep) likelihood(in *loss.Diffusion[float64], i int, e float64) (l, de, dv float64) {
	const delta = 1. / 255
	side := 0
	switch x := in.X0.Data[i]; {
	case x < -0.999:
		side = -1
	case x > 0.999:
		side = 1
	}
	k, slope := 1/math.Sqrt(s.pv), 0.0 // exp(-l2/2), dl2/dv
	switch in.VarType {
	case "learned":
		k, slope = math.Exp(-in.VarOut.Data[i]/2), 1
	case "learned_range":
		wide := log(s.b / s.pv)
		k *= math.Exp(-(in.VarOut.Data[i] + 1) / 2 * wide / 2)
		slope = wide / 2
	}
	bound := -log(in.ProbFloor)
	r := -e // x0 - m2
	switch {
	case math.IsInf(r, 0):
		if float64(side)*r < 0 {
			return 0, 0, 0
		}
		return bound, 0, 0
	case math.IsInf(k, 0):
		if side == 0 && math.Abs(r) < delta || side != 0 && float64(side)*r < delta {
			return 0, 0, 0
		}
		return bound, 0, 0
	}
	f := normalBin
	if in.CDF == "tanh" {
		f = tanhBin
	}
	u, h := k*r, k*delta
	p, rest, du, dh := f(u, h, side)
	if !(p >= in.ProbFloor) {
		return bound, 0, 0
	}
	l = -log(p)
	if p > 0.5 {
		l = -math.Log1p(-rest)
	}
	if slope != 0 && !math.IsInf(in.VarOut.Data[i], 0) {
		dv = slope * (u*du + h*dh) / 2
	}
	return l, k * du, dv
}

// diffusionSample is the item of sample n and its derivatives.
type diffusionSample struct {
	item        float64
	dMean, dVar []float64
}

func newDiffusionSample(in *loss.Diffusion[float64], n int) diffusionSample {
	d := len(in.MeanOut.Data) / in.MeanOut.Shape[0]
	t := int(in.T.Data[n])
	s := newDiffusionStep(in, t)
	o := diffusionSample{dMean: make([]float64, d), dVar: make([]float64, d)}
	factor := 1.0 // of the bound
	steps := float64(len(in.Betas.Data))
	switch {
	case in.LossType == "hybrid":
		factor = in.LambdaVLB * steps
	case in.Rescale:
		factor = steps
	}
	if in.Units == "bits" {
		factor /= math.Ln2
	}
	bad := s.broken
	var simple, bound accumulator
	for j := range d {
		i := n*d + j
		m, x0, eps := in.MeanOut.Data[i], in.X0.Data[i], in.Eps.Data[i]
		used := []float64{m}
		switch in.MeanType {
		case "eps":
			if used = append(used, eps); in.Bound() && t == 0 {
				used = append(used, x0)
			}
		case "x0":
			used = append(used, x0)
		default:
			if used = append(used, x0); t > 0 {
				used = append(used, eps)
			}
		}
		if in.Bound() && in.VarOut.Given() {
			used = append(used, in.VarOut.Data[i])
		}
		bad = bad || anyNaN(used...)
		if in.LossType != "vlb" {
			target := eps
			switch in.MeanType {
			case "x0":
				target = x0
			case "x_prev":
				target = s.posteriorMean(in, i, t)
			}
			simple.addProduct(m-target, m-target)
			o.dMean[j] += 2 * (m - target) / float64(d)
		}
		if in.Bound() {
			e, slope := s.residual(in, i, t)
			var l, de, dv float64
			if t == 0 {
				l, de, dv = s.likelihood(in, i, e)
			} else {
				l, de, dv = s.divergence(in, i, e)
			}
			bound.add(l)
			if in.LossType == "vlb" || !in.DetachMean {
				o.dMean[j] += factor * slope * de / float64(d)
			}
			o.dVar[j] = factor * dv / float64(d)
		}
	}
	if in.LossType != "vlb" {
		o.item += simple.value() / float64(d)
	}
	if in.Bound() {
		o.item += factor * (bound.value() / float64(d))
	}
	if bad {
		o.item = math.NaN()
	}
	if math.IsNaN(o.item) {
		for j := range d {
			o.dMean[j] = math.NaN()
			if in.Bound() {
				o.dVar[j] = math.NaN()
			}
		}
	}
	return o
}

// Diffusion is the value of the diffusion objective.
func Diffusion(in *loss.Diffusion[float64]) []float64 {
	items := make([]float64, in.MeanOut.Shape[0])
	for n := range items {
		items[n] = newDiffusionSample(in, n).item
	}
	return reduce(in.Reduction, items, float64(len(items)))
}

// DiffusionGrad is its vector-Jacobian product.
func DiffusionGrad(in *loss.Diffusion[float64], dOut []float64) *loss.Diffusion[float64] {
	g := &loss.Diffusion[float64]{LossType: in.LossType, VarType: in.VarType, MeanType: in.MeanType, MeanOut: zeros(in.MeanOut)}
	if in.VarOut.Given() {
		g.VarOut = zeros(in.VarOut)
	}
	samples := in.MeanOut.Shape[0]
	c := itemWeights(in.Reduction, samples, float64(samples), dOut)
	for n := range samples {
		s := newDiffusionSample(in, n)
		d := len(s.dMean)
		for j := range d {
			g.MeanOut.Data[n*d+j] = c[n] * s.dMean[j]
			if in.VarOut.Given() {
				g.VarOut.Data[n*d+j] = c[n] * s.dVar[j]
			}
		}
	}
	return g
}
