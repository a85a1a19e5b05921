package optimized

import (
	"math"

	"github.com/goldenloss/goldenloss/reference/loss"
)

// reconChunk is the number of elements of a chunk; the patches of mae are not cut.
const reconChunk = 16384

// Passes of a reconstructionTask.
const (
	countPass  = iota // sums what counts
	pixelPass         // items and gradients
	poisonPass        // spreads NaN over the samples of context_encoder
)

type reconstructionTask[T loss.Float] struct {
	x, y, gx, gy, out []T
	mask              []bool
	weight            []T
	table             [2]float64 // coefficient of a mask of 0 and 1
	square, normPix   bool
	normEps           float64
	plane, channels   int
	shared            bool // one channel of mask or weight for all
	size              int  // elements of a sample (context_encoder) or patch (mae), else 0
	length            int  // patches of a chunk
	perSample         int  // chunks of a sample
	pass              int
	lost              bool // the denominator is NaN: what does not count must still have the gradient 0
	w                 weights[T]
	partial, items    []float64
}

// Reconstruction is the pixel reconstruction loss. See loss.Reconstruction.
func Reconstruction[T loss.Float](out []T, grad, in *loss.Reconstruction[T], dOut []T) {
	k := take[reconstructionTask[T]]()
	k.x, k.y, k.mask, k.weight = in.Pred.Data, in.Target.Data, nil, nil
	k.square, k.normEps = in.Power() == 2, in.NormEps
	if grad != nil {
		k.gx, k.gy = grad.Pred.Data, grad.Target.Data
	}
	if in.Reduction == loss.None {
		k.out = out
	}
	n := len(k.x)
	z := float64(n)
	k.table = [2]float64{0, 1}
	switch in.Variant {
	case "masked_mean", "context_encoder", "mae":
		k.mask = in.Mask.Data
	case "hole_valid":
		k.mask, k.table = in.Mask.Data, [2]float64{in.LambdaHole, in.LambdaValid}
	case "weighted_mean":
		k.weight = in.Weight.Data
	}
	if in.Variant == "mae" {
		z = k.patches(in, dOut)
		finish(out, in.Reduction, k.partial, z)
		k.done()
		return
	}
	k.channels, k.plane = in.Pred.Shape[1], loss.Size(in.Pred.Shape[2:])
	k.shared = k.mask != nil && in.Mask.Shape[1] != k.channels || k.weight != nil && in.Weight.Shape[1] != k.channels
	switch in.Variant {
	case "context_encoder":
		k.samples(in.Pred.Shape[0], in.Reduction, out, dOut)
		k.done()
		return
	case "masked_mean", "weighted_mean":
		z = k.total(len(k.mask) + len(k.weight))
		if k.shared {
			z *= float64(k.channels)
		}
	}
	k.w = newWeights(in.Reduction, dOut, z)
	k.guardZero(z)
	k.pass = pixelPass
	chunks := ceilDiv(n, reconChunk)
	k.partial = grown(k.partial, chunks)
	each(chunks, 2*reconChunk, k)
	finish(out, in.Reduction, k.partial, z)
	k.done()
}

func (k *reconstructionTask[T]) done() {
	*k = reconstructionTask[T]{partial: k.partial, items: k.items}
	give(k)
}

// guardZero keeps a denominator of 0 out of the gradient: nothing counts then. One that is NaN is no concern of what does not count.
func (k *reconstructionTask[T]) guardZero(z float64) {
	if z == 0 && !k.w.none {
		k.w.fixed = 0
	}
	k.lost = z != z && !k.w.none
}

// total is the sum of a mask or weight of n entries.
func (k *reconstructionTask[T]) total(n int) float64 {
	k.pass = countPass
	chunks := ceilDiv(n, reconChunk)
	k.partial = grown(k.partial, chunks)
	each(chunks, reconChunk, k)
	return pairwise(k.partial)
}

// samples is context_encoder.
func (k *reconstructionTask[T]) samples(n int, r loss.Reduction, out, dOut []T) {
	k.out = nil
	k.items = grown(k.items, n)
	clear(k.items)
	k.w = newWeights(r, dOut, float64(n))
	if n > 0 {
		k.size = len(k.x) / n
	}
	k.perSample = ceilDiv(k.size, reconChunk)
	chunks := n * k.perSample
	k.partial = grown(k.partial, chunks)
	k.pass = pixelPass
	each(chunks, 2*reconChunk, k)
	for i := range k.items {
		k.items[i] = pairwise(k.partial[i*k.perSample:][:k.perSample])
		if k.items[i] != k.items[i] {
			k.pass = poisonPass
		}
	}
	if k.pass == poisonPass {
		each(chunks, reconChunk, k)
	}
	if r == loss.None {
		store(out, k.items)
	}
	finish(out, r, k.items, float64(n))
}

