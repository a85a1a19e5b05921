package optimized

import (
	"math"

	"github.com/goldenloss/goldenloss/reference/loss"
)

type tripletTask[T loss.Float] struct {
	in         *loss.Triplet[T]
	out        []T
	ga, gp, gn []T
	dims, rows int // rows of a chunk
	w          weights[T]
	items      []float64
}

// Triplet is the triplet margin loss: one pass over the rows of a triplet for the distances and, where the hinge is positive, one for
// the gradient. See loss.Triplet.
func Triplet[T loss.Float](out []T, grad, in *loss.Triplet[T], dOut []T) {
	k := take[tripletTask[T]]()
	n := in.Anchor.Shape[0]
	k.in, k.dims = in, in.Anchor.Shape[1]
	k.w = newWeights(in.Reduction, dOut, float64(n))
	if in.Reduction == loss.None {
		k.out = out
	}
	if grad != nil {
		k.ga, k.gp, k.gn = grad.Anchor.Data, grad.Positive.Data, grad.Negative.Data
	}
	k.rows = max(1, 4096/k.dims)
	k.items = grown(k.items, n)
	cost := 4
	if in.P != 1 && in.P != 2 && !math.IsInf(in.P, 1) {
		cost = 60
	}
	each(ceilDiv(n, k.rows), cost*k.rows*k.dims, k)
	if k.out != nil {
		store(k.out, k.items)
	}
	finish(out, in.Reduction, k.items, float64(n))
	*k = tripletTask[T]{items: k.items}
	give(k)
}

func (k *tripletTask[T]) run(i int) {
	w := take[tripletRow]()
	for row := i * k.rows; row < min((i+1)*k.rows, len(k.items)); row++ {
		if k.in.P == 2 && k.euclidean(row) {
			continue
		}
		k.general(w, row)
	}
	give(w)
}

func (k *tripletTask[T]) row(x []T, i int) []T {
	if x == nil {
		return nil
	}
	return x[i*k.dims : (i+1)*k.dims]
}

// share is the part of d(p, n) in the distance to the negative.
func (k *tripletTask[T]) share(an, pn float64) float64 {
	switch {
	case !k.in.Swap || pn > an:
		return 0
	case pn < an:
		return 1
	}
	return 0.5
}

// euclidean does a row for p = 2, unless squares leave the range or a distance is 0.
func (k *tripletTask[T]) euclidean(i int) bool {
	a, p, n := k.row(k.in.Anchor.Data, i), k.row(k.in.Positive.Data, i), k.row(k.in.Negative.Data, i)
	eps := k.in.Eps
	var ap, an, pn float64
	for lo := 0; lo < len(a); lo += strip {
		hi := min(lo+strip, len(a))
		x, y := squaredDistances(a[lo:hi], p[lo:hi], n[lo:hi], eps)
		ap += x
		an += y
		if k.in.Swap {
			pn += squaredDistance(p[lo:hi], n[lo:hi], eps)
		}
	}
	if !k.in.Swap {
		pn = an
	}
	if !(min(ap, an, pn) > leastSum && max(ap, an, pn) < mostSum) {
		return false
	}
	ap, an, pn = math.Sqrt(ap), math.Sqrt(an), math.Sqrt(pn)
	l := max(k.in.Margin+ap-min(an, pn), 0)
	k.items[i] = l
	if k.ga == nil && k.gp == nil && k.gn == nil {
		return true
	}
	c := k.w.at(i)
	if l == 0 {
		c = 0
	}
	s := k.share(an, pn)
	alpha, beta, gamma := c/ap, c*(1-s)/an, c*s/pn
	if g := k.row(k.ga, i); g != nil {
		a, p, n := a[:len(g)], p[:len(g)], n[:len(g)]
		for j := range g {
			g[j] = T(alpha*(float64(a[j])-float64(p[j])+eps) - beta*(float64(a[j])-float64(n[j])+eps))
		}
	}
	if g := k.row(k.gp, i); g != nil {
		a, p, n := a[:len(g)], p[:len(g)], n[:len(g)]
		for j := range g {
			g[j] = T(-alpha*(float64(a[j])-float64(p[j])+eps) - gamma*(float64(p[j])-float64(n[j])+eps))
		}
	}
	if g := k.row(k.gn, i); g != nil {
		a, p, n := a[:len(g)], p[:len(g)], n[:len(g)]
		for j := range g {
			g[j] = T(beta*(float64(a[j])-float64(n[j])+eps) + gamma*(float64(p[j])-float64(n[j])+eps))
		}
	}
	return true
}

// tripletRow holds the three shifted of a row, and then the derivatives of their norms.
type tripletRow struct{ ap, an, pn, powers []float64 }

// general does a row for any p and any numbers.
func (k *tripletTask[T]) general(w *tripletRow, i int) {
	a, p, n := k.row(k.in.Anchor.Data, i), k.row(k.in.Positive.Data, i), k.row(k.in.Negative.Data, i)
	w.ap, w.an, w.pn, w.powers = grown(w.ap, k.dims), grown(w.an, k.dims), grown(w.pn, k.dims), grown(w.powers, k.dims)
	shifted(w.ap, a, p, k.in.Eps)
	shifted(w.an, a, n, k.in.Eps)
	ap, an := pnorm(w.ap, w.powers, k.in.P), pnorm(w.an, w.powers, k.in.P)
	pn := an
	if k.in.Swap {
		shifted(w.pn, p, n, k.in.Eps)
		pn = pnorm(w.pn, w.powers, k.in.P)
	}
	l := max(k.in.Margin+ap-min(an, pn), 0)
	k.items[i] = l
	if k.ga == nil && k.gp == nil && k.gn == nil {
		return
	}
	ga, gp, gn := k.row(k.ga, i), k.row(k.gp, i), k.row(k.gn, i)
	if l == 0 || l != l {
		fill(ga, T(l))
		fill(gp, T(l))
		fill(gn, T(l))
		return
	}
	s := k.share(an, pn)
	pnormSlopes(w.ap, ap, k.in.P)
	pnormSlopes(w.an, an, k.in.P)
	if s > 0 {
		pnormSlopes(w.pn, pn, k.in.P)
	} else {
		clear(w.pn)
	}
	alpha, beta, gamma := k.w.at(i), k.w.at(i)*(1-s), k.w.at(i)*s
	for j := range ga {
		ga[j] = T(alpha*w.ap[j] - beta*w.an[j])
	}
	for j := range gp {
		gp[j] = T(-alpha*w.ap[j] - gamma*w.pn[j])
	}
	for j := range gn {
		gn[j] = T(beta*w.an[j] + gamma*w.pn[j])
	}
}
