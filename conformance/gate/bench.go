package gate

import (
	"fmt"
	"maps"
	"math"
	"runtime"
	"runtime/debug"
	"slices"
	"strings"

	"github.com/goldenloss/goldenloss/fixtures"
	"github.com/goldenloss/goldenloss/reference/loss"
)

// margin is the number of guard elements on either side of every array.
const margin = 16

// poison and fence are NaN payloads that no arithmetic makes: an output that still holds poison was not written, a margin that does
// not hold fence was.
const (
	poison64, fence64, garbage64 = 0x7ff8_dead_beef_0001, 0x7ff8_feed_face_0002, 0x4415_af1d_78b5_8c40
	poison32, fence32, garbage32 = 0x7fc0_dea1, 0x7fc0_fee2, 0x60ad_78ec
)

func bitsOf[T loss.Float](x T) uint64 {
	switch x := any(x).(type) {
	case float32:
		return uint64(math.Float32bits(x))
	case float64:
		return math.Float64bits(x)
	}
	return 0
}

func pattern[T loss.Float](p64 uint64, p32 uint32) T {
	var x T
	switch p := any(&x).(type) {
	case *float32:
		*p = math.Float32frombits(p32)
	case *float64:
		*p = math.Float64frombits(p64)
	}
	return x
}

// fill says what outputs hold before a call.
type fill int

const (
	poisoned fill = iota
	dirty         // large finite numbers
)

// outputs are copies of what a call wrote, by output name.
type outputs[T loss.Float] map[string][]T

// bench is a problem laid out between guards, with a copy of its inputs to compare with.
type bench[T loss.Float] struct {
	impl      loss.Impl[T]
	in        loss.Problem[T]
	out, dOut []T
	grad      loss.Problem[T]
	shapes    map[string][]int         // of the outputs
	outputs   []array[T]               // the memory that the implementation was given, whatever it does to the slices
	fences    []func() (Failure, bool) // what was written outside an array
	params    string
	before    []snapshot
}

// array is the memory of one output.
type array[T loss.Float] struct {
	name string
	data []T
}

// snapshot is an input as bits.
type snapshot struct {
	name  string
	shape []int
	bits  []uint64
}

func newBench[T loss.Float](impl loss.Impl[T], in loss.Problem[T], dOut []T) *bench[T] {
	b := &bench[T]{impl: impl, in: in}
	fence := pattern[T](fence64, fence32)
	for _, f := range loss.Fields(in) {
		switch {
		case !f.Given():
		case f.Index != nil:
			f.Index.Data = guard(b, f.Name, f.Index.Data, func(int) int64 { return -0x5eed_face })
		case f.Mask != nil:
			f.Mask.Data = guard(b, f.Name, f.Mask.Data, func(i int) bool { return i%3 == 0 })
		default:
			f.Float.Data = guard(b, f.Name, f.Float.Data, func(int) T { return fence })
		}
	}
	b.dOut = guard(b, "cotangent", dOut, func(int) T { return fence })
	b.out = guard(b, "value", make([]T, loss.Size(in.Out())), func(int) T { return fence })
	b.outputs = []array[T]{{"value", b.out}}
	b.shapes = map[string][]int{"value": in.Out()}
	b.grad = loss.NewGrad(in, impl.New())
	for _, f := range loss.Fields(b.grad) {
		if f.Role == loss.RoleVar && f.Float.Given() {
			f.Float.Data = guard(b, "grad:"+f.Name, f.Float.Data, func(int) T { return fence })
			b.outputs = append(b.outputs, array[T]{"grad:" + f.Name, f.Float.Data})
			b.shapes["grad:"+f.Name] = slices.Clone(f.Float.Shape)
		}
	}
	b.params, b.before = b.paramText(), b.snapshots()
	return b
}

