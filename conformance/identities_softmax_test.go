package main

import (
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/goldenloss/goldenloss/reference"
	"github.com/goldenloss/goldenloss/reference/loss"
)

// The identities between the losses on softmax rows, on random inputs.

func softmaxNormal(r *rand.Rand, sigma float64, shape ...int) loss.Tensor[float64] {
	x := loss.Make[float64](shape...)
	for i := range x.Data {
		x.Data[i] = sigma * r.NormFloat64()
	}
	return x
}

func softmaxUniform(r *rand.Rand, shape ...int) loss.Tensor[float64] {
	x := loss.Make[float64](shape...)
	for i := range x.Data {
		x.Data[i] = r.Float64()
	}
	return x
}

func softmaxLabels(r *rand.Rand, classes int, shape ...int) loss.Tensor[int64] {
	y := loss.Make[int64](shape...)
	for i := range y.Data {
		y.Data[i] = r.Int64N(int64(classes))
	}
	return y
}

// softmaxEqual requires equal numbers up to rounding; a loss near 0 keeps its digits.
func softmaxEqual(t *testing.T, want, got []float64, what string) {
	t.Helper()
	require.Len(t, got, len(want), what)
	for i, w := range want {
		require.InDelta(t, w, got[i], 1e-12*math.Abs(w)+1e-15, "%s[%d]", what, i)
	}
}

// softmaxRounds calls f with shapes [n, c, d1, ...], labels and a cotangent.
func softmaxRounds(f func(r *rand.Rand, shape []int, labels loss.Tensor[int64], dOut []float64)) {
	r := rand.New(rand.NewPCG(20, 26))
	for range 60 {
		shape := []int{1 + r.IntN(3), 2 + r.IntN(6)}
		for range 1 + r.IntN(2) {
			shape = append(shape, 1+r.IntN(4))
		}
		labels := softmaxLabels(r, shape[1], append([]int{shape[0]}, shape[2:]...)...)
		f(r, shape, labels, softmaxNormal(r, 1, len(labels.Data)).Data)
	}
}

// softmaxOneHot writes labels as distributions on axis 1.
func softmaxOneHot(labels loss.Tensor[int64], shape []int) loss.Tensor[float64] {
	q := loss.Make[float64](shape...)
	_, classes, inner := loss.AlongAxis(shape, 1)
	for i, y := range labels.Data {
		q.Data[(i/inner*classes+int(y))*inner+i%inner] = 1
	}
	return q
}

// softmaxLast moves axis 1 to the end: [N, C, S] to [N S, C].
func softmaxLast(x loss.Tensor[float64]) loss.Tensor[float64] {
	outer, classes, inner := loss.AlongAxis(x.Shape, 1)
	out := loss.Make[float64](outer*inner, classes)
	for i := range outer * inner {
		for c := range classes {
			out.Data[i*classes+c] = x.Data[(i/inner*classes+c)*inner+i%inner]
		}
	}
	return out
}

// softmaxItems is the cross-entropy of labels, items and gradient.
func softmaxItems(x loss.Tensor[float64], labels loss.Tensor[int64], dOut []float64) (items []float64, grad loss.Tensor[float64]) {
	p := &loss.CrossEntropy[float64]{Reduction: loss.None, Logits: x, Target: labels}
	return reference.CrossEntropy(p), reference.CrossEntropyGrad(p, dOut).Logits
}

func TestOneHotIsIndex(t *testing.T) {
	softmaxRounds(func(r *rand.Rand, shape []int, labels loss.Tensor[int64], dOut []float64) {
		x := softmaxNormal(r, 20, shape...)
		items, grad := softmaxItems(x, labels, dOut)
		soft := &loss.SoftmaxCrossEntropy[float64]{Reduction: loss.None, Axis: 1, Temperature: 1, Logits: x, TargetProb: softmaxOneHot(labels, shape)}
		softmaxEqual(t, items, reference.SoftmaxCrossEntropy(soft), "value")
		softmaxEqual(t, grad.Data, reference.SoftmaxCrossEntropyGrad(soft, dOut).Logits.Data, "gradient")
		soft.Axis = 1 - len(shape)
		softmaxEqual(t, items, reference.SoftmaxCrossEntropy(soft), "axis from the end")
	})
}

