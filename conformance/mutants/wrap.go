package mutants

import (
	"errors"
	"fmt"
	"math"
	"slices"
	"strings"

	"github.com/goldenloss/goldenloss/reference/loss"
)

// wrappers are the mutants that every loss has.
func wrappers(base implementation) []Mutant {
	return slices.Concat(parameters(base), inputs(base), answers(base), buffers(base))
}

// parameters ignores each parameter, takes each value of an option for each other, and rounds numbers.
func parameters(base implementation) []Mutant {
	var list []Mutant
	for _, q := range loss.Params(base.New()) {
		swap := func(from, to any) {
			list = append(list, changed(base, fmt.Sprintf("%s %v -> %v", q.Name, from, to),
				fmt.Sprintf("computes %s=%v where %v is asked", q.Name, to, from), func(p problem) bool {
					return edit(p, q.Name, func(v any) (any, bool) { return to, v == from })
				}))
		}
		fix := func(to any) {
			list = append(list, changed(base, fmt.Sprintf("%s = %v", q.Name, show(to)), fmt.Sprintf("takes %v for every %s", show(to), q.Name),
				func(p problem) bool {
					return edit(p, q.Name, func(v any) (any, bool) { return to, v != to })
				}))
		}
		switch q.Kind {
		case "enum":
			for _, from := range q.Enum {
				for _, to := range q.Enum {
					if from != to && fits(base, q.Name, from, to) {
						swap(from, to)
					}
				}
			}
		case "bool":
			swap(true, false)
			swap(false, true)
		case "float":
			fix(q.Default)
			for _, neutral := range []float64{0, 1} {
				if neutral != q.Default && q.Range.Contains(neutral) {
					fix(neutral)
					break
				}
			}
		case "int":
			fix(q.Default)
			for _, neutral := range []int{0, 1} {
				if neutral != q.Default && q.Range.Contains(float64(neutral)) {
					fix(neutral)
					break
				}
			}
		case "float?", "int?":
			fix(nil)
		case "floats", "ints":
			list = append(list, changed(base, q.Name+" ignored", "takes the default for every "+q.Name, func(p problem) bool {
				return edit(p, q.Name, func(v any) (any, bool) { return q.Default, fmt.Sprint(v) != fmt.Sprint(q.Default) })
			}))
		}
	}
	if slices.ContainsFunc(loss.Params(base.New()), func(q loss.Param) bool { return strings.HasPrefix(q.Kind, "float") }) {
		list = append(list, changed(base, "parameters in float32", "rounds every number among the parameters to float32", func(p problem) bool {
			any := false
			for _, q := range loss.Params(p) {
				if x, ok := q.Value.(float64); ok && x != round(x) {
					q.Set(round(x))
					any = true
				}
			}
			return any
		}))
	}
	list = append(list, split(base, "gradient of mean not divided", "gives the gradient of the sum beside the value of the mean", func(p problem) bool {
		return edit(p, "reduction", func(v any) (any, bool) { return string(loss.Sum), v == string(loss.Mean) })
	}))
	return list
}

// fits reports whether the inputs of one value of an option may be those of another: it requires none that the first does not have,
// nor one of another rank.
func fits(base implementation, option, from, to string) bool {
	inputs := func(value string) []loss.Field[float64] {
		p := base.New()
		edit(p, option, func(any) (any, bool) { return value, true })
		return loss.Fields(p)
	}
	rank := func(f loss.Field[float64]) int {
		if strings.Contains(f.Pattern, "...") {
			return -1
		}
		return len(strings.Fields(f.Pattern))
	}
	have := inputs(from)
	for _, f := range inputs(to) {
		i := slices.IndexFunc(have, func(g loss.Field[float64]) bool { return g.Name == f.Name })
		if i < 0 && !f.Optional || i >= 0 && min(rank(f), rank(have[i])) >= 0 && rank(f) != rank(have[i]) {
			return false
		}
	}
	return true
}

func show(v any) any {
	if v == nil {
		return "unset"
	}
	return v
}

