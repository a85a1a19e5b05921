package optimized

// planeScratch is what a chunk of neighboring positions needs, an element a position.
type planeScratch struct {
	top, part, rest, each, own []float64
	at, y                      []int // the largest class; the target, -1 for a position that does not take part
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
