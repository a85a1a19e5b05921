package reference

import (
	"math"

	"github.com/goldenloss/goldenloss/reference/loss"
)

// expRest is expm1(q) - q.
func expRest(q float64) float64 {
	switch {
	case math.IsInf(q, 0):
		return math.Inf(1)
	case math.Abs(q) > 0.25:
		return math.Expm1(q) - q
	}
	s := 0.0
	for j := 14.0; j >= 2; j-- { // Horner's rule
		s = (1 + s) * q / j
	}
	return q * s
}

// divergence is (mu^2 + expm1(lv) - lv)/2 and its derivative by lv. The halves do not overflow where the whole does.
func divergence(mu, lv float64) (k, slope float64) {
	k = mu / 2 * mu
	if lv > 700 { // the exponential is all
		h := math.Exp(lv / 2)
		return k + h/2*h, h / 2 * h
	}
	return k + expRest(lv)/2, math.Expm1(lv) / 2
}

// vaeLatents holds the divergences of a batch.
type vaeLatents struct {
	k      []float64 // per sample
	active [][]bool  // per sample and group: that the gradient passes
	lv     []float64 // after the clamp
	bad    []bool    // per sample: NaN
}

func newVAELatents(in *loss.VAE[float64]) vaeLatents {
	n, groups := in.Mu.Shape[0], in.Groups()
	d := len(in.Mu.Data) / n
	v := vaeLatents{make([]float64, n), make([][]bool, n), make([]float64, len(in.Mu.Data)), make([]bool, n)}
	sums, shared := make([][]accumulator, n), make([]accumulator, groups)
	for i := range n {
		v.active[i] = make([]bool, groups)
		if in.Beta == 0 {
			continue
		}
		sums[i] = make([]accumulator, groups)
		for j := range d {
			at, g := i*d+j, j/(d/groups)
			mu, lv := in.Mu.Data[at], in.Logvar.Data[at]
			if in.LogvarClamp {
				lv = math.Min(math.Max(lv, in.LogvarMin), in.LogvarMax)
			}
			v.lv[at] = lv
			k, _ := divergence(mu, lv)
			sums[i][g].add(k)
			shared[g].add(k)
			v.bad[i] = v.bad[i] || math.IsNaN(mu) || math.IsNaN(lv)
		}
	}
	for i := range sums {
		var total accumulator
		for g := range sums[i] {
			k := sums[i][g].value()
			if in.FreeBitsMode == "batch_mean" {
				k = shared[g].value() / float64(n)
			}
			v.active[i][g] = in.FreeBitsMode == "none" || k > in.FreeBits
			if in.FreeBitsMode != "none" {
				k = math.Max(k, in.FreeBits)
			}
			total.add(k)
		}
		v.k[i] = total.value()
		if in.Inner == "mean" {
			v.k[i] /= float64(d)
		}
	}
	if in.FreeBitsMode == "batch_mean" { // what is NaN is NaN for all
		for i := range n {
			if v.bad[i] {
				v.bad = make([]bool, n)
				for k := range v.bad {
					v.bad[k] = true
				}
				break
			}
		}
	}
	return v
}

// vaeError is the error of one element m of the reconstruction of x, with its derivatives by m and by the log-variance s.
func vaeError(in *loss.VAE[float64], m, x, s float64) (l, dm, ds float64) {
	e := x - m
	switch in.ReconKind {
	case "bernoulli_logits":
		if x != 0 {
			l, dm = x*softplus(-m), -x*sigmoid(-m)
		}
		if x != 1 {
			l, dm = l+(1-x)*softplus(m), dm+(1-x)*sigmoid(m)
		}
	case "bernoulli_probs":
		l, dm = guardedBernoulli(m, x, &in.BernoulliGuard)
	case "gaussian_unit":
		l, dm = e/2*e, -e
	case "gaussian_logvar":
		switch {
		case e == 0:
			l, ds = s/2, 0.5
		case math.IsInf(s, -1):
			l, dm, ds = math.Inf(1), math.Inf(-int(sign(e))), s
		default:
			r := e * math.Exp(-s/2)
			l, dm, ds = s/2+r/2*r, -r*math.Exp(-s/2), 0.5-r/2*r
		}
	default:
		l, dm = math.Abs(e), -sign(e)
	}
	if in.WithConst && (in.ReconKind == "gaussian_unit" || in.ReconKind == "gaussian_logvar") {
		l += math.Log(2*math.Pi) / 2
	}
	return l, dm, ds
}

