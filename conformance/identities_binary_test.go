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

// binaryRun returns the value of the reference for a problem and the gradient of each var input, for a cotangent of ones.
func binaryRun(t *testing.T, p loss.Problem[float64]) (value []float64, grads [][]float64) {
	t.Helper()
	require.NoError(t, loss.Validate(p))
	i := slices.IndexFunc(reference.All, func(r loss.Impl[float64]) bool { return r.ID == p.Def().ID })
	require.GreaterOrEqual(t, i, 0)
	value = make([]float64, loss.Size(p.Out()))
	g := loss.NewGrad(p, reference.All[i].New())
	reference.All[i].Run(value, g, p, slices.Repeat([]float64{1}, len(value)))
	for _, f := range loss.Fields(g) {
		if f.Role == loss.RoleVar {
			grads = append(grads, f.Float.Data)
		}
	}
	return value, grads
}

func binaryTensor(data []float64, shape ...int) loss.Tensor[float64] {
	return loss.Tensor[float64]{Shape: shape, Data: data}
}

func binaryDraw(n int, f func() float64) []float64 {
	x := make([]float64, n)
	for i := range x {
		x[i] = f()
	}
	return x
}

// binaryLogits is the sigmoid cross-entropy, item by item.
func binaryLogits(t *testing.T, x, y []float64, set ...func(*loss.BinaryCrossEntropyWithLogits[float64])) (items, slopes []float64) {
	t.Helper()
	p := loss.New[float64, loss.BinaryCrossEntropyWithLogits[float64]]()
	p.Reduction, p.Logits, p.Target = loss.None, binaryTensor(x, len(x)), binaryTensor(y, len(y))
	for _, f := range set {
		f(p)
	}
	items, grads := binaryRun(t, p)
	return items, grads[0]
}

func binaryMap(x []float64, f func(i int, v float64) float64) []float64 {
	out := make([]float64, len(x))
	for i, v := range x {
		out[i] = f(i, v)
	}
	return out
}

func binaryNear(t *testing.T, want, got []float64, name string) {
	t.Helper()
	require.Len(t, got, len(want), name)
	for i, w := range want {
		require.InDelta(t, w, got[i], 1e-13*(1+math.Abs(w)), "%s [%d]", name, i)
	}
}

// TestBinarySigmoidIdentities: the sigmoid cross-entropy under its other names.
func TestBinarySigmoidIdentities(t *testing.T) {
	r := rand.New(rand.NewPCG(2, 20))
	const n = 60
	x, y := binaryDraw(n, func() float64 { return 4 * r.NormFloat64() }), binaryDraw(n, r.Float64)
	labels := binaryDraw(n, func() float64 { return float64(r.IntN(2)) })
	items, slopes := binaryLogits(t, x, labels)
	soft, softSlopes := binaryLogits(t, x, y)

	margin := loss.New[float64, loss.Logistic[float64]]()
	margin.Reduction, margin.Score = loss.None, binaryTensor(x, n)
	margin.Target = binaryTensor(binaryMap(labels, func(_ int, v float64) float64 { return 2*v - 1 }), n)
	got, grads := binaryRun(t, margin)
	binaryNear(t, items, got, "logistic")
	binaryNear(t, slopes, grads[0], "logistic gradient")

	focal := loss.New[float64, loss.Focal[float64]]()
	focal.Reduction, focal.Alpha, focal.Gamma, focal.Logits, focal.Target = loss.None, -1, 0, binaryTensor(x, n), binaryTensor(y, n)
	got, grads = binaryRun(t, focal)
	binaryNear(t, soft, got, "focal without focus")
	binaryNear(t, softSlopes, grads[0], "focal gradient")

	prob := loss.New[float64, loss.BinaryCrossEntropy[float64]]()
	sigma := binaryMap(x, func(_ int, v float64) float64 { return 1 / (1 + math.Exp(-v)) })
	prob.Reduction, prob.Guard, prob.Prob, prob.Target = loss.None, "none", binaryTensor(sigma, n), binaryTensor(y, n)
	got, grads = binaryRun(t, prob)
	for i, p := range sigma {
		require.InEpsilon(t, soft[i], got[i], 1e-9, "probabilities [%d]", i)
		require.InDelta(t, softSlopes[i], grads[0][i]*p*(1-p), 1e-9, "probabilities, gradient [%d]", i)
	}

	two := loss.New[float64, loss.CrossEntropy[float64]]()
	two.Reduction, two.Logits, two.Target = loss.None, loss.Make[float64](n, 2), loss.Make[int64](n)
	for i, v := range x {
		shift := r.NormFloat64()
		two.Logits.Data[2*i], two.Logits.Data[2*i+1], two.Target.Data[i] = shift, shift+v, int64(labels[i])
	}
	got, grads = binaryRun(t, two)
	for i := range x {
		require.InDelta(t, items[i], got[i], 1e-13*(1+math.Abs(x[i])), "two classes [%d]", i)
		require.InDelta(t, slopes[i], grads[0][2*i+1], 1e-13, "two classes, gradient [%d]", i)
		require.InDelta(t, 0, grads[0][2*i]+grads[0][2*i+1], 1e-15, "two classes, sum of the gradient [%d]", i)
	}

	mirror, mirrorSlopes := binaryLogits(t, binaryMap(x, func(_ int, v float64) float64 { return -v }), binaryMap(labels, func(_ int, v float64) float64 { return 1 - v }))
	require.Equal(t, items, mirror, "the other class with the opposite logit")
	require.Equal(t, slopes, binaryMap(mirrorSlopes, func(_ int, v float64) float64 { return -v }))

	positive, _ := binaryLogits(t, x, y, func(p *loss.BinaryCrossEntropyWithLogits[float64]) { p.PosWeight = binaryTensor([]float64{3}, 1) })
	only, _ := binaryLogits(t, x, slices.Repeat([]float64{1}, n))
	binaryNear(t, binaryMap(soft, func(i int, v float64) float64 { return v + 2*y[i]*only[i] }), positive, "pos_weight")
}

