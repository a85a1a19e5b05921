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

// workload is a loss at the shape of a training configuration.
type workload struct {
	loss, name string
	make       func(r *rand.Rand) loss.Problem[float64]
	big        bool // too slow for the reference
}

func tensor(r *rand.Rand, draw func() float64, shape ...int) loss.Tensor[float64] {
	t := loss.Make[float64](shape...)
	for i := range t.Data {
		t.Data[i] = draw()
	}
	return t
}

func normal(r *rand.Rand, mean, sigma float64) func() float64 {
	return func() float64 { return mean + sigma*r.NormFloat64() }
}

func coin(r *rand.Rand, p float64) func() float64 {
	return func() float64 {
		if r.Float64() < p {
			return 1
		}
		return 0
	}
}

func smoothL1(n int) func(*rand.Rand) loss.Problem[float64] {
	return func(r *rand.Rand) loss.Problem[float64] {
		p := loss.New[float64, loss.SmoothL1[float64]]()
		p.Beta = 1.0 / 9
		p.Pred, p.Target = tensor(r, normal(r, 0, 0.5), n, 4), tensor(r, normal(r, 0, 0.5), n, 4)
		return p
	}
}

// logits are drawn small, then one class in each position is set apart, as in a trained model; 30 % of them saturate.
func logits(r *rand.Rand, target []int64, shape ...int) loss.Tensor[float64] {
	x := tensor(r, normal(r, 0, 1), shape...)
	inner := loss.Size(shape[2:])
	for i, y := range target {
		gap := 8 + 4*r.Float64()
		if r.Float64() < 0.3 {
			gap = 20
		}
		if y >= 0 && y < int64(shape[1]) {
			x.Data[(i/inner*shape[1]+int(y))*inner+i%inner] += gap
		}
	}
	return x
}

// labels come in blobs with a skewed class distribution, some ignored.
func labels(r *rand.Rand, n, classes int, ignore float64) []int64 {
	y := make([]int64, n)
	for i := 0; i < n; {
		c := int64(float64(classes) * math.Pow(r.Float64(), 2))
		if r.Float64() < ignore {
			c = 255
		}
		for run := 1 + r.IntN(64); run > 0 && i < n; run-- {
			y[i] = c
			i++
		}
	}
	return y
}

func crossEntropy(ignore float64, shape ...int) func(*rand.Rand) loss.Problem[float64] {
	return func(r *rand.Rand) loss.Problem[float64] {
		p := loss.New[float64, loss.CrossEntropy[float64]]()
		outer := append([]int{shape[0]}, shape[2:]...)
		p.Target = loss.Tensor[int64]{Shape: outer, Data: labels(r, loss.Size(outer), shape[1], ignore)}
		p.IgnoreIndex = loss.Some(255)
		p.Logits = logits(r, p.Target.Data, shape...)
		return p
	}
}

func softCrossEntropy(n, classes int) func(*rand.Rand) loss.Problem[float64] {
	return func(r *rand.Rand) loss.Problem[float64] {
		p := loss.New[float64, loss.CrossEntropy[float64]]()
		p.Logits = tensor(r, normal(r, 0, 1), n, classes)
		p.TargetProb = loss.Make[float64](n, classes)
		for i := range n { // two classes mixed
			mix := r.Float64()
			p.TargetProb.Data[i*classes+r.IntN(classes)] += mix
			p.TargetProb.Data[i*classes+r.IntN(classes)] += 1 - mix
		}
		return p
	}
}

func focal(positive float64, shape ...int) func(*rand.Rand) loss.Problem[float64] {
	return func(r *rand.Rand) loss.Problem[float64] {
		p := loss.New[float64, loss.Focal[float64]]()
		p.Logits, p.Target = tensor(r, normal(r, -4.6, 1), shape...), tensor(r, coin(r, positive), shape...)
		return p
	}
}

func iou(n int) func(*rand.Rand) loss.Problem[float64] {
	return func(r *rand.Rand) loss.Problem[float64] {
		p := loss.New[float64, loss.IoU[float64]]()
		p.Pred, p.Target = loss.Make[float64](n, 4), loss.Make[float64](n, 4)
		for i := range n {
			x, y, w, h := 640*r.Float64(), 640*r.Float64(), 4+60*r.Float64(), 4+60*r.Float64()
			dx, dy := 0.3*w*r.NormFloat64(), 0.3*h*r.NormFloat64()
			copy(p.Target.Data[4*i:], []float64{x, y, x + w, y + h})
			copy(p.Pred.Data[4*i:], []float64{x + dx, y + dy, x + dx + w*(0.8+0.4*r.Float64()), y + dy + h*(0.8+0.4*r.Float64())})
		}
		return p
	}
}

