package optimized

import (
	"math"

	"github.com/goldenloss/goldenloss/reference/loss"
)

const (
	nceRows = 48 // queries, and negatives, of a block of the similarity matrix
	nceCols = 64
)

// nceKeep is the largest number of similarities that are kept for the gradient, nceKeepBlock of those of one block of queries.
// Variables for tests.
var nceKeep, nceKeepBlock = 1 << 20, 1 << 20

// Phases of InfoNCE.
const (
	nceNormalize = iota // blocks of queries with their keys
	nceScan             // blocks of the queue
	nceQueries          // blocks of queries
	nceNegatives        // blocks of negatives
)

type infoNCETask[T loss.Float] struct {
	in           *loss.InfoNCE[T]
	out          []T
	gq, gk, gn   []T // gn of the queue
	n, m, dims   int // queries, negatives
	inBatch      bool
	keep, pushed bool // pushed: negatives have a gradient
	phase        int
	q, k, qt     []float64 // normalized rows; q transposed
	all          []float64 // the similarities, if kept
	normQ, normK []float64
	bad          []bool // by query: NaN or infinity in it or its key
	badKey       []bool
	badQueue     []bool // by block
	positive     []float64
	lse          []partialLSE
	miss, factor []float64 // c_i (1 - P_i); divided by 1 + rest
	items        []float64
	w            weights[T]
}

// InfoNCE works on blocks of queries for the values and the gradient of the queries, then on blocks of negatives for theirs. Small
// similarity matrices are kept, large ones computed again. See loss.InfoNCE.
func InfoNCE[T loss.Float](out []T, grad, in *loss.InfoNCE[T], dOut []T) {
	k := take[infoNCETask[T]]()
	k.in, k.inBatch = in, in.Negatives == "in_batch"
	n, dims := in.Query.Shape[0], in.Query.Shape[1]
	k.n, k.dims, k.m = n, dims, n
	if !k.inBatch {
		k.m = in.Queue.Shape[0]
	}
	if in.Reduction == loss.None {
		k.out = out
	}
	if grad != nil {
		k.gq, k.gk, k.gn = grad.Query.Data, grad.Key.Data, grad.Queue.Data
	}
	k.w = newWeights(in.Reduction, dOut, float64(n))
	blocks, columns := ceilDiv(n, nceRows), ceilDiv(k.m, nceCols)
	k.q, k.k, k.normQ, k.normK = grown(k.q, n*dims), grown(k.k, n*dims), grown(k.normQ, n), grown(k.normK, n)
	k.bad, k.badKey, k.badQueue = grown(k.bad, n), grown(k.badKey, n), grown(k.badQueue, columns)
	k.positive, k.lse, k.items = grown(k.positive, n), grown(k.lse, n), grown(k.items, n)
	k.miss, k.factor = grown(k.miss, n), grown(k.factor, n)
	if k.pushed = k.gn != nil && !k.inBatch || k.gk != nil && k.inBatch; k.pushed {
		k.qt = grown(k.qt, n*dims)
	}
	if k.keep = grad != nil && n*k.m <= nceKeep; k.keep {
		k.all = grown(k.all, n*k.m)
	}
	k.each(nceNormalize, blocks, 8*nceRows*dims)
	lost := false // all of it
	if k.inBatch {
		for _, b := range k.badKey {
			lost = lost || b
		}
	} else {
		k.each(nceScan, columns, nceCols*dims)
		for _, b := range k.badQueue {
			lost = lost || b
		}
	}
	if lost {
		fill(k.items, math.NaN())
		fill(k.gq, T(math.NaN()))
		fill(k.gk, T(math.NaN()))
		fill(k.gn, T(math.NaN()))
	} else {
		k.each(nceQueries, blocks, nceRows*(k.m+1)*(dims/2+10))
		if k.pushed {
			k.each(nceNegatives, columns, nceCols*n*(dims/2+10))
		}
		k.spoil()
	}
	if k.out != nil {
		store(k.out, k.items)
	}
	finish(out, in.Reduction, k.items, float64(n))
	k.in, k.out, k.gq, k.gk, k.gn, k.w = nil, nil, nil, nil, nil, weights[T]{}
	give(k)
}

// spoil writes NaN to what depends on a query or key that is not finite.
func (k *infoNCETask[T]) spoil() {
	nan := math.NaN()
	for i, bad := range k.bad {
		if !bad {
			continue
		}
		k.items[i] = nan
		if k.gq != nil {
			fill(k.gq[i*k.dims:(i+1)*k.dims], T(nan))
		}
		if k.inBatch {
			fill(k.gk, T(nan))
			continue
		}
		if k.gk != nil {
			fill(k.gk[i*k.dims:(i+1)*k.dims], T(nan))
		}
		fill(k.gn, T(nan))
	}
}

func (k *infoNCETask[T]) each(phase, n, cost int) {
	k.phase = phase
	each(n, cost, k)
}