// edit sets a parameter; change returns the new value and whether it differs.
func edit(p problem, name string, change func(v any) (any, bool)) bool {
	for _, q := range loss.Params(p) {
		if q.Name == name {
			v, differs := change(q.Value)
			if differs {
				q.Set(v)
			}
			return differs
		}
	}
	return false
}

func round(x float64) float64 { return float64(float32(x)) }

// inputs drops masks and weights, shifts indices, and takes the cotangent for something else.
func inputs(base implementation) []Mutant {
	var list []Mutant
	for _, f := range described(base) {
		each := func(name, does string, change func(*loss.Field[float64]) bool) {
			list = append(list, changed(base, f.name+" "+name, does, func(p problem) bool {
				any := false
				for _, g := range loss.Fields(p) {
					if g.Role == f.role && (g.Name == f.name || f.layers && g.Layer >= 0 && strings.HasPrefix(g.Name, f.name+"_")) && g.Given() && change(&g) {
						any = true
					}
				}
				return any
			}))
		}
		switch {
		case f.role == loss.RoleMask:
			each("ignored", "keeps what the mask removes", func(g *loss.Field[float64]) bool {
				for i := range g.Mask.Data {
					g.Mask.Data[i] = true
				}
				return true
			})
			each("inverted", "keeps what the mask removes and removes what it keeps", func(g *loss.Field[float64]) bool {
				for i := range g.Mask.Data {
					g.Mask.Data[i] = !g.Mask.Data[i]
				}
				return true
			})
		case f.role == loss.RoleConst && f.domain == loss.Weight:
			each("ignored", "takes 1 for every weight", func(g *loss.Field[float64]) bool {
				any := false
				for i, w := range g.Float.Data {
					any = any || w != 1
					g.Float.Data[i] = 1
				}
				return any
			})
			each("reversed", "takes the weights in reverse order", func(g *loss.Field[float64]) bool {
				slices.Reverse(g.Float.Data)
				return true
			})
		case f.role == loss.RoleIndex:
			list = append(list, changed(base, f.name+" plus one", "takes the next class for every class", func(p problem) bool {
				return nextClass(p, f.name)
			}))
			each("of the neighbor", "takes the class of the next position", func(g *loss.Field[float64]) bool {
				if d := g.Index.Data; len(d) > 1 {
					g.Index.Data = append(slices.Clone(d[1:]), d[0])
				}
				return len(g.Index.Data) > 1
			})
		}
	}
	return list
}

// nextClass adds one, modulo the number of classes, to the indices that name a class.
func nextClass(p problem, name string) bool {
	fields := loss.Fields(p)
	classes := int64(0)
	for _, f := range fields {
		if at := slices.Index(strings.Fields(f.Pattern), "C"); at >= 0 && f.Role == loss.RoleVar && f.Given() {
			classes = int64(f.Shape()[at])
		}
	}
	any := false
	for _, f := range fields {
		if f.Name == name && f.Role == loss.RoleIndex && f.Given() {
			for i, y := range f.Index.Data {
				if 0 <= y && y < classes && classes > 1 {
					f.Index.Data[i] = (y + 1) % classes
					any = true
				}
			}
		}
	}
	return any
}

