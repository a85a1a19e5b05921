package reference

import (
	"math"

	"github.com/goldenloss/goldenloss/reference/loss"
)

// infoNCERows are the normalized rows; in_batch the negatives are the keys.
type infoNCERows struct {
	in           *loss.InfoNCE[float64]
	q, k, others *unitRows
}

func newInfoNCERows(in *loss.InfoNCE[float64]) *infoNCERows {
	r := &infoNCERows{in: in, q: newUnitRows(in.Query, in.Normalize, in.NormEps), k: newUnitRows(in.Key, in.Normalize, in.NormEps)}
	r.others = r.k
	if in.Negatives == "queue" {
		r.others = newUnitRows(in.Queue, in.NormalizeQueue, in.NormEps)
	}
	return r
}

// invalid reports whether item i uses a number that is not finite.
func (r *infoNCERows) invalid(i int) bool {
	bad := !r.q.finite[i] || !r.k.finite[i]
	for _, finite := range r.others.finite {
		bad = bad || !finite
	}
	return bad
}

// item returns the negatives of query i, their softmax, and the logarithm of their sum over the exponential of the positive.
func (r *infoNCERows) item(i int) (index []int, s softmax, gap float64) {
	var n []float64
	for j, u := range r.others.u {
		if r.in.Negatives == "queue" || j != i {
			index, n = append(index, j), append(n, dot(r.q.u[i], u)/r.in.Temperature)
		}
	}
	if len(n) == 0 {
		return nil, softmax{}, math.Inf(-1)
	}
	s = newSoftmax(n)
	return index, s, (n[s.top] - dot(r.q.u[i], r.k.u[i])/r.in.Temperature) + math.Log1p(s.rest)
}

// InfoNCE is the value of the loss: softplus(LSE of the negatives - s).
func InfoNCE(in *loss.InfoNCE[float64]) []float64 {
	r := newInfoNCERows(in)
	items := make([]float64, len(r.q.u))
	for i := range items {
		if r.invalid(i) {
			items[i] = math.NaN()
			continue
		}
		_, _, gap := r.item(i)
		items[i] = softplus(gap)
	}
	return reduce(in.Reduction, items, float64(len(items)))
}

// InfoNCEGrad is its vector-Jacobian product.
func InfoNCEGrad(in *loss.InfoNCE[float64], dOut []float64) *loss.InfoNCE[float64] {
	g := &loss.InfoNCE[float64]{Query: zeros(in.Query), Key: zeros(in.Key)}
	r := newInfoNCERows(in)
	dq, dk := r.q.sums(), r.k.sums()
	dothers, gothers := dk, g.Key.Data
	if in.Negatives == "queue" {
		g.Queue = zeros(in.Queue)
		dothers, gothers = r.others.sums(), g.Queue.Data
	}
	c := itemWeights(in.Reduction, len(dq), float64(len(dq)), dOut)
	for i := range dq {
		if r.invalid(i) {
			continue
		}
		index, s, gap := r.item(i)
		miss := c[i] * sigmoid(gap) / in.Temperature // 1 - probability of the key
		for n, j := range index {
			p := miss * s.prob(n)
			addScaled(dq[i], p, r.others.u[j])
			addScaled(dothers[j], p, r.q.u[i])
		}
		addScaled(dq[i], -miss, r.k.u[i])
		addScaled(dk[i], -miss, r.q.u[i])
	}
	r.q.pull(dq, g.Query.Data)
	r.k.pull(dk, g.Key.Data)
	if in.Negatives == "queue" {
		r.others.pull(dothers, g.Queue.Data)
	}
	dims := in.Query.Shape[1]
	for i := range dq {
		if r.invalid(i) {
			fillNaN(g.Query.Data[i*dims : (i+1)*dims])
			fillNaN(g.Key.Data[i*dims : (i+1)*dims])
			fillNaN(gothers)
		}
	}
	return g
}
