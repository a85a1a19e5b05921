package loss

import (
	"fmt"
	"strconv"
	"strings"
)

// Field is one input of a loss. Exactly one of Float, Index and Mask points to the tensor inside the struct.
type Field[T any] struct {
	Name     string
	Role     Role
	Pattern  string // without "?"
	Optional bool
	Layer    int // index in a layer list, -1 otherwise
	Domain   Domain
	Float    *Tensor[T]
	Index    *Tensor[int64]
	Mask     *Tensor[bool]
}

// Given reports whether the input is present.
func (f *Field[T]) Given() bool {
	switch {
	case f.Index != nil:
		return f.Index.Given()
	case f.Mask != nil:
		return f.Mask.Given()
	}
	return f.Float.Given()
}

// Shape returns the shape of the tensor.
func (f *Field[T]) Shape() []int {
	switch {
	case f.Index != nil:
		return f.Index.Shape
	case f.Mask != nil:
		return f.Mask.Shape
	}
	return f.Float.Shape
}

func (f *Field[T]) len() int {
	switch {
	case f.Index != nil:
		return len(f.Index.Data)
	case f.Mask != nil:
		return len(f.Mask.Data)
	}
	return len(f.Float.Data)
}

// Param is one parameter of a loss with its present value. Values are float64, int, bool, string, nil (an unset option),
// []float64 or []int.
type Param struct {
	Name    string
	Kind    string // float, int, bool, enum, float?, int?, floats, ints
	Default any
	Range   Range
	Enum    []string // the default first
	Value   any
	set     func(any)
}

// Set stores v, which must have the type that the kind says, into the struct. The range is checked by Validate.
func (p *Param) Set(v any) { p.set(v); p.Value = v }

// Params lists the parameters of a problem in Visit order.
func Params[T any](p Problem[T]) []Param {
	var list []Param
	p.Visit(&walker[T]{param: func(q Param) { list = append(list, q) }})
	return list
}

// Fields lists the inputs of a problem in Visit order, layer lists spread out.
func Fields[T any](p Problem[T]) []Field[T] {
	var list []Field[T]
	p.Visit(&walker[T]{field: func(f Field[T]) { list = append(list, f) }})
	return list
}

// New returns a problem with the default of every parameter and no inputs.
func New[T, L any, P Of[T, L]]() P {
	p := P(new(L))
	setDefaults[T](p)
	return p
}

func setDefaults[T any](p Problem[T]) {
	p.Visit(&walker[T]{param: func(q Param) { q.Set(q.Default) }})
}

// NewGrad returns a problem like p, with its parameters, whose Var tensors are present, zero and shaped like those of p: the place
// where an implementation puts a gradient. Other inputs are absent.
func NewGrad[T any](p, empty Problem[T]) Problem[T] {
	copyParams(empty, p)
	shapeLayers(empty, p)
	src := Fields(p)
	for i, f := range Fields(empty) {
		if f.Role == RoleVar && src[i].Given() {
			shape := src[i].Shape()
			*f.Float = Tensor[T]{Shape: append([]int{}, shape...), Data: make([]T, Size(shape))}
		}
	}
	return empty
}

// Convert fills dst with the parameters and inputs of src, each element of a float input through f.
func Convert[U, T any](dst Problem[U], src Problem[T], f func(name string, role Role, x T) U) {
	copyParams(dst, src)
	shapeLayers(dst, src)
	from := Fields(src)
	for i, to := range Fields(dst) {
		s := from[i]
		switch {
		case !s.Given():
		case s.Index != nil:
			*to.Index = Tensor[int64]{append([]int{}, s.Index.Shape...), append([]int64{}, s.Index.Data...)}
		case s.Mask != nil:
			*to.Mask = Tensor[bool]{append([]int{}, s.Mask.Shape...), append([]bool{}, s.Mask.Data...)}
		default:
			data := make([]U, len(s.Float.Data))
			for k, x := range s.Float.Data {
				data[k] = f(s.Name, s.Role, x)
			}
			*to.Float = Tensor[U]{append([]int{}, s.Float.Shape...), data}
		}
	}
}

func copyParams[U, T any](dst Problem[U], src Problem[T]) {
	values := map[string]any{}
	for _, q := range Params(src) {
		values[q.Name] = q.Value
	}
	dst.Visit(&walker[U]{param: func(q Param) {
		if v, ok := values[q.Name]; ok {
			q.Set(v)
		}
	}})
}

// shapeLayers gives the layer lists of dst the lengths of those of src.
func shapeLayers[U, T any](dst Problem[U], src Problem[T]) {
	lengths := map[string]int{}
	src.Visit(&walker[T]{layers: func(name string, xs *[]Tensor[T], _ bool) { lengths[name] = len(*xs) }})
	dst.Visit(&walker[U]{layers: func(name string, xs *[]Tensor[U], _ bool) {
		if n := lengths[name]; n > 0 {
			*xs = make([]Tensor[U], n)
		}
	}})
}

// walker is the one Visitor: it turns every call into a Param or a Field.
type walker[T any] struct {
	param  func(Param)
	layers func(name string, xs *[]Tensor[T], optional bool) // before the fields of the list
	field  func(Field[T])
}

func (w *walker[T]) put(q Param) {
	if w.param != nil {
		w.param(q)
	}
}

func (w *walker[T]) Float(name string, p *float64, def float64, r Range) {
	w.put(Param{Name: name, Kind: "float", Default: def, Range: r, Value: *p, set: func(v any) { *p = v.(float64) }})
}

func (w *walker[T]) Int(name string, p *int, def int, r Range) {
	w.put(Param{Name: name, Kind: "int", Default: def, Range: r, Value: *p, set: func(v any) { *p = v.(int) }})
}

