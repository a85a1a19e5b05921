package mutants

import "github.com/goldenloss/goldenloss/reference/loss"

var softmaxCrossEntropyFlaws = []flaw{
	{logOfSum, "takes log(sum exp) with the maximum inside, which loses a small loss"},
	{noMaximum, "does not subtract the maximum, so logits of 1000 overflow"},
	{minusOne, "takes p - 1 at the target, which cancels for a sure prediction"},
	{dotForm, "takes LSE sum q - q.x, which cancels"},
	{plainResidual, "gives p - q, which holds only where probabilities sum to 1"},
	{renormalized, "divides target_prob by its sum"},
	{warmGradient, "does not divide the gradient by the temperature"},
	{squared, "multiplies by the squared temperature, as distillation does"},
	{zeroTimesInf, "multiplies log p = -Inf by a probability of 0"},
	{cooledFirst, "divides the logits by the temperature before it takes off their maximum"},
	{classesFirst, "takes axis 1 for the axis of the classes, whichever is asked"},
}

const classesFirst = "classes on axis 1"

func softmaxCrossEntropy(out []float64, grad, in *loss.SoftmaxCrossEntropy[float64], dOut []float64, flaw string) {
	axis := in.Axis
	if flaw == classesFirst && len(in.Logits.Shape) > 1 {
		axis = 1
	}
	outer, classes, inner := loss.AlongAxis(in.Logits.Shape, axis)
	items := make([]float64, outer*inner)
	for i := range items {
		x, q := make([]float64, classes), make([]float64, classes)
		at := func(c int) int { return (i/inner*classes+c)*inner + i%inner }
		for c := range x {
			x[c], q[c] = in.Logits.Data[at(c)], in.TargetProb.Data[at(c)]
		}
		l, d := softRow(x, q, in.Temperature, flaw)
		items[i] = l
		for c := range d {
			grad.Logits.Data[at(c)] = d[c] * share(in.Reduction, dOut, min(i, len(dOut)-1), float64(len(items)))
		}
	}
	reduce(out, in.Reduction, items, float64(len(items)))
}
