package gate

import (
	"fmt"
	"maps"
	"math"
	"runtime"
	"runtime/debug"
	"slices"

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
	fields    []loss.Field[T]
	fences    []array[T]
	before    [][]uint64
}

// array is a guarded array.
type array[T loss.Float] struct {
	name        string
	whole, data []T
	output      bool
}

func newBench[T loss.Float](impl loss.Impl[T], in loss.Problem[T], dOut []T) *bench[T] {
	b := &bench[T]{impl: impl, in: in}
	for _, f := range loss.Fields(in) {
		if f.Float != nil && f.Given() {
			f.Float.Data = b.guard(f.Name, f.Float.Data, false)
		}
	}
	b.dOut = b.guard("cotangent", dOut, false)
	b.out = b.guard("value", make([]T, loss.Size(in.Out())), true)
	b.grad = loss.NewGrad(in, impl.New())
	b.fields = loss.Fields(b.grad)
	for _, f := range b.fields {
		if f.Role == loss.RoleVar && f.Float.Given() {
			f.Float.Data = b.guard("grad:"+f.Name, f.Float.Data, true)
		}
	}
	b.before = b.snapshot()
	return b
}

// guard moves data into an array with fences on both sides. The capacity ends where the data end.
func (b *bench[T]) guard(name string, data []T, output bool) []T {
	whole := make([]T, len(data)+2*margin)
	for i := range whole {
		whole[i] = pattern[T](fence64, fence32)
	}
	inside := whole[margin : margin+len(data) : margin+len(data)]
	copy(inside, data)
	b.fences = append(b.fences, array[T]{name, whole, inside, output})
	return inside
}

// snapshot is the bits of all inputs.
func (b *bench[T]) snapshot() [][]uint64 {
	var all [][]uint64
	for _, f := range loss.Fields(b.in) {
		var bits []uint64
		switch {
		case f.Index != nil:
			for _, x := range f.Index.Data {
				bits = append(bits, uint64(x))
			}
		case f.Mask != nil:
			for _, x := range f.Mask.Data {
				if x {
					bits = append(bits, 1)
				} else {
					bits = append(bits, 0)
				}
			}
		default:
			for _, x := range f.Float.Data {
				bits = append(bits, bitsOf(x))
			}
		}
		all = append(all, bits)
	}
	var bits []uint64
	for _, x := range b.dOut {
		bits = append(bits, bitsOf(x))
	}
	return append(all, bits)
}

// run calls the implementation and returns copies of its outputs.
func (b *bench[T]) run(withGrad bool, how fill) outputs[T] {
	x := pattern[T](poison64, poison32)
	if how == dirty {
		x = pattern[T](garbage64, garbage32)
	}
	for _, a := range b.fences {
		if a.output {
			for i := range a.data {
				a.data[i] = x
			}
		}
	}
	if withGrad {
		b.impl.Run(b.out, b.grad, b.in, b.dOut)
	} else {
		b.impl.Run(b.out, nil, b.in, b.dOut)
	}
	got := outputs[T]{"value": append([]T{}, b.out...)}
	if withGrad {
		for _, f := range b.fields {
			if f.Role == loss.RoleVar && f.Float.Given() {
				got["grad:"+f.Name] = append([]T{}, f.Float.Data...)
			}
		}
	}
	return got
}

// behavior checks what the numbers alone do not show.
func (b *bench[T]) behavior(res *Result, value, grad, again outputs[T]) {
	for _, a := range b.fences {
		for i, x := range a.whole {
			if (i < margin || i >= margin+len(a.data)) && bitsOf(x) != bitsOf(pattern[T](fence64, fence32)) {
				res.fail(Failure{Kind: "guard", Output: a.name, Index: i - margin,
					Text: fmt.Sprintf("%s: element %d, outside the array of %d, was written", a.name, i-margin, len(a.data))})
				break
			}
		}
	}
	names := []string{}
	for _, f := range loss.Fields(b.in) {
		names = append(names, f.Name)
	}
	names = append(names, "cotangent")
	for i, now := range b.snapshot() {
		for k := range now {
			if now[k] != b.before[i][k] {
				res.fail(Failure{Kind: "input written", Output: names[i], Index: k, Text: fmt.Sprintf("input %s[%d] was written", names[i], k)})
				break
			}
		}
	}
	for _, o := range sortedNames(grad) {
		for i, x := range grad[o] {
			if bitsOf(x) == bitsOf(pattern[T](poison64, poison32)) {
				res.fail(Failure{Kind: "not written", Output: o, Index: i, Text: fmt.Sprintf("%s[%d] was not written", o, i)})
				break
			}
		}
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
	least := uint64(math.MaxUint64)
	var before, after runtime.MemStats
	for range 4 {
		b.impl.Run(b.out, b.grad, b.in, b.dOut)
		runtime.ReadMemStats(&before)
		b.impl.Run(b.out, b.grad, b.in, b.dOut)
		runtime.ReadMemStats(&after)
		if least = min(least, after.Mallocs-before.Mallocs); least == 0 {
			return nil
		}
	}
	return &Failure{Kind: "allocates", Text: fmt.Sprintf("a warm call allocates %d times", least)}
}
