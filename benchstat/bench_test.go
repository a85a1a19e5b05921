package benchstat

import (
	"fmt"
	"math"
	"math/rand/v2"
	"runtime"
	"testing"
	"unsafe"

	"github.com/goldenloss/goldenloss/optimized"
	"github.com/goldenloss/goldenloss/reference"
	"github.com/goldenloss/goldenloss/reference/loss"
)

func BenchmarkLoss(b *testing.B) {
	for _, w := range workloads {
		var p loss.Problem[float64] // made once, when the first benchmark of the workload runs
		problem := func() loss.Problem[float64] {
			if p == nil {
				p = w.make(rand.New(rand.NewPCG(1, uint64(len(w.name)))))
			}
			return p
		}
		for _, impl := range reference.All {
			if impl.ID == w.loss && !w.big {
				measure(b, w, "reference", "float64", impl, problem, 1)
			}
		}
		for _, row := range optimized.CPU {
			if row.Float32.ID != w.loss {
				continue
			}
			threads := []int{1}
			if n := runtime.NumCPU(); n > 1 {
				threads = append(threads, n)
			}
			for _, n := range threads {
				measure(b, w, "portable", "float32", row.Float32, problem, n)
				measure(b, w, "portable", "float64", row.Float64, problem, n)
			}
		}
	}
}

func measure[T loss.Float](b *testing.B, w workload, impl, dtype string, f loss.Impl[T], problem func() loss.Problem[float64], threads int) {
	for _, op := range []string{"fwd", "fwdbwd"} {
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
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/float64(elements), "ns/elem")
			if v := float64(out[0]); math.IsNaN(v) {
				b.Fatal("the value is NaN")
			}
		})
	}
}
