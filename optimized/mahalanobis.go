package optimized

import (
	"math"

	"github.com/goldenloss/goldenloss/reference/loss"
)

const (
	mahalanobisRows     = 512 // rows of a chunk where all share the matrix
	mahalanobisMatrices = 32  // matrices of a chunk
)

// mahalanobisTask visits the rows matrix by matrix, so that each is factored once.
type mahalanobisTask[T loss.Float] struct {
	in                            *loss.Mahalanobis[T]
	rows, k, size                 int  // size of a matrix
	shared, mean                  bool // all rows have one matrix, one mean
	gx, gMean, gm                 []T
	w                             weights[T]
	items                         []float64
	order, start                  []int              // rows in the order of their matrices, and where those of each begin; with Index
	whole                         mahalanobisScratch // the shared matrix
	partMean, partMatrix, partDet []float64          // per chunk
}

// mahalanobisScratch is a matrix and what its rows add up.
type mahalanobisScratch struct {
	l, inverse  []float64 // factor, row by row, and 1/L_ii; 1/var and 1/sqrt(var) for form diag
	det         float64
	bad         bool // an entry is not finite
	delta, w, v []float64
	mean, sum   []float64 // gradients of up to strip rows
	held        int       // rows in them
	means, sums []running // of more
	weight      float64   // sum of what multiplies log det S
}

func (s *mahalanobisScratch) reserve(k, size int) {
	s.l, s.inverse = grown(s.l, size), grown(s.inverse, k)
	s.delta, s.w, s.v = grown(s.delta, k), grown(s.w, k), grown(s.v, k)
	s.mean, s.sum, s.means, s.sums = grown(s.mean, k), grown(s.sum, size), grown(s.means, k), grown(s.sums, size)
	s.reset()
}

func (s *mahalanobisScratch) reset() {
	clear(s.mean)
	clear(s.sum)
	clear(s.means)
	clear(s.sums)
	s.held, s.weight = 0, 0
}

func (s *mahalanobisScratch) flush() {
	for i, x := range s.mean {
		s.means[i].add(x)
	}
	for i, x := range s.sum {
		s.sums[i].add(x)
	}
	clear(s.mean)
	clear(s.sum)
	s.held = 0
}

// Mahalanobis is the Mahalanobis distance. See loss.Mahalanobis.
func Mahalanobis[T loss.Float](out []T, grad, in *loss.Mahalanobis[T], dOut []T) {
	k := take[mahalanobisTask[T]]()
	k.in = in
	k.rows, k.k = in.X.Shape[0], in.X.Shape[1]
	k.size = k.k
	if in.Form != "diag" {
		k.size *= k.k
	}
	k.shared, k.mean = in.Shared(), !in.Index.Given() && len(in.Mean.Shape) == 1
	k.w = newWeights(in.Reduction, dOut, float64(k.rows))
	if grad != nil {
		k.gx, k.gMean, k.gm = grad.X.Data, grad.Mean.Data, grad.Matrix.Data
	}
	k.items = grown(k.items, k.rows)
	chunks, cost := 0, 10*k.k*k.k
	switch {
	case k.shared:
		k.whole.reserve(k.k, k.size)
		k.factor(0, &k.whole)
		chunks, cost = ceilDiv(k.rows, mahalanobisRows), cost*mahalanobisRows
	case in.Index.Given():
		k.sort()
		chunks, cost = ceilDiv(in.Matrices(), mahalanobisMatrices), cost*ceilDiv(k.rows, in.Matrices())*mahalanobisMatrices
	default:
		chunks, cost = ceilDiv(k.rows, mahalanobisMatrices), 2*cost*mahalanobisMatrices
	}
	k.partMean, k.partMatrix, k.partDet = grown(k.partMean, chunks*k.k), grown(k.partMatrix, chunks*k.size), grown(k.partDet, chunks)
	each(chunks, cost, k)
	if k.mean && k.gMean != nil {
		for i := range k.gMean {
			k.gMean[i] = T(strided(k.partMean[i:], k.k))
		}
	}
	if k.shared && k.gm != nil {
		for i := range k.whole.sum {
			k.whole.sum[i] = strided(k.partMatrix[i:], k.size)
		}
		k.whole.weight = pairwise(k.partDet)
		k.writeMatrix(&k.whole, k.gm)
	}
	if in.Reduction == loss.None {
		store(out, k.items)
	}
	finish(out, in.Reduction, k.items, float64(k.rows))
	*k = mahalanobisTask[T]{items: k.items, order: k.order, start: k.start, whole: k.whole, partMean: k.partMean, partMatrix: k.partMatrix, partDet: k.partDet}
	give(k)
}

