package optimized

import (
	"math"

	"github.com/goldenloss/goldenloss/reference/loss"
)

// Phases of a call: what a chunk does.
const (
	vaeLatents = iota // divergence and its gradient
	vaeGroups         // divergence of the groups of one sample
	vaePassed         // gradient of the groups that count
	vaeData           // reconstruction and its gradient
	vaePoison         // NaN in the gradients of a sample
)

type vaeTask[T loss.Float] struct {
	in              *loss.VAE[T]
	phase           int
	latent, data    samples
	mu, lv, m, s    []T // gradients
	w               weights[T]
	shared          float64 // weight of every sample in a divergence that all share
	guard           guard
	kl              []float64
	divergence      []float64 // per sample
	perLatent       []float64 // per chunk
	perData, slopes []float64 // per chunk
	items           []float64
}

// VAE is the negative evidence lower bound. See loss.VAE.
func VAE[T loss.Float](out []T, grad, in *loss.VAE[T], dOut []T) {
	k := take[vaeTask[T]]()
	k.in = in
	n := in.Mu.Shape[0]
	k.latent, k.data = newSamples(n, len(in.Mu.Data)/n), newSamples(n, len(in.Recon.Data)/n)
	k.w = newWeights(in.Reduction, dOut, float64(n))
	k.guard = newGuard(&in.BernoulliGuard)
	if grad != nil {
		k.mu, k.lv, k.m, k.s = grad.Mu.Data, grad.Logvar.Data, grad.Recon.Data, grad.ReconLogvar.Data
	}
	scalar := in.ReconKind == "gaussian_logvar" && len(in.ReconLogvar.Shape) == 0
	k.divergence, k.items = grown(k.divergence, n), grown(k.items, n)
	clear(k.divergence)
	if in.Beta != 0 {
		k.latents()
	} else {
		clear(k.mu)
		clear(k.lv)
	}
	k.perData, k.slopes = grown(k.perData, k.data.chunks()), grown(k.slopes, k.data.chunks())
	k.phase = vaeData
	cost := 2
	if in.ReconKind != "gaussian_unit" && in.ReconKind != "l1" {
		cost = 10
	}
	each(k.data.chunks(), k.data.cost(cost), k)
	bad := false
	for i := range k.items {
		r := pairwise(k.data.of(k.perData, i))
		if in.Inner == "mean" {
			r /= float64(k.data.size)
		}
		if in.Beta != 0 {
			r += in.Beta * k.divergence[i]
		}
		k.items[i] = r
		bad = bad || r != r
	}
	if in.Reduction == loss.None {
		store(out, k.items)
	}
	finish(out, in.Reduction, k.items, float64(n))
	if scalar && k.s != nil {
		k.s[0] = T(pairwise(k.slopes))
		if bad {
			k.s[0] = T(math.NaN())
		}
	}
	if bad && grad != nil {
		k.phase = vaePoison
		each(n, k.data.size+k.latent.size, k)
	}
	*k = vaeTask[T]{kl: k.kl, divergence: k.divergence, perLatent: k.perLatent, perData: k.perData, slopes: k.slopes, items: k.items}
	give(k)
}

// latents fills in the divergences and their gradients.
func (k *vaeTask[T]) latents() {
	in, n := k.in, k.latent.n
	switch in.FreeBitsMode {
	case "none":
		k.perLatent = grown(k.perLatent, k.latent.chunks())
		k.phase = vaeLatents
		each(k.latent.chunks(), k.latent.cost(10), k)
		for i := range k.divergence {
			k.divergence[i] = pairwise(k.latent.of(k.perLatent, i))
		}
	default:
		k.kl = grown(k.kl, n*in.Groups())
		k.phase = vaeGroups
		each(n, 10*k.latent.size, k)
		groups := in.Groups()
		if in.FreeBitsMode == "batch_mean" {
			all := k.kl[:groups] // of the first sample: the means of all
			for g := range all {
				var sum running
				for i := range n {
					sum.add(k.kl[i*groups+g])
				}
				all[g] = sum.value() / float64(n)
			}
			total := k.counted(all)
			for i := range k.divergence {
				k.divergence[i] = total
			}
			var sum running
			for i := range n {
				if len(k.w.dOut) > 0 {
					sum.add(k.w.at(i))
				}
			}
			k.shared = sum.value() / float64(n)
		} else {
			for i := range k.divergence {
				k.divergence[i] = k.counted(k.kl[i*groups:][:groups])
			}
		}
		if k.mu != nil || k.lv != nil {
			k.phase = vaePassed
			each(n, 5*k.latent.size, k)
		}
	}
	if in.Inner == "mean" {
		for i := range k.divergence {
			k.divergence[i] /= float64(k.latent.size)
		}
	}
}

// counted adds up groups, each at least the free bits.
func (k *vaeTask[T]) counted(kl []float64) float64 {
	var sum running
	for _, x := range kl {
		sum.add(max(x, k.in.FreeBits))
	}
	return sum.value()
}

