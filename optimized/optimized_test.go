package optimized

import (
	"fmt"
	"math"
	"math/rand/v2"
	"runtime"
	"runtime/debug"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/goldenloss/goldenloss/reference"
	"github.com/goldenloss/goldenloss/reference/loss"
	"github.com/goldenloss/goldenloss/reference/loss/random"
)

// The gate (go run ./conformance) says whether the numbers are right, on golden cases. Here is what it cannot see on small inputs:
// several chunks, several processors, several calls at a time.

// rounds is the number of problems drawn of each loss.
const rounds = 3

// call is a problem in one element type with outputs, all between fences.
type call[T loss.Float] struct {
	impl      loss.Impl[T]
	in        loss.Problem[T]
	out, dOut []T
	grad      loss.Problem[T]
	vars      []loss.Field[T] // of grad
	fences    []func() bool
}

const fence = 8 // elements

// fenced returns a copy of x that has a fence on both sides, and a check of the fence.
func fenced[E comparable](x []E, post E) ([]E, func() bool) {
	whole := slices.Concat(slices.Repeat([]E{post}, fence), x, slices.Repeat([]E{post}, fence))
	return whole[fence : fence+len(x) : fence+len(x)], func() bool {
		return !slices.ContainsFunc(slices.Concat(whole[:fence], whole[fence+len(x):]), func(v E) bool { return v != post })
	}
}

func newCall[T loss.Float](t testing.TB, impl loss.Impl[T], p loss.Problem[float64]) *call[T] {
	c := &call[T]{impl: impl, in: impl.New()}
	loss.Convert(c.in, p, func(_ string, _ loss.Role, x float64) T { return T(x) })
	require.NoError(t, loss.Validate(c.in))
	keep := func(ok func() bool) { c.fences = append(c.fences, ok) }
	var ok func() bool
	for _, f := range loss.Fields(c.in) {
		switch {
		case !f.Given():
			continue
		case f.Index != nil:
			f.Index.Data, ok = fenced(f.Index.Data, -1<<40)
		case f.Mask != nil:
			f.Mask.Data, ok = fenced(f.Mask.Data, true)
		default:
			f.Float.Data, ok = fenced(f.Float.Data, 1e30)
		}
		keep(ok)
	}
	c.out, ok = fenced(make([]T, loss.Size(c.in.Out())), 1e30)
	keep(ok)
	c.dOut = make([]T, len(c.out))
	for i := range c.dOut {
		c.dOut[i] = T(1+i%3) * T(1-2*(i%2))
	}
	c.grad = loss.NewGrad(c.in, impl.New())
	for _, f := range loss.Fields(c.grad) {
		if f.Role == loss.RoleVar && f.Float.Given() {
			f.Float.Data, ok = fenced(f.Float.Data, 1e30)
			keep(ok)
			c.vars = append(c.vars, f)
		}
	}
	return c
}

// run returns the outputs as bits, value first. They held the number before.
func (c *call[T]) run(before T) []uint64 {
	fill(c.out, before)
	for _, f := range c.vars {
		fill(f.Float.Data, before)
	}
	c.impl.Run(c.out, c.grad, c.in, c.dOut)
	all := c.pattern(c.out)
	for _, f := range c.vars {
		all = append(all, c.pattern(f.Float.Data)...)
	}
	return all
}

func (c *call[T]) pattern(x []T) []uint64 {
	bits := make([]uint64, len(x))
	for i, v := range x {
		bits[i] = math.Float64bits(float64(v))
	}
	return bits
}

// inputs returns the bits of all inputs.
func (c *call[T]) inputs() (bits []uint64) {
	for _, f := range loss.Fields(c.in) {
		if f.Float != nil {
			bits = append(bits, c.pattern(f.Float.Data)...)
		}
		if f.Index != nil {
			for _, v := range f.Index.Data {
				bits = append(bits, uint64(v))
			}
		}
		if f.Mask != nil {
			bits = append(bits, c.pattern([]T{T(slices.Index(f.Mask.Data, true)), T(slices.Index(f.Mask.Data, false))})...)
		}
	}
	return append(bits, c.pattern(c.dOut)...)
}

