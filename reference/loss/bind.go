package loss

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"slices"
	"sort"
	"strconv"
	"strings"
)

// Named is a tensor from outside: a fixture, a wire message. Data is always double.
type Named struct {
	Name  string
	Role  Role
	DType string // float64 float32 float16 bfloat16 int64 int32 uint8 bool
	Shape []int
	Data  []float64
}

// Call is a call of a loss from outside.
type Call struct {
	Params map[string]any
	Inputs []Named
	// Literal means that the float dtypes of Inputs are those that the caller really passes and not merely the narrowest that hold
	// the data.
	Literal bool
}

// ParseParams reads a JSON object of parameters. Non-finite numbers are the strings "NaN", "Infinity", "-Infinity". Duplicate keys,
// nesting other than a list of numbers, and trailing text are errors.
func ParseParams(text []byte) (map[string]any, error) {
	d := json.NewDecoder(bytes.NewReader(text))
	d.UseNumber()
	if t, err := d.Token(); err != nil || t != json.Delim('{') {
		return nil, fmt.Errorf("params: want a JSON object, got %.40q", text)
	}
	params := map[string]any{}
	for d.More() {
		t, err := d.Token()
		if err != nil {
			return nil, fmt.Errorf("params: %w", err)
		}
		name := t.(string)
		if _, dup := params[name]; dup {
			return nil, fmt.Errorf("params: %s: want one value, got two", name)
		}
		var v any
		if err := d.Decode(&v); err != nil {
			return nil, fmt.Errorf("params: %s: %w", name, err)
		}
		if params[name], err = number(v, true); err != nil {
			return nil, fmt.Errorf("params: %s: %w", name, err)
		}
	}
	if _, err := d.Token(); err != nil {
		return nil, fmt.Errorf("params: %w", err)
	}
	if _, err := d.Token(); !errors.Is(err, io.EOF) {
		return nil, fmt.Errorf("params: want the end after the object, got more text")
	}
	return params, nil
}

func number(v any, list bool) (any, error) {
	switch v := v.(type) {
	case nil, bool, string:
		return v, nil
	case json.Number:
		x, err := strconv.ParseFloat(v.String(), 64)
		if err != nil {
			return nil, fmt.Errorf("want a number that float64 holds, got %s", v)
		}
		return x, nil
	case []any:
		if list {
			for i := range v {
				var err error
				if v[i], err = number(v[i], false); err != nil {
					return nil, err
				}
			}
			return v, nil
		}
	}
	return nil, fmt.Errorf("want a number, string, bool, null or list of numbers")
}

// convert turns a JSON value into the Go value of a parameter's kind.
func (q *Param) convert(v any) (any, bool) {
	if n, ok := v.(int); ok {
		v = float64(n)
	}
	switch strings.TrimSuffix(q.Kind, "?") {
	case "float":
		if v == nil && q.Kind == "float?" {
			return nil, true
		}
		return toFloat(v)
	case "int":
		if v == nil && q.Kind == "int?" {
			return nil, true
		}
		return toInt(v)
	case "bool":
		b, ok := v.(bool)
		return b, ok
	case "enum":
		s, ok := v.(string)
		return s, ok
	case "floats":
		return toList(v, toFloat)
	case "ints":
		return toList(v, toInt)
	}
	return nil, false
}

func toFloat(v any) (float64, bool) {
	switch v := v.(type) {
	case float64:
		return v, true
	case string:
		switch v {
		case "NaN":
			return math.NaN(), true
		case "Infinity":
			return math.Inf(1), true
		case "-Infinity":
			return math.Inf(-1), true
		}
	}
	return 0, false
}

func toInt(v any) (int, bool) {
	x, ok := toFloat(v)
	if !ok || x != math.Trunc(x) || math.Abs(x) > 1<<53 {
		return 0, false
	}
	return int(x), true
}

func toList[V any](v any, elem func(any) (V, bool)) (any, bool) {
	in, ok := v.([]any)
	if !ok {
		return nil, false
	}
	out := make([]V, len(in))
	for i := range in {
		if out[i], ok = elem(in[i]); !ok {
			return nil, false
		}
	}
	return out, true
}

var floatDTypes = []string{"float64", "float32", "float16", "bfloat16"}
var intDTypes = []string{"int64", "int32", "uint8"}

