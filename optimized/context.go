package optimized

import (
	"math"

	"github.com/goldenloss/goldenloss/reference/loss"
)

const (
	contextBlock  = 64 // points that are normalized at a time
	contextTile   = 12 // rows of distances that are worked on at a time
	contextChunks = 64 // chunks of rows of a sample, at most
)

// contextMap is a feature map of all samples as rows of unit vectors.
type contextMap struct {
	points int
	unit   []float64 // [N, points, C]
	norm   []float64 // [N, points]
	bad    []bool    // blocks with a NaN or an infinity
	short  []bool    // blocks with a vector that is not longer than norm_eps
}

// contextTask matches points. The matrix of distances is never stored: its rows are computed once for the maxima, and again for the
// gradient of those that won one.
type contextTask[T loss.Float] struct {
	in           *loss.Context[T]
	g            []T
	n, c         int
	x, y         contextMap
	turned       []float64 // y as [N, C, J]
	mu           []float64 // [N, C]
	rows, chunks int       // of a chunk, of a sample
	best         []float64 // maxima by sample, chunk and column, or row
	winner       []int32
	cx           []float64
	weight       []float64 // derivative of the value with respect to a maximum
	first, won   []int32   // by sample and row: where its columns begin in won, and those
	items        []float64
	phase        int
}

const (
	contextMeans = iota
	contextUnits
	contextMaxima
	contextMerge
	contextGradient
)

// Context is the contextual loss. See loss.Context.
func Context[T loss.Float](out []T, grad, in *loss.Context[T], dOut []T) {
	k := take[contextTask[T]]()
	k.in, k.n, k.c = in, in.Pred.Shape[0], in.Pred.Shape[1]
	if grad != nil {
		k.g = grad.Pred.Data
	}
	k.x.init(k.n, k.c, len(in.Pred.Data))
	k.y.init(k.n, k.c, len(in.Target.Data))
	rows, columns := k.x.points, k.y.points
	k.mu = grown(k.mu, k.n*k.c)
	k.phase = contextMeans
	each(k.n*k.c, columns, k)
	if in.Center == "batch" {
		k.average()
	}
	if k.g != nil {
		k.turned = grown(k.turned, len(in.Target.Data))
	}
	k.phase = contextUnits
	each(k.n*(k.x.blocks()+k.y.blocks()), 4*contextBlock*k.c, k)
	k.rows = max(contextTile, ceilDiv(ceilDiv(rows, contextChunks), contextTile)*contextTile)
	k.chunks = ceilDiv(rows, k.rows)
	k.best, k.winner = grown(k.best, k.n*k.chunks*max(columns, k.rows)), grown(k.winner, k.n*k.chunks*max(columns, k.rows))
	cost := k.rows * columns * (k.c + 10)
	k.phase = contextMaxima
	each(k.n*k.chunks, cost, k)
	k.cx, k.weight, k.items = grown(k.cx, k.n), grown(k.weight, k.n), grown(k.items, k.n)
	k.first, k.won = grown(k.first, k.n*(rows+1)), grown(k.won, k.n*max(columns, rows))
	k.phase = contextMerge
	each(k.n, k.chunks*columns, k)
	w := newWeights(in.Reduction, dOut, float64(k.n))
	for i := range k.items {
		v := k.cx[i] + in.LogEps
		k.items[i] = -logOf(v)
		maxima := columns
		if in.MaxAxis == "row" {
			maxima = rows
		}
		if k.weight[i] = 0; k.g != nil {
			k.weight[i] = -w.at(i) / (v * float64(maxima))
		}
	}
	if in.Reduction == loss.None {
		store(out, k.items)
	}
	finish(out, in.Reduction, k.items, float64(k.n))
	if k.g != nil {
		k.phase = contextGradient
		each(k.n*k.chunks, 2*cost, k)
	}
	k.in, k.g = nil, nil
	give(k)
}

func (m *contextMap) init(n, c, size int) {
	m.points = size / n / c
	m.unit, m.norm = grown(m.unit, size), grown(m.norm, n*m.points)
	m.bad, m.short = grown(m.bad, n*m.blocks()), grown(m.short, n*m.blocks())
}

func (m *contextMap) blocks() int { return ceilDiv(m.points, contextBlock) }