func (w *walker[T]) Bool(name string, p *bool, def bool) {
	w.put(Param{Name: name, Kind: "bool", Default: def, Value: *p, set: func(v any) { *p = v.(bool) }})
}

func (w *walker[T]) Enum(name string, p *string, def string, others ...string) {
	w.put(Param{Name: name, Kind: "enum", Default: def, Enum: append([]string{def}, others...), Value: *p,
		set: func(v any) { *p = v.(string) }})
}

func (w *walker[T]) OptFloat(name string, p *Opt[float64], r Range) { putOpt(w, "float?", name, p, r) }
func (w *walker[T]) OptInt(name string, p *Opt[int], r Range)       { putOpt(w, "int?", name, p, r) }

func putOpt[T, V any](w *walker[T], kind, name string, p *Opt[V], r Range) {
	q := Param{Name: name, Kind: kind, Range: r, set: func(v any) {
		*p = Opt[V]{}
		if v != nil {
			*p = Some(v.(V))
		}
	}}
	if p.Set {
		q.Value = p.Value
	}
	w.put(q)
}

func (w *walker[T]) Floats(name string, p *[]float64, def []float64, r Range) {
	w.put(Param{Name: name, Kind: "floats", Default: def, Range: r, Value: *p, set: func(v any) { *p = v.([]float64) }})
}

func (w *walker[T]) Ints(name string, p *[]int, def []int, r Range) {
	w.put(Param{Name: name, Kind: "ints", Default: def, Range: r, Value: *p, set: func(v any) { *p = v.([]int) }})
}

func (w *walker[T]) add(f Field[T], pattern string) {
	if w.field != nil {
		f.Pattern, f.Optional = strings.CutSuffix(pattern, "?")
		w.field(f)
	}
}

func (w *walker[T]) Var(name string, x *Tensor[T], shape string, d Domain) {
	w.add(Field[T]{Name: name, Role: RoleVar, Layer: -1, Domain: d, Float: x}, shape)
}

func (w *walker[T]) Const(name string, x *Tensor[T], shape string, d Domain) {
	w.add(Field[T]{Name: name, Role: RoleConst, Layer: -1, Domain: d, Float: x}, shape)
}

func (w *walker[T]) Index(name string, x *Tensor[int64], shape string) {
	w.add(Field[T]{Name: name, Role: RoleIndex, Layer: -1, Index: x}, shape)
}

func (w *walker[T]) Mask(name string, x *Tensor[bool], shape string) {
	w.add(Field[T]{Name: name, Role: RoleMask, Layer: -1, Mask: x}, shape)
}

func (w *walker[T]) Layers(name string, xs *[]Tensor[T], role Role, shape string, d Domain) {
	if w.layers != nil {
		w.layers(name, xs, strings.HasSuffix(shape, "?"))
	}
	for i := range *xs {
		w.add(Field[T]{Name: name + "_" + strconv.Itoa(i), Role: role, Layer: i, Domain: d, Float: &(*xs)[i]}, shape)
	}
}

// shapes unifies the dims of the inputs of one call.
type shapes struct {
	size map[string]int
	rest map[string][]int
}

// match unifies shape with pattern; layer is -1 outside a layer list. It returns what was wanted where they differ.
func (s *shapes) match(pattern string, layer int, shape []int) (want string, ok bool) {
	local := ""
	if layer >= 0 {
		local = "_" + strconv.Itoa(layer)
	}
	var dims []string
	if pattern != "()" {
		dims = strings.Fields(pattern)
	}
	before, after, rest := dims, []string(nil), ""
	for i, d := range dims {
		if strings.HasPrefix(d, "...") {
			before, after = dims[:i], dims[i+1:]
			rest = d + local
		}
	}
	open := len(before)+len(after) < len(dims)
	want = s.describe(dims, local)
	if len(shape) < len(before)+len(after) || (!open && len(shape) != len(dims)) {
		return want, false
	}
	for _, d := range shape {
		if d < 0 {
			return want, false
		}
	}
	for i, d := range before {
		if !s.unify(d, local, shape[i]) {
			return want, false
		}
	}
	tail := shape[len(shape)-len(after):]
	for i, d := range after {
		if !s.unify(d, local, tail[i]) {
			return want, false
		}
	}
	if open {
		mid := shape[len(before) : len(shape)-len(after)]
		old, seen := s.rest[rest]
		if seen && !equal(old, mid) {
			return want, false
		}
		s.rest[rest] = mid
	}
	return want, true
}

func key(dim, local string) string {
	if strings.HasSuffix(dim, "_l") {
		return dim + local
	}
	return dim
}

func (s *shapes) unify(dim, local string, n int) bool {
	if v, err := strconv.Atoi(dim); err == nil {
		return v == n
	}
	old, seen := s.size[key(dim, local)]
	if seen {
		return old == n
	}
	s.size[key(dim, local)] = n
	return true
}

// describe prints a pattern with the sizes that are known: "[N=4 C=3 ...]".
func (s *shapes) describe(dims []string, local string) string {
	out := make([]string, len(dims))
	for i, d := range dims {
		out[i] = d
		if strings.HasPrefix(d, "...") {
			if mid, ok := s.rest[d+local]; ok {
				out[i] = strings.Trim(fmt.Sprint(mid), "[]")
			}
		} else if n, ok := s.size[key(d, local)]; ok {
			out[i] = fmt.Sprintf("%s=%d", d, n)
		}
	}
	return "[" + strings.Join(out, " ") + "]"
}

func equal(a, b []int) bool {
	if len(a) != len(b) {
		return false
	}
	for i := range a {
		if a[i] != b[i] {
			return false
		}
	}
	return true
}