func dice(activation string, shape ...int) func(*rand.Rand) loss.Problem[float64] {
	return func(r *rand.Rand) loss.Problem[float64] {
		p := loss.New[float64, loss.Dice[float64]]()
		p.Activation = activation
		p.Pred, p.Target = tensor(r, normal(r, 0, 3), shape...), tensor(r, coin(r, 0.3), shape...)
		return p
	}
}

func ntXent(rows, dims int) func(*rand.Rand) loss.Problem[float64] {
	return func(r *rand.Rand) loss.Problem[float64] {
		p := loss.New[float64, loss.NTXent[float64]]()
		p.Temperature = 0.1
		p.Z = tensor(r, normal(r, 0, 1), rows, dims)
		for i := range rows / 2 * dims { // views of one image are near each other
			p.Z.Data[rows/2*dims+i] = p.Z.Data[i] + 0.5*r.NormFloat64()
		}
		return p
	}
}

func perceptual(variant string, shapes ...[]int) func(*rand.Rand) loss.Problem[float64] {
	return func(r *rand.Rand) loss.Problem[float64] {
		p := loss.New[float64, loss.Perceptual[float64]]()
		p.Variant = variant
		relu := func() float64 { return math.Max(0, r.NormFloat64()) }
		for _, s := range shapes {
			p.Features.Features, p.Target = append(p.Features.Features, tensor(r, relu, s...)), append(p.Target, tensor(r, relu, s...))
		}
		return p
	}
}

func ssim(shape ...int) func(*rand.Rand) loss.Problem[float64] {
	return func(r *rand.Rand) loss.Problem[float64] {
		p := loss.New[float64, loss.SSIM[float64]]()
		p.Target = loss.Make[float64](shape...)
		for i := range p.Target.Data {
			x, y := float64(i%shape[3]), float64(i/shape[3]%shape[2])
			p.Target.Data[i] = 0.5 + 0.3*math.Sin(0.05*x)*math.Cos(0.07*y) + 0.02*r.NormFloat64()
		}
		p.Pred = loss.Make[float64](shape...)
		for i, v := range p.Target.Data {
			p.Pred.Data[i] = v + 0.05*r.NormFloat64()
		}
		return p
	}
}

// workloads: a convolutional and a transformer configuration and a size where latency counts, for every loss.
var workloads = []workload{
	{"smooth_l1", "det_cnn_box", smoothL1(65536), false},
	{"smooth_l1", "det_vit_latency", smoothL1(512), false},
	{"cross_entropy", "cls_cnn", crossEntropy(0, 256, 1000), false},
	{"cross_entropy", "cls_vit_soft", softCrossEntropy(1024, 1000), false},
	{"cross_entropy", "seg_cnn", crossEntropy(0.1, 1, 19, 512, 1024), true},
	{"cross_entropy", "seg_vit", crossEntropy(0.1, 1, 150, 160, 160), false},
	{"cross_entropy", "act_cnn_latency", crossEntropy(0, 64, 400), false},
	{"focal", "det_cnn_anchor", focal(0.0005, 1, 201600, 80), true},
	{"focal", "det_vit_focal", focal(0.005, 6, 4, 900, 91), false},
	{"focal", "trk_vit_latency", focal(0.01, 32, 1, 24, 24), false},
	{"iou", "det_cnn_box", iou(65536), false},
	{"iou", "det_vit_latency", iou(512), false},
	{"dice", "seg_vit_mask", dice("sigmoid", 400, 1, 12544), false},
	{"dice", "med_seg", dice("softmax", 1, 4, 96, 96, 96), false},
	{"nt_xent", "simclr_cnn", ntXent(1024, 128), false},
	{"nt_xent", "act_vit_latency", ntXent(64, 128), false},
	{"perceptual", "i2i_cnn_vgg", perceptual("l1", []int{1, 64, 128, 128}, []int{1, 128, 64, 64}, []int{1, 256, 32, 32}, []int{1, 512, 16, 16}), false},
	{"perceptual", "inp_vit_lpips", perceptual("lpips", []int{1, 64, 128, 128}, []int{1, 128, 64, 64}, []int{1, 256, 32, 32}), false},
	{"ssim", "deh_ssim", ssim(4, 3, 256, 256), true},
	{"ssim", "deh_ssim_small", ssim(1, 3, 64, 64), false},
}

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
