package optimized

import (
	"github.com/goldenloss/goldenloss/reference/loss"
)

const (
	styleTile      = 32   // channels on a side of a tile of a Gram matrix
	stylePositions = 2048 // positions of a chunk, whose products are summed without compensation
	styleBlock     = 32   // positions whose gradient is computed at a time
	styleBlocks    = 8    // blocks of a chunk of gradients
)

// styleLayer is the work on one layer. A Gram matrix is symmetric: its tiles on and below the diagonal are computed, each the sum of
// the products of some chunks of positions.
type styleLayer[T loss.Float] struct {
	x, y, g            []T
	weight             float64
	c, p, targetP      int     // channels, positions
	nu, targetNu       float64 // what the matrices are divided by
	kappa              float64 // what the sum is divided by
	targets            int     // samples of the target
	tile, pairs        int     // side and number of tiles
	chunks, targetCh   int     // of positions of a sample
	sums, psi          int     // where the sums of its chunks and its derivatives begin
	grams, tiles, back int     // tasks of the layers before, in each phase
	blocks             int     // chunks of gradients of a sample
}

type styleTask[T loss.Float] struct {
	in       *loss.Style[T]
	n        int
	layers   []styleLayer[T]
	w        weights[T]
	sums     []float64 // products, by layer, map, tile and chunk
	psi      []float64 // derivatives with respect to the matrices, by layer and sample
	partial  []float64 // per tile
	terms    []float64 // per layer
	items    []float64 // per sample
	phase    int
	absolute bool
}

const (
	styleGrams = iota
	styleDistances
	styleGradients
)

// Style is the Gram matrix loss. See loss.Style.
func Style[T loss.Float](out []T, grad, in *loss.Style[T], dOut []T) {
	k := take[styleTask[T]]()
	k.in, k.n, k.absolute = in, in.Batch(), in.Variant == "l1"
	k.layers = grown(k.layers, len(in.Target))
	sums, psi, grams, tiles, back, work := 0, 0, 0, 0, 0, 0
	for l := range k.layers {
		x, y := &in.Features.Features[l], &in.Target[l]
		c := x.Shape[1]
		p := styleLayer[T]{x: x.Data, y: y.Data, weight: 1, c: c, p: x.Shape[2] * x.Shape[3], targetP: y.Shape[2] * y.Shape[3],
			targets: y.Shape[0], tile: min(styleTile, c), sums: sums, psi: psi, grams: grams, tiles: tiles, back: back}
		if in.LayerWeights.Given() {
			p.weight = float64(in.LayerWeights.Data[l])
		}
		if grad != nil {
			p.g = grad.Features.Features[l].Data
		}
		p.nu, p.targetNu = p.divisor(in.Norm(), p.p), p.divisor(in.Norm(), p.targetP)
		p.kappa = 1
		switch in.Variant {
		case "gatys":
			p.kappa = 4 * float64(c) * float64(c) * float64(p.p) * float64(p.p)
		case "mse", "l1":
			p.kappa = float64(c) * float64(c)
		}
		side := ceilDiv(c, p.tile)
		p.pairs = side * (side + 1) / 2
		p.chunks, p.targetCh = ceilDiv(p.p, stylePositions), ceilDiv(p.targetP, stylePositions)
		p.blocks = ceilDiv(p.p, styleBlock*styleBlocks)
		tasks := p.pairs * (k.n*p.chunks + p.targets*p.targetCh)
		sums += tasks * p.tile * p.tile
		psi += k.n * c * c
		grams += tasks
		tiles += k.n * p.pairs
		back += k.n * p.blocks
		work += k.n * c * c * p.p
		k.layers[l] = p
	}
	k.w = newWeights(in.Reduction, dOut, float64(k.n))
	k.sums, k.psi, k.partial = grown(k.sums, sums), grown(k.psi, psi), grown(k.partial, tiles)
	k.items, k.terms = grown(k.items, k.n), grown(k.terms, len(k.layers))
	k.phase = styleGrams
	each(grams, work/grams, k)
	k.phase = styleDistances
	each(tiles, 2*sums/tiles, k)
	for i := range k.items {
		for l := range k.layers {
			p := &k.layers[l]
			if k.terms[l] = 0; p.weight != 0 {
				k.terms[l] = p.weight * (pairwise(k.partial[p.tiles+i*p.pairs:][:p.pairs]) / p.kappa)
			}
		}
		k.items[i] = pairwise(k.terms)
	}
	if in.Reduction == loss.None {
		store(out, k.items)
	}
	finish(out, in.Reduction, k.items, float64(k.n))
	if grad != nil {
		k.phase = styleGradients
		each(back, 2*work/back, k)
	}
	clear(k.layers)
	*k = styleTask[T]{layers: k.layers, sums: k.sums, psi: k.psi, partial: k.partial, terms: k.terms, items: k.items}
	give(k)
}

// divisor is what a Gram matrix over p positions is divided by.
func (l *styleLayer[T]) divisor(norm string, p int) float64 {
	switch norm {
	case "hw":
		return float64(p)
	case "chw":
		return float64(l.c) * float64(p)
	}
	return 1
}

// pair returns the first channels of the rows and of the columns of tile i.
func (l *styleLayer[T]) pair(i int) (a, b int) {
	for i > a {
		a++
		i -= a
	}
	return a * l.tile, i * l.tile
}

// layer returns the last layer whose first task is not beyond i.
func (k *styleTask[T]) layer(i int, first func(*styleLayer[T]) int) *styleLayer[T] {
	l := len(k.layers) - 1
	for first(&k.layers[l]) > i {
		l--
	}
	return &k.layers[l]
}