func (k *infoNCETask[T]) run(i int) {
	switch k.phase {
	case nceNormalize:
		for row := i * nceRows; row < min((i+1)*nceRows, k.n); row++ {
			k.normalize(row)
		}
	case nceScan:
		k.badQueue[i] = !allFinite(k.in.Queue.Data[i*nceCols*k.dims : min((i+1)*nceCols, k.m)*k.dims])
	case nceQueries:
		k.queries(i*nceRows, min((i+1)*nceRows, k.n))
	case nceNegatives:
		k.negatives(i*nceCols, min((i+1)*nceCols, k.m))
	}
}

// allFinite reports whether no number is NaN or infinite.
func allFinite[T loss.Float](x []T) bool {
	var s T
	for _, v := range x {
		s += v * 0
	}
	return s == 0
}

// normalize prepares a query and its key. One that is not finite counts as 0 until the end.
func (k *infoNCETask[T]) normalize(i int) {
	lo, hi := i*k.dims, (i+1)*k.dims
	q, u := k.q[lo:hi], k.k[lo:hi]
	var fine bool
	if k.normQ[i], fine = unitRow(q, k.in.Query.Data[lo:hi], k.in.Normalize, k.in.NormEps); !fine {
		clear(q)
	}
	k.bad[i] = !fine
	if k.normK[i], fine = unitRow(u, k.in.Key.Data[lo:hi], k.in.Normalize, k.in.NormEps); !fine {
		clear(u)
	}
	k.badKey[i] = !fine
	k.bad[i] = k.bad[i] || !fine
	s := [1]float64{}
	dots(s[:], q, k.dims, 1, u, k.dims, 1, k.dims)
	k.positive[i] = s[0] / k.in.Temperature
	if k.pushed {
		transpose(k.qt[i:], k.n, q, k.dims, 1, k.dims)
	}
}

type nceScratch struct {
	s, line, du []float64
	all         []float64 // similarities of a block of queries, if kept
	u, ut       []float64 // of a block of negatives
	norm        []float64
	turned      []float64
}

// columns returns the rows of the negatives from, ..., to-1.
func (k *infoNCETask[T]) columns(w *nceScratch, from, to int) []float64 {
	if k.inBatch {
		return k.k[from*k.dims : to*k.dims]
	}
	w.u, w.norm = grown(w.u, nceCols*k.dims), grown(w.norm, nceCols)
	z := k.in.Queue.Data[from*k.dims : to*k.dims]
	u := w.u[:len(z)]
	if !k.in.NormalizeQueue {
		for j, v := range z {
			u[j] = float64(v)
		}
		return u
	}
	for j := range to - from {
		w.norm[j], _ = unitRow(u[j*k.dims:(j+1)*k.dims], z[j*k.dims:(j+1)*k.dims], true, k.in.NormEps)
	}
	return u
}

// similar fills s with the similarities of queries lo to hi and of the rows u of negatives.
func (k *infoNCETask[T]) similar(s []float64, lo, hi int, u []float64, n int) {
	clear(s)
	dots(s, k.q[lo*k.dims:], k.dims, hi-lo, u, k.dims, n, k.dims)
	for i := range s {
		s[i] /= k.in.Temperature
	}
}

// queries does the items of queries lo to hi, and their gradient.
func (k *infoNCETask[T]) queries(lo, hi int) {
	w := take[nceScratch]()
	rows := hi - lo
	w.s, w.line = grown(w.s, nceRows*nceCols), grown(w.line, nceCols)
	local := !k.keep && k.gq != nil && rows*k.m <= nceKeepBlock
	if local {
		w.all = grown(w.all, nceRows*k.m)
	}
	for i := lo; i < hi; i++ {
		k.lse[i] = partialLSE{math.Inf(-1), 0}
	}
	for from := 0; from < k.m; from += nceCols {
		to := min(from+nceCols, k.m)
		n := to - from
		s := w.s[:rows*n]
		k.similar(s, lo, hi, k.columns(w, from, to), n)
		for i := lo; i < hi; i++ {
			line := w.line[:n]
			copy(line, s[(i-lo)*n:])
			if k.keep {
				copy(k.all[i*k.m+from:], line)
			}
			if local {
				copy(w.all[(i-lo)*k.m+from:], line)
			}
			if k.inBatch && from <= i && i < to {
				line[i-from] = math.Inf(-1)
			}
			k.lse[i].merge(lseOf[T](line))
		}
	}
	for i := lo; i < hi; i++ {
		k.item(i)
	}
	if k.gq != nil {
		switch {
		case k.keep:
			k.pullQueries(w, lo, hi, k.all[lo*k.m:])
		case local:
			k.pullQueries(w, lo, hi, w.all)
		default:
			k.pullQueries(w, lo, hi, nil)
		}
	}
	if k.gk != nil && !k.inBatch {
		w.du = grown(w.du, nceRows*k.dims)
		for i := lo; i < hi; i++ {
			at := i * k.dims
			du := w.du[:k.dims]
			for d, v := range k.q[at : at+k.dims] {
				du[d] = -k.miss[i] * v / k.in.Temperature
			}
			pullUnit(k.gk[at:at+k.dims], k.k[at:at+k.dims], du, k.normK[i], k.in.Normalize, k.in.NormEps)
		}
	}
	give(w)
}