// patches is mae. It returns the denominator.
func (k *reconstructionTask[T]) patches(in *loss.Reconstruction[T], dOut []T) float64 {
	z := k.total(len(k.mask))
	k.w = newWeights(in.Reduction, dOut, z)
	k.guardZero(z)
	k.normPix, k.size, k.channels = in.NormPix, in.Pred.Shape[2], 0
	k.length = max(1, reconChunk/max(k.size, 1))
	chunks := ceilDiv(len(k.mask), k.length)
	k.partial = grown(k.partial, chunks)
	k.pass = pixelPass
	each(chunks, 2*reconChunk, k)
	return z
}

func (k *reconstructionTask[T]) run(i int) {
	switch {
	case k.pass == countPass:
		k.partial[i] = k.count(i*reconChunk, (i+1)*reconChunk)
	case k.length > 0:
		var sum running
		for p := i * k.length; p < min((i+1)*k.length, len(k.mask)); p++ {
			l := k.patch(p)
			if k.out != nil {
				k.out[p] = T(l)
			}
			sum.add(l)
		}
		k.partial[i] = sum.value()
	case k.perSample > 0:
		s, at := i/k.perSample, i%k.perSample*reconChunk
		lo, hi := s*k.size+at, s*k.size+min(at+reconChunk, k.size)
		if k.pass == pixelPass {
			k.partial[i] = k.pixels(lo, hi, s)
		} else if item := k.items[s]; item != item {
			k.poison(lo, hi)
		}
	default:
		k.partial[i] = k.pixels(i*reconChunk, min((i+1)*reconChunk, len(k.x)), -1)
	}
}

// count sums a chunk of the mask or weight.
func (k *reconstructionTask[T]) count(lo, hi int) float64 {
	if k.mask != nil {
		n := 0
		for _, m := range k.mask[lo:min(hi, len(k.mask))] {
			if m {
				n++
			}
		}
		return float64(n)
	}
	var buf [strip]float64
	var sum running
	for hi = min(hi, len(k.weight)); lo < hi; lo += strip {
		w := k.weight[lo:min(hi, lo+strip)]
		for j, v := range w {
			buf[j] = float64(v)
		}
		sum.add(lanes(buf[:len(w)]))
	}
	return sum.value()
}

// stretch returns how many elements from lo on, at most a strip and not beyond hi, lie together in the mask or weight, and where.
func (k *reconstructionTask[T]) stretch(lo, hi int) (n, at int) {
	n = min(strip, hi-lo)
	if !k.shared {
		return n, lo
	}
	pixel := lo % k.plane
	return min(n, k.plane-pixel), lo/(k.plane*k.channels)*k.plane + pixel
}

// pixels treats the elements lo to hi, of one sample where that is not negative, and returns the sum of their errors.
func (k *reconstructionTask[T]) pixels(lo, hi, sample int) float64 {
	var errors, coefs [strip]float64
	var sum running
	for lo < hi {
		n, at := k.stretch(lo, hi)
		e, c := errors[:n], coefs[:n]
		y := k.y[lo:][:n]
		for j, x := range k.x[lo:][:n] {
			e[j] = float64(x) - float64(y[j])
		}
		switch {
		case k.mask != nil:
			k.masked(e, c, k.mask[at:][:n])
		case k.weight != nil:
			weighted(e, c, k.weight[at:][:n])
		}
		l := k.values(lo, e, c)
		sum.add(l)
		if k.gx != nil || k.gy != nil {
			k.slopes(lo, sample, e, c)
		}
		lo += n
	}
	return sum.value()
}

// masked fills c with the coefficients of a mask and removes the errors that do not count.
func (k *reconstructionTask[T]) masked(e, c []float64, mask []bool) {
	table := k.table
	keep := [2]uint64{}
	for i, v := range table {
		if v != 0 {
			keep[i] = math.MaxUint64
		}
	}
	c, mask = c[:len(e)], mask[:len(e)]
	for j, m := range mask {
		b := 0
		if m {
			b = 1
		}
		c[j] = table[b&1]
		e[j] = math.Float64frombits(math.Float64bits(e[j]) & keep[b&1])
	}
}

// weighted is masked for weights.
func weighted[T loss.Float](e, c []float64, weight []T) {
	c, weight = c[:len(e)], weight[:len(e)]
	for j, w := range weight {
		c[j] = float64(w)
		if w == 0 {
			e[j] = 0
		}
	}
}

