package reference

import (
	"math"

	"github.com/goldenloss/goldenloss/reference/loss"
)

// meanDifference is the mean of |x-y|, or of (x-y)^2, over a sample.
func meanDifference(x, y []float64, square bool) float64 {
	var a accumulator
	for i := range x {
		switch e := x[i] - y[i]; {
		case square:
			a.addProduct(e, e)
		default:
			a.add(math.Abs(e))
		}
	}
	return a.value() / float64(len(x))
}

// differenceSlopes writes c times the derivative of the sum of |x-y|, or of (x-y)^2, by x.
func differenceSlopes(g, x, y []float64, square bool, c float64) {
	for i := range x {
		switch e := x[i] - y[i]; {
		case square:
			g[i] = c * 2 * e
		default:
			g[i] = c * sign(e)
		}
	}
}

// spoil sets all to NaN.
func spoil(g []float64) {
	for i := range g {
		g[i] = math.NaN()
	}
}

// cycleDirection is one direction of the cycle.
type cycleDirection struct {
	lambda         float64
	rec, real, idt loss.Tensor[float64]
}

func cycleDirections(in *loss.CycleConsistency[float64]) [2]cycleDirection {
	return [2]cycleDirection{{in.LambdaA, in.RecA, in.RealA, in.IdtA}, {in.LambdaB, in.RecB, in.RealB, in.IdtB}}
}

// sample returns the elements of sample n.
func sample(x loss.Tensor[float64], n int) []float64 {
	d := len(x.Data) / x.Shape[0]
	return x.Data[n*d:][:d]
}

func (d *cycleDirection) item(in *loss.CycleConsistency[float64], n int) float64 {
	if d.lambda == 0 {
		return 0
	}
	square := in.Norm == "l2"
	l := meanDifference(sample(d.rec, n), sample(d.real, n), square)
	if in.LambdaIdt > 0 {
		l += in.LambdaIdt * meanDifference(sample(d.idt, n), sample(d.real, n), square)
	}
	return d.lambda * l
}

// CycleConsistency is the value of the cycle consistency loss.
func CycleConsistency(in *loss.CycleConsistency[float64]) []float64 {
	var items []float64
	mean := 0.0
	for _, d := range cycleDirections(in) {
		var own []float64
		for n := range d.rec.Shape[0] {
			own = append(own, d.item(in, n))
		}
		mean += sum(own) / float64(len(own))
		items = append(items, own...)
	}
	if in.Reduction == loss.Mean {
		return []float64{mean}
	}
	return reduce(in.Reduction, items, 1)
}

// CycleConsistencyGrad is its vector-Jacobian product.
func CycleConsistencyGrad(in *loss.CycleConsistency[float64], dOut []float64) *loss.CycleConsistency[float64] {
	g := &loss.CycleConsistency[float64]{LambdaIdt: in.LambdaIdt, RecA: zeros(in.RecA), RecB: zeros(in.RecB)}
	if in.LambdaIdt > 0 {
		g.IdtA, g.IdtB = zeros(in.IdtA), zeros(in.IdtB)
	}
	grads := cycleDirections(g)
	square := in.Norm == "l2"
	for k, d := range cycleDirections(in) {
		n := d.rec.Shape[0]
		weights := itemWeights(in.Reduction, n, float64(n), dOut)
		if in.Reduction == loss.None {
			dOut = dOut[n:]
		}
		if d.lambda == 0 {
			continue
		}
		for i, c := range weights {
			rec := sample(grads[k].rec, i)
			c *= d.lambda / float64(len(rec))
			differenceSlopes(rec, sample(d.rec, i), sample(d.real, i), square, c)
			bad := math.IsNaN(d.item(in, i))
			if bad {
				spoil(rec)
			}
			if in.LambdaIdt > 0 {
				idt := sample(grads[k].idt, i)
				differenceSlopes(idt, sample(d.idt, i), sample(d.real, i), square, c*in.LambdaIdt)
				if bad {
					spoil(idt)
				}
			}
		}
	}
	return g
}
