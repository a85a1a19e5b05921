package mutants

import (
	"math"

	"github.com/goldenloss/goldenloss/reference/loss"
)

const (
	negativesOnce     = "queue as a constant"
	keyConstant       = "key as a constant"
	diagonalTwice     = "positive among the negatives as well"
	negativesOfQuery  = "queries as negatives"
	transposedBatch   = "columns for rows"
	queueNotScaled    = "negatives without temperature"
	maskedWithMinus10 = "diagonal set to -10"
	bothDirections    = "mean of both directions"
)

var infoNCEFlaws = []flaw{
	{negativesOnce, "gives the negatives no gradient"},
	{keyConstant, "gives the positive key no gradient"},
	{diagonalTwice, "keeps the positive among the in-batch negatives"},
	{negativesOfQuery, "takes the other queries of the batch for negatives"},
	{transposedBatch, "reads the similarities of the batch by column, the keys looking for their query"},
	{queueNotScaled, "does not divide the similarities of negatives by the temperature"},
	{maskedWithMinus10, "keeps the diagonal of the batch as a similarity of -10"},
	{bothDirections, "averages the losses of query to key and key to query"},
	{withoutPositive, "leaves the positive out of the denominator"},
	{timesTemperature, "multiplies by the temperature where it divides"},
	{normDetached, "does not differentiate the norms"},
	{rawExponentials, "does not subtract the maximum, so a low temperature overflows"},
	{quotientLog, "takes the logarithm of a sum of 1 and little, which loses a small loss"},
	{positiveMinusOne, "takes P - 1 at the positive, which cancels for a sure match"},
	{epsAdded, "adds norm_eps to the norms instead of taking the larger"},
}

// units divides rows by their norms, which it returns.
func units(z loss.Tensor[float64], normalize bool, eps float64, flaw string) (u [][]float64, norms []float64, finite bool) {
	dims := z.Shape[1]
	finite = true
	for i := range z.Shape[0] {
		row := append([]float64{}, z.Data[i*dims:(i+1)*dims]...)
		n := norm(row)
		for _, x := range row {
			finite = finite && !math.IsNaN(x) && !math.IsInf(x, 0)
		}
		by := 1.0
		if normalize {
			if by = math.Max(n, eps); flaw == epsAdded {
				by = n + eps
			}
		}
		for k := range row {
			row[k] /= by
		}
		u, norms = append(u, row), append(norms, n)
	}
	return u, norms, finite
}

// pullUnits takes gradients of units back.
func pullUnits(dz []float64, u, du [][]float64, norms []float64, normalize bool, eps float64, flaw string) {
	for i := range u {
		along := inner(u[i], du[i])
		for k, d := range du[i] {
			switch n := norms[i]; {
			case !normalize:
			case flaw == epsAdded && n > 0:
				d = (d - u[i][k]*along*(n+eps)/n) / (n + eps)
			case n <= eps:
				d /= eps
			case flaw == normDetached:
				d /= n
			default:
				d = (d - u[i][k]*along) / n
			}
			dz[i*len(u[i])+k] = d
		}
	}
}

func inner(x, y []float64) float64 {
	terms := make([]float64, len(x))
	for k := range x {
		terms[k] = x[k] * y[k]
	}
	return total(terms)
}

func blank(u [][]float64) [][]float64 {
	d := make([][]float64, len(u))
	for i := range d {
		d[i] = make([]float64, len(u[i]))
	}
	return d
}

func addTo(y []float64, a float64, x []float64) {
	for k := range y {
		y[k] += a * x[k]
	}
}

// infoNCE takes finite inputs only: elsewhere it has no answer, with or without a flaw.
func infoNCE(out []float64, grad, in *loss.InfoNCE[float64], dOut []float64, flaw string) {
	q, nq, ok := units(in.Query, in.Normalize, in.NormEps, flaw)
	k, nk, okKey := units(in.Key, in.Normalize, in.NormEps, flaw)
	batch := in.Negatives == "in_batch"
	var queue [][]float64
	var nQueue []float64
	okQueue := true
	if !batch {
		queue, nQueue, okQueue = units(in.Queue, in.NormalizeQueue, in.NormEps, flaw)
	}
	if !ok || !okKey || !okQueue {
		return
	}
	tau := in.Temperature
	if flaw == timesTemperature {
		tau = 1 / tau
	}
	n := len(q)
	items := make([]float64, n)
	dq, dk, dQueue := blank(q), blank(k), blank(queue)
	one := func(i int, q, k, dq, dk [][]float64, weight float64) float64 {
		others, dOthers := queue, dQueue
		if batch {
			others, dOthers = k, dk
			if flaw == negativesOfQuery {
				others, dOthers = q, dq
			}
		}
		s := inner(q[i], k[i]) / tau
		var value []float64
		var index []int
		for j, u := range others {
			if batch && j == i {
				switch flaw {
				case diagonalTwice:
				case maskedWithMinus10:
					value, index = append(value, -10/tau), append(index, -1)
					continue
				default:
					continue
				}
			}
			v := inner(q[i], u) / tau
			if flaw == queueNotScaled {
				v *= tau
			}
			value, index = append(value, v), append(index, j)
		}
		top, rest := math.Inf(-1), 0.0
		for _, v := range value {
			top = math.Max(top, v)
		}
		e := make([]float64, len(value))
		for j, v := range value {
			e[j] = math.Exp(v - top)
		}
		rest = total(e)
		gap := top + math.Log(rest) - s
		if len(value) == 0 {
			gap = math.Inf(-1)
		}
		l := softplus(gap)
		switch all := math.Max(top, s); {
		case flaw == withoutPositive:
			l = gap
		case flaw == quotientLog && len(value) > 0:
			l = math.Log(math.Exp(s-all)+rest*math.Exp(top-all)) + all - s
		case flaw == rawExponentials:
			sum := math.Exp(s)
			for _, v := range value {
				sum += math.Exp(v)
			}
			l = -math.Log(math.Exp(s) / sum)
		}
		c := weight * share(in.Reduction, dOut, i, float64(n)) / tau
		miss, positive := sigmoid(gap), sigmoid(gap)
		switch flaw {
		case positiveMinusOne:
			positive = 1 - sigmoid(-gap)
		case withoutPositive:
			miss, positive = 1, 1
		}
		for p, j := range index {
			g := c * miss * e[p] / rest
			if flaw == queueNotScaled {
				g *= tau
			}
			if j < 0 {
				continue
			}
			addTo(dq[i], g, others[j])
			if flaw != negativesOnce {
				addTo(dOthers[j], g, q[i])
			}
		}
		addTo(dq[i], -c*positive, k[i])
		if flaw != keyConstant {
			addTo(dk[i], -c*positive, q[i])
		}
		return l
	}
	for i := range items {
		switch {
		case flaw == transposedBatch && batch:
			items[i] = one(i, k, q, dk, dq, 1)
		case flaw == bothDirections && batch:
			items[i] = (one(i, q, k, dq, dk, 0.5) + one(i, k, q, dk, dq, 0.5)) / 2
		default:
			items[i] = one(i, q, k, dq, dk, 1)
		}
	}
	pullUnits(grad.Query.Data, q, dq, nq, in.Normalize, in.NormEps, flaw)
	pullUnits(grad.Key.Data, k, dk, nk, in.Normalize, in.NormEps, flaw)
	if !batch {
		pullUnits(grad.Queue.Data, queue, dQueue, nQueue, in.NormalizeQueue, in.NormEps, flaw)
	}
	reduce(out, in.Reduction, items, float64(n))
}
