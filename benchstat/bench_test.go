package main

import (
	"context"
	"flag"
	"fmt"
	"math"
	"math/rand/v2"
	"os"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"
	"unsafe"

	"github.com/goldenloss/goldenloss/conformance/gate"
	"github.com/goldenloss/goldenloss/fixtures"
	"github.com/goldenloss/goldenloss/optimized"
	"github.com/goldenloss/goldenloss/reference"
	"github.com/goldenloss/goldenloss/reference/loss"
)

// set is which benchmarks run: quick (one small workload a loss), pr (every workload, float32, all processors), full.
var set = os.Getenv("GOLDENLOSS_BENCH")

func TestMain(m *testing.M) {
	flag.Parse()
	if !slices.Contains([]string{"", "quick", "pr", "full"}, set) {
		fmt.Fprintf(os.Stderr, "GOLDENLOSS_BENCH: want quick, pr or full, got %q\n", set)
		os.Exit(2)
	}
	if flag.Lookup("test.bench").Value.String() != "" {
		fmt.Print(unitLines)
	}
	os.Exit(m.Run())
}

// small reports whether a workload is one where latency counts. Every loss has one.
func small(w workload) bool {
	return strings.HasSuffix(w.name, "_latency") || strings.HasSuffix(w.name, "_small")
}

func BenchmarkLoss(b *testing.B) {
	for _, w := range workloads {
		if set == "quick" && !small(w) {
			continue
		}
		var p loss.Problem[float64] // made once, when the first benchmark of the workload runs
		problem := func() loss.Problem[float64] {
			if p == nil {
				p = w.make(rand.New(rand.NewPCG(1, uint64(len(w.name)))))
			}
			return p
		}
		full := set == "" || set == "full"
		if i := slices.IndexFunc(reference.All, func(i loss.Impl[float64]) bool { return i.ID == w.loss }); full && !w.big {
			benchmark(b, w, "reference", "float64", reference.All[i], problem, 1)
		}
		row := optimized.CPU[slices.IndexFunc(optimized.CPU, func(r optimized.Row) bool { return r.Float32.ID == w.loss })]
		threads := []int{1}
		if n := runtime.NumCPU(); set == "pr" {
			threads = []int{n}
		} else if full && n > 1 {
			threads = append(threads, n)
		}
		for _, n := range threads {
			benchmark(b, w, "portable", "float32", row.Float32, problem, n)
			if full {
				benchmark(b, w, "portable", "float64", row.Float64, problem, n)
			}
		}
	}
}

func benchmark[T loss.Float](b *testing.B, w workload, impl, dtype string, f loss.Impl[T], problem func() loss.Problem[float64], threads int) {
	for _, op := range []string{"fwd", "fwdbwd"} {
		if set == "quick" && op == "fwd" {
			continue
		}
		b.Run(fmt.Sprintf("loss=%s/impl=%s/op=%s/dtype=%s/work=%s/threads=%d", w.loss, impl, op, dtype, w.name, threads), func(b *testing.B) {
			in := f.New()
			loss.Convert(in, problem(), func(_ string, _ loss.Role, x float64) T { return T(x) })
			if err := loss.Validate(in); err != nil {
				b.Fatal(err)
			}
			out := make([]T, loss.Size(in.Out()))
			dOut := make([]T, len(out))
			for i := range dOut {
				dOut[i] = 1
			}
			var grad loss.Problem[T]
			size := int(unsafe.Sizeof(T(0)))
			bytes, elements := 0, 0
			for _, x := range loss.Fields(in) {
				switch {
				case x.Index != nil:
					bytes += 8 * len(x.Index.Data)
				case x.Mask != nil:
					bytes += len(x.Mask.Data)
				default:
					bytes += size * len(x.Float.Data)
					if x.Role == loss.RoleVar {
						elements += len(x.Float.Data)
						if op == "fwdbwd" {
							bytes += size * len(x.Float.Data)
						}
					}
				}
			}
			if op == "fwdbwd" {
				grad = loss.NewGrad(in, f.New())
			}
			old := runtime.GOMAXPROCS(threads)
			defer runtime.GOMAXPROCS(old)
			b.SetBytes(int64(bytes))
			b.ReportAllocs()
			f.Run(out, grad, in, dOut) // warm
			for b.Loop() {
				f.Run(out, grad, in, dOut)
			}
			sec := b.Elapsed().Seconds() / float64(b.N)
			b.ReportMetric(1e9*sec/float64(elements), "ns/elem")
			b.ReportMetric(100*float64(bytes)/sec/roof(threads), "%roof")
			if v := float64(out[0]); math.IsNaN(v) {
				b.Fatal("the value is NaN")
			}
		})
	}
}

var roofs = map[int]float64{}

// roof is the memory bandwidth of a copy on that many processors, in bytes read and written a second, measured once in this run.
// What fits in a cache can be above it.
func roof(threads int) float64 {
	if roofs[threads] == 0 {
		const size = 64 << 20 / 8
		src, dst := make([]uint64, size), make([]uint64, size)
		best := math.Inf(1)
		for range 5 {
			start := time.Now()
			var wg sync.WaitGroup
			for i := range threads {
				wg.Go(func() { copy(dst[i*size/threads:(i+1)*size/threads], src[i*size/threads:]) })
			}
			wg.Wait()
			best = math.Min(best, time.Since(start).Seconds())
		}
		roofs[threads] = 2 * 8 * size / best
	}
	return roofs[threads]
}

// BenchmarkAccuracy puts the worst error of every loss on the golden cases beside its time, in units of the bound that it owes.
func BenchmarkAccuracy(b *testing.B) {
	if os.Getenv("GOLDENLOSS_ACCURACY") == "false" {
		b.Skip()
	}
	var f32 []loss.Impl[float32]
	var f64 []loss.Impl[float64]
	for _, r := range optimized.CPU {
		f32, f64 = append(f32, r.Float32), append(f64, r.Float64)
	}
	columns := []*gate.Column{gate.Float64("reference", reference.All), gate.Float64("portable", f64), gate.Float32("portable", f32)}
	columns[0].Owes = gate.Tight
	for _, c := range columns {
		c.Own = true
	}
	columns[1].Owes, columns[2].Owes = gate.Standard, gate.Standard
	for _, d := range loss.All {
		cells := sync.OnceValue(func() []gate.Cell { // one evaluation for all columns
			f, err := fixtures.Load(fixtures.Golden(), d.ID)
			if err != nil {
				b.Fatal(err)
			}
			rep, err := gate.Run(context.Background(), []*fixtures.File{f}, columns, gate.Options{AllowAbsent: true})
			if err != nil {
				b.Fatal(err)
			}
			return rep.Cells()
		})
		for _, c := range columns {
			b.Run(fmt.Sprintf("loss=%s/impl=%s/dtype=%s", d.ID, c.Name, c.DType()), func(b *testing.B) {
				for _, cell := range cells() {
					if cell.Column == c.Title() && cell.Loss == d.ID {
						b.ReportMetric(cell.Worst, "bounds")
						b.ReportMetric(0, "ns/op")
						return
					}
				}
				b.Fatal("no cell")
			})
		}
	}
}