func TestTemperatureDividesLogits(t *testing.T) {
	softmaxRounds(func(r *rand.Rand, shape []int, _ loss.Tensor[int64], dOut []float64) {
		cold := &loss.SoftmaxCrossEntropy[float64]{Reduction: loss.None, Axis: 1, Temperature: 0.5 + 4*r.Float64(), Logits: softmaxNormal(r, 5, shape...),
			TargetProb: softmaxUniform(r, shape...)}
		plain := *cold
		plain.Temperature, plain.Logits = 1, loss.Make[float64](shape...)
		for i, v := range cold.Logits.Data {
			plain.Logits.Data[i] = v / cold.Temperature
		}
		softmaxEqual(t, reference.SoftmaxCrossEntropy(&plain), reference.SoftmaxCrossEntropy(cold), "value")
		want := reference.SoftmaxCrossEntropyGrad(&plain, dOut).Logits.Data
		for i := range want {
			want[i] /= cold.Temperature
		}
		softmaxEqual(t, want, reference.SoftmaxCrossEntropyGrad(cold, dOut).Logits.Data, "gradient")
	})
}

func TestPixelwiseIsTransposed(t *testing.T) {
	softmaxRounds(func(r *rand.Rand, shape []int, labels loss.Tensor[int64], _ []float64) {
		labels.Data[r.IntN(len(labels.Data))] = -100
		for _, red := range []loss.Reduction{loss.Mean, loss.Sum, loss.None} {
			maps := &loss.PixelwiseCrossEntropy[float64]{Reduction: red, Normalize: "weight", Logits: softmaxNormal(r, 4, shape...), Target: labels, ClassWeight: softmaxUniform(r, shape[1])}
			rows := &loss.CrossEntropy[float64]{Reduction: red, Logits: softmaxLast(maps.Logits), Target: loss.Tensor[int64]{Shape: []int{len(labels.Data)}, Data: labels.Data},
				ClassWeight: maps.ClassWeight}
			dOut := softmaxNormal(r, 1, loss.Size(rows.Out())).Data
			softmaxEqual(t, reference.CrossEntropy(rows), reference.PixelwiseCrossEntropy(maps), "value")
			softmaxEqual(t, reference.CrossEntropyGrad(rows, dOut).Logits.Data, softmaxLast(reference.PixelwiseCrossEntropyGrad(maps, dOut).Logits).Data, "gradient")
		}
	})
}

// TestEqualWeights: equal class weights k change nothing where they divide and are a factor where the count divides; equal pixel
// weights are class weights.
func TestEqualWeights(t *testing.T) {
	softmaxRounds(func(r *rand.Rand, shape []int, labels loss.Tensor[int64], _ []float64) {
		labels.Data[0] = -100
		x, k := softmaxNormal(r, 4, shape...), 0.25+r.Float64()
		plain := &loss.CrossEntropy[float64]{Reduction: loss.Mean, Logits: x, Target: labels}
		mean, grad := reference.CrossEntropy(plain), reference.CrossEntropyGrad(plain, []float64{1}).Logits.Data
		for _, mode := range []string{"class", "pixel"} {
			for _, normalize := range []string{"weight", "count"} {
				p := &loss.WeightedCrossEntropy[float64]{Reduction: loss.Mean, Mode: mode, Normalize: normalize, Logits: x, Target: labels}
				p.ClassWeight, p.PixelWeight = loss.Make[float64](shape[1]), loss.Make[float64](labels.Shape...)
				for _, w := range [][]float64{p.ClassWeight.Data, p.PixelWeight.Data} {
					for i := range w {
						w[i] = k
					}
				}
				factor := 1.0
				if normalize == "count" {
					factor = k
				}
				want := slices.Concat(mean, grad)
				for i := range want {
					want[i] *= factor
				}
				softmaxEqual(t, want, slices.Concat(reference.WeightedCrossEntropy(p), reference.WeightedCrossEntropyGrad(p, []float64{1}).Logits.Data), mode+" "+normalize)
			}
		}
	})
}

func TestBinaryPosIsBinaryCrossEntropy(t *testing.T) {
	r := rand.New(rand.NewPCG(3, 5))
	for range 100 {
		p := &loss.WeightedCrossEntropy[float64]{Reduction: loss.None, Mode: "binary_pos", PosWeight: 3 * r.Float64(), Logits: softmaxNormal(r, 20, 7), TargetValue: softmaxUniform(r, 7)}
		q := &loss.BinaryCrossEntropyWithLogits[float64]{Reduction: loss.None, Logits: p.Logits, Target: p.TargetValue,
			PosWeight: loss.Tensor[float64]{Shape: []int{1}, Data: []float64{p.PosWeight}}}
		dOut := softmaxNormal(r, 1, 7).Data
		softmaxEqual(t, reference.BinaryCrossEntropyWithLogits(q), reference.WeightedCrossEntropy(p), "value")
		softmaxEqual(t, reference.BinaryCrossEntropyWithLogitsGrad(q, dOut).Logits.Data, reference.WeightedCrossEntropyGrad(p, dOut).Logits.Data, "gradient")
	}
}

