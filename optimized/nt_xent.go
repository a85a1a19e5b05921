package optimized

import (
	"math"

	"github.com/goldenloss/goldenloss/reference/loss"
)

const (
	ntRows = 24 // rows and columns of a block of the similarity matrix in the second pass over it
	ntCols = 64
)

// ntKeep is the largest number of rows whose similarities the first pass keeps for the second. A variable for tests.
var ntKeep = 1024

// Phases of NTXent.
const (
	ntNormalize = iota // blocks of rows
	ntStatistics
	ntItems
	ntGradient
)

type ntXentTask[T loss.Float] struct {
	in            *loss.NTXent[T]
	z, out, g     []T
	rows, dims    int
	block, blocks int // of the first pass
	phase         int
	keep          bool
	u, ut         []float64 // rows of z, normalized if asked for; transposed
	all           []float64 // the similarities, if kept
	norm          []float64
	bad           []bool       // by block: NaN or infinity
	partial       []partialLSE // [R, blocks] of the negatives of a row in a block
	lse           []partialLSE // [R] of the negatives of a row
	positive      []float64    // S_ip
	miss          []float64    // c_i (1 - P_ip)
	factor        []float64    // miss/(1+rest)
	items         []float64
	w             weights[T]
}

// NTXent is the normalized temperature-scaled cross-entropy. Blocks of the similarity matrix on and above the diagonal give the
// statistics of their rows and columns; the gradient computes all blocks again, unless the matrix is small. See loss.NTXent.
func NTXent[T loss.Float](out []T, grad, in *loss.NTXent[T], dOut []T) {
	k := take[ntXentTask[T]]()
	k.in, k.z, k.rows, k.dims = in, in.Z.Data, in.Z.Shape[0], in.Z.Shape[1]
	if in.Reduction == loss.None {
		k.out = out
	}
	if grad != nil {
		k.g = grad.Z.Data
	}
	k.block = 24
	for k.block < 96 && k.rows > 16*k.block {
		k.block *= 2
	}
	n := k.rows
	k.blocks = ceilDiv(n, k.block)
	k.w = newWeights(in.Reduction, dOut, float64(n))
	k.u, k.norm, k.bad, k.items = grown(k.u, n*k.dims), grown(k.norm, n), grown(k.bad, k.blocks), grown(k.items, n)
	k.partial, k.lse, k.positive = grown(k.partial, n*k.blocks), grown(k.lse, n), grown(k.positive, n)
	if k.g != nil {
		k.ut, k.miss, k.factor = grown(k.ut, n*k.dims), grown(k.miss, n), grown(k.factor, n)
	}
	k.keep = k.g != nil && n <= ntKeep
	if k.keep {
		k.all = grown(k.all, n*n)
	}
	k.each(ntNormalize, k.blocks, 4*k.block*k.dims)
	bad := false
	for _, b := range k.bad {
		bad = bad || b
	}
	if bad {
		fill(k.items, math.NaN())
		fill(k.g, T(math.NaN()))
	} else {
		k.each(ntStatistics, k.blocks*(k.blocks+1)/2, k.block*k.block*(k.dims/4+10))
		k.each(ntItems, k.blocks, k.block*k.blocks*5)
		if k.g != nil {
			k.each(ntGradient, ceilDiv(n, ntRows), ntRows*n*(k.dims/2+10))
		}
	}
	if k.out != nil {
		store(k.out, k.items)
	}
	finish(out, in.Reduction, k.items, float64(n))
	k.in, k.z, k.out, k.g, k.w = nil, nil, nil, nil, weights[T]{}
	give(k)
}

func (k *ntXentTask[T]) each(phase, n, cost int) {
	k.phase = phase
	each(n, cost, k)
}

func (k *ntXentTask[T]) run(i int) {
	switch k.phase {
	case ntNormalize:
		lo, hi := k.span(i)
		k.bad[i] = false
		for row := lo; row < hi && !k.bad[i]; row++ {
			k.bad[i] = !k.normalize(row)
		}
	case ntStatistics:
		a := 0
		for i >= k.blocks-a {
			i -= k.blocks - a
			a++
		}
		k.statistics(a, a+i)
	case ntItems:
		lo, hi := k.span(i)
		for row := lo; row < hi; row++ {
			k.item(row)
		}
	case ntGradient:
		k.gradient(i*ntRows, min((i+1)*ntRows, k.rows))
	}
}

// span is the range of rows of a block.
func (k *ntXentTask[T]) span(block int) (lo, hi int) {
	return block * k.block, min((block+1)*k.block, k.rows)
}

// pair is the other view of row i.
func (k *ntXentTask[T]) pair(i int) int {
	if k.in.Pairing == "interleaved" {
		return i ^ 1
	}
	if i < k.rows/2 {
		return i + k.rows/2
	}
	return i - k.rows/2
}

