package optimized

import (
	"math"

	"github.com/goldenloss/goldenloss/reference/loss"
)

// featureChunk is the number of elements of a chunk.
const featureChunk = 16384

// layer is the work on one layer: every sample is cut into chunks.
type layer[T loss.Float] struct {
	x, y, g, channelWeight []T
	weight                 float64
	size, channels         int // of a sample
	length                 int // of a chunk: elements, or positions for lpips
	perSample, first       int // chunks of a sample, chunks of the layers before
}

// featureTask sums distances of feature maps over the layers of every sample.
type featureTask[T loss.Float] struct {
	// kind of distance: squares of differences unless absolute or angular (lpips), their mean unless halved
	absolute, halved, angular bool
	eps                       float64 // angular
	inside                    bool    // eps stands inside the root
	scale                     float64 // of the weights of the layers

	layers   []layer[T]
	w        weights[T]
	partial  []float64 // per chunk
	terms    []float64 // per layer
	items    []float64 // per sample
	poisoned bool      // the pass that spreads NaN
}

// compute computes the loss; the kind of distance is set.
func (k *featureTask[T]) compute(out []T, grad, in *loss.Features[T], channelWeights []loss.Tensor[T], r loss.Reduction, dOut []T) {
	n := in.Batch()
	k.layers = grown(k.layers, len(in.Features))
	chunks := 0
	for l := range k.layers {
		f := &in.Features[l]
		p := layer[T]{x: f.Data, y: in.Target[l].Data, weight: k.scale, size: len(f.Data) / n, channels: 1, first: chunks}
		if in.LayerWeights.Given() && p.weight != 0 {
			p.weight *= float64(in.LayerWeights.Data[l])
		}
		if grad != nil {
			p.g = grad.Features[l].Data
		}
		if len(channelWeights) > 0 {
			p.channelWeight = channelWeights[l].Data
		}
		if k.angular {
			p.channels = f.Shape[1]
		}
		p.length = max(strip, featureChunk/p.channels/strip*strip)
		p.perSample = ceilDiv(p.size/p.channels, p.length)
		chunks += n * p.perSample
		k.layers[l] = p
	}
	k.w = newWeights(r, dOut, float64(n))
	k.partial = grown(k.partial, chunks)
	cost := featureChunk
	if k.angular {
		cost *= 4
	}
	each(chunks, cost, k)
	k.items, k.terms = grown(k.items, n), grown(k.terms, len(k.layers))
	bad := false
	for i := range k.items {
		for l := range k.layers {
			k.terms[l] = k.term(&k.layers[l], i)
		}
		k.items[i] = pairwise(k.terms)
		bad = bad || k.items[i] != k.items[i]
	}
	if r == loss.None {
		store(out, k.items)
	}
	finish(out, r, k.items, float64(n))
	if bad && grad != nil {
		k.poisoned = true
		each(chunks, cost, k)
	}
	clear(k.layers)
	*k = featureTask[T]{layers: k.layers, partial: k.partial, terms: k.terms, items: k.items}
	give(k)
}

// term is what a layer adds to item i.
func (k *featureTask[T]) term(l *layer[T], i int) float64 {
	if l.weight == 0 {
		return 0
	}
	s := pairwise(k.partial[l.first+i*l.perSample:][:l.perSample])
	if k.halved {
		return l.weight * (s / 2)
	}
	return l.weight * (s / float64(l.size/l.channels))
}

func (k *featureTask[T]) run(i int) {
	l := &k.layers[0]
	for j := range k.layers {
		if k.layers[j].first <= i {
			l = &k.layers[j]
		}
	}
	n, at := (i-l.first)/l.perSample, (i-l.first)%l.perSample*l.length
	end := min(at+l.length, l.size/l.channels)
	c := 0.0
	if l.g != nil && !k.poisoned {
		c = k.w.at(n) * l.weight
	}
	switch {
	case k.poisoned && (l.weight == 0 || l.g == nil || k.items[n] == k.items[n]):
		// nothing to spread
	case k.poisoned:
		for ch := range l.channels {
			fill(l.g[n*l.size+ch*(l.size/l.channels):][at:end], T(math.NaN()))
		}
	case l.weight == 0:
		k.partial[i] = 0
		for ch := range l.channels {
			clear(cut(l.g, n*l.size+ch*(l.size/l.channels)+at, n*l.size+ch*(l.size/l.channels)+end))
		}
	case k.angular:
		k.partial[i] = k.lpips(l, n, at, end, c)
	default:
		at, end = n*l.size+at, n*l.size+end
		k.partial[i] = k.differences(l.x[at:end], l.y[at:end], cut(l.g, at, end), c, float64(l.size))
	}
}

// differences sums (x-y)^2 or |x-y| and writes the gradient for the cotangent c of the layer, whose samples have size elements.
func (k *featureTask[T]) differences(x, y, g []T, c, size float64) float64 {
	var buf [strip]float64
	var sum running
	switch {
	case k.absolute:
		c /= size
	case !k.halved:
		c = 2 * (c / size)
	}
	for lo := 0; lo < len(x); lo += strip {
		n := min(strip, len(x)-lo)
		x, y, e := x[lo:][:n], y[lo:][:n], buf[:n]
		for j := range e {
			e[j] = float64(x[j]) - float64(y[j])
		}
		sum.add(norm(e, k.absolute))
		if g == nil {
			continue
		}
		g := g[lo:][:n]
		for j, e := range e {
			if k.absolute {
				e = sign(e)
			}
			g[j] = T(c * e)
		}
	}
	return sum.value()
}

// norm sums the squares or the absolute values of e.
func norm(e []float64, absolute bool) float64 {
	if absolute {
		return absLanes(e)
	}
	return squareLanes(e)
}
