// Package loss says what each loss function takes: its parameters, its inputs, their shapes and legal values. It holds no
// arithmetic. The oracle, the reference and the optimized implementations all build on it and never on each other.
//
// A loss is a struct that is generic in its element type, with one field per parameter and per input:
//
//	h := loss.SmoothL1[float32]{Beta: 1, Pair: ...}
//
// Its method Visit lists those fields once; everything uniform (reading cases, converting types, checking shapes, drawing random
// inputs, documentation) goes through that list.
package loss

import (
	"fmt"
	"math"
	"strings"
)

// Float is the element type of an implementation that runs on hardware.
type Float interface{ float32 | float64 }

// Tensor is a dense array in row-major order. Data nil means absent (an input) or not wanted (a gradient); a tensor of size zero
// has a non-nil Data. A scalar has an empty Shape and one element.
type Tensor[T any] struct {
	Shape []int
	Data  []T
}

// Make returns a tensor of zeros.
func Make[T any](shape ...int) Tensor[T] {
	return Tensor[T]{Shape: shape, Data: make([]T, Size(shape))}
}

// Size returns the number of elements of a shape.
func Size(shape []int) int {
	n := 1
	for _, d := range shape {
		n *= d
	}
	return n
}

// Given reports whether the tensor is present.
func (x Tensor[T]) Given() bool { return x.Data != nil }

// Float64 returns element i as a float64, NaN for an element type that is not a hardware float.
func (x Tensor[T]) Float64(i int) float64 {
	switch d := any(x.Data).(type) {
	case []float64:
		return d[i]
	case []float32:
		return float64(d[i])
	}
	return math.NaN()
}

// Opt is a parameter that may be left unset.
type Opt[V any] struct {
	Set   bool
	Value V
}

// Some returns a set parameter.
func Some[V any](v V) Opt[V] { return Opt[V]{true, v} }

// Reduction says how the items of a loss become its value.
type Reduction string

const (
	Mean Reduction = "mean" // sum of the items over the denominator that the loss states
	Sum  Reduction = "sum"  // sum of the items
	None Reduction = "none" // the items
	// BatchMean is the sum of the items over the size of axis 0, where a loss has it.
	BatchMean Reduction = "batchmean"
)

// shape returns the shape of the value whose items have the given shape.
func (r Reduction) shape(items ...int) []int {
	if r == None {
		return items
	}
	return []int{}
}

// Role of an input.
type Role string

const (
	RoleVar       Role = "var"       // differentiable: a gradient is returned
	RoleConst     Role = "const"     // float without gradient
	RoleIndex     Role = "index"     // class indices
	RoleMask      Role = "mask"      // 0 or 1
	RoleCotangent Role = "cotangent" // the gradient arriving from above, shaped like the value
)

// Range is an interval of legal numbers. The zero Range is the whole line.
type Range struct {
	Min, Max         float64
	MinOpen, MaxOpen bool
	bounded          bool
	ends             bool // of the interval, Min and Max alone
}

// Between returns the closed interval [lo, hi].
func Between(lo, hi float64) Range { return Range{Min: lo, Max: hi, bounded: true} }

// Inside returns the open interval (lo, hi).
func Inside(lo, hi float64) Range {
	return Range{Min: lo, Max: hi, MinOpen: true, MaxOpen: true, bounded: true}
}

// AtLeast returns [lo, inf).
func AtLeast(lo float64) Range {
	return Range{Min: lo, Max: math.Inf(1), MaxOpen: true, bounded: true}
}

// Above returns (lo, inf).
func Above(lo float64) Range {
	return Range{Min: lo, Max: math.Inf(1), MinOpen: true, MaxOpen: true, bounded: true}
}

// Below returns (-inf, hi).
func Below(hi float64) Range {
	return Range{Min: math.Inf(-1), Max: hi, MinOpen: true, MaxOpen: true, bounded: true}
}

// AtMost returns (-inf, hi].
func AtMost(hi float64) Range {
	return Range{Min: math.Inf(-1), Max: hi, MinOpen: true, bounded: true}
}

// Ends returns the set {lo, hi}. NaN is not in it, and integers are as good as floats.
func Ends(lo, hi float64) Range { return Range{Min: lo, Max: hi, bounded: true, ends: true} }

// Contains reports whether x lies in the range; NaN never does.
func (r Range) Contains(x float64) bool {
	return !math.IsNaN(x) && !r.excludes(x)
}

// excludes reports whether x compares outside the range; NaN does not, except outside a set of two numbers.
func (r Range) excludes(x float64) bool {
	switch {
	case !r.bounded:
		return false
	case r.ends:
		return x != r.Min && x != r.Max
	}
	return x < r.Min || x > r.Max || (r.MinOpen && x == r.Min) || (r.MaxOpen && x == r.Max)
}