// item is softplus(LSE of the negatives - s_i).
func (k *infoNCETask[T]) item(i int) {
	gap := (k.lse[i].top - k.positive[i]) + log1p[float64](k.lse[i].rest)
	q := expNeg64(-math.Abs(gap)) * expScale
	k.items[i] = max(gap, 0) + unitLog1p64(q)
	k.miss[i], k.factor[i] = 0, 0
	if (k.gq != nil || k.gk != nil || k.gn != nil) && !k.bad[i] {
		miss, _ := sigmoid(q, negative(gap))
		k.miss[i] = k.w.at(i) * miss
		k.factor[i] = k.miss[i] / (1 + k.lse[i].rest) * expScale
	}
}

// weigh replaces the similarities of query i and negatives from, from+1, ... by the gradient by them.
func (k *infoNCETask[T]) weigh(line []float64, i, from int) {
	top, factor := k.lse[i].top, k.factor[i]
	for j, v := range line {
		line[j] = expNeg[T](v-top) * factor
	}
	if j := i - from; k.inBatch && j >= 0 && j < len(line) {
		line[j] = -k.miss[i]
	}
}

// pullQueries is dq_i = (sum over j of P_ij Q_j - (1 - P_i) k_i)/temperature, times c_i, then back through the normalization. It is given
// the similarities of the queries, if they were kept.
func (k *infoNCETask[T]) pullQueries(w *nceScratch, lo, hi int, kept []float64) {
	rows := hi - lo
	w.du, w.ut = grown(w.du, nceRows*k.dims), grown(w.ut, nceCols*k.dims)
	du := w.du[:rows*k.dims]
	clear(du)
	for from := 0; from < k.m; from += nceCols {
		to := min(from+nceCols, k.m)
		n := to - from
		u := k.columns(w, from, to)
		s := w.s[:rows*n]
		k.recall(s, lo, hi, u, from, to, kept)
		transpose(w.ut, n, u, k.dims, n, k.dims)
		dots(du, s, n, rows, w.ut, n, k.dims, n)
	}
	for i := lo; i < hi; i++ {
		at, du := i*k.dims, du[(i-lo)*k.dims:][:k.dims]
		if !k.inBatch {
			for d, v := range k.k[at : at+k.dims] {
				du[d] -= k.miss[i] * v
			}
		}
		for d := range du {
			du[d] /= k.in.Temperature
		}
		pullUnit(k.gq[at:at+k.dims], k.q[at:at+k.dims], du, k.normQ[i], k.in.Normalize, k.in.NormEps)
	}
}

// recall fills s with the gradient by the similarities of queries lo to hi and of the rows u of negatives from to to. The similarities
// are those kept of these queries, if any.
func (k *infoNCETask[T]) recall(s []float64, lo, hi int, u []float64, from, to int, kept []float64) {
	n := to - from
	if kept == nil {
		k.similar(s, lo, hi, u, n)
	}
	for i := lo; i < hi; i++ {
		line := s[(i-lo)*n:][:n]
		if kept != nil {
			copy(line, kept[(i-lo)*k.m+from:])
		}
		k.weigh(line, i, from)
	}
}

// negatives is dQ_j = sum over i of G_ij q_i/temperature for negatives from to to, then back through the normalization.
func (k *infoNCETask[T]) negatives(from, to int) {
	w := take[nceScratch]()
	n := to - from
	w.s, w.turned, w.du = grown(w.s, nceRows*nceCols), grown(w.turned, nceRows*nceCols), grown(w.du, nceCols*k.dims)
	du := w.du[:n*k.dims]
	clear(du)
	u := k.columns(w, from, to)
	for lo := 0; lo < k.n; lo += nceRows {
		hi := min(lo+nceRows, k.n)
		rows := hi - lo
		s := w.s[:rows*n]
		var kept []float64
		if k.keep {
			kept = k.all[lo*k.m:]
		}
		k.recall(s, lo, hi, u, from, to, kept)
		transpose(w.turned, rows, s, n, rows, n)
		dots(du, w.turned, rows, n, k.qt[lo:], k.n, k.dims, rows)
	}
	g, normalize, norms := k.gn, k.in.NormalizeQueue, w.norm
	if k.inBatch {
		g, normalize, norms = k.gk, k.in.Normalize, k.normK[from:]
	}
	for j := range n {
		du, at := du[j*k.dims:][:k.dims], (from+j)*k.dims
		for d := range du {
			du[d] /= k.in.Temperature
		}
		length := 0.0
		if normalize {
			length = norms[j]
		}
		pullUnit(g[at:at+k.dims], u[j*k.dims:(j+1)*k.dims], du, length, normalize, k.in.NormEps)
	}
	give(w)
}