// everywhere runs a check on problems of every loss in both element types.
func everywhere(t *testing.T, single func(*testing.T, *call[float32], random.Maker), double func(*testing.T, *call[float64], random.Maker)) {
	for _, row := range CPU {
		m, in := makes(t, row.Float64.ID)
		for i, p := range in {
			t.Run(fmt.Sprintf("%s/%d/float32", m.ID, i), func(t *testing.T) { single(t, newCall(t, row.Float32, p), m) })
			t.Run(fmt.Sprintf("%s/%d/float64", m.ID, i), func(t *testing.T) { double(t, newCall(t, row.Float64, p), m) })
		}
	}
}

// makes draws problems that take several chunks.
func makes(t *testing.T, id string) (random.Maker, []loss.Problem[float64]) {
	m, ok := random.Lookup(id)
	require.True(t, ok, id)
	r := rand.New(rand.NewPCG(1, uint64(len(id))))
	list := make([]loss.Problem[float64], rounds)
	for i := range list {
		list[i] = m.Problem(r, 50_000, false)
	}
	return m, list
}

func procs(t *testing.T, n int) {
	old := runtime.GOMAXPROCS(n)
	t.Cleanup(func() { runtime.GOMAXPROCS(old) })
}

// TestSameBits: the number of processors, repetition, what the outputs held before and other calls at the same time change nothing.
func TestSameBits(t *testing.T) {
	everywhere(t, sameBits[float32], sameBits[float64])
}

func sameBits[T loss.Float](t *testing.T, c *call[T], _ random.Maker) {
	procs(t, 1)
	const stale = 7.375 // no count of anything
	inputs := c.inputs()
	want := c.run(stale)
	for n := 1; n <= 4; n++ {
		runtime.GOMAXPROCS(n)
		for _, before := range []T{stale, T(math.NaN())} {
			require.Equal(t, want, c.run(before), "%d processors", n)
		}
	}
	require.NotContains(t, want, math.Float64bits(stale), "an element was not written")
	for _, v := range want {
		require.False(t, math.IsNaN(math.Float64frombits(v)))
	}
	require.Equal(t, inputs, c.inputs(), "inputs")
	for _, ok := range c.fences {
		require.True(t, ok(), "written outside an array")
	}
}

// TestWithoutGradient: the value is the same without a gradient and with every subset of one gradient.
func TestWithoutGradient(t *testing.T) {
	everywhere(t, withoutGradient[float32], withoutGradient[float64])
}

func withoutGradient[T loss.Float](t *testing.T, c *call[T], _ random.Maker) {
	want := c.run(7)
	n := len(c.out)
	fill(c.out, 7)
	c.impl.Run(c.out, nil, c.in, c.dOut)
	require.Equal(t, want[:n], c.pattern(c.out))
	full := slices.Clone(c.vars)
	at := n
	for i, f := range full {
		data := make([][]T, len(full))
		for j, other := range full {
			if data[j] = other.Float.Data; j != i {
				other.Float.Data = nil
			}
		}
		c.vars = full[i : i+1]
		got := c.run(7)
		require.Equal(t, want[:n], got[:n])
		require.Equal(t, want[at:at+len(f.Float.Data)], got[n:])
		at += len(f.Float.Data)
		for j, other := range full {
			other.Float.Data = data[j]
		}
	}
}

// TestNoAllocation: a warm call allocates nothing. What the runtime allocates for goroutines that wait is not of the call: it comes
// once in a while, so one quiet measurement of several suffices.
func TestNoAllocation(t *testing.T) {
	everywhere(t, noAllocation[float32], noAllocation[float64])
}

func noAllocation[T loss.Float](t *testing.T, c *call[T], _ random.Maker) {
	defer debug.SetGCPercent(debug.SetGCPercent(-1))
	procs(t, 1)
	var pool sync.Pool
	for range 100 {
		if pool.Put(t); pool.Get() == nil {
			t.Skip("under the race detector pools lose what they hold")
		}
	}
	for _, n := range []int{1, 2} {
		procs(t, n)
		least := uint64(math.MaxUint64)
		for range 12 {
			var before, after runtime.MemStats
			runtime.ReadMemStats(&before)
			c.impl.Run(c.out, c.grad, c.in, c.dOut)
			c.impl.Run(c.out, nil, c.in, c.dOut)
			runtime.ReadMemStats(&after)
			least = min(least, after.Mallocs-before.Mallocs)
		}
		require.Zero(t, least, "%d processors", n)
	}
}