// TestTwoClasses: on logits (0, x) the multi-class losses are the binary ones.
func TestTwoClasses(t *testing.T) {
	r := rand.New(rand.NewPCG(4, 6))
	for range 100 {
		const n = 9
		x, labels := softmaxNormal(r, 15, n), softmaxLabels(r, 2, n)
		pairs, hard := loss.Make[float64](n, 2), loss.Make[float64](n)
		for i := range n {
			pairs.Data[2*i+1], hard.Data[i] = x.Data[i], float64(labels.Data[i])
		}
		second := func(g []float64) []float64 {
			var out []float64
			for i := 1; i < len(g); i += 2 {
				out = append(out, g[i])
			}
			return out
		}
		dOut := softmaxNormal(r, 1, n).Data
		binary := &loss.WeightedCrossEntropy[float64]{Reduction: loss.None, Mode: "binary_pos", PosWeight: 1, Logits: x, TargetValue: hard}
		items, grad := softmaxItems(pairs, labels, dOut)
		softmaxEqual(t, reference.WeightedCrossEntropy(binary), items, "cross-entropy")
		softmaxEqual(t, reference.WeightedCrossEntropyGrad(binary, dOut).Logits.Data, second(grad.Data), "its gradient")
		for _, gamma := range []float64{0, 0.5, 1, 2, 5} {
			one := &loss.Focal[float64]{Reduction: loss.None, Alpha: -1, Gamma: gamma, Logits: x, Target: hard}
			many := &loss.FocalSoftmax[float64]{Reduction: loss.None, Gamma: gamma, Normalize: "count", Logits: pairs, Target: labels}
			softmaxEqual(t, reference.Focal(one), reference.FocalSoftmax(many), "focal")
			softmaxEqual(t, reference.FocalGrad(one, dOut).Logits.Data, second(reference.FocalSoftmaxGrad(many, dOut).Logits.Data), "its gradient")
		}
	}
}

func TestFocalSoftmaxGammaZero(t *testing.T) {
	softmaxRounds(func(r *rand.Rand, shape []int, labels loss.Tensor[int64], _ []float64) {
		labels.Data[0] = -100
		for _, red := range []loss.Reduction{loss.Mean, loss.Sum, loss.None} {
			p := &loss.FocalSoftmax[float64]{Reduction: red, Normalize: "weight", Logits: softmaxNormal(r, 10, shape...), Target: labels, Alpha: softmaxUniform(r, shape[1])}
			q := &loss.CrossEntropy[float64]{Reduction: red, Logits: p.Logits, Target: labels, ClassWeight: p.Alpha}
			dOut := softmaxNormal(r, 1, loss.Size(q.Out())).Data
			softmaxEqual(t, reference.CrossEntropy(q), reference.FocalSoftmax(p), "value")
			softmaxEqual(t, reference.CrossEntropyGrad(q, dOut).Logits.Data, reference.FocalSoftmaxGrad(p, dOut).Logits.Data, "gradient")
		}
	})
}

// TestCategoricalOfExponentials: exponentials of logits, normalized and not clipped, are a softmax; the gradient follows by the chain
// rule, and since the loss does not see the scale of a row, sum p dl/dp = 0.
func TestCategoricalOfExponentials(t *testing.T) {
	softmaxRounds(func(r *rand.Rand, shape []int, _ loss.Tensor[int64], dOut []float64) {
		soft := &loss.SoftmaxCrossEntropy[float64]{Reduction: loss.None, Axis: 1, Temperature: 1, Logits: softmaxNormal(r, 5, shape...), TargetProb: softmaxUniform(r, shape...)}
		cat := &loss.CategoricalCrossEntropy[float64]{Reduction: loss.None, Axis: 1, Normalize: true, Prob: loss.Make[float64](shape...), TargetProb: soft.TargetProb}
		for i, x := range soft.Logits.Data {
			cat.Prob.Data[i] = math.Exp(x)
		}
		value := reference.CategoricalCrossEntropy(cat)
		softmaxEqual(t, reference.SoftmaxCrossEntropy(soft), value, "value")
		slope := reference.CategoricalCrossEntropyGrad(cat, dOut).Prob
		for i, p := range cat.Prob.Data {
			slope.Data[i] *= p
		}
		want := reference.SoftmaxCrossEntropyGrad(soft, dOut).Logits.Data
		for i, w := range want {
			require.InDelta(t, w, slope.Data[i], 1e-12)
		}
		for _, sum := range softmaxSums(slope) {
			require.InDelta(t, 0, sum, 1e-12)
		}
	})
}

