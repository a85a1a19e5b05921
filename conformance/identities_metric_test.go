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

// metricAnswer is the value and, by input, the gradients.
type metricAnswer struct {
	value []float64
	grad  map[string][]float64
}

// metricRun evaluates the reference; a nil cotangent means ones.
func metricRun(t *testing.T, p loss.Problem[float64], dOut []float64) metricAnswer {
	t.Helper()
	require.NoError(t, loss.Validate(p))
	i := slices.IndexFunc(reference.All, func(i loss.Impl[float64]) bool { return i.ID == p.Def().ID })
	impl := reference.All[i]
	out := make([]float64, loss.Size(p.Out()))
	if dOut == nil {
		dOut = slices.Repeat([]float64{1}, len(out))
	}
	grad := loss.NewGrad(p, impl.New())
	impl.Run(out, grad, p, dOut)
	a := metricAnswer{out, map[string][]float64{}}
	for _, f := range loss.Fields(grad) {
		if f.Role == loss.RoleVar && f.Given() {
			a.grad[f.Name] = f.Float.Data
		}
	}
	return a
}

// requireMetricClose compares to an accuracy relative to the largest entry.
func requireMetricClose(t *testing.T, want, got []float64, name string) {
	t.Helper()
	require.Len(t, got, len(want), name)
	largest := 0.01
	for _, w := range want {
		largest = math.Max(largest, math.Abs(w))
	}
	for i := range want {
		require.InDelta(t, want[i], got[i], 1e-11*largest, "%s [%d]", name, i)
	}
}

func metricNormal(r *rand.Rand, shape ...int) loss.Tensor[float64] {
	x := loss.Make[float64](shape...)
	for i := range x.Data {
		x.Data[i] = r.NormFloat64()
	}
	return x
}

// metricRows returns x with its rows in the order p, each times the factor of where it comes from.
func metricRows(x loss.Tensor[float64], p []int, by []float64) loss.Tensor[float64] {
	y, dims := loss.Make[float64](x.Shape...), loss.Size(x.Shape[1:])
	for i, from := range p {
		for k := range dims {
			y.Data[i*dims+k] = x.Data[from*dims+k]
			if by != nil {
				y.Data[i*dims+k] *= by[from]
			}
		}
	}
	return y
}

func metricPermuted(x []float64, p []int) []float64 {
	y := make([]float64, len(x))
	dims := len(x) / len(p)
	for i, from := range p {
		copy(y[i*dims:(i+1)*dims], x[from*dims:])
	}
	return y
}

func metricScaled(by float64, x []float64) []float64 {
	y := make([]float64, len(x))
	for i := range x {
		y[i] = by * x[i]
	}
	return y
}

func metricIdentity(n int) []int {
	p := make([]int, n)
	for i := range p {
		p[i] = i
	}
	return p
}