// TestBinaryBroadcastWeights: a weight that broadcasts is the weight spread out by hand.
func TestBinaryBroadcastWeights(t *testing.T) {
	r := rand.New(rand.NewPCG(3, 20))
	shape := []int{2, 3, 4, 5}
	x, y := binaryDraw(120, r.NormFloat64), binaryDraw(120, r.Float64)
	for _, dims := range [][]int{{}, {1}, {5}, {4, 5}, {4, 1}, {3, 1, 1}, {3, 1, 5}, {1, 3, 4, 1}, {2, 1, 1, 5}, {2, 3, 4, 5}} {
		w := binaryDraw(loss.Size(dims), r.ExpFloat64)
		spread := make([]float64, 120)
		for i := range spread {
			rest, at, stride := i, 0, 1
			for k := range shape {
				axis := len(shape) - 1 - k
				pos := rest % shape[axis]
				rest /= shape[axis]
				if k < len(dims) && dims[len(dims)-1-k] > 1 {
					at += pos * stride
					stride *= shape[axis]
				}
			}
			spread[i] = w[at]
		}
		shaped := func(weight loss.Tensor[float64]) ([]float64, []float64) {
			return binaryLogits(t, x, y, func(p *loss.BinaryCrossEntropyWithLogits[float64]) {
				p.Logits.Shape, p.Target.Shape, p.Weight, p.PosWeight = shape, shape, weight, weight
			})
		}
		items, slopes := shaped(binaryTensor(w, dims...))
		want, wantSlopes := shaped(binaryTensor(spread, shape...))
		require.Equal(t, want, items, "%v", dims)
		require.Equal(t, wantSlopes, slopes, "%v", dims)
	}
}

// TestBinaryDivergenceIdentities: a divergence is a cross-entropy less an entropy, and both forms of the target agree.
func TestBinaryDivergenceIdentities(t *testing.T) {
	r := rand.New(rand.NewPCG(4, 20))
	const n, c = 12, 5
	logits, lp := binaryDraw(n*c, r.NormFloat64), binaryDraw(n*c, r.NormFloat64)
	for _, rows := range [][]float64{logits, lp} { // logarithms of distributions
		for i := 0; i < n*c; i += c {
			sum := 0.0
			for _, v := range rows[i : i+c] {
				sum += math.Exp(v)
			}
			for k := i; k < i+c; k++ {
				rows[k] -= math.Log(sum)
			}
		}
	}
	p := binaryMap(lp, func(_ int, v float64) float64 { return math.Exp(v) })
	kl := func(red loss.Reduction, target []float64, log bool) *loss.KLDivergence[float64] {
		d := loss.New[float64, loss.KLDivergence[float64]]()
		d.Reduction, d.LogTarget, d.LogQ, d.Target = red, log, binaryTensor(logits, n, c), binaryTensor(target, n, c)
		return d
	}
	mean, grads := binaryRun(t, kl(loss.BatchMean, p, false))
	sum, _ := binaryRun(t, kl(loss.Sum, p, false))
	require.InEpsilon(t, sum[0]/n, mean[0], 1e-14)

	soft := loss.New[float64, loss.SoftmaxCrossEntropy[float64]]()
	soft.Logits, soft.TargetProb = binaryTensor(logits, n, c), binaryTensor(p, n, c)
	entropy := 0.0
	for i, v := range lp {
		entropy -= p[i] * v
	}
	cross, _ := binaryRun(t, soft)
	require.InDelta(t, cross[0]-entropy/n, mean[0], 1e-13)

	items, _ := binaryRun(t, kl(loss.None, p, false))
	same, logGrads := binaryRun(t, kl(loss.None, lp, true))
	binaryNear(t, items, same, "log_target")
	_, itemGrads := binaryRun(t, kl(loss.None, p, false))
	binaryNear(t, itemGrads[0], logGrads[0], "log_target, gradient of log_q")
	for i := range p {
		require.InDelta(t, itemGrads[1][i]*p[i], logGrads[1][i], 1e-13, "chain rule [%d]", i)
		require.InDelta(t, -p[i]/n, grads[0][i], 1e-16)
	}
	nothing, _ := binaryRun(t, kl(loss.Sum, binaryMap(logits, func(_ int, v float64) float64 { return v }), true))
	require.Zero(t, nothing[0], "Q from itself")
}