// softmaxSums adds up along axis 1.
func softmaxSums(x loss.Tensor[float64]) []float64 {
	rows := softmaxLast(x)
	sums := make([]float64, rows.Shape[0])
	for i, v := range rows.Data {
		sums[i/rows.Shape[1]] += v
	}
	return sums
}

// TestSoftmaxInvariance: gradients of rows sum to 0, and a shift of the logits and a permutation of the classes change nothing.
func TestSoftmaxInvariance(t *testing.T) {
	softmaxRounds(func(r *rand.Rand, shape []int, labels loss.Tensor[int64], dOut []float64) {
		x, classes := softmaxNormal(r, 6, shape...), shape[1]
		prob, pixel, class := softmaxUniform(r, shape...), softmaxUniform(r, labels.Shape...), softmaxUniform(r, classes)
		// all evaluates every loss: values and gradients.
		all := func(x, prob, class loss.Tensor[float64], labels loss.Tensor[int64]) (values [][]float64, grads []loss.Tensor[float64]) {
			soft := &loss.SoftmaxCrossEntropy[float64]{Reduction: loss.None, Axis: 1, Temperature: 2, Logits: x, TargetProb: prob}
			byClass := &loss.WeightedCrossEntropy[float64]{Reduction: loss.None, Mode: "class", Normalize: "weight", Logits: x, Target: labels, ClassWeight: class}
			byPixel := &loss.WeightedCrossEntropy[float64]{Reduction: loss.None, Mode: "pixel", Normalize: "count", Logits: x, Target: labels, PixelWeight: pixel}
			maps := &loss.PixelwiseCrossEntropy[float64]{Reduction: loss.None, Normalize: "all", Logits: x, Target: labels, ClassWeight: class}
			focal := &loss.FocalSoftmax[float64]{Reduction: loss.None, Gamma: 1.5, Normalize: "count", Logits: x, Target: labels, Alpha: class}
			return [][]float64{reference.SoftmaxCrossEntropy(soft), reference.WeightedCrossEntropy(byClass), reference.WeightedCrossEntropy(byPixel),
					reference.PixelwiseCrossEntropy(maps), reference.FocalSoftmax(focal)},
				[]loss.Tensor[float64]{reference.SoftmaxCrossEntropyGrad(soft, dOut).Logits, reference.WeightedCrossEntropyGrad(byClass, dOut).Logits,
					reference.WeightedCrossEntropyGrad(byPixel, dOut).Logits, reference.PixelwiseCrossEntropyGrad(maps, dOut).Logits, reference.FocalSoftmaxGrad(focal, dOut).Logits}
		}
		values, grads := all(x, prob, class, labels)
		for _, g := range grads {
			for _, sum := range softmaxSums(g) {
				require.InDelta(t, 0, sum, 1e-13)
			}
		}
		shifted := loss.Make[float64](shape...)
		_, _, inner := loss.AlongAxis(shape, 1)
		by := softmaxNormal(r, 3, len(labels.Data)).Data
		for i, v := range x.Data {
			shifted.Data[i] = v + by[i/inner/classes*inner+i%inner]
		}
		same := func(v [][]float64, g []loss.Tensor[float64], what string, place func(i int) int) {
			for k := range values {
				for i, w := range values[k] {
					require.InDelta(t, w, v[k][i], 1e-13*(1+math.Abs(w)), "%s, loss %d", what, k)
				}
				for i, w := range grads[k].Data {
					require.InDelta(t, w, g[k].Data[place(i)], 1e-13*(1+math.Abs(w)), "%s, gradient of loss %d", what, k)
				}
			}
		}
		v, g := all(shifted, prob, class, labels)
		same(v, g, "shift", func(i int) int { return i })
		order := r.Perm(classes)
		place := func(i int) int { return (i/inner/classes*classes+order[i/inner%classes])*inner + i%inner }
		permuted, permutedProb, permutedClass, permutedLabels := loss.Make[float64](shape...), loss.Make[float64](shape...), loss.Make[float64](classes), loss.Make[int64](labels.Shape...)
		for i := range x.Data {
			permuted.Data[place(i)], permutedProb.Data[place(i)] = x.Data[i], prob.Data[i]
		}
		for c, w := range class.Data {
			permutedClass.Data[order[c]] = w
		}
		for i, y := range labels.Data {
			permutedLabels.Data[i] = int64(order[y])
		}
		v, g = all(permuted, permutedProb, permutedClass, permutedLabels)
		same(v, g, "permutation", place)
	})
}