func (k *vaeTask[T]) run(i int) {
	switch k.phase {
	case vaeLatents:
		n, lo, hi := k.latent.chunk(i)
		k.perLatent[i] = k.gaussians(lo, hi, k.latentWeight(n), cut(k.mu, lo, hi), cut(k.lv, lo, hi))
	case vaeGroups:
		groups, size := k.in.Groups(), k.latent.size
		for g := range groups {
			lo := i*size + g*(size/groups)
			k.kl[i*groups+g] = k.gaussians(lo, lo+size/groups, 0, nil, nil)
		}
	case vaePassed:
		groups, size := k.in.Groups(), k.latent.size
		c := k.latentWeight(i)
		kl := k.kl[i*groups:]
		if k.in.FreeBitsMode == "batch_mean" {
			kl = k.kl
		}
		for g := range groups {
			lo := i*size + g*(size/groups)
			hi := lo + size/groups
			mu, lv := cut(k.mu, lo, hi), cut(k.lv, lo, hi)
			if kl[g] > k.in.FreeBits {
				k.gaussians(lo, hi, c, mu, lv)
			} else {
				clear(mu)
				clear(lv)
			}
		}
	case vaeData:
		k.reconstruction(i)
	case vaePoison:
		if k.items[i] != k.items[i] {
			nan := T(math.NaN())
			if k.in.Beta != 0 {
				lo, hi := i*k.latent.size, (i+1)*k.latent.size
				fill(cut(k.mu, lo, hi), nan)
				fill(cut(k.lv, lo, hi), nan)
			}
			lo, hi := i*k.data.size, (i+1)*k.data.size
			fill(cut(k.m, lo, hi), nan)
			if len(k.s) == k.data.n*k.data.size && len(k.in.ReconLogvar.Shape) > 0 {
				fill(cut(k.s, lo, hi), nan)
			}
		}
	}
}

// latentWeight is what the gradient of a divergence of sample n is multiplied by.
func (k *vaeTask[T]) latentWeight(n int) float64 {
	if k.mu == nil && k.lv == nil {
		return 0
	}
	c := k.shared
	if k.in.FreeBitsMode != "batch_mean" {
		c = k.w.at(n)
	}
	if c *= k.in.Beta; k.in.Inner == "mean" {
		c /= float64(k.latent.size)
	}
	return c
}

// gaussians sums the divergences of latents lo to hi and writes their gradients times c.
func (k *vaeTask[T]) gaussians(lo, hi int, c float64, gMu, gLv []T) float64 {
	var slope, rest [strip]float64
	var sum running
	for ; lo < hi; lo += strip {
		n := min(strip, hi-lo)
		mu, lv := k.in.Mu.Data[lo:][:n], k.in.Logvar.Data[lo:][:n]
		k.exponentials(slope[:n], rest[:n], lv)
		for j, v := range mu {
			rest[j] += float64(v) * 0.5 * float64(v)
		}
		sum.add(lanes(rest[:n]))
		if gMu != nil {
			for j, v := range mu {
				gMu[j] = T(c * float64(v))
			}
			gMu = gMu[n:]
		}
		if gLv != nil {
			for j, d := range slope[:n] {
				gLv[j] = T(c * d)
			}
			gLv = gLv[n:]
		}
	}
	return sum.value()
}

// exponentials fills in expm1(lv)/2, 0 outside the clamp, and (expm1(lv) - lv)/2 of the clamped lv. Halves overflow later.
func (k *vaeTask[T]) exponentials(slope, rest []float64, lv []T) {
	bounded, lo, hi := k.in.LogvarClamp, k.in.LogvarMin, k.in.LogvarMax
	slope, rest = slope[:len(lv)], rest[:len(lv)]
	for j, v := range lv {
		x := float64(v)
		if bounded {
			x = max(lo, min(x, hi))
		}
		switch size := math.Abs(x); {
		case size <= 0.25:
			r := expRest(x)
			slope[j], rest[j] = (r+x)*0.5, r*0.5
		case size <= 500:
			e := expNeg[T](x)*expScale - 1
			slope[j], rest[j] = e*0.5, (e-x)*0.5
		case x > 0: // the exponential is all
			h := math.Exp(x * 0.5)
			slope[j] = h * 0.5 * h
			rest[j] = slope[j]
		case x < 0: // it is nothing
			slope[j], rest[j] = -0.5, -0.5-x*0.5
		default:
			slope[j], rest[j] = x, x // NaN
		}
		if bounded && x != float64(v) {
			slope[j] = 0
		}
	}
}

// expRest is expm1(q) - q for |q| <= 1/4, a power series.
func expRest(q float64) float64 {
	return q * q * (1./2 + q*(1./6+q*(1./24+q*(1./120+q*(1./720+q*(1./5040+q*(1./40320+q*(1./362880+q*(1./3628800+q*(1./39916800+q*(1./479001600+q*(1./6227020800))))))))))))
}

