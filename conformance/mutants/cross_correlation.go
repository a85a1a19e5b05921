package mutants

import (
	"math"
	"slices"

	"github.com/goldenloss/goldenloss/reference/loss"
)

type responseProblem = *loss.CrossCorrelation[float64]

// crossCorrelation lists what people get wrong in response maps.
func crossCorrelation(base implementation) []Mutant {
	when := func(name, does string, change func(p responseProblem) bool) Mutant {
		return changed(base, name, does, func(q problem) bool { return change(q.(responseProblem)) })
	}
	// flipped reverses the planes of a tensor.
	flipped := func(x []float64, plane int) {
		for i := 0; i < len(x); i += plane {
			slices.Reverse(x[i : i+plane])
		}
	}
	// Labels of maps of its own, from a rule for the distance in cells.
	relabeled := func(name, does string, label func(p responseProblem, i, j, h, w int) int64) Mutant {
		return when(name, does, func(p responseProblem) bool {
			if p.Labels.Given() {
				return false
			}
			h, w := p.Map()
			p.Labels = loss.Make[int64](h, w)
			for i := range h {
				for j := range w {
					p.Labels.Data[i*w+j] = label(p, i, j, h, w)
				}
			}
			return true
		})
	}
	within := func(p responseProblem, di, dj float64) int64 {
		d := func(r float64) bool {
			if p.Metric == "l1" {
				return p.Stride*(max(di, -di)+max(dj, -dj)) <= r
			}
			return p.Stride*p.Stride*(di*di+dj*dj) <= r*r
		}
		switch {
		case d(p.RPos):
			return 1
		case d(p.RNeg):
			return 0
		}
		return -1
	}
	// means are the plain means of the losses of the cells of one label, by sample, and how many such cells there are.
	means := func(in problem, label int64) (mean, count []float64) {
		q := clone(base, in)
		p := q.(responseProblem)
		p.Weighting, p.Reduction = "uniform", loss.None
		count = make([]float64, p.Labels.Shape[0])
		for i, y := range p.Labels.Data {
			if y == label {
				count[i*len(count)/len(p.Labels.Data)]++
			} else {
				p.Labels.Data[i] = 0
			}
		}
		mean, _ = answer(base, q, nil, false)
		return mean, count
	}
	return []Mutant{
		{"weights of the batch", "balances the cells of the whole batch and not those of every map, as BalancedLoss of siamfc-pytorch does", implementation{ID: base.ID, New: base.New, Run: func(out []float64, grad, in problem, dOut []float64) {
			base.Run(out, grad, in, dOut)
			if p := in.(responseProblem); len(p.Labels.Shape) != 3 || p.Weighting != "balanced" || p.Reduction != loss.Mean {
				return
			}
			out[0] = 0
			for _, label := range []int64{-1, 1} {
				mean, count := means(in, label)
				for n := range mean {
					out[0] += 0.5 * mean[n] * count[n] / total(count)
				}
			}
		}}, always},
		{"ignored cells times 0", "multiplies the loss of ignored cells by 0 in place of leaving them out", implementation{ID: base.ID, New: base.New, Run: func(out []float64, grad, in problem, dOut []float64) {
			base.Run(out, grad, in, dOut)
			q := clone(base, in)
			for i, y := range q.(responseProblem).Labels.Data {
				if y == 0 {
					q.(responseProblem).Labels.Data[i] = 1
				}
			}
			seen, _ := answer(base, q, dOut, false)
			for i, l := range seen {
				if l-l != 0 && out[i]-out[i] == 0 {
					out[i] = math.NaN()
				}
			}
		}}, always},
		{"kernel flipped", "convolves: takes the template from its end", implementation{ID: base.ID, New: base.New, Run: func(out []float64, grad, in problem, dOut []float64) {
			q := clone(base, in)
			p := q.(responseProblem)
			plane := p.Template.Shape[2] * p.Template.Shape[3]
			flipped(p.Template.Data, plane)
			wrong, g := answer(base, q, dOut, grad != nil)
			copy(out, wrong)
			fitGradients(grad, g)
			for _, g := range gradients(grad) {
				if g.name == "template" {
					flipped(g.data, plane)
				}
			}
		}}, always},
		relabeled("middle at w//2", "takes cell h//2, w//2 for the middle of an even map", func(p responseProblem, i, j, h, w int) int64 {
			return within(p, float64(i-h/2), float64(j-w/2))
		}),
		relabeled("radius exclusive", "takes cells at exactly the radius for negative", func(p responseProblem, i, j, h, w int) int64 {
			q := *p
			q.RPos, q.RNeg = p.RPos*(1-1e-9), p.RNeg*(1-1e-9)
			if q.RPos == 0 {
				q.RPos = -1
			}
			y := within(&q, float64(i)-float64(h-1)/2, float64(j)-float64(w-1)/2)
			return y
		}),
		relabeled("negatives before positives", "lets r_neg overrule r_pos", func(p responseProblem, i, j, h, w int) int64 {
			q := *p
			q.RPos = min(p.RPos, p.RNeg)
			if p.RNeg == 0 {
				q.RPos = p.RPos
			}
			return within(&q, float64(i)-float64(h-1)/2, float64(j)-float64(w-1)/2)
		}),
		relabeled("axes of the map exchanged", "measures rows along columns", func(p responseProblem, i, j, h, w int) int64 {
			return within(p, float64(i)-float64(w-1)/2, float64(j)-float64(h-1)/2)
		}),
		when("labels of the first sample", "takes the labels of the first sample for all", func(p responseProblem) bool {
			if len(p.Labels.Shape) != 3 {
				return false
			}
			cells := len(p.Labels.Data) / p.Labels.Shape[0]
			for i := range p.Labels.Data {
				p.Labels.Data[i] = p.Labels.Data[i%cells]
			}
			return true
		}),
		when("ignored cells negative", "takes ignored cells for negative", func(p responseProblem) bool {
			any := false
			for i, y := range p.Labels.Data {
				if y == 0 {
					p.Labels.Data[i], any = -1, true
				}
			}
			return any
		}),
		when("labels 0 and 1", "takes -1 for 0, as if labels were 0 and 1", func(p responseProblem) bool {
			for i, y := range p.Labels.Data {
				if y < 0 {
					p.Labels.Data[i] = 0
				}
			}
			return p.Labels.Given() && p.Weighting == "uniform"
		}),
		when("bias scaled", "multiplies the bias by the scale too", func(p responseProblem) bool {
			for i := range p.Bias.Data {
				p.Bias.Data[i] *= p.Scale
			}
			return p.Bias.Given() && p.Scale != 1
		}),
		when("scale by the template", "divides responses by the number of elements of a template", func(p responseProblem) bool {
			p.Scale /= float64(len(p.Template.Data) / p.Template.Shape[0])
			return true
		}),
		when("responses clipped", "keeps responses within 30", func(p responseProblem) bool {
			if len(p.Template.Data) != 1 || p.Bias.Given() {
				return false
			}
			for i, x := range p.Search.Data {
				p.Search.Data[i] = max(-30, min(x, 30))
			}
			return p.Scale == 1
		}),
	}
}