// strided adds up every step-th number.
func strided(x []float64, step int) float64 {
	var sum running
	for i := 0; i < len(x); i += step {
		sum.add(x[i])
	}
	return sum.value()
}

// sort lists the rows of every matrix in ascending order.
func (k *mahalanobisTask[T]) sort() {
	n := k.in.Matrices()
	k.order, k.start = grown(k.order, k.rows), grown(k.start, n+2)
	clear(k.start)
	for _, m := range k.in.Index.Data {
		k.start[m+2]++
	}
	for m := range n {
		k.start[m+2] += k.start[m+1]
	}
	for b, m := range k.in.Index.Data {
		k.order[k.start[m+1]] = b
		k.start[m+1]++
	}
}

func (k *mahalanobisTask[T]) run(i int) {
	s := take[mahalanobisScratch]()
	defer give(s)
	s.reserve(k.k, k.size)
	switch {
	case k.shared:
		copy(s.l, k.whole.l)
		copy(s.inverse, k.whole.inverse)
		s.det, s.bad = k.whole.det, k.whole.bad
		for b := i * mahalanobisRows; b < min((i+1)*mahalanobisRows, k.rows); b++ {
			k.row(b, b, s)
		}
		s.flush()
		values(k.partMatrix[i*k.size:], s.sums)
		values(k.partMean[i*k.k:], s.means)
		k.partDet[i] = s.weight
	case k.in.Index.Given():
		for m := i * mahalanobisMatrices; m < min((i+1)*mahalanobisMatrices, k.in.Matrices()); m++ {
			s.reset()
			rows := k.order[k.start[m]:k.start[m+1]]
			if len(rows) > 0 {
				k.factor(m, s)
			}
			for _, b := range rows {
				k.row(b, m, s)
			}
			s.flush()
			values(s.mean, s.means)
			values(s.sum, s.sums)
			if k.gMean != nil {
				store(k.gMean[m*k.k:], s.mean)
			}
			if k.gm != nil {
				k.writeMatrix(s, k.gm[m*k.size:][:k.size])
			}
		}
	default:
		for b := i * mahalanobisMatrices; b < min((i+1)*mahalanobisMatrices, k.rows); b++ {
			k.factor(b, s)
			k.row(b, b, s)
			if k.gm != nil {
				k.writeMatrix(s, k.gm[b*k.size:][:k.size])
			}
			clear(s.sum)
			s.weight = 0
		}
		if k.mean {
			s.flush()
			values(k.partMean[i*k.k:], s.means)
		}
	}
}

func values(x []float64, r []running) {
	for i := range r {
		x[i] = r[i].value()
	}
}

// factor loads matrix m.
func (k *mahalanobisTask[T]) factor(m int, s *mahalanobisScratch) {
	n := k.k
	data := k.in.Matrix.Data[m*k.size:][:k.size]
	s.bad, s.det = false, 0
	if k.in.Form == "diag" {
		for i, x := range data {
			v := float64(x)
			s.bad = s.bad || v != v || math.IsInf(v, 0)
			s.l[i], s.inverse[i] = v, 1/math.Sqrt(v)
		}
	} else {
		for i, x := range data {
			s.l[i] = float64(x)
			s.bad = s.bad || (s.l[i]-s.l[i] != 0) && (k.in.Form != "chol" || i%n <= i/n)
		}
	}
	switch {
	case s.bad:
		return
	case k.in.Form == "chol":
		for i := range n {
			s.inverse[i] = 1 / s.l[i*n+i]
		}
	case k.in.Form != "diag":
		for i := range n {
			a := s.l[i*n:][:n]
			for j := range i {
				b := s.l[j*n:][:n]
				x := a[j]
				for q := range j {
					x -= a[q] * b[q]
				}
				a[j] = x * s.inverse[j]
			}
			x := a[i] + k.in.Jitter // 0 unless cov
			for _, v := range a[:i] {
				x -= v * v
			}
			a[i] = math.Sqrt(x)
			s.inverse[i] = 1 / a[i]
		}
	}
	if k.in.Variant != "nll" {
		return
	}
	if k.in.Form == "diag" {
		for _, v := range s.l {
			s.det += logOf(v)
		}
		return
	}
	for i := range n {
		s.det += 2 * logOf(s.l[i*n+i])
	}
	if k.in.Form == "precision" {
		s.det = -s.det
	}
}