// TestCallsAtTheSameTime: calls share workers and pools, never workspaces.
func TestCallsAtTheSameTime(t *testing.T) {
	procs(t, 4)
	var wg sync.WaitGroup
	wrong := make(chan string, len(CPU))
	for _, row := range CPU {
		_, in := makes(t, row.Float64.ID)
		want := newCall(t, row.Float64, in[0]).run(7)
		for range 2 {
			c := newCall(t, row.Float64, in[0])
			wg.Go(func() {
				for range 3 {
					if !slices.Equal(want, c.run(7)) {
						select {
						case wrong <- row.Float64.ID:
						default:
						}
					}
				}
			})
		}
	}
	wg.Wait()
	close(wrong)
	for name := range wrong {
		t.Errorf("%s: another answer beside other calls", name)
	}
}

// TestRepeatedSamples: a batch made of the same samples several times over has the same items and gradients several times over, in
// whichever chunks they lie.
func TestRepeatedSamples(t *testing.T) {
	everywhere(t, repeated[float32], repeated[float64])
}

func repeated[T loss.Float](t *testing.T, c *call[T], m random.Maker) {
	const times = 5
	setNone(c.in)
	in := CPU[slices.IndexFunc(CPU, func(r Row) bool { return r.Float64.ID == m.ID })].Float64.New()
	loss.Convert(in, c.in, func(_ string, _ loss.Role, x T) float64 { return float64(x) })
	if !m.Samples(in) {
		return
	}
	one := newCall(t, c.impl, in)
	for _, f := range loss.Fields(in) {
		first, _, _ := strings.Cut(f.Pattern, " ")
		if !f.Given() || first != "N" && first != "..." {
			continue
		}
		f.Shape()[0] *= times
		switch {
		case f.Index != nil:
			f.Index.Data = slices.Repeat(f.Index.Data, times)
		case f.Mask != nil:
			f.Mask.Data = slices.Repeat(f.Mask.Data, times)
		default:
			f.Float.Data = slices.Repeat(f.Float.Data, times)
		}
	}
	many := newCall(t, c.impl, in)
	fill(one.dOut, 1)
	fill(many.dOut, 1)
	one.run(7)
	many.run(7)
	require.Equal(t, slices.Repeat(one.pattern(one.out), times), many.pattern(many.out))
	for i, f := range one.vars {
		require.Equal(t, slices.Repeat(one.pattern(f.Float.Data), times), many.pattern(many.vars[i].Float.Data), f.Name)
	}
}

func setNone[T loss.Float](p loss.Problem[T]) {
	for _, q := range loss.Params(p) {
		if q.Name == "reduction" {
			q.Set(string(loss.None))
		}
	}
}

// TestAgainstReference compares with the reference, for every reduction.
func TestAgainstReference(t *testing.T) {
	for _, row := range CPU {
		base := reference.All[slices.IndexFunc(reference.All, func(i loss.Impl[float64]) bool { return i.ID == row.Float64.ID })]
		_, in := makes(t, base.ID)
		for _, p := range in {
			ref, double, single := newCall(t, base, p), newCall(t, row.Float64, p), newCall(t, row.Float32, p)
			want, got64, got32 := ref.run(7), double.run(7), single.run(7)
			largest := 0.0
			for _, w := range want[len(ref.out):] {
				largest = max(largest, math.Abs(math.Float64frombits(w)))
			}
			for k, w := range want {
				w := math.Float64frombits(w)
				bound := largest
				if k < len(ref.out) {
					bound = math.Abs(w)
				}
				require.InDelta(t, w, math.Float64frombits(got64[k]), 1e-12*bound, "%s %+v float64 [%d]", base.ID, loss.Params(p), k)
				require.InDelta(t, w, math.Float64frombits(got32[k]), 1e-5*bound, "%s %+v float32 [%d]", base.ID, loss.Params(p), k)
			}
		}
	}
}

// TestKeptSimilarities: NTXent gives the same bits whether it keeps the matrix or computes it twice.
func TestKeptSimilarities(t *testing.T) {
	defer func(n int) { ntKeep = n }(ntKeep)
	r := rand.New(rand.NewPCG(5, 6))
	for _, rows := range []int{2, 62, 250, 1030} {
		p := loss.New[float64, loss.NTXent[float64]]()
		p.Temperature, p.Z = 0.2, loss.Make[float64](rows, 150)
		for i := range p.Z.Data {
			p.Z.Data[i] = r.NormFloat64()
		}
		c := newCall(t, loss.Fused[float64](NTXent[float64]), p)
		ntKeep = 1 << 20
		want := c.run(7)
		ntKeep = 0
		require.Equal(t, want, c.run(7), "%d rows", rows)
	}
}