// any reports whether a block of sample n is marked.
func (m *contextMap) any(marks []bool, n int) bool {
	b := m.blocks()
	for _, v := range marks[n*b : (n+1)*b] {
		if v {
			return true
		}
	}
	return false
}

// average replaces the means of the samples by that of the batch.
func (k *contextTask[T]) average() {
	for c := range k.c {
		var sum running
		for n := range k.n {
			sum.add(k.mu[n*k.c+c])
		}
		mean := sum.value() / float64(k.n)
		for n := range k.n {
			k.mu[n*k.c+c] = mean
		}
	}
}

func (k *contextTask[T]) run(i int) {
	switch k.phase {
	case contextMeans:
		k.mu[i] = 0
		if k.in.Center == "none" {
			return
		}
		var sum running
		p := k.in.Target.Data[i*k.y.points:][:k.y.points]
		for len(p) > 0 {
			m := min(strip, len(p))
			part := 0.0
			for _, v := range p[:m] {
				part += float64(v)
			}
			sum.add(part)
			p = p[m:]
		}
		k.mu[i] = sum.value() / float64(k.y.points)
	case contextUnits:
		if own := k.n * k.x.blocks(); i < own {
			k.units(&k.x, k.in.Pred.Data, i, nil)
		} else {
			k.units(&k.y, k.in.Target.Data, i-own, k.turned)
		}
	case contextMaxima:
		k.maxima(i/k.chunks, i%k.chunks)
	case contextMerge:
		k.merge(i)
	default:
		k.pull(i/k.chunks, i%k.chunks)
	}
}

// units fills a block of rows of unit vectors.
func (k *contextTask[T]) units(m *contextMap, data []T, block int, turned []float64) {
	n, b := block/m.blocks(), block%m.blocks()
	at, end := b*contextBlock, min((b+1)*contextBlock, m.points)
	unit := m.unit[n*m.points*k.c:][:m.points*k.c]
	mu := k.mu[n*k.c:][:k.c]
	for c, mean := range mu {
		for j, v := range data[(n*k.c+c)*m.points:][at:end] {
			unit[(at+j)*k.c+c] = float64(v) - mean
		}
	}
	bad, short := false, false
	for p := at; p < end; p++ {
		row := unit[p*k.c:][:k.c]
		r := length(row)
		m.norm[n*m.points+p] = r
		bad = bad || !(r <= math.MaxFloat64)
		if !(r > k.in.NormEps) {
			short = true
			r = k.in.NormEps
		}
		for c := range row {
			row[c] /= r
		}
	}
	m.bad[block], m.short[block] = bad, short
	if turned == nil || k.g == nil {
		return
	}
	for c := range k.c {
		d := turned[(n*k.c+c)*m.points:][:m.points]
		for p := at; p < end; p++ {
			d[p] = unit[p*k.c+c]
		}
	}
}

// length is the norm of a vector of any size.
func length(v []float64) float64 {
	var sum running
	for w := v; len(w) > 0; w = w[min(strip, len(w)):] {
		sum.add(norm(w[:min(strip, len(w))], false))
	}
	if s := sum.value(); s > 0x1p-900 && s < 0x1p900 {
		return math.Sqrt(s)
	}
	top := 0.0
	for _, x := range v {
		top = max(top, math.Abs(x))
	}
	if top == 0 || !(top <= math.MaxFloat64) {
		return top
	}
	_, e := math.Frexp(top)
	by, s := math.Ldexp(1, -max(e, -1000)), 0.0
	for _, x := range v {
		s += (x * by) * (x * by)
	}
	return math.Sqrt(s) / by
}

// contextScratch holds a tile of rows.
type contextScratch struct {
	d, e []float64 // distances and exponentials of a tile
	x, g []float64 // vectors and gradients of a tile
	row  [contextTile]int
	lost []float64
}