// TestMetricNormalizedRows: scaling a row leaves the value and divides its gradient, which is orthogonal to it.
func TestMetricNormalizedRows(t *testing.T) {
	r := rand.New(rand.NewPCG(50, 1))
	for range 60 {
		n, dims := 2+r.IntN(5), 1+r.IntN(5)
		even := n + n%2
		makers := map[string]func(map[string]loss.Tensor[float64]) loss.Problem[float64]{
			"nt_xent": func(x map[string]loss.Tensor[float64]) loss.Problem[float64] {
				p := loss.New[float64, loss.NTXent[float64]]()
				p.Z = x["z"]
				return p
			},
			"info_nce": func(x map[string]loss.Tensor[float64]) loss.Problem[float64] {
				p := loss.New[float64, loss.InfoNCE[float64]]()
				p.Temperature, p.NormalizeQueue, p.Query, p.Key, p.Queue = 0.5, true, x["query"], x["key"], x["queue"]
				return p
			},
			"in_batch": func(x map[string]loss.Tensor[float64]) loss.Problem[float64] {
				p := loss.New[float64, loss.InfoNCE[float64]]()
				p.Negatives, p.Temperature, p.Query, p.Key = "in_batch", 0.5, x["query"], x["key"]
				return p
			},
			"cross_modal": func(x map[string]loss.Tensor[float64]) loss.Problem[float64] {
				p := loss.New[float64, loss.CrossModalRanking[float64]]()
				p.Mining, p.Image, p.Text = []string{"all", "hardest"}[n%2], x["image"], x["text"]
				return p
			},
		}
		inputs := map[string]map[string]int{"nt_xent": {"z": even}, "info_nce": {"query": n, "key": n, "queue": 4}, "in_batch": {"query": n, "key": n},
			"cross_modal": {"image": n, "text": n}}
		for name, make := range makers {
			x, y, by := map[string]loss.Tensor[float64]{}, map[string]loss.Tensor[float64]{}, map[string][]float64{}
			for in, rows := range inputs[name] {
				x[in] = metricNormal(r, rows, dims)
				for range rows {
					by[in] = append(by[in], math.Exp(2*r.NormFloat64()))
				}
				y[in] = metricRows(x[in], metricIdentity(rows), by[in])
			}
			a, b := metricRun(t, make(x), nil), metricRun(t, make(y), nil)
			requireMetricClose(t, a.value, b.value, name)
			for in, rows := range inputs[name] {
				for i := range rows {
					g, h, row := a.grad[in][i*dims:(i+1)*dims], b.grad[in][i*dims:(i+1)*dims], x[in].Data[i*dims:(i+1)*dims]
					requireMetricClose(t, g, metricScaled(by[in][i], h), name+" "+in)
					along := 0.0
					for k := range g {
						along += g[k] * row[k]
					}
					require.InDelta(t, 0, along, 1e-11, "%s: gradient of %s along row %d", name, in, i)
				}
			}
		}
	}
}

// TestMetricPermutations: a joint permutation of the samples permutes the items and gradients and leaves mean and sum.
func TestMetricPermutations(t *testing.T) {
	r := rand.New(rand.NewPCG(50, 2))
	for range 40 {
		n, dims := 2+r.IntN(5), 1+r.IntN(4)
		order := r.Perm(n)
		one, two, three := metricNormal(r, n, dims), metricNormal(r, n, dims), metricNormal(r, n, dims)
		queue, labels, signs := metricNormal(r, 3, dims), make([]float64, n), make([]float64, n)
		for i := range labels {
			labels[i], signs[i] = float64(r.IntN(2)), float64(2*r.IntN(2)-1)
		}
		makers := map[string]func(p []int, red loss.Reduction) loss.Problem[float64]{
			"contrastive": func(p []int, red loss.Reduction) loss.Problem[float64] {
				l := loss.New[float64, loss.Contrastive[float64]]()
				l.Reduction, l.Margin, l.X1, l.X2, l.Y = red, 2, metricRows(one, p, nil), metricRows(two, p, nil), loss.Make[bool](n)
				for i, x := range metricPermuted(labels, p) {
					l.Y.Data[i] = x == 1
				}
				return l
			},
			"triplet": func(p []int, red loss.Reduction) loss.Problem[float64] {
				l := loss.New[float64, loss.Triplet[float64]]()
				l.Reduction, l.Swap, l.Anchor, l.Positive, l.Negative = red, n%2 == 0, metricRows(one, p, nil), metricRows(two, p, nil), metricRows(three, p, nil)
				return l
			},
			"margin_ranking": func(p []int, red loss.Reduction) loss.Problem[float64] {
				l := loss.New[float64, loss.MarginRanking[float64]]()
				l.Reduction, l.Margin, l.X1, l.X2, l.Y = red, 0.5, loss.Make[float64](n), loss.Make[float64](n), loss.Make[float64](n)
				for i, from := range p {
					l.X1.Data[i], l.X2.Data[i], l.Y.Data[i] = one.Data[from*dims], two.Data[from*dims], signs[from]
				}
				return l
			},
			"info_nce": func(p []int, red loss.Reduction) loss.Problem[float64] {
				l := loss.New[float64, loss.InfoNCE[float64]]()
				l.Reduction, l.Query, l.Key, l.Queue = red, metricRows(one, p, nil), metricRows(two, p, nil), queue
				return l
			},
			"in_batch": func(p []int, red loss.Reduction) loss.Problem[float64] {
				l := loss.New[float64, loss.InfoNCE[float64]]()
				l.Reduction, l.Negatives, l.Query, l.Key = red, "in_batch", metricRows(one, p, nil), metricRows(two, p, nil)
				return l
			},
			"cross_modal": func(p []int, red loss.Reduction) loss.Problem[float64] {
				l := loss.New[float64, loss.CrossModalRanking[float64]]()
				l.Reduction, l.Mining, l.Image, l.Text = red, []string{"all", "hardest"}[n%2], metricRows(one, p, nil), metricRows(two, p, nil)
				return l
			},
			"attention": func(p []int, red loss.Reduction) loss.Problem[float64] {
				l := loss.New[float64, loss.AttentionRanking[float64]]()
				l.Reduction, l.Pred, l.Target = red, metricRows(one, p, nil), metricRows(two, p, nil)
				l.Pred.Shape, l.Target.Shape = []int{1, 1, n, dims}, []int{1, 1, n, dims}
				return l
			},
		}
		for name, make := range makers {
			a, b := metricRun(t, make(metricIdentity(n), loss.None), nil), metricRun(t, make(order, loss.None), nil)
			requireMetricClose(t, metricPermuted(a.value, order), b.value, name)
			for in, g := range a.grad {
				if in == "queue" {
					requireMetricClose(t, g, b.grad[in], name+" "+in)
				} else {
					requireMetricClose(t, metricPermuted(g, order), b.grad[in], name+" "+in)
				}
			}
			for _, red := range []loss.Reduction{loss.Mean, loss.Sum} {
				requireMetricClose(t, metricRun(t, make(metricIdentity(n), red), nil).value, metricRun(t, make(order, red), nil).value, name)
			}
		}
	}
}

