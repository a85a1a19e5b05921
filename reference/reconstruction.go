package reference

import (
	"math"

	"github.com/goldenloss/goldenloss/reference/loss"
)

// pixelCoefficient is what the error of element i counts.
func pixelCoefficient(in *loss.Reconstruction[float64], i int) float64 {
	c, plane := in.Pred.Shape[1], loss.Size(in.Pred.Shape[2:])
	at := func(shape []int) int { // the same pixel of a mask or weight, which may have one channel
		if shape[1] == c {
			return i
		}
		return i/(c*plane)*plane + i%plane
	}
	on, off := 1.0, 0.0
	switch in.Variant {
	case "full":
		return 1
	case "weighted_mean":
		return in.Weight.Data[at(in.Weight.Shape)]
	case "hole_valid":
		on, off = in.LambdaValid, in.LambdaHole
	}
	if in.Mask.Data[at(in.Mask.Shape)] {
		return on
	}
	return off
}

// counts reports whether element i takes part.
func counts(in *loss.Reconstruction[float64], i int) bool {
	if in.Variant == "mae" {
		return in.Mask.Data[i/in.Pred.Shape[2]]
	}
	return pixelCoefficient(in, i) != 0
}

// pixelError is coef |e|^p and its derivative, 0 where the coefficient is 0.
func pixelError(coef, e float64, p int) (l, d float64) {
	switch {
	case coef == 0:
		return 0, 0
	case p == 1:
		return coef * math.Abs(e), coef * sign(e)
	}
	return coef * (e * e), coef * (2 * e)
}

// targetPatch returns the target of patch i. It is shifted before it is normalized: its offset may be much larger than its spread.
func targetPatch(in *loss.Reconstruction[float64], i int) []float64 {
	size := in.Pred.Shape[2]
	t := in.Target.Data[i*size:][:size]
	if !in.NormPix {
		return t
	}
	out := make([]float64, size)
	var mean, variance accumulator
	for k := range t {
		out[k] = t[k] - t[0]
		mean.add(out[k])
	}
	mu := mean.value() / float64(size)
	for k := range out {
		out[k] -= mu
		variance.addProduct(out[k], out[k])
	}
	root := math.Sqrt(variance.value()/float64(size-1) + in.NormEps)
	for k := range out {
		out[k] /= root
	}
	return out
}

// patchError is the item of patch i of mae, and its derivatives.
func patchError(in *loss.Reconstruction[float64], i int) (l float64, d []float64) {
	size := in.Pred.Shape[2]
	d = make([]float64, size)
	if !in.Mask.Data[i] {
		return 0, d
	}
	var a accumulator
	t := targetPatch(in, i)
	for k := range d {
		e := in.Pred.Data[i*size+k] - t[k]
		a.addProduct(e, e)
		d[k] = 2 * e / float64(size)
	}
	l = a.value() / float64(size)
	if math.IsNaN(l) {
		spoil(d)
	}
	return l, d
}

// reconstructionTerms returns the items, the denominator of mean, and the derivative of its item by each element of Pred.
func reconstructionTerms(in *loss.Reconstruction[float64]) (items []float64, z float64, d []float64) {
	if in.Variant == "mae" {
		for i, m := range in.Mask.Data {
			l, slopes := patchError(in, i)
			items, d = append(items, l), append(d, slopes...)
			if m {
				z++
			}
		}
		return items, z, d
	}
	d = make([]float64, len(in.Pred.Data))
	terms := make([]float64, len(d))
	var total accumulator
	for i := range d {
		coef := pixelCoefficient(in, i)
		total.add(coef)
		terms[i], d[i] = pixelError(coef, in.Pred.Data[i]-in.Target.Data[i], in.Power())
	}
	switch in.Variant {
	case "masked_mean", "weighted_mean":
		return terms, total.value(), d
	case "context_encoder":
		n := in.Pred.Shape[0]
		for s := range n {
			size := len(d) / n
			var a accumulator
			for i := s * size; i < (s+1)*size; i++ {
				if e := in.Pred.Data[i] - in.Target.Data[i]; pixelCoefficient(in, i) != 0 {
					a.addProduct(e, e)
				}
			}
			l := a.value()
			for i := s * size; i < (s+1)*size; i++ {
				if math.IsNaN(l) && pixelCoefficient(in, i) != 0 {
					d[i] = l
				}
			}
			items = append(items, l)
		}
		return items, float64(n), d
	}
	return terms, float64(len(d)), d
}

// Reconstruction is the value of the pixel reconstruction loss.
func Reconstruction(in *loss.Reconstruction[float64]) []float64 {
	items, z, _ := reconstructionTerms(in)
	if in.Reduction == loss.None && items == nil {
		return []float64{}
	}
	return reduce(in.Reduction, items, z)
}

// ReconstructionGrad is its vector-Jacobian product.
func ReconstructionGrad(in *loss.Reconstruction[float64], dOut []float64) *loss.Reconstruction[float64] {
	g := &loss.Reconstruction[float64]{Variant: in.Variant, Pred: zeros(in.Pred), Target: zeros(in.Target)}
	items, z, d := reconstructionTerms(in)
	c := itemWeights(in.Reduction, len(items), z, dOut)
	for i := range d {
		if counts(in, i) { // the denominator may be 0 where nothing does
			g.Pred.Data[i] = c[i/(len(d)/len(items))] * d[i]
			g.Target.Data[i] = -g.Pred.Data[i]
		}
	}
	return g
}