// row evaluates row b, whose mean has number m where not all share it, and adds what it gives to mean and matrix.
func (k *mahalanobisTask[T]) row(b, m int, s *mahalanobisScratch) {
	n := k.k
	if k.mean {
		m = 0
	}
	x, mu := k.in.X.Data[b*n:][:n], k.in.Mean.Data[m*n:][:n]
	check := 0.0
	for i := range s.delta {
		s.delta[i] = float64(x[i]) - float64(mu[i])
		check += math.Abs(s.delta[i])
	}
	infinite := math.IsInf(check, 1) && k.infinite(s.delta)
	diag := k.in.Form == "diag"
	if s.bad || check != check || infinite && !diag {
		k.items[b] = math.NaN()
		if !s.bad && infinite {
			k.items[b] = check
		}
		k.lose(b, s)
		return
	}
	k.whiten(s)
	d2 := 0.0
	for _, w := range s.w {
		d2 += w * w
	}
	item, fx, fm := d2, 2.0, 1.0
	switch k.in.Variant {
	case "root":
		if item = math.Sqrt(d2); !(d2 > 0x1p-900 && d2 < 0x1p900) {
			item = scaledNorm(s.w)
		}
		fx, fm = 1/item, 0.5/item
		if item == 0 {
			fx, fm = 0, 0
		}
	case "nll":
		item = (d2 + s.det + float64(n)*logTwoPi) / 2
		fx, fm = 1, 0.5
	}
	k.items[b] = item
	if k.gx == nil && k.gMean == nil && k.gm == nil {
		return
	}
	c := k.w.at(b)
	s.weight += c / 2
	if infinite && k.in.Variant == "root" {
		k.farRow(b, c, s)
	} else {
		k.direction(s)
		k.addRow(b, c*fx, c*fm, s)
	}
	if !k.mean && !k.in.Index.Given() && k.gMean != nil {
		store(k.gMean[b*n:], s.mean)
		clear(s.mean)
	}
	if s.held++; s.held == strip && (k.shared || k.mean || k.in.Index.Given()) {
		s.flushRows(k.shared || k.in.Index.Given())
	}
}

// flushRows is flush, or that of the means alone where every row has a matrix of its own.
func (s *mahalanobisScratch) flushRows(both bool) {
	if both {
		s.flush()
		return
	}
	for i, x := range s.mean {
		s.means[i].add(x)
	}
	clear(s.mean)
	s.held = 0
}

func (k *mahalanobisTask[T]) infinite(delta []float64) bool {
	for _, d := range delta {
		if math.IsInf(d, 0) {
			return true
		}
	}
	return false
}

// lose makes the gradients of row b NaN.
func (k *mahalanobisTask[T]) lose(b int, s *mahalanobisScratch) {
	nan := math.NaN()
	if k.gx != nil {
		fill(k.gx[b*k.k:][:k.k], T(nan))
	}
	fill(s.mean, nan)
	fill(s.sum, nan)
	if !k.mean && !k.in.Index.Given() && k.gMean != nil {
		store(k.gMean[b*k.k:], s.mean)
		clear(s.mean)
	}
}

// whiten fills in w, whose squares add up to d2.
func (k *mahalanobisTask[T]) whiten(s *mahalanobisScratch) {
	n := len(s.w)
	switch k.in.Form {
	case "diag":
		for i, d := range s.delta {
			s.w[i] = d * s.inverse[i]
		}
	case "precision":
		clear(s.w)
		for j, d := range s.delta {
			for i, l := range s.l[j*n:][:j+1] {
				s.w[i] += l * d
			}
		}
	default:
		for i, x := range s.delta {
			l := s.l[i*n:][:i]
			for j, w := range s.w[:i] {
				x -= l[j] * w
			}
			s.w[i] = x * s.inverse[i]
		}
	}
}

