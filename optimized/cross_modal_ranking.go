package optimized

import (
	"math"
	"slices"

	"github.com/goldenloss/goldenloss/reference/loss"
)

const (
	crossModalRows   = 48 // images, and texts, of a block of the score matrix
	crossModalCols   = 64
	crossModalGroups = 16 // partial results by column
)

// crossModalKeep is the largest number of scores that are kept for the gradient. A variable for tests.
var crossModalKeep = 1 << 20

// Phases of CrossModalRanking.
const (
	crossModalNormalize = iota // blocks of pairs
	crossModalScan             // groups of blocks of images
	crossModalItems            // blocks of pairs
	crossModalImages           // blocks of images
	crossModalTexts            // blocks of texts
	crossModalScatter          // ranges of columns of the embeddings
)

// crossModalEntry is an entry of a sparse gradient by the scores.
type crossModalEntry struct {
	row, col int
	g        float64
}

// crossModalBest is the largest of some scores and where it stands.
type crossModalBest struct {
	v  float64
	at int
}

func (b *crossModalBest) see(v float64, at int) {
	if v > b.v || v != v {
		b.v, b.at = v, at
	}
}

type crossModalTask[T loss.Float] struct {
	in             *loss.CrossModalRanking[T]
	out            []T
	gi, gt, gs     []T
	n, dims        int
	blocks, groups int
	scores         bool // the input is the score matrix
	spoiled        bool // a row is not finite
	wild           bool // dot products of such rows
	keep, slopes   bool
	phase          int
	u, v, ut, vt   []float64 // rows of images and texts; transposed
	normU, normV   []float64
	badU, badV     []bool // images and texts that are not finite
	all            []float64
	room           []float64 // margin - S_ii
	weight         []float64
	rowSum, rowN   []float64 // hinges of images, and how many are positive
	colSum, colN   []float64 // of texts, by group
	rowBest        []crossModalBest
	colBest        []crossModalBest // by group
	rival          []crossModalBest // text and image of each pair, unless all are mined
	diagonal       []float64        // G_ii
	entries        []crossModalEntry
	du, dv         []float64
	items          []float64
	w              weights[T]
}

// CrossModalRanking works on blocks of the score matrix, which exists as a whole only where it is small. With all pairs the gradient
// by the embeddings is two more products; the hardest and sampled pairs leave a sparse matrix. See loss.CrossModalRanking.
func CrossModalRanking[T loss.Float](out []T, grad, in *loss.CrossModalRanking[T], dOut []T) {
	k := take[crossModalTask[T]]()
	k.in, k.n, k.scores = in, in.Batch(), in.Input == "scores"
	if in.Reduction == loss.None {
		k.out = out
	}
	if grad != nil {
		k.gi, k.gt, k.gs = grad.Image.Data, grad.Text.Data, grad.Scores.Data
	}
	k.slopes = k.gi != nil || k.gt != nil || k.gs != nil
	z := float64(k.n)
	if in.Divisor == "pairs" {
		z = max(1, z*(z-1))
	}
	k.w = newWeights(in.Reduction, dOut, z)
	k.items = grown(k.items, k.n)
	if k.n == 1 {
		clear(k.items)
		clear(k.gi)
		clear(k.gt)
		clear(k.gs)
	} else {
		k.solve()
	}
	if k.out != nil {
		store(k.out, k.items)
	}
	finish(out, in.Reduction, k.items, z)
	k.in, k.out, k.gi, k.gt, k.gs, k.w = nil, nil, nil, nil, nil, weights[T]{}
	give(k)
}