// TestMetricPairs: symmetries of the losses on pairs and triplets.
func TestMetricPairs(t *testing.T) {
	r := rand.New(rand.NewPCG(50, 3))
	for range 60 {
		n, dims := 1+r.IntN(5), 1+r.IntN(5)
		x, y, z := metricNormal(r, n, dims), metricNormal(r, n, dims), metricNormal(r, n, dims)
		labels, not := loss.Make[bool](n), loss.Make[bool](n)
		for i := range n {
			labels.Data[i] = r.IntN(2) == 0
			not.Data[i] = !labels.Data[i]
		}
		co := func(similar int, scale float64, x1, x2 loss.Tensor[float64], y loss.Tensor[bool]) metricAnswer {
			p := loss.New[float64, loss.Contrastive[float64]]()
			p.Reduction, p.Margin, p.SimilarLabel, p.Scale, p.X1, p.X2, p.Y = loss.None, 3, similar, scale, x1, x2, y
			return metricRun(t, p, nil)
		}
		a := co(0, 0.5, x, y, labels)
		requireMetricClose(t, a.value, co(1, 0.5, x, y, not).value, "labels the other way round")
		requireMetricClose(t, a.value, metricScaled(0.5, co(0, 1, x, y, labels).value), "scale")
		swapped := co(0, 0.5, y, x, labels)
		requireMetricClose(t, a.value, swapped.value, "x1 and x2 swapped")
		requireMetricClose(t, a.grad["x1"], swapped.grad["x2"], "x1 and x2 swapped")
		requireMetricClose(t, a.grad["x1"], metricScaled(-1, a.grad["x2"]), "opposite gradients")

		mr := func(x1, x2 loss.Tensor[float64], sign float64) metricAnswer {
			p := loss.New[float64, loss.MarginRanking[float64]]()
			p.Reduction, p.Margin, p.X1, p.X2, p.Y = loss.None, 0.25, x1, x2, loss.Make[float64](n, dims)
			for i := range p.Y.Data {
				p.Y.Data[i] = sign
			}
			return metricRun(t, p, nil)
		}
		requireMetricClose(t, mr(x, y, 1).value, mr(y, x, -1).value, "scores swapped and labels negated")
		requireMetricClose(t, mr(x, y, 1).grad["x1"], mr(y, x, -1).grad["x2"], "scores swapped and labels negated")

		tr := func(by, shift, p float64, swap bool) metricAnswer {
			move := func(x loss.Tensor[float64]) loss.Tensor[float64] {
				y := loss.Make[float64](x.Shape...)
				for i, v := range x.Data {
					y.Data[i] = by*v + shift
				}
				return y
			}
			l := loss.New[float64, loss.Triplet[float64]]()
			l.Reduction, l.Margin, l.P, l.Eps, l.Swap, l.Anchor, l.Positive, l.Negative = loss.None, math.Abs(by), p, 0, swap, move(x), move(y), move(z)
			return metricRun(t, l, nil)
		}
		p, swap := []float64{1, 1.5, 2, 3, math.Inf(1)}[r.IntN(5)], r.IntN(2) == 0
		base := tr(1, 0, p, swap)
		moved := tr(-4, 0, p, swap)
		requireMetricClose(t, metricScaled(4, base.value), moved.value, "homogeneous")
		sum := make([]float64, n*dims)
		for in, g := range base.grad {
			requireMetricClose(t, metricScaled(-1, g), moved.grad[in], "homogeneous")
			for i, v := range g {
				sum[i] += v
			}
		}
		requireMetricClose(t, make([]float64, n*dims), sum, "the gradients of a translation")
		requireMetricClose(t, base.value, tr(1, 0.5, p, swap).value, "translation")
		for i, v := range tr(1, 0, p, true).value {
			require.GreaterOrEqual(t, v, tr(1, 0, p, false).value[i], "swap takes the nearer negative")
		}
	}
}