// Bind fills p from a call, through conv for float elements, and validates it. It returns the cotangent, nil where the call has
// none (which means ones), or the first *Error in the order of the classes.
func Bind[T any](p Problem[T], call Call, conv func(float64) T) (dOut []T, err error) {
	c := &Checker{loss: p.Def().ID}
	inputs := map[string]*Named{}
	var cotangent *Named
	for i := range call.Inputs {
		in := &call.Inputs[i]
		switch {
		case in.Role == RoleCotangent:
			c.Param(cotangent == nil, in.Name, "one cotangent", "two")
			cotangent = in
		case inputs[in.Name] != nil:
			c.Param(false, in.Name, "one input of this name", "two")
		default:
			inputs[in.Name] = in
		}
	}
	if call.Literal {
		c.literal(call.Inputs)
	}
	used := map[string]bool{}
	known := map[string]bool{}
	p.Visit(&walker[T]{
		param: func(q Param) {
			known[q.Name] = true
			v, given := call.Params[q.Name]
			if !given {
				q.Set(q.Default)
				return
			}
			x, ok := q.convert(v)
			if !ok {
				q.Set(q.Default)
				c.Param(false, q.Name, q.Kind, v)
				return
			}
			q.Set(x)
		},
		layers: func(name string, xs *[]Tensor[T], _ bool) {
			*xs = make([]Tensor[T], c.layerCount(name, inputs))
		},
		field: func(f Field[T]) {
			if in := inputs[f.Name]; in != nil {
				used[f.Name] = true
				load(c, &f, in.DType, in.Shape, in.Data, conv)
			}
		},
	})
	for _, name := range sortedKeys(call.Params) {
		c.Param(known[name], name, "no such parameter", "one")
	}
	for _, name := range sortedKeys(inputs) {
		c.Param(used[name], name, "no such input with these options", "one")
	}
	validate(c, p)
	if cotangent != nil {
		f := Field[T]{Name: cotangent.Name, Role: RoleConst, Layer: -1, Float: &Tensor[T]{}}
		load(c, &f, cotangent.DType, cotangent.Shape, cotangent.Data, conv)
		if c.err() == nil {
			c.Shape(equal(cotangent.Shape, p.Out()), cotangent.Name, fmt.Sprint(p.Out()), cotangent.Shape)
		}
		dOut = f.Float.Data
	}
	return dOut, c.err()
}

// literal checks the dtypes that a caller really passes: one of float32 and float64 for all floats.
func (c *Checker) literal(inputs []Named) {
	first := ""
	for _, in := range inputs {
		if !slices.Contains(floatDTypes, in.DType) || in.Role == RoleMask {
			continue
		}
		ok := in.DType == "float64" || in.DType == "float32"
		c.want(ok, InvalidDType, in.Name, "float32 or float64", in.DType)
		if first == "" {
			first = in.DType
		}
		c.want(in.DType == first, InvalidDType, in.Name, first+" like the other floats", in.DType)
	}
}

// layerCount returns how many tensors name_0, name_1, ... there are.
func (c *Checker) layerCount(name string, inputs map[string]*Named) int {
	n, most := 0, -1
	for k := range inputs {
		digits, ok := strings.CutPrefix(k, name+"_")
		if i, err := strconv.Atoi(digits); ok && err == nil && strconv.Itoa(i) == digits && i >= 0 {
			n++
			most = max(most, i)
		}
	}
	if most != n-1 {
		c.Shape(false, name, "layers numbered from 0 without a gap", fmt.Sprintf("%d layers up to number %d", n, most))
		return 0
	}
	return n
}

// load copies a tensor from outside into a field.
func load[T any](c *Checker, f *Field[T], dtype string, shape []int, data []float64, conv func(float64) T) {
	if size, ok := SizeOf(shape); !ok || size != len(data) {
		c.Shape(false, f.Name, fmt.Sprintf("the %d elements that are there", len(data)), shape)
		return
	}
	shape = append([]int{}, shape...)
	switch {
	case f.Index != nil:
		if !slices.Contains(intDTypes, dtype) {
			c.fail(InvalidDType, f.Name, "an integer type", dtype)
			return
		}
		*f.Index = Tensor[int64]{shape, make([]int64, len(data))}
		for i, x := range data {
			if x != math.Trunc(x) || math.Abs(x) > 1<<53 {
				c.fail(InvalidDType, fmt.Sprintf("%s[%d]", f.Name, i), "an integer", x)
			}
			f.Index.Data[i] = int64(x)
		}
	case f.Mask != nil:
		*f.Mask = Tensor[bool]{shape, make([]bool, len(data))}
		for i, x := range data {
			c.Target(x == 0 || x == 1, fmt.Sprintf("%s[%d]", f.Name, i), "0 or 1", x)
			f.Mask.Data[i] = x == 1
		}
	default:
		if !slices.Contains(floatDTypes, dtype) && !(f.Domain.ends && slices.Contains(intDTypes, dtype)) {
			c.fail(InvalidDType, f.Name, "a float type", dtype)
			return
		}
		*f.Float = Tensor[T]{shape, make([]T, len(data))}
		for i, x := range data {
			f.Float.Data[i] = conv(x)
		}
	}
}