// guard moves data into an array with a fence on both sides. The capacity ends where the data end.
func guard[E loss.Float | int64 | bool, T loss.Float](b *bench[T], name string, data []E, fence func(i int) E) []E {
	whole := make([]E, len(data)+2*margin)
	for i := range whole {
		whole[i] = fence(i)
	}
	inside := whole[margin : margin+len(data) : margin+len(data)]
	copy(inside, data)
	b.fences = append(b.fences, func() (Failure, bool) {
		for i, x := range whole {
			if (i < margin || i >= margin+len(data)) && elementBits(x) != elementBits(fence(i)) {
				return Failure{Kind: "guard", Output: name, Index: i - margin,
					Text: fmt.Sprintf("%s: element %d, outside the array of %d, was written", name, i-margin, len(data))}, true
			}
		}
		return Failure{}, false
	})
	return inside
}

func elementBits[E loss.Float | int64 | bool](x E) uint64 {
	switch x := any(x).(type) {
	case int64:
		return uint64(x)
	case bool:
		if x {
			return 1
		}
		return 0
	case float32:
		return bitsOf(x)
	case float64:
		return bitsOf(x)
	}
	return 0
}

func elements[E loss.Float | int64 | bool](data []E) []uint64 {
	bits := make([]uint64, len(data))
	for i, x := range data {
		bits[i] = elementBits(x)
	}
	return bits
}

// snapshots are the bits of all inputs.
func (b *bench[T]) snapshots() []snapshot {
	var all []snapshot
	for _, f := range loss.Fields(b.in) {
		s := snapshot{name: f.Name, shape: slices.Clone(f.Shape())}
		switch {
		case f.Index != nil:
			s.bits = elements(f.Index.Data)
		case f.Mask != nil:
			s.bits = elements(f.Mask.Data)
		default:
			s.bits = elements(f.Float.Data)
		}
		all = append(all, s)
	}
	return append(all, snapshot{name: "cotangent", bits: elements(b.dOut)})
}

func (b *bench[T]) paramText() string {
	var text []string
	for _, q := range loss.Params(b.in) {
		text = append(text, fmt.Sprintf("%s=%v", q.Name, q.Value))
	}
	return strings.Join(text, " ")
}

// run calls the implementation and returns copies of its outputs.
func (b *bench[T]) run(withGrad bool, how fill) outputs[T] {
	x := pattern[T](poison64, poison32)
	if how == dirty {
		x = pattern[T](garbage64, garbage32)
	}
	for _, a := range b.outputs {
		for i := range a.data {
			a.data[i] = x
		}
	}
	got := outputs[T]{}
	if !withGrad {
		b.impl.Run(b.out, nil, b.in, b.dOut)
		got["value"] = slices.Clone(b.out)
		return got
	}
	b.impl.Run(b.out, b.grad, b.in, b.dOut)
	for _, a := range b.outputs {
		got[a.name] = slices.Clone(a.data)
	}
	return got
}

// behavior checks what the numbers alone do not show.
func (b *bench[T]) behavior(res *Result, value, grad, again outputs[T]) {
	for _, broken := range b.fences {
		if f, ok := broken(); ok {
			res.fail(f)
		}
	}
	if now := b.paramText(); now != b.params {
		res.fail(Failure{Kind: "input written", Text: fmt.Sprintf("the parameters were %s and are %s", b.params, now)})
	}
	for i, now := range b.snapshots() {
		if was := b.before[i]; !slices.Equal(was.shape, now.shape) || !slices.Equal(was.bits, now.bits) {
			k := 0
			for k < len(now.bits) && k < len(was.bits) && now.bits[k] == was.bits[k] {
				k++
			}
			res.fail(Failure{Kind: "input written", Output: now.name, Index: k, Text: fmt.Sprintf("input %s[%d] was written", now.name, k)})
		}
	}
	unwritten(res, value, "value alone")
	for _, o := range sortedNames(grad) {
		unwritten(res, outputs[T]{o: grad[o]}, o)
		if i, ok := sameBits(grad[o], again[o]); !ok {
			res.fail(Failure{Kind: "not repeatable", Output: o, Index: i, Text: fmt.Sprintf(
				"%s[%d]: %.17g in the first call, %.17g in the second, on buffers that held something else", o, i, grad[o][i], again[o][i])})
		}
	}
	if i, ok := sameBits(value["value"], grad["value"]); !ok {
		res.fail(Failure{Kind: "value depends on gradient", Output: "value", Index: i, Text: fmt.Sprintf(
			"value[%d]: %.17g alone, %.17g with the gradient", i, value["value"][i], grad["value"][i])})
	}
}

