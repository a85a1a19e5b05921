package optimized

// planeScratch is what a chunk of neighboring positions needs, an element a position.
type planeScratch struct {
	top, part, rest, each, own      []float64
	qTop, qPart, qRest, lPart, lSum []float64 // of coefficients and losses
	at, qAt, y                      []int     // the largest; the target, -1 for a position that does not take part
}

// planeSum is how many classes are added to one partial sum.
const planeSum = 16

// planes is the loss of the neighboring rows lo to hi against class indices. The classes of a row are k.inner apart, so it goes through
// the classes and not through the rows: the logits of one class lie one after the other.
func (k *ceTask[T]) planes(s *ceScratch[T], lo, hi int) {
	n, c := hi-lo, k.classes
	from := lo/k.inner*c*k.inner + lo%k.inner
	x := k.logits[from:]
	s.top, s.part, s.rest = grown(s.top, n), grown(s.part, n), grown(s.rest, n)
	s.each, s.own, s.at, s.y = grown(s.each, n), grown(s.own, n), grown(s.at, n), grown(s.y, n)
	s.e = grown(s.e, n*c)
	for j, v := range x[:n] {
		s.top[j] = float64(v)
	}
	for i := 1; i < c; i++ {
		top := s.top[:n]
		for j, v := range x[i*k.inner:][:n] {
			top[j] = max(top[j], float64(v))
		}
	}
	fill(s.at, -1)
	clear(s.part)
	clear(s.rest)
	for i := range c {
		s.plane(i, x[i*k.inner:][:n], s.e[i*n:][:n])
		if i%planeSum == planeSum-1 || i == c-1 {
			for j, v := range s.part {
				s.rest[j] += v
			}
			clear(s.part)
		}
	}
	small, invalid := false, false
	for j := range n {
		rest := s.rest[j] * expScale
		y, w, d := k.target[lo+j], 0.0, 0.0
		if y != k.ignored {
			w = k.labelWeight(lo+j, y)
		}
		if w == 0 {
			s.l[j], s.each[j], s.own[j], s.y[j] = 0, 0, 0, -1
			invalid = invalid || rest != rest
			continue
		}
		if k.g != nil {
			d = k.w.at(lo + j)
		}
		at := int(y)
		s.y[j] = at
		s.l[j], s.each[j], s.own[j] = k.term(rest, s.e[at*n+j]*expScale, s.top[j]-float64(x[at*k.inner+j]), at == s.at[j], w, d)
		small = small || tiny(s.each[j])
	}
	if k.g == nil {
		return
	}
	g := k.g[from:]
	for j, v := range s.each {
		s.part[j] = v * expScale
	}
	for i := range c {
		f, e, g := s.part[:n], s.e[i*n:][:n], g[i*k.inner:][:n]
		if small {
			for j, v := range s.each {
				g[j] = T(e[j] * expScale * v)
			}
			continue
		}
		for j := range g {
			g[j] = T(e[j] * f[j])
		}
	}
	for j, y := range s.y {
		switch at := s.at[j]; {
		case y < 0 && invalid:
			for i := range c {
				g[i*k.inner+j] = 0
			}
		case y < 0:
		case s.each[j] == s.each[j]:
			if at >= 0 {
				g[at*k.inner+j] = T(s.each[j])
			}
			g[y*k.inner+j] = T(s.own[j])
		}
	}
}

// plane fills e with the exponentials of class i relative to the largest logit of their position, 0 at the first that is the largest,
// and adds them to s.part.
func (s *ceScratch[T]) plane(i int, x []T, e []float64) {
	e, top, part, at := e[:len(x)], s.top[:len(x)], s.part[:len(x)], s.at[:len(x)]
	if single[T]() {
		for j, v := range x {
			v := float64(v)
			if v == top[j] && at[j] < 0 {
				at[j], e[j] = i, 0
				continue
			}
			e[j] = expNeg32(v - top[j])
			part[j] += e[j]
		}
		return
	}
	for j, v := range x {
		v := float64(v)
		if v == top[j] && at[j] < 0 {
			at[j], e[j] = i, 0
			continue
		}
		e[j] = expNeg64(v - top[j])
		part[j] += e[j]
	}
}

