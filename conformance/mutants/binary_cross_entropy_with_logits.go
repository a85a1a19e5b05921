package mutants

import (
	"math"

	"github.com/goldenloss/goldenloss/reference/loss"
)

const (
	shiftedForm      = "difference of linear terms"
	residual         = "gradient by subtraction"
	linearAbove20    = "softplus linear above 20"
	posWeightOfAll   = "pos_weight for both terms"
	posWeightOfHard  = "pos_weight where the target is 1"
	meanOfWeights    = "mean over the weights"
	weightTimesNaN   = "weight of zero times NaN"
	termsTimesZero   = "zero coefficients multiplied"
	weightOfFirst    = "weights of the first axis"
	targetsClamped   = "targets clamped"
	infiniteLimitNaN = "no limit at infinity"
)

var binaryCrossEntropyWithLogitsFlaws = []flaw{
	{shiftedForm, "computes max(x,0) - x y + log1p(exp(-|x|)), which cancels for a target next to 1"},
	{residual, "takes sigmoid(x) - 1 at the target 1, which is 0 from logits of 37 on"},
	{linearAbove20, "takes softplus(z) for z above 20, which PyTorch's softplus does in float64 too"},
	{posWeightOfAll, "multiplies the negative term, too, by pos_weight"},
	{posWeightOfHard, "multiplies the item by pos_weight where the target exceeds 1/2, which differs for soft targets"},
	{meanOfWeights, "divides the mean by the sum of the weights"},
	{weightTimesNaN, "multiplies by a weight of 0 in place of leaving out"},
	{termsTimesZero, "multiplies by coefficients of 0, which makes NaN of infinite logits"},
	{weightOfFirst, "aligns the axes of weights from the first, not from the last"},
	{targetsClamped, "clamps targets to [0, 1]"},
	{infiniteLimitNaN, "gives NaN at infinite logits"},
}

// binaryBroadcast returns the element of x for element i of a shape, 1 where x is absent.
func binaryBroadcast(x loss.Tensor[float64], shape []int, i int, first bool) float64 {
	if !x.Given() {
		return 1
	}
	dims := append([]int{}, x.Shape...)
	for len(dims) < len(shape) {
		if first {
			dims = append(dims, 1)
		} else {
			dims = append([]int{1}, dims...)
		}
	}
	at, stride := 0, 1
	for k := len(shape) - 1; k >= 0; k-- {
		at += i % shape[k] % dims[k] * stride
		i /= shape[k]
		stride *= dims[k]
	}
	return x.Data[at%len(x.Data)]
}

func binaryCrossEntropyWithLogits(out []float64, grad, in *loss.BinaryCrossEntropyWithLogits[float64], dOut []float64, flaw string) {
	n := len(in.Logits.Data)
	items, slopes := make([]float64, n), make([]float64, n)
	z := float64(n)
	var weights []float64
	for i, x := range in.Logits.Data {
		y := in.Target.Data[i]
		w := binaryBroadcast(in.Weight, in.Logits.Shape, i, flaw == weightOfFirst)
		pw := binaryBroadcast(in.PosWeight, in.Logits.Shape, i, flaw == weightOfFirst)
		weights = append(weights, w)
		if w == 0 && flaw != weightTimesNaN {
			continue
		}
		if flaw == targetsClamped {
			y = math.Max(0, math.Min(y, 1))
		}
		p, q := pw*y, 1-y
		switch flaw {
		case posWeightOfAll:
			q *= pw
		case posWeightOfHard:
			p = y
			if y > 0.5 {
				w *= pw
			}
		}
		sp := softplus
		if flaw == linearAbove20 {
			sp = func(v float64) float64 {
				if v > 20 {
					return v
				}
				return softplus(v)
			}
		}
		l, d := 0.0, 0.0
		if p != 0 || flaw == termsTimesZero || x != x {
			l += p * sp(-x)
			d -= p * sigmoid(-x)
		}
		if q != 0 || flaw == termsTimesZero {
			l += q * sp(x)
			d += q * sigmoid(x)
		}
		if l != l {
			d = l
		}
		switch {
		case flaw == shiftedForm && !in.PosWeight.Given():
			l = math.Max(x, 0) - x*y + math.Log1p(math.Exp(-math.Abs(x)))
		case flaw == residual && !in.PosWeight.Given():
			d = 1/(1+math.Exp(-x)) - y
		case flaw == infiniteLimitNaN && math.IsInf(x, 0):
			l, d = math.NaN(), math.NaN()
		}
		items[i], slopes[i] = w*l, w*d
	}
	if flaw == meanOfWeights {
		z = total(weights)
	}
	for i, d := range slopes {
		grad.Logits.Data[i] = share(in.Reduction, dOut, i, z) * d
	}
	reduce(out, in.Reduction, items, z)
}