// normalize fills row i of u, and reports whether all of z is finite.
func (k *ntXentTask[T]) normalize(i int) (finite bool) {
	z, u := k.z[i*k.dims:(i+1)*k.dims], k.u[i*k.dims:(i+1)*k.dims]
	if k.norm[i], finite = unitRow(u, z, k.in.Normalize, k.in.NormEps); !finite {
		return false
	}
	if k.g != nil {
		for j, v := range u {
			k.ut[j*k.rows+i] = v
		}
	}
	return true
}

type ntScratch struct{ s, line, du []float64 }

// similar fills s with the similarities of rows lo to hi and rows from to.
func (k *ntXentTask[T]) similar(s []float64, lo, hi, from, to int) {
	clear(s)
	dots(s, k.u[lo*k.dims:], k.dims, hi-lo, k.u[from*k.dims:], k.dims, to-from, k.dims)
	for i := range s {
		s[i] /= k.in.Temperature
	}
}

// statistics works on the block of rows a and columns b, and on its mirror image.
func (k *ntXentTask[T]) statistics(a, b int) {
	w := take[ntScratch]()
	lo, hi := k.span(a)
	from, to := k.span(b)
	n := to - from
	w.s, w.line = grown(w.s, (hi-lo)*n), grown(w.line, k.block)
	k.similar(w.s, lo, hi, from, to)
	for i := lo; i < hi; i++ {
		line := w.line[:n]
		copy(line, w.s[(i-lo)*n:])
		k.store(i, from, line)
		k.partial[i*k.blocks+b] = k.negatives(line, i, from)
	}
	if a != b {
		for j := from; j < to; j++ {
			line := w.line[:hi-lo]
			for i := range line {
				line[i] = w.s[i*n+j-from]
			}
			k.store(j, lo, line)
			k.partial[j*k.blocks+a] = k.negatives(line, j, lo)
		}
	}
	give(w)
}

// store keeps a line of similarities of row i.
func (k *ntXentTask[T]) store(i, from int, line []float64) {
	if k.keep {
		copy(k.all[i*k.rows+from:], line)
	}
}

// negatives is the log-sum-exp over the negatives of row i in a line of similarities with rows from, from+1, ... It destroys the line.
func (k *ntXentTask[T]) negatives(line []float64, i, from int) partialLSE {
	if p := k.pair(i) - from; p >= 0 && p < len(line) {
		k.positive[i], line[p] = line[p], math.Inf(-1)
	}
	if i >= from && i < from+len(line) {
		line[i-from] = math.Inf(-1)
	}
	return lseOf[T](line)
}

// item is softplus(LSE of the negatives - S_ip).
func (k *ntXentTask[T]) item(i int) {
	all := partialLSE{math.Inf(-1), 0}
	for _, p := range k.partial[i*k.blocks : (i+1)*k.blocks] {
		all.merge(p)
	}
	k.lse[i] = all
	gap := (all.top - k.positive[i]) + log1p[float64](all.rest)
	q := expNeg64(-math.Abs(gap)) * expScale
	k.items[i] = max(gap, 0) + unitLog1p64(q)
	if k.g != nil {
		miss, _ := sigmoid(q, negative(gap))
		k.miss[i] = k.w.at(i) * miss
		k.factor[i] = k.miss[i] / (1 + all.rest)
	}
}

// gradient is du_i = sum over j of (G_ij + G_ji) u_j / temperature for rows lo to hi, then back through the normalization.
func (k *ntXentTask[T]) gradient(lo, hi int) {
	w := take[ntScratch]()
	w.s, w.du = grown(w.s, ntRows*ntCols), grown(w.du, ntRows*k.dims)
	du := w.du[:(hi-lo)*k.dims]
	clear(du)
	for from := 0; from < k.rows; from += ntCols {
		n := min(ntCols, k.rows-from)
		s := w.s[:(hi-lo)*n]
		if !k.keep {
			k.similar(s, lo, hi, from, from+n)
		}
		for i := lo; i < hi; i++ {
			line, lse := s[(i-lo)*n:][:n], k.lse[from:][:n]
			if k.keep {
				copy(line, k.all[i*k.rows+from:])
			}
			top, factor := k.lse[i].top, k.factor[i]*expScale
			p := k.pair(i) - from
			for j, v := range line {
				line[j] = expNeg[T](v-top)*factor + expNeg[T](v-lse[j].top)*(k.factor[from+j]*expScale)
			}
			if p >= 0 && p < n {
				line[p] = -k.miss[i] - k.miss[from+p]
			}
			if i >= from && i < from+n {
				line[i-from] = 0
			}
		}
		dots(du, s, n, hi-lo, k.ut[from:], k.rows, k.dims, n)
	}
	for i := lo; i < hi; i++ {
		k.pull(i, du[(i-lo)*k.dims:][:k.dims])
	}
	give(w)
}

// pull takes the gradient of row i back through the normalization.
func (k *ntXentTask[T]) pull(i int, du []float64) {
	for d := range du {
		du[d] /= k.in.Temperature
	}
	pullUnit(k.g[i*k.dims:(i+1)*k.dims], k.u[i*k.dims:(i+1)*k.dims], du, k.norm[i], k.in.Normalize, k.in.NormEps)
}