// TestMetricCrossEntropy: InfoNCE is the softmax cross-entropy of one positive among the negatives, and NT-Xent is InfoNCE of a row
// with all others.
func TestMetricCrossEntropy(t *testing.T) {
	r := rand.New(rand.NewPCG(50, 4))
	for range 40 {
		n, k, dims, tau := 1+r.IntN(4), r.IntN(5), 1+r.IntN(4), 0.1+r.Float64()
		q, key, queue := metricNormal(r, n, dims), metricNormal(r, n, dims), metricNormal(r, k, dims)
		in := loss.New[float64, loss.InfoNCE[float64]]()
		in.Reduction, in.Temperature, in.Normalize, in.Query, in.Key, in.Queue = loss.None, tau, false, q, key, queue
		dot := func(x, y []float64) (s float64) {
			for d := range x {
				s += x[d] * y[d]
			}
			return s / tau
		}
		row := func(x loss.Tensor[float64], i int) []float64 { return x.Data[i*dims : (i+1)*dims] }
		ce := loss.New[float64, loss.CrossEntropy[float64]]()
		ce.Reduction, ce.Logits, ce.Target = loss.None, loss.Make[float64](n, k+1), loss.Make[int64](n)
		for i := range n {
			ce.Logits.Data[i*(k+1)] = dot(row(q, i), row(key, i))
			for j := range k {
				ce.Logits.Data[i*(k+1)+j+1] = dot(row(q, i), row(queue, j))
			}
		}
		a := metricRun(t, in, nil)
		requireMetricClose(t, metricRun(t, ce, nil).value, a.value, "cross-entropy with label 0")

		// In the batch: the other keys are the queue of a query.
		batch := loss.New[float64, loss.InfoNCE[float64]]()
		batch.Reduction, batch.Negatives, batch.Temperature, batch.Query, batch.Key = loss.None, "in_batch", tau, q, key
		whole := metricRun(t, batch, nil)
		for i := range n {
			others := loss.Make[float64](n-1, dims)
			copy(others.Data, key.Data[:i*dims])
			copy(others.Data[i*dims:], key.Data[(i+1)*dims:])
			single := loss.New[float64, loss.InfoNCE[float64]]()
			single.Reduction, single.Temperature, single.NormalizeQueue = loss.None, tau, true
			single.Queue = others
			single.Query = loss.Tensor[float64]{Shape: []int{1, dims}, Data: slices.Clone(row(q, i))}
			single.Key = loss.Tensor[float64]{Shape: []int{1, dims}, Data: slices.Clone(row(key, i))}
			b := metricRun(t, single, nil)
			requireMetricClose(t, whole.value[i:i+1], b.value, "other keys as a queue")
			requireMetricClose(t, whole.grad["query"][i*dims:(i+1)*dims], b.grad["query"], "other keys as a queue")
		}

		z := loss.Make[float64](2*n, dims)
		copy(z.Data, q.Data)
		copy(z.Data[n*dims:], key.Data)
		nt := loss.New[float64, loss.NTXent[float64]]()
		nt.Reduction, nt.Temperature, nt.Z = loss.None, tau, z
		concatenated := metricRun(t, nt, nil)
		var order []int
		for i := range n {
			order = append(order, i, i+n)
		}
		nt.Pairing, nt.Z = "interleaved", metricRows(z, order, nil)
		interleaved := metricRun(t, nt, nil)
		requireMetricClose(t, metricPermuted(concatenated.value, order), interleaved.value, "interleaved")
		requireMetricClose(t, metricPermuted(concatenated.grad["z"], order), interleaved.grad["z"], "interleaved")
		for i := range 2 * n {
			p := (i + n) % (2 * n)
			others := loss.Tensor[float64]{Shape: []int{2*n - 2, dims}, Data: []float64{}}
			for j := range 2 * n {
				if j != i && j != p {
					others.Data = append(others.Data, row(z, j)...)
				}
			}
			single := loss.New[float64, loss.InfoNCE[float64]]()
			single.Reduction, single.Temperature, single.NormalizeQueue, single.Queue = loss.None, tau, true, others
			single.Query = loss.Tensor[float64]{Shape: []int{1, dims}, Data: slices.Clone(row(z, i))}
			single.Key = loss.Tensor[float64]{Shape: []int{1, dims}, Data: slices.Clone(row(z, p))}
			requireMetricClose(t, concatenated.value[i:i+1], metricRun(t, single, nil).value, "NT-Xent as InfoNCE")
		}
	}
}