func (k *crossModalTask[T]) solve() {
	n := k.n
	k.dims = 0
	if !k.scores {
		k.dims = k.in.Image.Shape[1]
		k.u, k.v, k.normU, k.normV = grown(k.u, n*k.dims), grown(k.v, n*k.dims), grown(k.normU, n), grown(k.normV, n)
		if k.slopes && k.in.Mining == "all" {
			k.ut, k.vt = grown(k.ut, n*k.dims), grown(k.vt, n*k.dims)
		}
	}
	k.blocks = ceilDiv(n, crossModalRows)
	k.groups = min(crossModalGroups, k.blocks)
	k.badU, k.badV, k.room, k.weight, k.diagonal = grown(k.badU, n), grown(k.badV, n), grown(k.room, n), grown(k.weight, n), grown(k.diagonal, n)
	k.each(crossModalNormalize, k.blocks, 8*crossModalRows*(k.dims+2))
	k.spoiled = slices.Contains(k.badU, true) || slices.Contains(k.badV, true)
	k.wild = k.spoiled && k.in.Similarity == "dot"
	k.keep = k.slopes && !k.scores && k.in.Mining == "all" && n*n <= crossModalKeep
	if k.keep {
		k.all = grown(k.all, n*n)
	}
	cost := ceilDiv(k.blocks, k.groups) * crossModalRows * n * (k.dims/2 + 4)
	switch k.in.Mining {
	case "all":
		k.rowSum, k.rowN = grown(k.rowSum, n), grown(k.rowN, n)
		k.colSum, k.colN = grown(k.colSum, k.groups*n), grown(k.colN, k.groups*n)
		k.each(crossModalScan, k.groups, cost)
	case "hardest":
		k.rowBest, k.colBest = grown(k.rowBest, n), grown(k.colBest, k.groups*n)
		k.each(crossModalScan, k.groups, cost)
	}
	k.rival = grown(k.rival, 2*n)
	k.each(crossModalItems, k.blocks, crossModalRows*(4*k.groups+3*k.dims))
	if !k.slopes {
		return
	}
	switch {
	case k.in.Mining != "all":
		k.sparse()
	case k.scores:
		for i, g := range k.diagonal {
			k.gs[i*n+i] = T(g)
		}
	case k.wild:
		k.list()
		k.scatter()
	default:
		if k.gi != nil {
			k.each(crossModalImages, k.blocks, crossModalRows*n*(k.dims/2+4))
		}
		if k.gt != nil {
			k.each(crossModalTexts, ceilDiv(n, crossModalCols), crossModalCols*n*(k.dims/2+4))
		}
	}
	k.spoil()
}

func (k *crossModalTask[T]) each(phase, n, cost int) {
	k.phase = phase
	each(n, cost, k)
}

func (k *crossModalTask[T]) run(i int) {
	lo, hi := i*crossModalRows, min((i+1)*crossModalRows, k.n)
	switch k.phase {
	case crossModalNormalize:
		for ; lo < hi; lo++ {
			k.normalize(lo)
		}
	case crossModalScan:
		w := take[crossModalScratch]()
		k.scan(w, i)
		give(w)
	case crossModalItems:
		for ; lo < hi; lo++ {
			k.item(lo)
		}
	case crossModalImages:
		k.pullImages(lo, hi)
	case crossModalTexts:
		k.pullTexts(i*crossModalCols, min((i+1)*crossModalCols, k.n))
	case crossModalScatter:
		k.gather(i*crossModalCols, min((i+1)*crossModalCols, k.dims))
	}
}

// normalize prepares pair i.
func (k *crossModalTask[T]) normalize(i int) {
	k.badU[i], k.badV[i] = false, false
	k.weight[i] = 0
	if k.slopes {
		k.weight[i] = k.w.at(i)
	}
	if k.scores {
		k.room[i] = k.in.Margin - float64(k.in.Scores.Data[i*k.n+i])
		return
	}
	lo, hi := i*k.dims, (i+1)*k.dims
	row := func(u []float64, z []T) (float64, bool) {
		length, fine := unitRow(u, z, k.in.Similarity == "cosine", k.in.NormEps)
		if !fine {
			for j, x := range z {
				u[j] = float64(x)
			}
		}
		return length, !fine
	}
	k.normU[i], k.badU[i] = row(k.u[lo:hi], k.in.Image.Data[lo:hi])
	k.normV[i], k.badV[i] = row(k.v[lo:hi], k.in.Text.Data[lo:hi])
	k.room[i] = k.in.Margin - k.score(i, i)
	if k.slopes && k.in.Mining == "all" {
		transpose(k.ut[i:], k.n, k.u[lo:hi], k.dims, 1, k.dims)
		transpose(k.vt[i:], k.n, k.v[lo:hi], k.dims, 1, k.dims)
	}
}

// score is S_ij.
func (k *crossModalTask[T]) score(i, j int) float64 {
	if k.scores {
		return float64(k.in.Scores.Data[i*k.n+j])
	}
	if (k.badU[i] || k.badV[j]) && k.in.Similarity == "cosine" {
		return math.NaN()
	}
	s := [1]float64{}
	dots(s[:], k.u[i*k.dims:], k.dims, 1, k.v[j*k.dims:], k.dims, 1, k.dims)
	return s[0]
}

type crossModalScratch struct{ s, turned, du []float64 }