// TestBinaryAttentionIdentities: without weight the attention term is gone; heads, layers and scores obey their laws.
func TestBinaryAttentionIdentities(t *testing.T) {
	const layers, samples, heads, queries, keys, classes = 2, 3, 2, 4, 5, 3
	problem := func(variant string, set ...func(*loss.AttentionTarget[float64])) *loss.AttentionTarget[float64] {
		q := rand.New(rand.NewPCG(6, 20))
		p := loss.New[float64, loss.AttentionTarget[float64]]()
		p.Reduction, p.Variant, p.FromScores = loss.None, variant, true
		p.Logits, p.Class = binaryTensor(binaryDraw(samples*classes, q.NormFloat64), samples, classes), loss.Tensor[int64]{Shape: []int{samples}, Data: []int64{0, 2, 1}}
		p.Attn = binaryTensor(binaryDraw(layers*samples*heads*queries*keys, q.NormFloat64), layers, samples, heads, queries, keys)
		if variant == "paper" {
			p.TargetMask = loss.Make[bool](samples, keys)
			for n := range samples {
				p.TargetMask.Data[n*keys+n], p.TargetMask.Data[n*keys+4] = true, true
			}
		} else {
			p.TargetIndex = loss.Tensor[int64]{Shape: []int{samples}, Data: []int64{4, 0, 2}}
		}
		for _, f := range set {
			f(p)
		}
		return p
	}
	ce := loss.New[float64, loss.CrossEntropy[float64]]()
	ce.Reduction, ce.Logits, ce.Target = loss.None, problem("paper").Logits, problem("paper").Class
	plain, plainGrads := binaryRun(t, ce)
	for _, variant := range []string{"paper", "per_query"} {
		items, grads := binaryRun(t, problem(variant, func(p *loss.AttentionTarget[float64]) { p.Lambda = 0 }))
		require.Equal(t, plain, items, variant)
		require.Equal(t, plainGrads[0], grads[0], variant)
		require.Equal(t, slices.Repeat([]float64{0}, len(grads[1])), grads[1], variant)

		items, grads = binaryRun(t, problem(variant))
		binaryNear(t, plainGrads[0], grads[0], variant+", gradient of the logits")
		for i := 0; i < len(grads[1]); i += keys {
			sum := 0.0
			for _, g := range grads[1][i : i+keys] {
				sum += g
			}
			require.InDelta(t, 0, sum, 1e-14, "%s: a shift of row %d changes nothing", variant, i/keys)
		}
		attention := problem(variant, func(p *loss.AttentionTarget[float64]) {
			p.FromScores = false
			for i := 0; i < len(p.Attn.Data); i += keys {
				sum := 0.0
				for k := i; k < i+keys; k++ {
					p.Attn.Data[k] = math.Exp(p.Attn.Data[k])
					sum += p.Attn.Data[k]
				}
				for k := i; k < i+keys; k++ {
					p.Attn.Data[k] /= sum
				}
			}
		})
		same, _ := binaryRun(t, attention)
		binaryNear(t, items, same, variant+", attention for scores")

		const k = 3
		many, _ := binaryRun(t, problem(variant, func(p *loss.AttentionTarget[float64]) {
			var data []float64
			for i := 0; i < len(p.Attn.Data); i += heads * queries * keys {
				data = append(data, slices.Repeat(p.Attn.Data[i:i+heads*queries*keys], k)...)
			}
			p.Attn = binaryTensor(data, layers, samples, k*heads, queries, keys)
		}))
		shift := 0.0
		if variant == "paper" {
			shift = layers * math.Log(k)
		}
		binaryNear(t, binaryMap(items, func(_ int, v float64) float64 { return v - shift }), many, variant+", repeated heads")

		sum := slices.Clone(plain)
		for l := range layers {
			one, _ := binaryRun(t, problem(variant, func(p *loss.AttentionTarget[float64]) { p.Layers = []int{l} }))
			for n := range sum {
				sum[n] += one[n] - plain[n]
			}
		}
		binaryNear(t, items, sum, variant+", layer by layer")
	}
	uniform, _ := binaryRun(t, problem("paper", func(p *loss.AttentionTarget[float64]) { clear(p.Attn.Data) }))
	binaryNear(t, binaryMap(plain, func(_ int, v float64) float64 { return v - layers*math.Log(heads*queries*2./keys) }), uniform, "uniform attention")
	uniform, _ = binaryRun(t, problem("per_query", func(p *loss.AttentionTarget[float64]) { clear(p.Attn.Data) }))
	binaryNear(t, binaryMap(plain, func(_ int, v float64) float64 { return v + layers*math.Log(keys) }), uniform, "uniform attention, query by query")
}