// vaeLogvar is the log-variance of element i.
func vaeLogvar(in *loss.VAE[float64], i int) float64 {
	switch {
	case in.ReconKind != "gaussian_logvar":
		return 0
	case len(in.ReconLogvar.Shape) == 0:
		return in.ReconLogvar.Data[0]
	}
	return in.ReconLogvar.Data[i]
}

func vaeItems(in *loss.VAE[float64], latents vaeLatents) []float64 {
	items := make([]float64, in.Mu.Shape[0])
	d := len(in.Recon.Data) / len(items)
	for n := range items {
		var r accumulator
		for i := n * d; i < (n+1)*d; i++ {
			l, _, _ := vaeError(in, in.Recon.Data[i], in.Target.Data[i], vaeLogvar(in, i))
			if anyNaN(in.Recon.Data[i], in.Target.Data[i], vaeLogvar(in, i)) {
				l = math.NaN()
			}
			r.add(l)
		}
		items[n] = r.value()
		if in.Inner == "mean" {
			items[n] /= float64(d)
		}
		if in.Beta != 0 {
			items[n] += in.Beta * latents.k[n]
		}
		if latents.bad[n] {
			items[n] = math.NaN()
		}
	}
	return items
}

func anyNaN(xs ...float64) bool {
	for _, x := range xs {
		if math.IsNaN(x) {
			return true
		}
	}
	return false
}

// VAE is the value of the negative evidence lower bound.
func VAE(in *loss.VAE[float64]) []float64 {
	return reduce(in.Reduction, vaeItems(in, newVAELatents(in)), float64(in.Mu.Shape[0]))
}

// VAEGrad is its vector-Jacobian product.
func VAEGrad(in *loss.VAE[float64], dOut []float64) *loss.VAE[float64] {
	g := &loss.VAE[float64]{ReconKind: in.ReconKind, Mu: zeros(in.Mu), Logvar: zeros(in.Logvar), Recon: zeros(in.Recon)}
	n := in.Mu.Shape[0]
	dz, dx := len(in.Mu.Data)/n, len(in.Recon.Data)/n
	latents := newVAELatents(in)
	items := vaeItems(in, latents)
	c := itemWeights(in.Reduction, n, float64(n), dOut)
	perLatent, perDatum := 1.0, 1.0
	if in.Inner == "mean" {
		perLatent, perDatum = float64(dz), float64(dx)
	}
	var scalar accumulator
	if in.ReconKind == "gaussian_logvar" {
		g.ReconLogvar = zeros(in.ReconLogvar)
	}
	for i := range n {
		cz := c[i]
		if in.FreeBitsMode == "batch_mean" {
			cz = sum(c) / float64(n)
		}
		bad := math.IsNaN(items[i])
		for at := i * dz; at < (i+1)*dz && in.Beta != 0; at++ {
			switch lv := in.Logvar.Data[at]; {
			case bad:
				g.Mu.Data[at], g.Logvar.Data[at] = math.NaN(), math.NaN()
			case latents.active[i][(at-i*dz)/(dz/in.Groups())]:
				g.Mu.Data[at] = cz * in.Beta * in.Mu.Data[at] / perLatent
				if !in.LogvarClamp || lv >= in.LogvarMin && lv <= in.LogvarMax {
					_, slope := divergence(0, lv)
					g.Logvar.Data[at] = cz * in.Beta * slope / perLatent
				}
			}
		}
		for at := i * dx; at < (i+1)*dx; at++ {
			_, dm, ds := vaeError(in, in.Recon.Data[at], in.Target.Data[at], vaeLogvar(in, at))
			if bad {
				dm, ds = math.NaN(), math.NaN()
			}
			g.Recon.Data[at] = c[i] * dm / perDatum
			switch {
			case in.ReconKind != "gaussian_logvar":
			case len(in.ReconLogvar.Shape) == 0:
				scalar.add(c[i] * ds / perDatum)
			default:
				g.ReconLogvar.Data[at] = c[i] * ds / perDatum
			}
		}
	}
	if g.ReconLogvar.Given() && len(in.ReconLogvar.Shape) == 0 {
		g.ReconLogvar.Data[0] = scalar.value()
	}
	return g
}