// answers spoils what a right implementation returns.
func answers(base implementation) []Mutant {
	value := func(name, does string, f func(x float64) float64) Mutant {
		return after(base, name, does, func(out []float64, _ []gradient) {
			for i := range out {
				out[i] = f(out[i])
			}
		})
	}
	grad := func(name, does string, f func(x float64) float64) Mutant {
		return after(base, name, does, func(_ []float64, grads []gradient) {
			for _, g := range grads {
				for i := range g.data {
					g.data[i] = f(g.data[i])
				}
			}
		})
	}
	noNaN := func(x float64) float64 {
		if math.IsNaN(x) {
			return 0
		}
		return x
	}
	finite := func(x float64) float64 { return math.Max(-math.MaxFloat64, math.Min(x, math.MaxFloat64)) }
	list := []Mutant{
		value("value in float32", "rounds the value to float32", round),
		value("value without NaN", "gives 0 where the value is NaN", noNaN),
		value("value without infinity", "gives the largest number where the value is infinite", finite),
		grad("gradient in float32", "rounds the gradient to float32", round),
		grad("gradient without NaN", "gives 0 where the gradient is NaN", noNaN),
		grad("gradient negated", "gives the gradient with the wrong sign", func(x float64) float64 { return -x }),
		grad("gradient doubled", "gives twice the gradient", func(x float64) float64 { return 2 * x }),
		grad("gradient zero", "gives no gradient", func(float64) float64 { return 0 }),
		after(base, "last item missing", "leaves 0 in the last element of the value, as a lost tail of a vector loop does", func(out []float64, _ []gradient) {
			if len(out) > 1 {
				out[len(out)-1] = 0
			}
		}),
		after(base, "last element of the gradient missing", "leaves 0 in the last element of the gradient, as a lost tail of a vector loop does",
			func(_ []float64, grads []gradient) {
				for _, g := range grads {
					if len(g.data) > 0 {
						g.data[len(g.data)-1] = 0
					}
				}
			}),
		cotangent(base, "cotangent ignored", "gives the gradient for a cotangent of ones", func(d []float64) {
			for i := range d {
				d[i] = 1
			}
		}),
		cotangent(base, "cotangent reversed", "takes the cotangent in reverse order", slices.Reverse[[]float64]),
		cotangent(base, "cotangent of the first item", "takes the first element of the cotangent for all items", func(d []float64) {
			for i := range d {
				d[i] = d[0]
			}
		}),
	}
	var vars []string
	for _, f := range described(base) {
		if f.role == loss.RoleVar {
			vars = append(vars, f.name)
			if f.layers {
				list = append(list, after(base, "gradient of the first layer alone", "gives no gradient of the other layers", func(_ []float64, grads []gradient) {
					for _, g := range grads {
						if g.layer > 0 {
							clear(g.data)
						}
					}
				}))
			}
		}
	}
	if len(vars) > 1 {
		for _, name := range vars {
			list = append(list, after(base, "gradient of "+name+" missing", "gives no gradient of "+name, func(_ []float64, grads []gradient) {
				for _, g := range grads {
					if g.name == name {
						clear(g.data)
					}
				}
			}))
		}
	}
	return list
}

// buffers misuses the memory that it is given.
func buffers(base implementation) []Mutant {
	stale := func(name, does string, mix func(old, now float64) float64, value, gradient bool) Mutant {
		return Mutant{name, does, loss.Impl[float64]{ID: base.ID, New: base.New, Run: func(out []float64, grad, in problem, dOut []float64) {
			old := slices.Clone(out)
			var before [][]float64
			for _, g := range gradients(grad) {
				before = append(before, slices.Clone(g.data))
			}
			base.Run(out, grad, in, dOut)
			if value {
				merge(out, old, mix)
			}
			if gradient {
				for i, g := range gradients(grad) {
					merge(g.data, before[i], mix)
				}
			}
		}}, always}
	}
	add := func(old, now float64) float64 { return old + now }
	sparse := func(old, now float64) float64 {
		if now == 0 {
			return old
		}
		return now
	}
	return []Mutant{
		stale("value accumulated", "adds the value to what the buffer held", add, true, false),
		stale("gradient accumulated", "adds the gradient to what the buffer held", add, false, true),
		stale("zeros of the gradient not written", "relies on a buffer of zeros", sparse, false, true),
		{"value missing beside the gradient", "writes the value only where no gradient is wanted", loss.Impl[float64]{ID: base.ID, New: base.New,
			Run: func(out []float64, grad, in problem, dOut []float64) {
				old := slices.Clone(out)
				base.Run(out, grad, in, dOut)
				if grad != nil {
					copy(out, old)
				}
			}}, always},
		{"input overwritten", "uses its input as scratch space", loss.Impl[float64]{ID: base.ID, New: base.New,
			Run: func(out []float64, grad, in problem, dOut []float64) {
				base.Run(out, grad, in, dOut)
				for _, f := range loss.Fields(in) {
					if f.Role == loss.RoleVar && f.Given() {
						for i := range f.Float.Data {
							f.Float.Data[i] = 2
						}
					}
				}
			}}, always},
	}
}