// unwritten looks for the poison, by its bits: a NaN that was left there is a mistake where NaN is right, too.
func unwritten[T loss.Float](res *Result, got outputs[T], what string) {
	for _, o := range sortedNames(got) {
		for i, x := range got[o] {
			if bitsOf(x) == bitsOf(pattern[T](poison64, poison32)) {
				res.fail(Failure{Kind: "not written", Output: o, Index: i, Text: fmt.Sprintf("%s[%d] was not written", what, i)})
				break
			}
		}
	}
}

func sortedNames[V any](m map[string]V) []string { return slices.Sorted(maps.Keys(m)) }

// sameBits compares bit by bit, any NaN equal to any other.
func sameBits[T loss.Float](a, b []T) (int, bool) {
	for i := range a {
		if bitsOf(a[i]) != bitsOf(b[i]) && !(a[i] != a[i] && b[i] != b[i]) {
			return i, false
		}
	}
	return 0, true
}

// checkWarm measures what depends on the whole process: allocation of a warm call, and the answer over GOMAXPROCS. Nothing else runs
// meanwhile.
func checkWarm[T loss.Float](r *fixtures.Row, c *Column, impl loss.Impl[T]) (failure *Failure) {
	defer func() {
		if p := recover(); p != nil {
			failure = &Failure{Kind: "panic", Text: fmt.Sprint("the implementation panics: ", p)}
		}
	}()
	in := impl.New()
	dOut, err := fixtures.Bind(r, in)
	if err != nil {
		return nil // reported by check
	}
	b := newBench(impl, in, dOut)
	want := b.run(true, poisoned)
	procs := runtime.GOMAXPROCS(0)
	defer runtime.GOMAXPROCS(procs)
	for _, n := range []int{1, 2, 4} {
		runtime.GOMAXPROCS(n)
		got := b.run(true, poisoned)
		for _, o := range sortedNames(want) {
			if i, ok := sameBits(want[o], got[o]); !ok {
				return &Failure{Kind: "depends on threads", Output: o, Index: i, Text: fmt.Sprintf(
					"%s[%d]: %.17g with GOMAXPROCS %d, %.17g with %d", o, i, want[o][i], procs, got[o][i], n)}
			}
		}
	}
	runtime.GOMAXPROCS(procs)
	defer debug.SetGCPercent(debug.SetGCPercent(-1))
	if n := mallocs(func() { impl.Run(b.out, nil, in, b.dOut) }); n > 0 {
		return &Failure{Kind: "allocates", Text: fmt.Sprintf("a warm call for the value allocates %d times", n)}
	}
	if n := mallocs(func() { impl.Run(b.out, b.grad, in, b.dOut) }); n > 0 {
		return &Failure{Kind: "allocates", Text: fmt.Sprintf("a warm call for value and gradient allocates %d times", n)}
	}
	return nil
}

// mallocs returns the least number of allocations in a warm call of f; others in the process may allocate meanwhile.
func mallocs(f func()) uint64 {
	least := uint64(math.MaxUint64)
	var before, after runtime.MemStats
	for range 4 {
		f()
		runtime.ReadMemStats(&before)
		f()
		runtime.ReadMemStats(&after)
		if least = min(least, after.Mallocs-before.Mallocs); least == 0 {
			break
		}
	}
	return least
}