// SizeOf returns the number of elements of a shape from outside, false where a dim is negative or the product overflows.
func SizeOf(shape []int) (int, bool) {
	n := 1
	zero := false
	for _, d := range shape {
		if d < 0 {
			return 0, false
		}
		if d == 0 {
			zero = true
		} else if n > math.MaxInt/d {
			return 0, false
		} else {
			n *= d
		}
	}
	if zero {
		n = 0
	}
	return n, true
}

// Validate checks a problem made by hand: ranges, shapes, domains and the loss's own rules. It returns nil or the first *Error in
// the order of the classes. Implementations do not validate.
func Validate[T any](p Problem[T]) error {
	c := &Checker{loss: p.Def().ID}
	validate(c, p)
	return c.err()
}

func validate[T any](c *Checker, p Problem[T]) {
	fits := c.first[InvalidDType] == nil && c.first[InvalidShape] == nil
	s := shapes{size: map[string]int{}, rest: map[string][]int{}}
	p.Visit(&walker[T]{
		param: func(q Param) { c.inRange(q) },
		layers: func(name string, xs *[]Tensor[T], optional bool) {
			if optional && len(*xs) == 0 {
				return
			}
			if !s.unify("L", "", len(*xs)) {
				fits = false
				c.Shape(false, name, fmt.Sprintf("%d layers", s.size["L"]), len(*xs))
			}
		},
		field: func(f Field[T]) {
			if !f.Given() {
				if !f.Optional && c.first[InvalidDType] == nil && c.first[InvalidShape] == nil {
					fits = false
					c.Param(false, f.Name, "this input", "none")
				}
				return
			}
			want, ok := s.match(f.Pattern, f.Layer, f.Shape())
			c.Shape(ok, f.Name, want, f.Shape())
			size, sane := SizeOf(f.Shape())
			c.Shape(sane && size == f.len(), f.Name, fmt.Sprintf("shape of %d elements", f.len()), f.Shape())
			fits = fits && ok && sane && size == f.len()
		},
	})
	if !fits {
		return // the loss's own rules rely on the ranks
	}
	p.Check(c)
	for _, f := range Fields(p) {
		if f.Float == nil || !f.Domain.bounded || (f.Domain.Class == InvalidTarget && c.err() != nil) {
			continue
		}
		for i := range f.Float.Data {
			if x := f.Float.Float64(i); f.Domain.excludes(x) {
				c.fail(f.Domain.Class, fmt.Sprintf("%s[%d]", f.Name, i), "a value in "+f.Domain.Range.String(), x)
				break
			}
		}
	}
}

func (c *Checker) inRange(q Param) {
	check := func(x float64) {
		ok := q.Range.Contains(x) && (q.Range.bounded || !math.IsInf(x, 0)) // a closed end may be infinite
		want := "a finite number in "
		if q.Range.bounded && q.Range.Contains(math.Inf(1)) {
			want = "a number in "
		}
		c.Param(ok, q.Name, want+q.Range.String(), num(x))
	}
	switch v := q.Value.(type) {
	case float64:
		check(v)
	case int:
		check(float64(v))
	case string:
		c.Param(slices.Contains(q.Enum, v), q.Name, strings.Join(q.Enum, ", "), strconv.Quote(v))
	case []float64:
		for _, x := range v {
			check(x)
		}
	case []int:
		for _, x := range v {
			check(float64(x))
		}
	}
}

func sortedKeys[V any](m map[string]V) []string {
	keys := make([]string, 0, len(m))
	for k := range m {
		keys = append(keys, k)
	}
	sort.Strings(keys)
	return keys
}