func merge(now, old []float64, mix func(old, now float64) float64) {
	for i := range now {
		now[i] = mix(old[i], now[i])
	}
}

// changed is a mutant that computes another problem than the one it is given. Where change returns false, or what it made is no
// problem of the loss, the mutant is right.
func changed(base implementation, name, does string, change func(p problem) bool) Mutant {
	return Mutant{name, does, loss.Impl[float64]{ID: base.ID, New: base.New, Run: func(out []float64, grad, in problem, dOut []float64) {
		q := clone(base, in)
		if !change(q) || !runs(q) {
			base.Run(out, grad, in, dOut)
			return
		}
		wrong, g := answer(base, q, dOut, grad != nil)
		fit(out, wrong)
		fitGradients(grad, g)
	}}, affects(base, change)}
}

// split is a mutant whose value is right and whose gradient is that of another problem.
func split(base implementation, name, does string, change func(p problem) bool) Mutant {
	return Mutant{name, does, loss.Impl[float64]{ID: base.ID, New: base.New, Run: func(out []float64, grad, in problem, dOut []float64) {
		base.Run(out, grad, in, dOut)
		q := clone(base, in)
		if grad == nil || !change(q) || !runs(q) {
			return
		}
		_, g := answer(base, q, dOut, true)
		fitGradients(grad, g)
	}}, affects(base, change)}
}

func affects(base implementation, change func(p problem) bool) func(problem) bool {
	return func(in problem) bool {
		q := clone(base, in)
		return change(q) && runs(q)
	}
}

// runs reports whether an implementation may be given a problem. Implementations do not look at the order of corners.
func runs(p problem) bool {
	err := loss.Validate(p)
	e, ok := errors.AsType[*loss.Error](err)
	return err == nil || ok && e.Class == loss.InvalidBox
}

// after is a mutant that edits the right answer.
func after(base implementation, name, does string, edit func(out []float64, grads []gradient)) Mutant {
	return Mutant{name, does, loss.Impl[float64]{ID: base.ID, New: base.New, Run: func(out []float64, grad, in problem, dOut []float64) {
		base.Run(out, grad, in, dOut)
		edit(out, gradients(grad))
	}}, always}
}

// cotangent is a mutant that takes another cotangent.
func cotangent(base implementation, name, does string, edit func(dOut []float64)) Mutant {
	return Mutant{name, does, loss.Impl[float64]{ID: base.ID, New: base.New, Run: func(out []float64, grad, in problem, dOut []float64) {
		d := slices.Clone(dOut)
		edit(d)
		base.Run(out, grad, in, d)
	}}, always}
}

func clone(base implementation, in problem) problem {
	q := base.New()
	loss.Convert(q, in, func(_ string, _ loss.Role, x float64) float64 { return x })
	return q
}

// answer runs the base on a problem whose value may have another shape than the cotangent.
func answer(base implementation, q problem, dOut []float64, withGrad bool) (out []float64, grad problem) {
	out = make([]float64, loss.Size(q.Out()))
	d := make([]float64, len(out))
	fit(d, dOut)
	if withGrad {
		grad = loss.NewGrad(q, base.New())
	}
	base.Run(out, grad, q, d)
	return out, grad
}

// fit fills dst from src, again from the start where src is shorter.
func fit(dst, src []float64) {
	for i := range dst {
		dst[i] = 0
		if len(src) > 0 {
			dst[i] = src[i%len(src)]
		}
	}
}

func fitGradients(dst, src problem) {
	from := map[string][]float64{}
	for _, g := range gradients(src) {
		from[g.name] = g.data
	}
	for _, g := range gradients(dst) {
		fit(g.data, from[g.name])
	}
}

// gradient is the gradient of one var input.
type gradient struct {
	name  string
	layer int
	data  []float64
}

// gradients lists the wanted gradients; grad may be nil.
func gradients(grad problem) []gradient {
	if grad == nil {
		return nil
	}
	var list []gradient
	for _, f := range loss.Fields(grad) {
		if f.Role == loss.RoleVar && f.Given() {
			list = append(list, gradient{f.Name, f.Layer, f.Float.Data})
		}
	}
	return list
}
