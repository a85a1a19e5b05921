package reference

import (
	"math"
	"slices"

	"github.com/goldenloss/goldenloss/reference/loss"
)

// attentionPair is a layer and a sample: its rows of attention and the keys that count, and what comes of them.
type attentionPair struct {
	in   *loss.AttentionTarget[float64]
	rows []int // where they begin, [H, Q]
	keys []int
	a    float64 // the term A
	// slopes holds for each row the derivative of A with respect to each of its entries, nil where nothing takes part.
	slopes [][]float64
}

func newAttentionPair(in *loss.AttentionTarget[float64], l, n int) *attentionPair {
	samples, keys := in.Attn.Shape[1], in.Attn.Shape[4]
	p := &attentionPair{in: in}
	rows := in.Attn.Shape[2] * in.Attn.Shape[3]
	for r := range rows {
		p.rows = append(p.rows, ((l*samples+n)*rows+r)*keys)
	}
	if in.Variant == "paper" {
		for j := range keys {
			if in.TargetMask.Data[n*keys+j] {
				p.keys = append(p.keys, j)
			}
		}
		if len(p.keys) == 0 || rows == 0 {
			p.a = math.Inf(1)
			return p
		}
	} else {
		p.keys = []int{int(in.TargetIndex.Data[n])}
		if rows == 0 {
			p.a = math.NaN() // a mean of nothing
			return p
		}
	}
	p.slopes = make([][]float64, rows)
	for r := range p.slopes {
		p.slopes[r] = make([]float64, keys)
	}
	p.solve()
	return p
}

// solve fills in A and its slopes: group by group of rows, whose attention is added up before the logarithm.
func (p *attentionPair) solve() {
	heads, queries := p.in.Attn.Shape[2], p.in.Attn.Shape[3]
	if p.in.Variant == "paper" {
		p.a = -p.logarithm(0, 1, len(p.rows), 1)
	} else {
		var sum accumulator
		for i := range queries {
			sum.add(p.logarithm(i, queries, heads, queries) - p.logHeads(heads))
		}
		p.a = -sum.value() / float64(queries)
	}
	if p.in.FromScores && math.IsInf(p.a, 0) {
		for _, s := range p.slopes {
			for j := range s {
				s[j] = math.NaN()
			}
		}
	}
}

// logHeads is what makes a sum over heads a mean.
func (p *attentionPair) logHeads(heads int) float64 {
	if p.in.FromScores {
		return math.Log(float64(heads))
	}
	return 0 // the mean is taken before the logarithm
}

// logarithm returns the logarithm of what the rows first, first+step, ... attend to the keys, and fills in their slopes of A, of
// which the logarithm is a part in share.
func (p *attentionPair) logarithm(first, step, count, share int) float64 {
	part := 1 / float64(share)
	if !p.in.FromScores {
		var sum accumulator
		for c := range count {
			for _, j := range p.keys {
				sum.add(p.in.Attn.Data[p.rows[first+c*step]+j])
			}
		}
		s := sum.value()
		for c := range count {
			for _, j := range p.keys {
				p.slopes[first+c*step][j] = -part / s
				if s < 0 {
					p.slopes[first+c*step][j] = math.NaN()
				}
			}
		}
		if p.in.Variant != "paper" {
			s /= float64(count)
		}
		return log(s)
	}
	masses := make([]float64, count)
	for c := range masses {
		r := first + c*step
		at := p.rows[r]
		masses[c] = logMass(p.in.Attn.Data[at:at+len(p.slopes[r])], p.keys, p.slopes[r])
	}
	total := newSoftmax(masses)
	if math.IsInf(masses[total.top], -1) {
		return math.Inf(-1)
	}
	for c := range masses {
		w := total.prob(c)
		for j, d := range p.slopes[first+c*step] {
			p.slopes[first+c*step][j] = -part * w * d
		}
	}
	if total.bad {
		return math.NaN()
	}
	return masses[total.top] + math.Log1p(total.rest)
}