// TestEveryChunkOnce: each runs every chunk once, also when several tasks are in progress.
func TestEveryChunkOnce(t *testing.T) {
	procs(t, 4)
	var wg sync.WaitGroup
	for g := range 8 {
		wg.Go(func() {
			for round := range 50 {
				c := &counter{times: make([]atomic.Int64, 1+(g*50+round)%37)}
				each(len(c.times), worthwhile, c)
				for i := range c.times {
					if c.times[i].Load() != 1 {
						t.Errorf("chunk %d of %d ran %d times", i, len(c.times), c.times[i].Load())
					}
				}
			}
		})
	}
	wg.Wait()
}

type counter struct{ times []atomic.Int64 }

func (c *counter) run(i int) { c.times[i].Add(1) }

// TestCheckValues: the numbers printed in the definitions of the losses, and the identities next to them.
func TestCheckValues(t *testing.T) {
	vector := func(x ...float64) loss.Tensor[float64] { return loss.Tensor[float64]{Shape: []int{len(x)}, Data: x} }
	matrix := func(cols int, x ...float64) loss.Tensor[float64] {
		return loss.Tensor[float64]{Shape: []int{len(x) / cols, cols}, Data: x}
	}
	value := func(p loss.Problem[float64], grad ...float64) float64 {
		i := slices.IndexFunc(CPU, func(r Row) bool { return r.Float64.ID == p.Def().ID })
		require.NoError(t, loss.Validate(p))
		out, dOut := make([]float64, loss.Size(p.Out())), []float64{1}
		g := loss.NewGrad(p, CPU[i].Float64.New())
		CPU[i].Float64.Run(out, g, p, dOut)
		if grad != nil {
			require.InDeltaSlice(t, grad, loss.Fields(g)[0].Float.Data, 1e-14, p.Def().ID)
		}
		return out[0]
	}

	sl := loss.New[float64, loss.SmoothL1[float64]]()
	sl.Reduction, sl.Beta, sl.Pred, sl.Target = loss.Sum, 0.5, vector(0.2, -3), vector(0, 0)
	require.InDelta(t, 0.04+2.75, value(sl, 0.4, -1), 1e-15)

	ce := loss.New[float64, loss.CrossEntropy[float64]]()
	ce.Logits, ce.Target = matrix(3, 1, 2, 3, 0, 0, 0, -1, 5, 2), loss.Tensor[int64]{Shape: []int{3}, Data: []int64{2, 0, 1}}
	require.InDelta(t, 0.5190546722118294, value(ce), 1e-15)
	ce.LabelSmoothing = 0.1
	require.InDelta(t, 0.6523880055451627, value(ce), 1e-15)
	ce.ClassWeight = vector(1, 2, 3)
	require.InDelta(t, 0.5209592791338257, value(ce), 1e-15)
	ce.Target, ce.TargetProb = loss.Tensor[int64]{}, matrix(3, 0, 0, 1, 1, 0, 0, 0, 1, 0)
	require.InDelta(t, 1.0419185582676513, value(ce), 1e-15)
	ce.LabelSmoothing = 0
	require.InDelta(t, 0.8077739030157493, value(ce), 1e-15)
	tiny := loss.New[float64, loss.CrossEntropy[float64]]()
	tiny.Logits, tiny.Target = matrix(3, 40, 0, 1), loss.Tensor[int64]{Shape: []int{1}, Data: []int64{0}}
	require.InEpsilon(t, 1.5796578428307375e-17, value(tiny), 1e-15)

	fo := loss.New[float64, loss.Focal[float64]]()
	fo.Reduction, fo.Logits, fo.Target = loss.Sum, vector(2, -1, 0.5), vector(1, 0, 1)
	require.InDelta(t, 0.00045089070881009386+0.0169935431313505+0.01689337262937591,
		value(fo, -0.0012177350488481917, 0.039435847483170465, -0.034484249337728604), 1e-15)
	fo.Logits, fo.Target = vector(40), vector(1)
	require.InEpsilon(t, 1.9169120184310e-53, value(fo), 1e-12)
	fo.Logits, fo.Target = vector(0.5), vector(0.3)
	require.InDelta(t, 0.14901774472877438, value(fo, 0.10934235734499323), 1e-15)

	box := loss.New[float64, loss.IoU[float64]]()
	box.Eps, box.Pred, box.Target = 0, matrix(4, 0, 0, 4, 4), matrix(4, 2, 1, 6, 4.5)
	require.InDelta(t, 0.75, value(box, -0.0416666666666667, -0.0416666666666667, -0.114583333333333, -0.0625), 1e-15)
	box.Variant = "log"
	require.InDelta(t, 1.3862943611198906, value(box, -1./6, -1./6, -0.458333333333333, -0.25), 1e-15)

	di := loss.New[float64, loss.Dice[float64]]()
	di.Pred = loss.Tensor[float64]{Shape: []int{1, 1, 6}, Data: []float64{0.9, 0.2, 0.6, 0.4, 0.05, 0.7}}
	di.Target = loss.Tensor[float64]{Shape: []int{1, 1, 6}, Data: []float64{1, 0, 1, 0, 0, 1}}
	require.InDelta(t, 0.24786282416611255, value(di), 1e-15)
	di.SmoothNr, di.SmoothDr = 0, 0
	require.InDelta(t, 0.24786324786324787, value(di), 1e-15)
	di.Power = 2
	require.InDelta(t, 0.09511568123393316, value(di, -0.0763410233873686, 0.0744377845771572, -0.187997700253104, 0.148875569154314,
		0.0186094461442893, -0.150778807964526), 1e-15)

	nt := loss.New[float64, loss.NTXent[float64]]()
	nt.Z = matrix(2, 1, 2, 2, -1, .5, 3, 1, -2)
	require.InDelta(t, 0.162699114977042, value(nt, 0.0857294381361020, -0.0428647190680510, 0.0628165340376572, 0.125633068075314,
		0.0181865952461482, -0.00303109920769137, -0.0174734958022963, -0.00873674790114815), 1e-15)

	pe := loss.New[float64, loss.Perceptual[float64]]()
	scaled := func(by float64, x ...float64) []loss.Tensor[float64] {
		for i := range x {
			x[i] /= by
		}
		return []loss.Tensor[float64]{{Shape: []int{1, 4, 2, 2}, Data: x}}
	}
	pe.Features.Features = scaled(7, 1, 4, 0, 3, 6, 2, 5, 1, 4, 0, 3, 6, 2, 5, 1, 4)
	pe.Target = scaled(9, 3, 7, 2, 6, 5, 1, 6, 2, 7, 4, 1, 7, 0, 7, 5, 3)
	for variant, want := range map[string]float64{"johnson": 0.0609252960443437, "l1": 0.219246031746032, "content": 0.487402368354749,
		"lpips": 0.234800426597034} {
		pe.Variant = variant
		require.InDelta(t, want, value(pe), 1e-14, variant)
	}
	pe.Variant, pe.ChannelWeights = "lpips", []loss.Tensor[float64]{vector(.1, .5, .3, .2)}
	require.InDelta(t, 0.060750493839436, value(pe), 1e-14)

	ss := loss.New[float64, loss.SSIM[float64]]()
	ss.Pred, ss.Target = loss.Make[float64](1, 1, 13, 15), loss.Make[float64](1, 1, 13, 15)
	for i := range 13 {
		for j := range 15 {
			ss.Pred.Data[i*15+j], ss.Target.Data[i*15+j] = float64((7*i+3*j)%11)/10, float64((5*i+2*j+3)%13)/12
		}
	}
	for padding, want := range map[string]float64{"valid": -0.099713366021766, "zero": 0.283193051459515, "reflect": 0.057621664311599,
		"symmetric": 0.0747836077307962} {
		ss.Padding = padding
		require.InDelta(t, 1-want, value(ss), 1e-14, padding)
	}
	ss.Padding, ss.Window, ss.WindowSize = "valid", "uniform", 7
	require.InDelta(t, 1-0.0365308021892677, value(ss), 1e-14)
	ss.Covariance = "sample"
	require.InDelta(t, 1-0.0364413808597015, value(ss), 1e-14)
	ss.Target = ss.Pred
	require.Zero(t, value(ss, make([]float64, 13*15)...))
}

func ExampleSmoothL1() {
	in := loss.New[float32, loss.SmoothL1[float32]]()
	in.Pred = loss.Tensor[float32]{Shape: []int{2}, Data: []float32{0.5, -3}}
	in.Target = loss.Tensor[float32]{Shape: []int{2}, Data: []float32{0, 0}}
	out, grad := make([]float32, 1), &loss.SmoothL1[float32]{}
	grad.Pred = loss.Make[float32](2)
	SmoothL1(out, grad, in, []float32{1})
	fmt.Println(out, grad.Pred.Data)
	// Output: [1.3125] [0.25 -0.5]
}
