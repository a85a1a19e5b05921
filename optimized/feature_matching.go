package optimized

import (
	"math"

	"github.com/goldenloss/goldenloss/reference/loss"
)

// FeatureMatching is the feature matching loss. See loss.FeatureMatching.
func FeatureMatching[T loss.Float](out []T, grad, in *loss.FeatureMatching[T], dOut []T) {
	var g *loss.Features[T]
	if grad != nil {
		g = &grad.Features
	}
	if in.Variant == "moment" {
		k := take[momentTask[T]]()
		k.in = in
		k.compute(out, g, dOut)
		return
	}
	k := take[featureTask[T]]()
	k.absolute, k.scale = in.Variant == "layerwise_l1", in.Scale
	k.compute(out, g, &in.Features, nil, in.Reduction, dOut)
}

const (
	momentColumns = 1024 // components of a chunk
	momentRows    = 64   // samples whose sum is not compensated
)

// momentLayer is the work on one layer, cut into chunks of components.
type momentLayer[T loss.Float] struct {
	x, y, g       []T
	weight        float64
	size          int // components
	rows, targets int // samples
	first, chunks int
}

// momentTask compares the means over two batches. The gradient of a component needs its own two means alone, so one pass does all.
type momentTask[T loss.Float] struct {
	in                *loss.FeatureMatching[T]
	layers            []momentLayer[T]
	partial           []float64
	absolute, average bool
	seed              float64
	poisoned          bool // the pass that spreads NaN
}

func (k *momentTask[T]) compute(out []T, grad *loss.Features[T], dOut []T) {
	in := k.in
	k.absolute, k.average = in.MomentNorm == "mean_abs", in.MomentNorm != "sum_sq"
	k.seed = 1
	if len(dOut) > 0 {
		k.seed = float64(dOut[0])
	}
	k.layers = grown(k.layers, len(in.Target))
	chunks, elements := 0, 0
	for l := range k.layers {
		f, y := &in.Features.Features[l], &in.Target[l]
		p := momentLayer[T]{x: f.Data, y: y.Data, weight: in.Scale, rows: f.Shape[0], targets: y.Shape[0], first: chunks}
		if in.LayerWeights.Given() && p.weight != 0 {
			p.weight *= float64(in.LayerWeights.Data[l])
		}
		if grad != nil {
			p.g = grad.Features[l].Data
		}
		p.size = len(f.Data) / p.rows
		p.chunks = ceilDiv(p.size, momentColumns)
		chunks += p.chunks
		elements += len(f.Data) + len(y.Data)
		k.layers[l] = p
	}
	k.partial = grown(k.partial, chunks)
	each(chunks, elements/chunks, k)
	var value running
	for l := range k.layers {
		p := &k.layers[l]
		if p.weight == 0 {
			continue
		}
		m := pairwise(k.partial[p.first:][:p.chunks])
		if k.average {
			m /= float64(p.size)
		}
		value.add(p.weight * m)
	}
	v := value.value()
	out[0] = T(v)
	if v != v && grad != nil {
		k.poisoned = true
		each(chunks, elements/chunks, k)
	}
	clear(k.layers)
	*k = momentTask[T]{layers: k.layers, partial: k.partial}
	give(k)
}

// momentScratch holds sums of the components of a chunk: of some rows, of all rows, and what the latter lack.
type momentScratch struct{ part, sum, low, delta [momentColumns]float64 }

func (k *momentTask[T]) run(i int) {
	p := &k.layers[0]
	for j := range k.layers {
		if k.layers[j].first <= i {
			p = &k.layers[j]
		}
	}
	at := (i - p.first) * momentColumns
	n := min(momentColumns, p.size-at)
	switch {
	case k.poisoned && p.weight == 0:
		return
	case k.poisoned:
		p.broadcast(at, n, nil)
		return
	case p.weight == 0:
		k.partial[i] = 0
		p.broadcast(at, n, zeroComponents[:n])
		return
	}
	s := take[momentScratch]()
	delta := s.delta[:n]
	s.reset(n)
	addRows(s, p.y, at, p.size, p.targets, n)
	for j := range delta {
		delta[j] = (s.sum[j] + s.low[j]) / float64(p.targets)
	}
	s.reset(n)
	addRows(s, p.x, at, p.size, p.rows, n)
	c := k.seed * p.weight
	if k.average {
		c /= float64(p.size)
	}
	if !k.absolute {
		c *= 2
	}
	c /= float64(p.rows)
	var total running
	for lo := 0; lo < n; lo += strip {
		d := delta[lo:min(lo+strip, n)]
		for j := range d {
			d[j] = (s.sum[lo+j]+s.low[lo+j])/float64(p.rows) - d[j]
		}
		total.add(norm(d, k.absolute))
		for j, v := range d {
			if k.absolute {
				v = sign(v)
			}
			d[j] = c * v
		}
	}
	k.partial[i] = total.value()
	p.broadcast(at, n, delta)
	give(s)
}

var zeroComponents [momentColumns]float64

// broadcast writes d, or NaN, to components at, at+1, ... of the gradient of every sample.
func (p *momentLayer[T]) broadcast(at, n int, d []float64) {
	if p.g == nil {
		return
	}
	first := p.g[at:][:n]
	if d == nil {
		fill(first, T(math.NaN()))
	} else {
		store(first, d)
	}
	for r := 1; r < p.rows; r++ {
		copy(p.g[r*p.size+at:][:n], first)
	}
}

// reset clears the sums of n components.
func (s *momentScratch) reset(n int) {
	clear(s.part[:n])
	clear(s.sum[:n])
	clear(s.low[:n])
}

// addRows adds up n components of all rows, compensated from block to block of rows.
func addRows[T loss.Float](s *momentScratch, x []T, at, size, rows, n int) {
	part := s.part[:n]
	for r := range rows {
		for j, v := range x[r*size+at:][:n] {
			part[j] += float64(v)
		}
		if r%momentRows == momentRows-1 || r == rows-1 {
			for j, v := range part {
				acc := running{s.sum[j], s.low[j]}
				acc.add(v)
				s.sum[j], s.low[j] = acc.s, acc.c
			}
			clear(part)
		}
	}
}