// similar fills s with the scores of images lo to hi and texts from to to.
func (k *crossModalTask[T]) similar(s []float64, lo, hi, from, to int) {
	n := to - from
	if k.scores {
		for i := lo; i < hi; i++ {
			line := s[(i-lo)*n:][:n]
			for j, x := range k.in.Scores.Data[i*k.n+from:][:n] {
				line[j] = float64(x)
			}
		}
		return
	}
	clear(s)
	dots(s, k.u[lo*k.dims:], k.dims, hi-lo, k.v[from*k.dims:], k.dims, n, k.dims)
}

// scan does the score blocks of a group of images.
func (k *crossModalTask[T]) scan(w *crossModalScratch, group int) {
	hardest := k.in.Mining == "hardest"
	if hardest {
		for j := range k.n {
			k.colBest[group*k.n+j] = crossModalBest{math.Inf(-1), 0}
		}
	} else {
		clear(k.colSum[group*k.n : (group+1)*k.n])
		clear(k.colN[group*k.n : (group+1)*k.n])
	}
	w.s = grown(w.s, crossModalRows*crossModalCols)
	for block := group * k.blocks / k.groups; block < (group+1)*k.blocks/k.groups; block++ {
		lo, hi := block*crossModalRows, min((block+1)*crossModalRows, k.n)
		for i := lo; i < hi; i++ {
			if hardest {
				k.rowBest[i] = crossModalBest{math.Inf(-1), 0}
			} else {
				k.rowSum[i], k.rowN[i] = 0, 0
			}
		}
		for from := 0; from < k.n; from += crossModalCols {
			to := min(from+crossModalCols, k.n)
			s := w.s[:(hi-lo)*(to-from)]
			k.similar(s, lo, hi, from, to)
			for i := lo; i < hi; i++ {
				line := s[(i-lo)*(to-from):][:to-from]
				if k.keep {
					copy(k.all[i*k.n+from:], line)
				}
				if i < from || i >= to {
					k.line(group, i, from, line, hardest)
					continue
				}
				k.line(group, i, from, line[:i-from], hardest)
				k.line(group, i, i+1, line[i-from+1:], hardest)
			}
		}
	}
}

// line does the scores of image i and texts from, from+1, ..., which are not its own.
func (k *crossModalTask[T]) line(group, i, from int, s []float64, hardest bool) {
	at := group*k.n + from
	if hardest {
		best, cols := &k.rowBest[i], k.colBest[at:][:len(s)]
		for j, v := range s {
			best.see(v, from+j)
			cols[j].see(v, i)
		}
		return
	}
	var sum, count float64
	if k.gs != nil {
		sum, count = hingesAndSlopes(k.gs[i*k.n+from:], s, k.room[i], k.room[from:], k.colSum[at:], k.colN[at:], k.weight[i], k.weight[from:])
	} else {
		sum, count = hinges(s, k.room[i], k.room[from:], k.colSum[at:], k.colN[at:])
	}
	k.rowSum[i] += sum
	k.rowN[i] += count
}

// hinges returns the sum of max(0, room + s) and how many are positive, and adds max(0, rooms + s) to sums and what is positive to counts.
func hinges(s []float64, room float64, rooms, sums, counts []float64) (sum, count float64) {
	rooms, sums, counts = rooms[:len(s)], sums[:len(s)], counts[:len(s)]
	for j, v := range s {
		r, c := max(room+v, 0), max(rooms[j]+v, 0)
		sum += r
		sums[j] += c
		count += math.Float64frombits(oneBits & positive(r))
		counts[j] += math.Float64frombits(oneBits & positive(c))
	}
	return sum, count
}

// hingesAndSlopes is hinges and slopes in one pass.
func hingesAndSlopes[T loss.Float](g []T, s []float64, room float64, rooms, sums, counts []float64, weight float64, weights []float64) (sum, count float64) {
	g, rooms, sums, counts, weights = g[:len(s)], rooms[:len(s)], sums[:len(s)], counts[:len(s)], weights[:len(s)]
	for j, v := range s {
		r, c := max(room+v, 0), max(rooms[j]+v, 0)
		sum += r
		sums[j] += c
		p, q := positive(r), positive(c)
		count += math.Float64frombits(oneBits & p)
		counts[j] += math.Float64frombits(oneBits & q)
		g[j] = T(math.Float64frombits(math.Float64bits(weight)&p) + math.Float64frombits(math.Float64bits(weights[j])&q))
	}
	return sum, count
}