// values writes the items, if they are wanted, and returns their sum. Without mask and weight there are no coefficients.
func (k *reconstructionTask[T]) values(lo int, e, c []float64) float64 {
	plain := k.mask == nil && k.weight == nil
	if plain && k.out == nil {
		if k.square {
			return squareLanes(e)
		}
		return absLanes(e)
	}
	var buf [strip]float64
	l := buf[:len(e)]
	c = c[:len(e)]
	switch {
	case plain && k.square:
		for j, e := range e {
			l[j] = e * e
		}
	case plain:
		for j, e := range e {
			l[j] = math.Abs(e)
		}
	case k.square:
		for j, e := range e {
			l[j] = c[j] * (e * e)
		}
	default:
		for j, e := range e {
			l[j] = c[j] * math.Abs(e)
		}
	}
	if k.out != nil {
		store(k.out[lo:], l)
	}
	return lanes(l)
}

// slopes writes the gradients of a strip.
func (k *reconstructionTask[T]) slopes(lo, sample int, e, c []float64) {
	plain := k.mask == nil && k.weight == nil
	c = c[:len(e)]
	switch {
	case plain && k.square:
		for j := range e {
			e[j] *= 2
		}
	case plain:
		for j := range e {
			e[j] = sign(e[j])
		}
	case k.square:
		for j := range e {
			e[j] = c[j] * (2 * e[j])
		}
	default:
		for j := range e {
			e[j] = c[j] * sign(e[j])
		}
	}
	w := k.w
	if sample >= 0 {
		w = weights[T]{fixed: k.w.at(sample)}
	}
	if k.gx != nil {
		w.scaled(k.gx[lo:], e, lo)
	}
	if k.gy != nil {
		w.fixed = -w.fixed
		if w.none {
			for j := range e {
				e[j] = -e[j]
			}
		}
		w.scaled(k.gy[lo:], e, lo)
	}
	if !k.lost {
		return
	}
	for j, v := range c {
		if v == 0 && k.gx != nil {
			k.gx[lo+j] = 0
		}
		if v == 0 && k.gy != nil {
			k.gy[lo+j] = 0
		}
	}
}

// poison sets the gradient of what counts to NaN.
func (k *reconstructionTask[T]) poison(lo, hi int) {
	for lo < hi {
		n, at := k.stretch(lo, hi)
		for j, m := range k.mask[at:][:n] {
			if m && k.gx != nil {
				k.gx[lo+j] = T(math.NaN())
			}
			if m && k.gy != nil {
				k.gy[lo+j] = T(math.NaN())
			}
		}
		lo += n
	}
}

// patch treats one patch of mae and returns its item.
func (k *reconstructionTask[T]) patch(p int) float64 {
	lo, hi := p*k.size, (p+1)*k.size
	g := cut(k.gx, lo, hi)
	if !k.mask[p] {
		clear(g)
		return 0
	}
	x, y := k.x[lo:hi], k.y[lo:hi]
	shift, scale := 0.0, 1.0
	if k.normPix {
		shift, scale = spread(y, k.normEps)
	}
	c := 0.0
	if g != nil {
		c = 2 * (k.w.at(p) / float64(k.size))
	}
	var buf [strip]float64
	var sum running
	first := 0.0
	if k.normPix {
		first = float64(y[0])
	}
	for at := 0; at < len(x); at += strip {
		n := min(strip, len(x)-at)
		e, y := buf[:n], y[at:][:n]
		for j, x := range x[at:][:n] {
			e[j] = float64(x) - ((float64(y[j])-first)-shift)*scale
		}
		sum.add(squareLanes(e))
		if g != nil {
			g := g[at:][:n]
			for j, e := range e {
				g[j] = T(c * e)
			}
		}
	}
	l := sum.value() / float64(k.size)
	if l != l && g != nil {
		fill(g, T(math.NaN()))
	}
	return l
}

// spread returns the mean of a patch relative to its first element, and 1 over the root of its variance plus eps.
func spread[T loss.Float](y []T, eps float64) (mean, scale float64) {
	var buf [strip]float64
	first := float64(y[0])
	var sum running
	for at := 0; at < len(y); at += strip {
		n := min(strip, len(y)-at)
		for j, v := range y[at:][:n] {
			buf[j] = float64(v) - first
		}
		sum.add(lanes(buf[:n]))
	}
	mean = sum.value() / float64(len(y))
	var squares running
	for at := 0; at < len(y); at += strip {
		n := min(strip, len(y)-at)
		for j, v := range y[at:][:n] {
			buf[j] = (float64(v) - first) - mean
		}
		squares.add(squareLanes(buf[:n]))
	}
	return mean, 1 / math.Sqrt(squares.value()/float64(len(y)-1)+eps)
}