// distances fills d with the distances of the rows x of sample n from all columns. full says that every vector has norm 1.
func (k *contextTask[T]) distances(d, x []float64, norms [contextTile]float64, m, n int, full bool) {
	columns := k.y.points
	y := k.y.unit[n*columns*k.c:][:columns*k.c]
	clear(d[:m*columns])
	dots(d[:m*columns], x, k.c, m, y, k.c, columns, k.c)
	near := 0.0625 // below that 1 - x.y has lost too much
	if single[T]() {
		near = 0x1p-20
	}
	scale := k.in.DistScale
	for i := range m {
		row := d[i*columns:][:columns]
		long := norms[i] > k.in.NormEps
		for j, v := range row {
			miss := 1 - v
			if miss < near && long && (full || k.y.norm[n*columns+j] > k.in.NormEps) {
				miss = halfSquare(x[i*k.c:][:k.c], y[j*k.c:][:k.c])
			}
			row[j] = scale * miss
		}
	}
}

// halfSquare is ||x-y||^2/2.
func halfSquare(x, y []float64) float64 {
	s := 0.0
	for c, v := range x {
		e := v - y[c]
		s += e * e
	}
	return s / 2
}

// soften fills e with the affinities of a row of distances but for the factor that it returns, beside the place of the minimum.
func (k *contextTask[T]) soften(e, d []float64) (inverse float64, near int) {
	low := d[0]
	for j, v := range d {
		if v < low {
			low, near = v, j
		}
	}
	by := 1 / ((low + k.in.Eps) * k.in.H)
	for j, v := range d {
		e[j] = expNeg[T]((low-v)*by) * expScale
	}
	return 1 / pairwise(e), near
}

// tile collects up to contextTile of the rows from at on that are wanted, and returns how many and where to go on.
func (k *contextTask[T]) tile(s *contextScratch, n, at, end int, wanted func(i int) bool) (m, next int, norms [contextTile]float64) {
	for ; at < end && m < contextTile; at++ {
		if wanted != nil && !wanted(at) {
			continue
		}
		s.row[m], norms[m] = at, k.x.norm[n*k.x.points+at]
		copy(s.x[m*k.c:][:k.c], k.x.unit[(n*k.x.points+at)*k.c:])
		m++
	}
	return m, at, norms
}

func (s *contextScratch) init(c, columns int) {
	s.d, s.e = grown(s.d, contextTile*columns), grown(s.e, columns)
	s.x, s.g = grown(s.x, contextTile*c), grown(s.g, contextTile*c)
}

// maxima finds the largest affinities among a chunk of rows: of every column, or of every row.
func (k *contextTask[T]) maxima(n, chunk int) {
	s := take[contextScratch]()
	columns := k.y.points
	s.init(k.c, columns)
	stride := max(columns, k.rows)
	best, winner := k.best[(n*k.chunks+chunk)*stride:][:stride], k.winner[(n*k.chunks+chunk)*stride:][:stride]
	for j := range best {
		best[j], winner[j] = -1, 0
	}
	full := !k.y.any(k.y.short, n)
	byRow := k.in.MaxAxis == "row"
	at, end := chunk*k.rows, min((chunk+1)*k.rows, k.x.points)
	for next := at; next < end; {
		var m int
		var norms [contextTile]float64
		m, next, norms = k.tile(s, n, next, end, nil)
		k.distances(s.d, s.x, norms, m, n, full)
		for i := range m {
			inverse, near := k.soften(s.e, s.d[i*columns:][:columns])
			if byRow {
				best[s.row[i]-at], winner[s.row[i]-at] = s.e[near]*inverse, int32(near)
				continue
			}
			row := int32(s.row[i])
			for j, v := range s.e {
				if a := v * inverse; a > best[j] {
					best[j], winner[j] = a, row
				}
			}
		}
	}
	give(s)
}

