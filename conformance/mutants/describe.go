package mutants

import "github.com/goldenloss/goldenloss/reference/loss"

// input is an input that a loss may take, a layer list counted once.
type input struct {
	name   string
	role   loss.Role
	layers bool
	domain loss.Domain
}

// described lists the inputs of a loss under any of its options.
func described(base implementation) []input {
	d := &describer{known: map[string]bool{}}
	base.New().Visit(d)
	for _, q := range loss.Params(base.New()) {
		for _, v := range q.Enum {
			p := base.New()
			edit(p, q.Name, func(any) (any, bool) { return v, true })
			p.Visit(d)
		}
	}
	return d.list
}

// describer is a visitor that collects inputs.
type describer struct {
	known map[string]bool
	list  []input
}

func (d *describer) add(i input) {
	if !d.known[i.name] {
		d.known[i.name] = true
		d.list = append(d.list, i)
	}
}

func (d *describer) Float(string, *float64, float64, loss.Range)      {}
func (d *describer) Int(string, *int, int, loss.Range)                {}
func (d *describer) Bool(string, *bool, bool)                         {}
func (d *describer) Enum(string, *string, string, ...string)          {}
func (d *describer) OptFloat(string, *loss.Opt[float64], loss.Range)  {}
func (d *describer) OptInt(string, *loss.Opt[int], loss.Range)        {}
func (d *describer) Floats(string, *[]float64, []float64, loss.Range) {}
func (d *describer) Ints(string, *[]int, []int, loss.Range)           {}
func (d *describer) Index(name string, _ *loss.Tensor[int64], _ string) {
	d.add(input{name, loss.RoleIndex, false, loss.Real})
}
func (d *describer) Mask(name string, _ *loss.Tensor[bool], _ string) {
	d.add(input{name, loss.RoleMask, false, loss.Real})
}

func (d *describer) Var(name string, _ *loss.Tensor[float64], _ string, domain loss.Domain) {
	d.add(input{name, loss.RoleVar, false, domain})
}

func (d *describer) Const(name string, _ *loss.Tensor[float64], _ string, domain loss.Domain) {
	d.add(input{name, loss.RoleConst, false, domain})
}

func (d *describer) Layers(name string, _ *[]loss.Tensor[float64], role loss.Role, _ string, domain loss.Domain) {
	d.add(input{name, role, true, domain})
}
