package mutants

import "github.com/goldenloss/goldenloss/reference/loss"

const meanOfImages = "mean of the means of images"

var pixelwiseCrossEntropyFlaws = []flaw{
	{logOfSum, "takes log(sum exp) with the maximum inside, which loses a small loss"},
	{noMaximum, "does not subtract the maximum, so logits of 1000 overflow"},
	{minusOne, "takes p - 1 at the target, which cancels for a sure prediction"},
	{meanOfImages, "divides each image by its own weights and then by the number of images"},
	{countOfAll, "divides by the number of pixels, ignored ones included"},
	{countOfWeighted, "counts only pixels whose weight is not 0"},
	{ignoredTimesZero, "multiplies ignored pixels and those of weight 0 by 0, which keeps their NaN"},
	{classesLast, "reads logits of [N, C, d] as [N, d, C]"},
}

func pixelwiseCrossEntropy(out []float64, grad, in *loss.PixelwiseCrossEntropy[float64], dOut []float64, flaw string) {
	outer, classes, inner := loss.AlongAxis(in.Logits.Shape, 1)
	at := func(i, c int) int {
		if flaw == classesLast {
			return i*classes + c
		}
		return (i/inner*classes+c)*inner + i%inner
	}
	n := outer * inner
	items, weights, kept := make([]float64, n), make([]float64, n), make([]float64, n)
	for i, y := range in.Target.Data {
		if y != in.Ignored() {
			weights[i], kept[i] = 1, 1
			if in.ClassWeight.Given() {
				weights[i] = in.ClassWeight.Data[y]
			}
			if flaw == countOfWeighted && weights[i] == 0 {
				kept[i] = 0
			}
		}
		if in.Normalize == "all" || flaw == countOfAll {
			kept[i] = 1
		}
		if in.Normalize == "weight" {
			kept[i] = weights[i]
		}
	}
	z := total(kept)
	scales := make([]float64, n)
	for i := range scales {
		scales[i] = z
		if flaw == meanOfImages && in.Reduction == loss.Mean {
			image := i / inner * inner
			scales[i] = float64(outer) * total(kept[image:image+inner])
		}
	}
	for i, w := range weights {
		if w == 0 && flaw != ignoredTimesZero {
			continue
		}
		x, q := make([]float64, classes), make([]float64, classes)
		for c := range x {
			x[c] = in.Logits.Data[at(i, c)]
		}
		q[max(0, min(int(in.Target.Data[i]), classes-1))] = w
		l, d := softRow(x, q, 1, flaw)
		if w == 0 {
			l = 0 * total(x)
		}
		items[i] = l
		for c := range d {
			grad.Logits.Data[at(i, c)] = d[c] * share(in.Reduction, dOut, i, scales[i])
		}
	}
	if flaw == meanOfImages && in.Reduction == loss.Mean {
		for i := range items {
			if weights[i] != 0 {
				items[i] *= z / scales[i]
			}
		}
	}
	reduce(out, in.Reduction, items, z)
}