// merge takes the maxima of sample n over the chunks, and lists the columns that every row won.
func (k *contextTask[T]) merge(n int) {
	rows, columns := k.x.points, k.y.points
	stride := max(columns, k.rows)
	best, winner := k.best[n*k.chunks*stride:], k.winner[n*k.chunks*stride:]
	first, won := k.first[n*(rows+1):][:rows+1], k.won[n*max(columns, rows):]
	bad := k.x.any(k.x.bad, n) || k.y.any(k.y.bad, n)
	if k.in.MaxAxis == "row" {
		for chunk := range k.chunks {
			copy(best[chunk*k.rows:], best[chunk*stride:][:k.rows])
			copy(winner[chunk*k.rows:], winner[chunk*stride:][:k.rows])
		}
		for i := range rows {
			first[i], won[i] = int32(i), winner[i]
		}
		first[rows] = int32(rows)
		k.cx[n] = pairwise(best[:rows]) / float64(rows)
	} else {
		for chunk := 1; chunk < k.chunks; chunk++ {
			for j, v := range best[chunk*stride:][:columns] {
				if v > best[j] {
					best[j], winner[j] = v, winner[chunk*stride+j]
				}
			}
		}
		// Columns by row: count, sum up, place.
		clear(first)
		for _, i := range winner[:columns] {
			first[i+1]++
		}
		for i := range rows {
			first[i+1] += first[i]
		}
		for j := columns - 1; j >= 0; j-- { // first[i+1] goes down to the beginning of row i
			i := winner[j]
			first[i+1]--
			won[first[i+1]] = int32(j)
		}
		copy(first, first[1:])
		first[rows] = int32(columns)
		k.cx[n] = pairwise(best[:columns]) / float64(columns)
	}
	if bad {
		k.cx[n] = math.NaN()
	}
}

// pull writes the gradient of a chunk of rows.
func (k *contextTask[T]) pull(n, chunk int) {
	rows, columns := k.x.points, k.y.points
	at, end := chunk*k.rows, min((chunk+1)*k.rows, rows)
	g := k.g[n*k.c*rows:][:k.c*rows]
	fillWith := 0.0
	if v := k.items[n]; v != v {
		fillWith = v
	}
	for c := range k.c {
		fill(g[c*rows+at:c*rows+end], T(fillWith))
	}
	if fillWith != 0 {
		return
	}
	s := take[contextScratch]()
	s.init(k.c, columns)
	s.lost = grown(s.lost, columns)
	first, won := k.first[n*(rows+1):][:rows+1], k.won[n*max(columns, rows):]
	turned := k.turned[n*k.c*columns:][:k.c*columns]
	full := !k.y.any(k.y.short, n)
	for next := at; next < end; {
		var m int
		var norms [contextTile]float64
		m, next, norms = k.tile(s, n, next, end, func(i int) bool { return first[i] < first[i+1] })
		if m == 0 {
			break
		}
		k.distances(s.d, s.x, norms, m, n, full)
		for i := range m {
			k.slopes(s, s.d[i*columns:][:columns], won[first[s.row[i]]:first[s.row[i]+1]], k.weight[n])
		}
		clear(s.g[:m*k.c])
		dots(s.g[:m*k.c], s.d, columns, m, turned, columns, k.c, columns)
		for i := range m {
			u, v := s.x[i*k.c:][:k.c], s.g[i*k.c:][:k.c]
			by, along := -k.in.DistScale, 0.0
			if norms[i] > k.in.NormEps { // back through the division by the norm
				for c, x := range u {
					along += x * v[c]
				}
				by /= norms[i]
			} else {
				by /= k.in.NormEps
			}
			for c, x := range u {
				g[c*rows+s.row[i]] = T(by * (v[c] - x*along))
			}
		}
	}
	give(s)
}

// slopes replaces a row of distances, which won some columns, by its derivatives, for the derivative w of the value by a maximum.
func (k *contextTask[T]) slopes(s *contextScratch, d []float64, columns []int32, w float64) {
	inverse, near := k.soften(s.e, d)
	e, lost := s.e, s.lost[:len(s.e)]
	copy(lost, e)
	sum := 0.0
	for _, j := range columns {
		sum += e[j]
		lost[j] = 0
	}
	won, rest := sum*inverse, pairwise(lost)*inverse
	// The derivative by 1 - d/m is A w rest/h at a column that was won and -A w won/h elsewhere.
	m := d[near] + k.in.Eps
	by := w * inverse / k.in.H
	for j, v := range e {
		lost[j] = by * v * won
	}
	for _, j := range columns {
		lost[j] = -by * e[j] * rest
	}
	var through running // what the minimum collects: it is in all ratios, and m - d = eps there
	for lo := 0; lo < len(d); lo += strip {
		part := 0.0
		for j := lo; j < min(lo+strip, len(d)); j++ {
			if j != near {
				part += lost[j] * (d[j] / m)
			}
		}
		through.add(part)
	}
	own := lost[near] * (k.in.Eps / m)
	for j, v := range lost {
		d[j] = v / m
	}
	d[near] = (own - through.value()) / m
}