// slopes fills in the derivatives by scores: weight where room + s is positive and weights where rooms + s is.
func slopes[T loss.Float](g []T, s []float64, room float64, rooms []float64, weight float64, weights []float64) {
	g, rooms, weights = g[:len(s)], rooms[:len(s)], weights[:len(s)]
	for j, v := range s {
		r, c := max(room+v, 0), max(rooms[j]+v, 0)
		g[j] = T(math.Float64frombits(math.Float64bits(weight)&positive(r)) + math.Float64frombits(math.Float64bits(weights[j])&positive(c)))
	}
}

// rivals returns the hardest or the sampled text and image of pair i with their scores.
func (k *crossModalTask[T]) rivals(i int) (text, image crossModalBest) {
	if k.in.Mining == "sampled" {
		t, m := int(k.in.ImpostorText.Data[i]), int(k.in.ImpostorImage.Data[i])
		return crossModalBest{k.score(i, t), t}, crossModalBest{k.score(m, i), m}
	}
	image = crossModalBest{math.Inf(-1), 0}
	for g := range k.groups {
		b := k.colBest[g*k.n+i]
		image.see(b.v, b.at)
	}
	return k.rowBest[i], image
}

func (k *crossModalTask[T]) item(i int) {
	if k.in.Mining != "all" {
		text, image := k.rivals(i)
		k.rival[2*i], k.rival[2*i+1] = text, image
		k.items[i] = max(k.room[i]+text.v, 0) + max(k.room[i]+image.v, 0)
	} else {
		count := k.rowN[i]
		k.items[i] = k.rowSum[i]
		for g := range k.groups {
			k.items[i] += k.colSum[g*k.n+i]
			count += k.colN[g*k.n+i]
		}
		k.diagonal[i] = -k.weight[i] * count
	}
	if k.in.Mining != "sampled" && !k.scores && k.in.Similarity == "cosine" && k.spoiled { // every item uses every row
		k.items[i] = math.NaN()
	}
}

// sparse does the gradient of the hardest or sampled pairs.
func (k *crossModalTask[T]) sparse() {
	k.entries = k.entries[:0]
	for i := range k.n {
		text, image := k.rival[2*i], k.rival[2*i+1]
		g := 0.0
		if k.room[i]+text.v > 0 {
			// The text may have the image as its rival. One entry then: its weights may cancel where the rows are infinite.
			w := k.weight[i]
			if back := k.rival[2*text.at+1]; back.at == i && k.room[text.at]+back.v > 0 {
				w += k.weight[text.at]
			}
			if w != 0 {
				k.entries = append(k.entries, crossModalEntry{i, text.at, w})
			}
			g -= k.weight[i]
		}
		if k.room[i]+image.v > 0 {
			if back := k.rival[2*image.at]; !(back.at == i && k.room[image.at]+back.v > 0) {
				k.entries = append(k.entries, crossModalEntry{image.at, i, k.weight[i]})
			}
			g -= k.weight[i]
		}
		if g != 0 {
			k.entries = append(k.entries, crossModalEntry{i, i, g})
		}
	}
	if !k.scores {
		k.scatter()
		return
	}
	clear(k.gs)
	for _, e := range k.entries {
		k.gs[e.row*k.n+e.col] += T(e.g)
	}
}

// list collects the entries of the gradient by the scores that are not 0.
func (k *crossModalTask[T]) list() {
	k.entries = k.entries[:0]
	for i := range k.n {
		for j := range k.n {
			g := k.diagonal[i]
			if i != j {
				s := k.score(i, j)
				g = 0
				if k.room[i]+s > 0 {
					g += k.weight[i]
				}
				if k.room[j]+s > 0 {
					g += k.weight[j]
				}
			}
			if g != 0 {
				k.entries = append(k.entries, crossModalEntry{i, j, g})
			}
		}
	}
}

// scatter takes the entries to the embeddings.
func (k *crossModalTask[T]) scatter() {
	k.du, k.dv = grown(k.du, k.n*k.dims), grown(k.dv, k.n*k.dims)
	k.each(crossModalScatter, ceilDiv(k.dims, crossModalCols), 2*crossModalCols*len(k.entries))
	for i := range k.n {
		k.pull(i, k.du[i*k.dims:], k.gi, k.u, k.normU)
		k.pull(i, k.dv[i*k.dims:], k.gt, k.v, k.normV)
	}
}

func (k *crossModalTask[T]) pull(i int, du []float64, g []T, u, norms []float64) {
	if lo, hi := i*k.dims, (i+1)*k.dims; g != nil {
		pullUnit(g[lo:hi], u[lo:hi], du[:k.dims], norms[i], k.in.Similarity == "cosine", k.in.NormEps)
	}
}

