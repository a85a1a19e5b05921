package mutants

import (
	"math"

	"github.com/goldenloss/goldenloss/reference/loss"
)

const (
	firstTargetToken = "first target token alone"
	withoutLayer0    = "layer 0 left out"
	ascended         = "attention term negated"
	meanAttention    = "mean attention"
	logPerHead       = "logarithm before the mean over heads"
	meanOfLayers     = "mean over the layers"
	softmaxConstant  = "softmax not differentiated"
	oneMinusMass     = "others by subtraction"
	logWithEps       = "logarithm with eps"
	maskMultiplied   = "mask multiplied"
	lambdaOfAll      = "lambda times the cross-entropy"
	sumOfQueries     = "sum over the queries"
	noRowMaximum     = "scores without their maximum"
	classToken       = "class token counted"
)

var attentionTargetFlaws = []flaw{
	{firstTargetToken, "uses the first target token alone, as the released code"},
	{withoutLayer0, "leaves out layer 0, as the released code"},
	{ascended, "subtracts the attention term, which the released code ascends"},
	{meanAttention, "takes the mean over heads and queries in place of the sum"},
	{logPerHead, "takes the logarithm in each head before the mean over heads"},
	{meanOfLayers, "divides the attention term by the number of layers"},
	{softmaxConstant, "gives the gradient of the attention for that of the scores"},
	{oneMinusMass, "computes m - S in a row, which cancels where the targets have all attention"},
	{logWithEps, "adds 1e-12 before the logarithm"},
	{maskMultiplied, "multiplies by the mask, which keeps NaN of other keys"},
	{lambdaOfAll, "multiplies the cross-entropy, too, by lambda"},
	{sumOfQueries, "adds up the queries in place of their mean"},
	{noRowMaximum, "takes exponentials of scores as they are, which overflow"},
	{classToken, "takes the key before the target, as if patches counted from the class token"},
}

func attentionTarget(out []float64, grad, in *loss.AttentionTarget[float64], dOut []float64, flaw string) {
	layers, samples := in.Attn.Shape[0], in.Attn.Shape[1]
	z := float64(samples)
	items := make([]float64, samples)
	classes := in.Logits.Shape[1]
	for n := range samples {
		c := share(in.Reduction, dOut, n, z)
		x := in.Logits.Data[n*classes : (n+1)*classes]
		y := int(in.Class.Data[n])
		p, _ := softmaxRow(x, true)
		l := 0.0
		for k := range x {
			l += math.Exp(x[k] - x[y])
		}
		l = math.Log(l)
		dz := grad.Logits.Data[n*classes : (n+1)*classes]
		copy(dz, p)
		dz[y]--
		if flaw == lambdaOfAll {
			l *= in.Lambda
			c *= in.Lambda
		}
		for k := range dz {
			dz[k] *= c
		}
		c = share(in.Reduction, dOut, n, z)
		scale := in.Lambda
		if flaw == ascended {
			scale = -scale
		}
		if flaw == meanOfLayers {
			scale /= float64(max(layers, 1))
		}
		bad := false
		for layer := range layers {
			if in.Lambda == 0 || !in.Counts(layer) || flaw == withoutLayer0 && layer == 0 {
				continue
			}
			a := attentionTerm(grad, in, layer, n, c*scale, flaw)
			bad = bad || a != a
			l += scale * a
		}
		items[n] = l
		if bad {
			for k := range dz {
				dz[k] = math.NaN()
			}
		}
	}
	reduce(out, in.Reduction, items, z)
}

// softmaxRow returns the softmax and, for each entry, the sum of the others.
func softmaxRow(x []float64, shift bool) (p, others []float64) {
	top, sum := math.Inf(-1), 0.0
	for _, v := range x {
		top = math.Max(top, v)
	}
	if !shift {
		top = 0
	}
	p, others = make([]float64, len(x)), make([]float64, len(x))
	for k, v := range x {
		p[k] = math.Exp(v - top)
		sum += p[k]
	}
	for k := range p {
		p[k] /= sum
	}
	for k := range p {
		for j, q := range p {
			if j != k {
				others[k] += q
			}
		}
	}
	return p, others
}

func attentionTerm(grad, in *loss.AttentionTarget[float64], l, n int, c float64, flaw string) float64 {
	samples, heads, queries, keys := in.Attn.Shape[1], in.Attn.Shape[2], in.Attn.Shape[3], in.Attn.Shape[4]
	m := make([]float64, keys)
	perQuery := in.Variant == "per_query"
	if perQuery {
		t := int(in.TargetIndex.Data[n])
		if flaw == classToken {
			t = max(t-1, 0)
		}
		m[t] = 1
	} else {
		for j := range m {
			if in.TargetMask.Data[n*keys+j] {
				at := j
				if flaw == classToken {
					at = max(j-1, 0)
				}
				m[at] = 1
				if flaw == firstTargetToken {
					break
				}
			}
		}
	}
	at := func(h, i int) int { return (((l*samples+n)*heads+h)*queries + i) * keys }
	a := make([][]float64, heads*queries)
	mass := make([]float64, heads*queries)
	for h := range heads {
		for i := range queries {
			row := in.Attn.Data[at(h, i) : at(h, i)+keys]
			if in.FromScores {
				row, _ = softmaxRow(row, flaw != noRowMaximum)
			}
			a[h*queries+i] = row
			for j, v := range row {
				if m[j] != 0 || flaw == maskMultiplied {
					mass[h*queries+i] += m[j] * v
				}
			}
		}
	}
	eps := 0.0
	if flaw == logWithEps {
		eps = 1e-12
	}
	// weight of a row in the derivative of the term
	weight := make([]float64, heads*queries)
	term := 0.0
	switch {
	case !perQuery:
		s := 0.0
		for _, v := range mass {
			s += v
		}
		d := s
		if flaw == meanAttention {
			s /= float64(heads * queries)
		}
		term = -math.Log(s + eps)
		for r := range weight {
			weight[r] = -1 / d
		}
	default:
		for i := range queries {
			s, logs := 0.0, 0.0
			for h := range heads {
				s += mass[h*queries+i]
				logs += math.Log(mass[h*queries+i]) / float64(heads)
			}
			q := float64(queries)
			if flaw == sumOfQueries {
				q = 1
			}
			for h := range heads {
				weight[h*queries+i] = -1 / (q * s)
				if flaw == logPerHead {
					weight[h*queries+i] = -1 / (q * float64(heads) * mass[h*queries+i])
				}
			}
			if flaw == logPerHead {
				term -= logs / q
			} else {
				term -= math.Log(s/float64(heads)+eps) / q
			}
		}
	}
	for h := range heads {
		for i := range queries {
			r := h*queries + i
			g := grad.Attn.Data[at(h, i) : at(h, i)+keys]
			if !in.FromScores || flaw == softmaxConstant {
				for j := range g {
					if m[j] != 0 {
						g[j] = c * weight[r]
					}
				}
				continue
			}
			rest := 0.0
			for j, v := range a[r] {
				if m[j] == 0 {
					rest += v
				}
			}
			if flaw == oneMinusMass {
				rest = 1 - mass[r]
			}
			for j, v := range a[r] {
				if m[j] != 0 {
					g[j] = c * weight[r] * v * rest
				} else {
					g[j] = -c * weight[r] * v * mass[r]
				}
			}
		}
	}
	return term
}
