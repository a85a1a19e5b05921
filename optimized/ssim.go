package optimized

import "github.com/goldenloss/goldenloss/reference/loss"

type ssimTask[T loss.Float] struct {
	in       *loss.SSIM[T]
	g        []T
	plane    imagePlane
	channels int
	weights  weights[T]
	partial  []float64 // sums of the similarity, by plane and block
	items    []float64
	poisoned bool // the pass that spreads NaN
}

// SSIM is the structural similarity loss. See loss.SSIM.
func SSIM[T loss.Float](out []T, grad, in *loss.SSIM[T], dOut []T) {
	k := take[ssimTask[T]]()
	n := in.Pred.Shape[0]
	k.in, k.channels = in, in.Pred.Shape[1]
	if grad != nil {
		k.g = grad.Pred.Data
	}
	k.plane.set(&in.Windows)
	planes := n * k.channels
	k.plane = newPlane(&k.plane.imageFilter, in.Padding, in.Pred.Shape[2], in.Pred.Shape[3], planes)
	p := &k.plane
	k.weights = newWeights(in.Reduction, dOut, float64(n))
	k.partial, k.items = grown(k.partial, planes*p.units), grown(k.items, n)
	each(planes*p.blocks, 4*in.WindowSize*p.height*p.w, k)
	perSample, bad := k.channels*p.units, false
	for s := range k.items {
		v := 1 - pairwise(k.partial[s*perSample:(s+1)*perSample])/float64(k.channels*p.rows*p.cols)
		if in.Form == "half" {
			v /= 2
		}
		k.items[s] = v
		bad = bad || v != v
	}
	if in.Reduction == loss.None {
		store(out, k.items)
	}
	finish(out, in.Reduction, k.items, float64(n))
	if bad && k.g != nil {
		k.poisoned = true
		each(planes*p.blocks, p.height*p.w, k)
	}
	*k = ssimTask[T]{plane: imagePlane{imageFilter: imageFilter{window: k.plane.window}}, partial: k.partial, items: k.items}
	give(k)
}

// run works on a block of rows of one plane.
func (k *ssimTask[T]) run(i int) {
	p := &k.plane
	plane := i / p.blocks
	at, size := plane*p.h*p.w, p.h*p.w
	g := cut(k.g, at, at+size)
	if k.poisoned {
		if v := k.items[plane/k.channels]; v != v {
			first := i % p.blocks * p.height
			fill(g[first*p.w:min(first+p.height, p.h)*p.w], T(v))
		}
		return
	}
	scale := 0.0
	if k.g != nil {
		scale = -k.weights.at(plane/k.channels) / float64(k.channels*p.rows*p.cols)
		if k.in.Form == "half" {
			scale /= 2
		}
	}
	work(p, i%p.blocks, k.in.Pred.Data[at:][:size], k.in.Target.Data[at:][:size], g, k.partial[plane*p.units:][:p.units], scale)
}
