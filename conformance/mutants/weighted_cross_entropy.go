package mutants

import (
	"math"

	"github.com/goldenloss/goldenloss/reference/loss"
)

const (
	countOfAll       = "count of ignored positions too"
	countOfWeighted  = "count of positions with a weight"
	weightByPosition = "class weight of the position"
	weightOfAll      = "weights of ignored positions in the sum"
	posInGradient    = "pos_weight missing in the gradient"
	posForNegatives  = "pos_weight for the negatives"
	sigmoidLogs      = "logarithms of sigmoids"
	unitTargets      = "target clipped to [0, 1]"
	binaryNormalized = "binary mean over the weights"
	binaryTimesInf   = "terms of coefficient 0 kept"
)

var weightedCrossEntropyFlaws = []flaw{
	{logOfSum, "takes log(sum exp) with the maximum inside, which loses a small loss"},
	{noMaximum, "does not subtract the maximum, so logits of 1000 overflow"},
	{minusOne, "takes p - 1 at the target, which cancels for a sure prediction"},
	{countOfAll, "divides by the number of positions, ignored ones included"},
	{countOfWeighted, "counts only positions whose weight is not 0"},
	{weightOfAll, "adds the pixel weights of ignored positions to the denominator"},
	{weightByPosition, "takes the weight of class i mod C at position i"},
	{ignoredTimesZero, "multiplies ignored positions and those of weight 0 by 0, which keeps their NaN"},
	{classesLast, "reads logits of [N, C, d] as [N, d, C]"},
	{posInGradient, "does not weigh the positives in the gradient"},
	{posForNegatives, "gives pos_weight to the negatives"},
	{sigmoidLogs, "takes log(sigmoid(x)) and log(1-sigmoid(x)), which are -Inf or 0 too early"},
	{unitTargets, "clips targets to [0, 1]"},
	{binaryNormalized, "divides the mean of the binary form by the weights where normalize is weight"},
	{binaryTimesInf, "multiplies softplus = +Inf by a coefficient of 0"},
}

func weightedCrossEntropy(out []float64, grad, in *loss.WeightedCrossEntropy[float64], dOut []float64, flaw string) {
	if in.Mode == "binary_pos" {
		weightedBinary(out, grad, in, dOut, flaw)
		return
	}
	outer, classes, inner := loss.AlongAxis(in.Logits.Shape, 1)
	at := func(i, c int) int {
		if flaw == classesLast {
			return i*classes + c
		}
		return (i/inner*classes+c)*inner + i%inner
	}
	items, weights := make([]float64, outer*inner), make([]float64, outer*inner)
	var sum []float64
	count := 0.0
	for i := range items {
		y := in.Target.Data[i]
		counted := y != in.Ignored()
		switch {
		case in.Mode == "pixel":
			weights[i] = in.PixelWeight.Data[i]
		case counted && flaw == weightByPosition:
			weights[i] = in.ClassWeight.Data[i%classes]
		case counted:
			weights[i] = in.ClassWeight.Data[y]
		}
		if counted || flaw == weightOfAll {
			sum = append(sum, weights[i])
		}
		if counted && (flaw != countOfWeighted || weights[i] != 0) || flaw == countOfAll {
			count++
		}
		if !counted {
			weights[i] = 0
		}
	}
	z := count
	if in.Normalize == "weight" {
		z = total(sum)
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
			grad.Logits.Data[at(i, c)] = d[c] * share(in.Reduction, dOut, i, z)
		}
	}
	reduce(out, in.Reduction, items, z)
}

func weightedBinary(out []float64, grad, in *loss.WeightedCrossEntropy[float64], dOut []float64, flaw string) {
	n := len(in.Logits.Data)
	items, z := make([]float64, n), float64(n)
	if flaw == binaryNormalized && in.Normalize == "weight" {
		z = 0
		for _, y := range in.TargetValue.Data {
			z += in.PosWeight*y + 1 - y
		}
	}
	for i, x := range in.Logits.Data {
		y, pos, neg := in.TargetValue.Data[i], in.PosWeight, 1.0
		if flaw == unitTargets {
			y = math.Max(0, math.Min(y, 1))
		}
		if flaw == posForNegatives {
			pos, neg = 1, in.PosWeight
		}
		a, b := pos*y, neg*(1-y)
		up, down := softplus(x), softplus(-x)
		if flaw == sigmoidLogs {
			up, down = -math.Log(1-sigmoid(x)), -math.Log(sigmoid(x))
		}
		if a != 0 || flaw == binaryTimesInf {
			items[i] += a * down
		}
		if b != 0 || flaw == binaryTimesInf {
			items[i] += b * up
		}
		if x != x {
			items[i] = x
		}
		if flaw == posInGradient {
			a = y
		}
		grad.Logits.Data[i] = share(in.Reduction, dOut, i, z) * (b*sigmoid(x) - a*sigmoid(-x))
	}
	reduce(out, in.Reduction, items, z)
}