// logMass returns the logarithm of the part of softmax(x) that lies on the keys, and fills in its derivative.
func logMass(x []float64, keys []int, d []float64) float64 {
	if s := newSoftmax(x); s.bad {
		for j := range d {
			d[j] = math.NaN()
		}
		return math.NaN()
	}
	var parts [2][]float64 // others, keys
	var where [2][]int
	side := make([]int, len(x))
	for _, j := range keys {
		side[j] = 1
	}
	for j, v := range x {
		parts[side[j]] = append(parts[side[j]], v)
		where[side[j]] = append(where[side[j]], j)
	}
	var halves [2]softmax
	gap := math.Inf(-1) // log-sum-exp of the others minus that of the keys
	for k := range parts {
		if len(parts[k]) > 0 {
			halves[k] = newSoftmax(parts[k])
		}
	}
	if len(parts[0]) > 0 {
		other, own := halves[0].x[halves[0].top], halves[1].x[halves[1].top]
		switch {
		case math.IsInf(own, 1) || math.IsInf(other, -1):
		case math.IsInf(other, 1) || math.IsInf(own, -1):
			gap = math.Inf(1)
		default:
			gap = (other - own) + (math.Log1p(halves[0].rest) - math.Log1p(halves[1].rest))
		}
	}
	s := sigmoid(gap)
	for k, h := range halves {
		for i, j := range where[k] {
			switch {
			case h.bad || s == 0:
				d[j] = 0
			case k == 0:
				d[j] = -s * h.prob(i)
			default:
				d[j] = s * h.prob(i)
			}
		}
	}
	return -softplus(gap)
}

// attention returns the items, and calls each on every sample with its cross-entropy and the pairs of the layers that count.
func attention(in *loss.AttentionTarget[float64], each func(n int, s softmax, pairs map[int]*attentionPair, item float64)) []float64 {
	samples, classes := in.Logits.Shape[0], in.Logits.Shape[1]
	items := make([]float64, samples)
	for n := range items {
		s := newSoftmax(in.Logits.Data[n*classes : (n+1)*classes])
		items[n] = s.negLogProb(int(in.Class.Data[n]))
		if s.bad {
			items[n] = math.NaN()
		}
		pairs := map[int]*attentionPair{}
		var sum accumulator
		for l := range in.Attn.Shape[0] {
			if in.Lambda != 0 && in.Counts(l) {
				pairs[l] = newAttentionPair(in, l, n)
				sum.add(pairs[l].a)
			}
		}
		if len(pairs) > 0 {
			items[n] += in.Lambda * sum.value()
		}
		if each != nil {
			each(n, s, pairs, items[n])
		}
	}
	return items
}

// AttentionTarget is the value of the attention-target loss.
func AttentionTarget(in *loss.AttentionTarget[float64]) []float64 {
	return reduce(in.Reduction, attention(in, nil), float64(in.Logits.Shape[0]))
}

// AttentionTargetGrad is its vector-Jacobian product.
func AttentionTargetGrad(in *loss.AttentionTarget[float64], dOut []float64) *loss.AttentionTarget[float64] {
	g := &loss.AttentionTarget[float64]{Logits: zeros(in.Logits), Attn: zeros(in.Attn)}
	c := itemWeights(in.Reduction, in.Logits.Shape[0], float64(in.Logits.Shape[0]), dOut)
	attention(in, func(n int, s softmax, pairs map[int]*attentionPair, item float64) {
		bad := math.IsNaN(item)
		others := s.others()
		for k := range s.x {
			d := s.prob(k)
			if k == int(in.Class.Data[n]) {
				d = -others[k]
			}
			if bad {
				d = math.NaN()
			}
			g.Logits.Data[n*len(s.x)+k] = c[n] * d
		}
		for _, p := range pairs {
			for r, slopes := range p.slopes {
				for j, d := range slopes {
					if bad && (in.FromScores || slices.Contains(p.keys, j)) {
						d = math.NaN()
					}
					if d != 0 {
						g.Attn.Data[p.rows[r]+j] = c[n] * in.Lambda * d
					}
				}
			}
		}
	})
	return g
}