// direction fills in v = S^-1 delta.
func (k *mahalanobisTask[T]) direction(s *mahalanobisScratch) {
	n := len(s.w)
	switch k.in.Form {
	case "diag":
		for i, d := range s.delta {
			s.v[i] = d / s.l[i]
		}
	case "precision":
		for i := range s.v {
			l, x := s.l[i*n:][:i+1], 0.0
			for j, w := range s.w[:i+1] {
				x += l[j] * w
			}
			s.v[i] = x
		}
	default:
		copy(s.v, s.w)
		for i := n - 1; i >= 0; i-- {
			s.v[i] *= s.inverse[i]
			x, l := s.v[i], s.l[i*n:][:i]
			for j := range l {
				s.v[j] -= l[j] * x
			}
		}
	}
}

// addRow writes the gradient of x, fx v, and adds that of mean and matrix.
func (k *mahalanobisTask[T]) addRow(b int, fx, fm float64, s *mahalanobisScratch) {
	n := len(s.v)
	for i, v := range s.v {
		s.mean[i] -= fx * v
	}
	if k.gx != nil {
		g := k.gx[b*n:][:n]
		for i, v := range s.v {
			g[i] = T(fx * v)
		}
	}
	if k.gm == nil {
		return
	}
	left, right := s.v, s.v
	switch k.in.Form {
	case "diag":
		for i, v := range s.v {
			s.sum[i] -= fm * v * v
		}
		return
	case "precision":
		left, right, fm = s.delta, s.delta, -fm
	case "chol":
		right, fm = s.w, 2*fm
	}
	for i, v := range left {
		f, row := fm*v, s.sum[i*n:][:i+1]
		for j, w := range right[:i+1] {
			row[j] -= f * w
		}
	}
}

// farRow is addRow for the root of an infinite distance and a diagonal matrix: the infinite coordinate alone has a slope.
func (k *mahalanobisTask[T]) farRow(b int, c float64, s *mahalanobisScratch) {
	for i, d := range s.delta {
		g := 0.0
		if math.IsInf(d, 0) {
			g = c * s.inverse[i] * sign(d)
			s.sum[i] += c * math.Inf(-1)
		}
		s.mean[i] -= g
		if k.gx != nil {
			k.gx[b*k.k+i] = T(g)
		}
	}
}

// writeMatrix writes the gradient of a matrix: what the rows gave, and that of log det S.
func (k *mahalanobisTask[T]) writeMatrix(s *mahalanobisScratch, g []T) {
	n := k.k
	if k.in.Variant == "nll" && s.weight != 0 && !s.bad {
		k.addDet(s)
	}
	if k.in.Form == "diag" {
		store(g, s.sum)
		return
	}
	for i := range n {
		for j := range i + 1 {
			g[i*n+j] = T(s.sum[i*n+j])
			switch {
			case i == j:
			case k.in.Form == "chol":
				g[j*n+i] = 0
			default:
				g[j*n+i] = g[i*n+j]
			}
		}
	}
}

// addDet adds weight times the derivative of log det S, which is the inverse of the matrix up to its sign.
func (k *mahalanobisTask[T]) addDet(s *mahalanobisScratch) {
	n, c := k.k, s.weight
	switch k.in.Form {
	case "diag":
		for i, v := range s.l {
			s.sum[i] += c / v
		}
		return
	case "chol":
		for i, r := range s.inverse {
			s.sum[i*n+i] += 2 * c * r
		}
		return
	case "precision":
		c = -c
	}
	// L becomes its inverse, column by column.
	for j := range n {
		s.l[j*n+j] = s.inverse[j]
		for i := j + 1; i < n; i++ {
			x := 0.0
			for q := j; q < i; q++ {
				x += s.l[i*n+q] * s.l[q*n+j]
			}
			s.l[i*n+j] = -x * s.inverse[i]
		}
	}
	for i := range n {
		for j := range i + 1 {
			x := 0.0
			for q := i; q < n; q++ {
				x += s.l[q*n+i] * s.l[q*n+j]
			}
			s.sum[i*n+j] += c * x
		}
	}
}

// scaledNorm is the Euclidean norm of numbers of any size.
func scaledNorm(w []float64) float64 {
	top := 0.0
	for _, x := range w {
		top = max(top, math.Abs(x))
	}
	if !(top > 0 && top <= math.MaxFloat64) {
		return top
	}
	_, e := math.Frexp(top)
	s := 0.0
	for _, x := range w {
		y := math.Ldexp(x, -e)
		s += y * y
	}
	return math.Ldexp(math.Sqrt(s), e)
}