// reconstruction sums the errors of a chunk of the data and writes their gradients.
func (k *vaeTask[T]) reconstruction(i int) {
	in := k.in
	n, lo, hi := k.data.chunk(i)
	gaussian := in.ReconKind == "gaussian_logvar"
	scalar := gaussian && len(in.ReconLogvar.Shape) == 0
	var c float64
	if k.m != nil || k.s != nil {
		if c = k.w.at(n); in.Inner == "mean" {
			c /= float64(k.data.size)
		}
	}
	gm, gs := cut(k.m, lo, hi), k.s
	if !scalar {
		gs = cut(k.s, lo, hi)
	}
	var l, dm, ds, q, tail [strip]float64
	var sum, slope running
	count := float64(hi - lo)
	for ; lo < hi; lo += strip {
		n := min(strip, hi-lo)
		m, x := in.Recon.Data[lo:][:n], in.Target.Data[lo:][:n]
		switch in.ReconKind {
		case "bernoulli_logits":
			decays(q[:n], m)
			tails[T](tail[:n], q[:n])
			logitErrors(l[:n], dm[:n], m, x, q[:n], tail[:n], gm != nil)
		case "bernoulli_probs":
			bernoulliItems(l[:n], m, x, q[:n], tail[:n], &k.guard)
			if gm != nil {
				bernoulliSlopes(dm[:n], m, x, &k.guard)
			}
		case "gaussian_unit":
			subtract(dm[:n], m, x)
			for j, e := range dm[:n] {
				l[j] = e * 0.5 * e
			}
		case "gaussian_logvar":
			s := in.ReconLogvar.Data
			if !scalar {
				s = s[lo:][:n]
			}
			gaussianErrors(l[:n], dm[:n], ds[:n], m, x, s)
		default:
			subtract(dm[:n], m, x)
			for j, e := range dm[:n] {
				l[j], dm[j] = math.Abs(e), sign(e)
			}
		}
		sum.add(lanes(l[:n]))
		if gm != nil {
			for j, d := range dm[:n] {
				gm[j] = T(c * d)
			}
			gm = gm[n:]
		}
		switch {
		case gs == nil:
		case scalar:
			slope.add(lanes(ds[:n]))
		default:
			for j, d := range ds[:n] {
				gs[j] = T(c * d)
			}
			gs = gs[n:]
		}
	}
	k.perData[i], k.slopes[i] = sum.value(), c*slope.value()
	if in.WithConst && (gaussian || in.ReconKind == "gaussian_unit") {
		k.perData[i] += count * (0.5 * logTwoPi)
	}
}

const logTwoPi = 1.8378770664093454835606594728112353

// logitErrors fills in x softplus(-z) + (1-x) softplus(z) and its derivative, given exp(-|z|) and log(1 + exp(-|z|)).
func logitErrors[T loss.Float](l, d []float64, z, x []T, q, tail []float64, slopes bool) {
	d, z, x, q, tail = d[:len(l)], z[:len(l)], x[:len(l)], q[:len(l)], tail[:len(l)]
	for j := range l {
		z, x := float64(z[j]), float64(x[j])
		size := math.Abs(z)
		if !(size <= math.MaxFloat64) {
			l[j], d[j] = logitLimit(z, x)
			continue
		}
		neg := negative(z)
		below := math.Float64frombits(math.Float64bits(size) & neg)
		l[j] = tail[j] + ((1-x)*(size-below) + x*below)
		if slopes {
			up, down := sigmoid(q[j], neg)
			d[j] = (1-x)*up - x*down
		}
	}
}

// logitLimit is the cross-entropy of an infinite logit, and its derivative.
func logitLimit(z, x float64) (l, d float64) {
	switch {
	case z > 0 && x == 1, z < 0 && x == 0:
		return 0, 0
	case z > 0 && x < 1:
		return z, 1 - x
	case z < 0 && x > 0:
		return -z, -x
	}
	return math.NaN(), math.NaN()
}

// gaussianErrors fills in (s + (x-m)^2 exp(-s))/2 and its derivatives; s has one element for all or one each.
func gaussianErrors[T loss.Float](l, dm, ds []float64, m, x, s []T) {
	dm, ds, m, x = dm[:len(l)], ds[:len(l)], m[:len(l)], x[:len(l)]
	v, h := math.NaN(), 0.0
	for j := range l {
		if next := float64(s[min(j, len(s)-1)]); next != v {
			v, h = next, 0
			if math.Abs(v) <= 1000 {
				h = expNeg[T](-v/2) * expScale
			}
		}
		e := float64(m[j]) - float64(x[j])
		if h == 0 {
			l[j], dm[j], ds[j] = gaussianLimit(e, v)
			continue
		}
		r := e * h
		square := r * 0.5 * r
		l[j], dm[j], ds[j] = v*0.5+square, r*h, 0.5-square
	}
}

// gaussianLimit is the same for a log-variance of any size.
func gaussianLimit(e, s float64) (l, dm, ds float64) {
	switch {
	case e == 0 && s == s:
		return s / 2, 0, 0.5
	case math.IsInf(s, -1) && e == e:
		return math.Inf(1), math.Copysign(s, e), s
	}
	h := math.Exp(-s / 4) // its square may overflow where that times e does not
	r := e * h * h
	return s/2 + r/2*r, r * h * h, 0.5 - r/2*r
}