func (k *styleTask[T]) run(i int) {
	switch k.phase {
	case styleGrams:
		l := k.layer(i, func(l *styleLayer[T]) int { return l.grams })
		if l.weight == 0 {
			return
		}
		i -= l.grams
		sum := k.sums[l.sums+i*l.tile*l.tile:][:l.tile*l.tile]
		if own := k.n * l.pairs * l.chunks; i < own {
			l.products(sum, l.x, l.p, i/(l.pairs*l.chunks), i/l.chunks%l.pairs, i%l.chunks)
		} else {
			i -= own
			l.products(sum, l.y, l.targetP, i/(l.pairs*l.targetCh), i/l.targetCh%l.pairs, i%l.targetCh)
		}
	case styleDistances:
		if l := k.layer(i, func(l *styleLayer[T]) int { return l.tiles }); l.weight != 0 {
			k.partial[i] = k.distances(l, (i-l.tiles)/l.pairs, (i-l.tiles)%l.pairs)
		}
	default:
		l := k.layer(i, func(l *styleLayer[T]) int { return l.back })
		if l.g != nil {
			k.pull(l, (i-l.back)/l.blocks, (i-l.back)%l.blocks)
		}
	}
}

// styleScratch holds some positions of some channels.
type styleScratch struct {
	a, b  [styleTile * panel]float64
	block []float64 // positions by channels
	out   []float64 // channels by positions
}

// products fills sum with the products of a tile over a chunk of the p positions of a sample.
func (l *styleLayer[T]) products(sum []float64, x []T, p, sample, pair, chunk int) {
	s := take[styleScratch]()
	clear(sum)
	a, b := l.pair(pair)
	m, n := min(l.tile, l.c-a), min(l.tile, l.c-b)
	x = x[sample*l.c*p:][:l.c*p]
	for at, end := chunk*stylePositions, min((chunk+1)*stylePositions, p); at < end; at += panel {
		depth := min(panel, end-at)
		widen(s.a[:], x, a, m, p, at, depth)
		right := s.a[:]
		if a != b {
			right = s.b[:]
			widen(right, x, b, n, p, at, depth)
		}
		dots(sum[:m*n], s.a[:], panel, m, right, panel, n, depth)
	}
	give(s)
}

// widen copies positions at, at+1, ... of m channels, the first of which is c.
func widen[T loss.Float](dst []float64, x []T, c, m, p, at, depth int) {
	for i := range m {
		d := dst[i*panel:][:depth]
		for j, v := range x[(c+i)*p+at:][:depth] {
			d[j] = float64(v)
		}
	}
}

// distances sums the distance of a tile from the target over its entries, those above the diagonal included, and keeps its
// derivatives.
func (k *styleTask[T]) distances(l *styleLayer[T], sample, pair int) float64 {
	area := l.tile * l.tile
	chunks := func(first, n int) []float64 { return k.sums[l.sums+first*area:][:n*area] }
	own := chunks((sample*l.pairs+pair)*l.chunks, l.chunks)
	of := sample
	if l.targets == 1 {
		of = 0
	}
	other := chunks(k.n*l.pairs*l.chunks+(of*l.pairs+pair)*l.targetCh, l.targetCh)
	a, b := l.pair(pair)
	m, n := min(l.tile, l.c-a), min(l.tile, l.c-b)
	psi := k.psi[l.psi+sample*l.c*l.c:][:l.c*l.c]
	var total running
	var e [styleTile]float64
	for i := range m {
		row := e[:n]
		if a == b {
			row = e[:i+1]
		}
		for j := range row {
			row[j] = stacked(own, i*n+j, area)/l.nu - stacked(other, i*n+j, area)/l.targetNu
		}
		for j, v := range row {
			d := 2 * v
			if k.absolute {
				d = sign(v)
			}
			psi[(a+i)*l.c+b+j], psi[(b+j)*l.c+a+i] = d, d
		}
		twice := row
		if a == b { // the diagonal counts once
			twice = row[:i]
			total.add(norm(row[i:], k.absolute))
		}
		total.add(2 * norm(twice, k.absolute))
	}
	return total.value()
}

// stacked sums x[i], x[i+stride], ...
func stacked(x []float64, i, stride int) float64 {
	if len(x) == stride {
		return x[i]
	}
	var r running
	for ; i < len(x); i += stride {
		r.add(x[i])
	}
	return r.value()
}

// pull writes the gradient of a chunk of blocks of positions, psi X.
func (k *styleTask[T]) pull(l *styleLayer[T], sample, chunk int) {
	at, end := chunk*styleBlock*styleBlocks, min((chunk+1)*styleBlock*styleBlocks, l.p)
	g := l.g[sample*l.c*l.p:][:l.c*l.p]
	if v := k.items[sample]; l.weight == 0 || v != v {
		if l.weight == 0 {
			v = 0
		}
		for c := range l.c {
			fill(g[c*l.p+at:c*l.p+end], T(v))
		}
		return
	}
	s := take[styleScratch]()
	s.block, s.out = grown(s.block, styleBlock*l.c), grown(s.out, styleBlock*l.c)
	x := l.x[sample*l.c*l.p:][:l.c*l.p]
	psi := k.psi[l.psi+sample*l.c*l.c:][:l.c*l.c]
	by := 2 * (k.w.at(sample) * l.weight / l.kappa) / l.nu
	for ; at < end; at += styleBlock {
		n := min(styleBlock, end-at)
		for c := range l.c {
			for j, v := range x[c*l.p+at:][:n] {
				s.block[j*l.c+c] = float64(v)
			}
		}
		out := s.out[:l.c*n]
		clear(out)
		dots(out, psi, l.c, l.c, s.block, l.c, n, l.c)
		for c := range l.c {
			row := g[c*l.p+at:][:n]
			for j, v := range out[c*n:][:n] {
				row[j] = T(by * v)
			}
		}
	}
	give(s)
}