// gather adds up the entries for columns from to to of the embeddings.
func (k *crossModalTask[T]) gather(from, to int) {
	for i := range k.n {
		clear(k.du[i*k.dims+from : i*k.dims+to])
		clear(k.dv[i*k.dims+from : i*k.dims+to])
	}
	for _, e := range k.entries {
		i, j := e.row*k.dims, e.col*k.dims
		du, u, dv, v := k.du[i+from:i+to], k.u[i+from:i+to], k.dv[j+from:j+to], k.v[j+from:j+to]
		u, dv, v = u[:len(du)], dv[:len(du)], v[:len(du)]
		for d := range du {
			du[d] += e.g * v[d]
			dv[d] += e.g * u[d]
		}
	}
}

// recall fills s with the gradient by the scores of images lo to hi and texts from to to.
func (k *crossModalTask[T]) recall(s []float64, lo, hi, from, to int) {
	n := to - from
	if !k.keep {
		k.similar(s, lo, hi, from, to)
	}
	for i := lo; i < hi; i++ {
		line := s[(i-lo)*n:][:n]
		if k.keep {
			copy(line, k.all[i*k.n+from:])
		}
		slopes(line, line, k.room[i], k.room[from:], k.weight[i], k.weight[from:])
		if from <= i && i < to {
			line[i-from] = k.diagonal[i]
		}
	}
}

// pullImages is du = G v for images lo to hi.
func (k *crossModalTask[T]) pullImages(lo, hi int) {
	w := take[crossModalScratch]()
	w.s, w.du = grown(w.s, crossModalRows*crossModalCols), grown(w.du, crossModalCols*k.dims)
	du := w.du[:(hi-lo)*k.dims]
	clear(du)
	for from := 0; from < k.n; from += crossModalCols {
		to := min(from+crossModalCols, k.n)
		s := w.s[:(hi-lo)*(to-from)]
		k.recall(s, lo, hi, from, to)
		dots(du, s, to-from, hi-lo, k.vt[from:], k.n, k.dims, to-from)
	}
	for i := lo; i < hi; i++ {
		k.pull(i, du[(i-lo)*k.dims:], k.gi, k.u, k.normU)
	}
	give(w)
}

// pullTexts is dv = G^T u for texts from to to.
func (k *crossModalTask[T]) pullTexts(from, to int) {
	w := take[crossModalScratch]()
	w.s, w.turned, w.du = grown(w.s, crossModalRows*crossModalCols), grown(w.turned, crossModalRows*crossModalCols), grown(w.du, crossModalCols*k.dims)
	dv := w.du[:(to-from)*k.dims]
	clear(dv)
	for lo := 0; lo < k.n; lo += crossModalRows {
		hi := min(lo+crossModalRows, k.n)
		s := w.s[:(hi-lo)*(to-from)]
		k.recall(s, lo, hi, from, to)
		transpose(w.turned, hi-lo, s, to-from, hi-lo, to-from)
		dots(dv, w.turned, hi-lo, to-from, k.ut[lo:], k.n, k.dims, hi-lo)
	}
	for j := from; j < to; j++ {
		k.pull(j, dv[(j-from)*k.dims:], k.gt, k.v, k.normV)
	}
	give(w)
}

// spoil writes NaN to all that the items use which are NaN.
func (k *crossModalTask[T]) spoil() {
	nan := T(math.NaN())
	for i, l := range k.items {
		if l == l {
			continue
		}
		if k.in.Mining == "sampled" {
			t, m := int(k.in.ImpostorText.Data[i]), int(k.in.ImpostorImage.Data[i])
			if k.scores {
				k.gs[i*k.n+i], k.gs[i*k.n+t], k.gs[m*k.n+i] = nan, nan, nan
				continue
			}
			for _, at := range [2]int{i, m} {
				if k.gi != nil {
					fill(k.gi[at*k.dims:(at+1)*k.dims], nan)
				}
			}
			for _, at := range [2]int{i, t} {
				if k.gt != nil {
					fill(k.gt[at*k.dims:(at+1)*k.dims], nan)
				}
			}
			continue
		}
		if !k.scores {
			fill(k.gi, nan)
			fill(k.gt, nan)
			return
		}
		fill(k.gs[i*k.n:(i+1)*k.n], nan)
		for j := range k.n {
			k.gs[j*k.n+i] = nan
		}
	}
}