// spreadPlanes is planes for coefficients of every class: distributions, or smoothed indices.
func (k *ceTask[T]) spreadPlanes(s *ceScratch[T], lo, hi int) {
	n, c := hi-lo, k.classes
	from := lo/k.inner*c*k.inner + lo%k.inner
	x := k.logits[from:]
	for _, buf := range []*[]float64{&s.top, &s.part, &s.rest, &s.each, &s.own, &s.qTop, &s.qPart, &s.qRest, &s.lPart, &s.lSum} {
		*buf = grown(*buf, n)
		clear(*buf)
	}
	s.at, s.qAt, s.y = grown(s.at, n), grown(s.qAt, n), grown(s.y, n)
	s.e, s.q = grown(s.e, n*c), grown(s.q, n*c)
	k.planeCoefficients(s, lo, n, from)
	for j, v := range x[:n] {
		s.top[j] = float64(v)
	}
	for i := range c {
		top, qTop := s.top[:n], s.qTop[:n]
		for j, v := range x[i*k.inner:][:n] {
			top[j] = max(top[j], float64(v))
		}
		for j, q := range s.q[i*n:][:n] {
			qTop[j] = max(qTop[j], q)
		}
	}
	fill(s.at, -1)
	fill(s.qAt, -1)
	for i := range c {
		s.spreadPlane(i, x[i*k.inner:][:n], s.e[i*n:][:n], s.q[i*n:][:n], k.cold)
		if i%planeSum == planeSum-1 || i == c-1 {
			for j := range n {
				s.rest[j] += s.part[j]
				s.qRest[j] += s.qPart[j]
				s.lSum[j] += s.lPart[j]
			}
			clear(s.part)
			clear(s.qPart)
			clear(s.lPart)
		}
	}
	odd := false // some position needs more than the loop over its neighbors
	for j := range n {
		s.rest[j] *= expScale
		rest, q := s.rest[j], s.qTop[j]+s.qRest[j]
		if s.y[j] < 0 || k.prob == nil && q == 0 {
			s.y[j], s.l[j], s.each[j] = -1, 0, 0
			odd = odd || rest != rest || q != q
			continue
		}
		tail := log1p[T](rest)
		if tail == 0 { // the coefficients of the others are no factors of it, and may be infinite
			q = s.q[s.at[j]*n+j]
		}
		s.l[j] = s.lSum[j] + q*tail
		if k.g != nil {
			s.each[j] = k.w.at(lo+j) * k.cold / (1 + rest)
		}
		if f := s.each[j]; s.l[j] != s.l[j] {
			s.each[j] = s.l[j]
		} else if f-f != 0 {
			odd = true
		}
	}
	if k.g == nil {
		return
	}
	g := k.g[from:]
	for j, f := range s.each {
		s.own[j] = f * expScale
	}
	for i := range c {
		k.spreadSlopes(g[i*k.inner:][:n], s, s.e[i*n:][:n], s.q[i*n:][:n])
	}
	for j, y := range s.y {
		switch f := s.each[j]; {
		case y < 0 && odd:
			for i := range c {
				g[i*k.inner+j] = 0
			}
		case y < 0 || f != f:
		case f-f != 0: // a mean over weights that sum to 0
			for i := range c {
				g[i*k.inner+j] = T(s.spreadSlope(i, j, n))
			}
		default:
			g[s.at[j]*k.inner+j] = T(s.spreadSlope(s.at[j], j, n))
			g[s.qAt[j]*k.inner+j] = T(s.spreadSlope(s.qAt[j], j, n))
		}
	}
}

// planeCoefficients fills s.q with the coefficients of n positions from lo on, class by class, and marks those that do not take part.
func (k *ceTask[T]) planeCoefficients(s *ceScratch[T], lo, n, from int) {
	fill(s.y, 0)
	for i := range k.classes {
		q := s.q[i*n:][:n]
		if k.prob == nil {
			fill(q, k.coefficient(i, 0))
			continue
		}
		k.coefficientsOf(q, i, k.prob[from+i*k.inner:][:n])
	}
	if k.prob != nil {
		return
	}
	for j, y := range k.target[lo : lo+n] {
		if y == k.ignored {
			s.y[j] = -1
			continue
		}
		s.q[int(y)*n+j] = k.coefficient(int(y), 1)
	}
}

// coefficientsOf fills q with the coefficients of class i.
func (k *ceTask[T]) coefficientsOf(q []float64, i int, prob []T) {
	prob = prob[:len(q)]
	if k.weight == nil && k.floor == 0 {
		for j, v := range prob {
			q[j] = float64(v)
		}
		return
	}
	for j, v := range prob {
		q[j] = k.coefficient(i, float64(v))
	}
}

// spreadPlane is plane that also adds up the coefficients without the first that is the largest, and coefficient times distance from
// the largest logit.
func (s *ceScratch[T]) spreadPlane(i int, x []T, e, q []float64, cold float64) {
	n := len(x)
	e, q, top, part, at := e[:n], q[:n], s.top[:n], s.part[:n], s.at[:n]
	qTop, qPart, qAt, l := s.qTop[:n], s.qPart[:n], s.qAt[:n], s.lPart[:n]
	for j, v := range x {
		v := float64(v)
		if v == top[j] && at[j] < 0 {
			at[j], e[j] = i, 0
			continue
		}
		gap := (top[j] - v) * cold
		e[j] = expNeg[T](-gap)
		part[j] += e[j]
		if q[j] != 0 && gap != 0 { // either may be infinite
			l[j] += q[j] * gap
		}
	}
	for j, v := range q {
		if v == qTop[j] && qAt[j] < 0 {
			qAt[j] = i
			continue
		}
		qPart[j] += v
	}
}

// spreadSlopes fills in p (the other q) - q (the other p), but for the largest p and the largest q.
func (k *ceTask[T]) spreadSlopes(g []T, s *ceScratch[T], e, q []float64) {
	n := len(g)
	e, q, rest, qTop, qRest := e[:n], q[:n], s.rest[:n], s.qTop[:n], s.qRest[:n]
	f, scaled := s.each[:n], s.own[:n]
	for j := range g {
		g[j] = T(e[j]*(qTop[j]+(qRest[j]-q[j]))*scaled[j] - q[j]*(1+(rest[j]-e[j]*expScale))*f[j])
	}
}

// spreadSlope is that of class i at position j of n, for any p and q.
func (s *ceScratch[T]) spreadSlope(i, j, n int) float64 {
	e, q := s.e[i*n+j]*expScale, s.q[i*n+j]
	others, without := 1+(s.rest[j]-e), s.qTop[j]+(s.qRest[j]-q)
	if i == s.at[j] {
		e, others = 1, s.rest[j]
	}
	if i == s.qAt[j] {
		without = s.qRest[j]
	}
	return (e*without - q*others) * s.each[j]
}