func (r Range) String() string {
	if !r.bounded {
		return "(-inf, inf)"
	}
	if r.ends {
		return fmt.Sprintf("{%s, %s}", num(r.Min), num(r.Max))
	}
	var b strings.Builder
	b.WriteByte("[("[btoi(r.MinOpen)])
	fmt.Fprintf(&b, "%s, %s", num(r.Min), num(r.Max))
	b.WriteByte("])"[btoi(r.MaxOpen)])
	return b.String()
}

func btoi(b bool) int {
	if b {
		return 1
	}
	return 0
}

func num(x float64) string {
	switch {
	case math.IsInf(x, 1):
		return "inf"
	case math.IsInf(x, -1):
		return "-inf"
	}
	return fmt.Sprint(x)
}

// Domain says which values a tensor may hold and which error a value outside provokes. A NaN is an error in a discrete set alone.
type Domain struct {
	Range
	Class Class
}

var (
	Real        = Domain{}                                                      // any float
	Unit        = Domain{Between(0, 1), InvalidTarget}                          // probabilities, memberships
	NonNegative = Domain{Range{Max: math.Inf(1), bounded: true}, InvalidTarget} // [0, inf], unnormalized probabilities
	Sign        = Domain{Ends(-1, 1), InvalidTarget}                            // labels -1 and 1, floats or integers
	Weight      = Domain{AtLeast(0), InvalidParam}                              // finite weights
)

// Visitor receives the fields of a loss: all parameters, then all inputs.
//
// A shape pattern is a list of dims separated by blanks: a name (equal names mean equal sizes within one call), a number (that
// size), or at most one "..." (any dims, the same for every input that says "..."; "...x" are others, of their own). "()" is a
// scalar. A pattern that ends in "?" is an optional input.
type Visitor[T any] interface {
	Float(name string, p *float64, def float64, r Range)
	Int(name string, p *int, def int, r Range)
	Bool(name string, p *bool, def bool)
	Enum(name string, p *string, def string, others ...string)
	OptFloat(name string, p *Opt[float64], r Range)
	OptInt(name string, p *Opt[int], r Range)
	Floats(name string, p *[]float64, def []float64, r Range)
	Ints(name string, p *[]int, def []int, r Range)

	Var(name string, x *Tensor[T], shape string, d Domain)
	Const(name string, x *Tensor[T], shape string, d Domain)
	Index(name string, x *Tensor[int64], shape string)
	Mask(name string, x *Tensor[bool], shape string)
	// Layers is a list of tensors name_0, name_1, ... Their number is the dim L. In its pattern a name that ends in "_l" and the
	// dims "..." are those of one layer.
	Layers(name string, xs *[]Tensor[T], role Role, shape string, d Domain)
}

// Problem is one call of a loss: its parameters and inputs. Every *X[T] of this package is one.
type Problem[T any] interface {
	Visit(Visitor[T]) // parameters first, then inputs; may test an enum and list what it uses
	Check(*Checker)   // what patterns, ranges and domains cannot say
	Out() []int       // the shape of the value
	Def() *Def
}

// Of is the constraint "pointer to the loss struct L".
type Of[T, L any] interface {
	*L
	Problem[T]
}

// Impl is one implementation of one loss behind a uniform signature.
type Impl[T any] struct {
	ID  string
	New func() Problem[T] // with the default of every parameter
	// Run writes the value to out and, where grad is not nil, the vector-Jacobian product with the cotangent dOut to those Var
	// tensors of grad that have Data. The problem must be valid; dOut has the length of out.
	Run func(out []T, grad, in Problem[T], dOut []T)
}

// Fused makes an Impl of a function that computes value and gradient in one call; grad may be nil.
func Fused[T, L any, P Of[T, L]](run func(out []T, grad, in P, dOut []T)) Impl[T] {
	return Impl[T]{
		ID:  P(new(L)).Def().ID,
		New: func() Problem[T] { return New[T, L, P]() },
		Run: func(out []T, grad, in Problem[T], dOut []T) {
			var g P
			if grad != nil {
				g = grad.(P)
			}
			run(out, g, in.(P), dOut)
		},
	}
}

// Split makes an Impl of two functions, one for the value and one for the vector-Jacobian product, that return new arrays.
func Split[T, L any, P Of[T, L]](value func(in P) []T, vjp func(in P, dOut []T) P) Impl[T] {
	return Fused[T, L](func(out []T, grad, in P, dOut []T) {
		if got := value(in); copy(out, got) != len(out) || len(got) != len(out) {
			panic(fmt.Sprintf("%s: the value has %d elements, want %d", in.Def().ID, len(got), len(out)))
		}
		if grad == nil {
			return
		}
		got := Fields[T](vjp(in, dOut))
		for i, f := range Fields[T](grad) {
			if f.Role == RoleVar && f.Float.Given() {
				copy(f.Float.Data, got[i].Float.Data)
			}
		}
	})
}