// TestMetricRanking: the losses on scores are sums of margin ranking losses, and the ways of mining are ordered.
func TestMetricRanking(t *testing.T) {
	r := rand.New(rand.NewPCG(50, 5))
	ranking := func(margin float64, winner, loser []float64) float64 {
		p := loss.New[float64, loss.MarginRanking[float64]]()
		n := len(winner)
		p.Reduction, p.Margin = loss.Sum, margin
		p.X1, p.X2 = loss.Tensor[float64]{Shape: []int{n}, Data: winner}, loss.Tensor[float64]{Shape: []int{n}, Data: loser}
		p.Y = loss.Tensor[float64]{Shape: []int{n}, Data: slices.Repeat([]float64{1}, n)}
		return metricRun(t, p, nil).value[0]
	}
	for range 60 {
		n, dims, margin := 2+r.IntN(5), 1+r.IntN(4), r.Float64()
		image, text := metricNormal(r, n, dims), metricNormal(r, n, dims)
		s, transposed := loss.Make[float64](n, n), loss.Make[float64](n, n)
		var winner, loser []float64
		for i := range n {
			for j := range n {
				for d := range dims {
					s.Data[i*n+j] += image.Data[i*dims+d] * text.Data[j*dims+d]
				}
			}
		}
		imp := [2]loss.Tensor[int64]{loss.Make[int64](n), loss.Make[int64](n)}
		for i := range n {
			for k := range imp {
				imp[k].Data[i] = int64((i + 1 + r.IntN(n-1)) % n)
			}
			for j := range n {
				transposed.Data[j*n+i] = s.Data[i*n+j]
				if i != j {
					winner, loser = append(winner, s.Data[i*n+i], s.Data[j*n+j]), append(loser, s.Data[i*n+j], s.Data[i*n+j])
				}
			}
		}
		make := func(mining, divisor string, red loss.Reduction) *loss.CrossModalRanking[float64] {
			p := loss.New[float64, loss.CrossModalRanking[float64]]()
			p.Input, p.Margin, p.Mining, p.Divisor, p.Reduction, p.Scores = "scores", margin, mining, divisor, red, s
			if mining == "sampled" {
				p.ImpostorText, p.ImpostorImage = imp[0], imp[1]
			}
			return p
		}
		all := metricRun(t, make("all", "batch", loss.Sum), nil)
		requireMetricClose(t, []float64{ranking(margin, winner, loser)}, all.value, "sum of margin ranking losses")
		requireMetricClose(t, metricScaled(float64(n-1), metricRun(t, make("all", "pairs", loss.Mean), nil).value), metricRun(t, make("all", "batch", loss.Mean), nil).value, "divisor")
		items := metricRun(t, make("all", "batch", loss.None), nil).value
		hardest := metricRun(t, make("hardest", "batch", loss.None), nil).value
		sampled := metricRun(t, make("sampled", "batch", loss.None), nil).value
		for i := range items {
			require.LessOrEqual(t, hardest[i], items[i]+1e-12)
			require.LessOrEqual(t, sampled[i], hardest[i]+1e-12)
		}
		if n == 2 {
			requireMetricClose(t, items, hardest, "one rival is the hardest")
			requireMetricClose(t, items, sampled, "and the sampled")
		}
		for _, mining := range []string{"all", "hardest", "sampled"} {
			a := metricRun(t, make(mining, "batch", loss.None), nil)
			total := 0.0
			for _, g := range a.grad["scores"] {
				total += g
			}
			require.InDelta(t, 0, total, 1e-12, "only differences of scores count")
			p := make(mining, "batch", loss.None)
			p.Scores = transposed
			p.ImpostorText, p.ImpostorImage = p.ImpostorImage, p.ImpostorText
			requireMetricClose(t, a.value, metricRun(t, p, nil).value, "images and texts exchanged")
			p = make(mining, "batch", loss.None)
			p.Input, p.Similarity, p.Scores, p.Image, p.Text = "embeddings", "dot", loss.Tensor[float64]{}, image, text
			requireMetricClose(t, a.value, metricRun(t, p, nil).value, "scores of embeddings")
		}

		// A row of attention scores.
		w := 2 + r.IntN(6)
		q, a := metricNormal(r, 1, 1, 1, w), metricNormal(r, 1, 1, 1, w)
		attention := func(q, a loss.Tensor[float64], theta float64) metricAnswer {
			p := loss.New[float64, loss.AttentionRanking[float64]]()
			p.Theta, p.Reduction, p.Pred, p.Target = theta, loss.Sum, q, a
			return metricRun(t, p, nil)
		}
		winner, loser = nil, nil
		for i := range w {
			for j := range w {
				if a.Data[i] > a.Data[j] {
					winner, loser = append(winner, q.Data[i]), append(loser, q.Data[j])
				}
			}
		}
		base := attention(q, a, margin)
		requireMetricClose(t, []float64{ranking(margin, winner, loser)}, base.value, "attention as margin ranking")
		moved, sorted := loss.Make[float64](q.Shape...), loss.Make[float64](q.Shape...)
		total := 0.0
		for i, x := range q.Data {
			moved.Data[i], sorted.Data[i] = 4*x+1, math.Exp(a.Data[i])
			total += base.grad["pred"][i]
		}
		require.Zero(t, total)
		requireMetricClose(t, metricScaled(4, base.value), attention(moved, a, 4*margin).value, "homogeneous, and only differences count")
		requireMetricClose(t, base.value, attention(q, sorted, margin).value, "only the order of the target counts")
		order := r.Perm(w)
		flat := func(x loss.Tensor[float64]) loss.Tensor[float64] {
			return loss.Tensor[float64]{Shape: x.Shape, Data: metricPermuted(x.Data, order)}
		}
		permuted := attention(flat(q), flat(a), margin)
		requireMetricClose(t, base.value, permuted.value, "columns permuted")
		requireMetricClose(t, metricPermuted(base.grad["pred"], order), permuted.grad["pred"], "columns permuted")
	}
}
