package optimized

import (
	"math"

	"github.com/goldenloss/goldenloss/reference/loss"
)

// BinaryCrossEntropyWithLogits is the sigmoid cross-entropy. See loss.BinaryCrossEntropyWithLogits.
func BinaryCrossEntropyWithLogits[T loss.Float](out []T, grad, in *loss.BinaryCrossEntropyWithLogits[T], dOut []T) {
	k := take[spreadTask[T]]()
	k.start(withLogits, in.Logits, in.Target, out, in.Reduction, dOut, len(in.Logits.Data))
	k.weight.reset(in.Weight, in.Logits.Shape)
	k.pos.reset(in.PosWeight, in.Logits.Shape)
	if grad != nil {
		k.g = grad.Logits.Data
	}
	k.finish(out, in.Reduction, 8)
}

// coefficients fills p with the factors of softplus(-x), the targets times their weights.
func (k *spreadTask[T]) coefficients(p []float64, y []T, lo int) {
	y = y[:len(p)]
	if !k.pos.given() {
		for j, v := range y {
			p[j] = k.posScale * float64(v)
		}
		return
	}
	k.pos.fill(p, lo)
	for j, v := range y {
		p[j] *= float64(v)
	}
}

// sigmoidItems fills l with p softplus(-x) + (1-y) softplus(x), given log(1 + exp(-|x|)).
func sigmoidItems[T loss.Float](l []float64, x, y []T, p, tail []float64) {
	x, y, p, tail = x[:len(l)], y[:len(l)], p[:len(l)], tail[:len(l)]
	for j := range l {
		x, y, p := float64(x[j]), float64(y[j]), p[j]
		if x*0+y*0+p*0 != 0 {
			l[j], _ = sigmoidLimit(x, y, p)
			continue
		}
		size, neg := math.Float64bits(math.Abs(x)), negative(x)
		l[j] = p*(math.Float64frombits(size&neg)+tail[j]) + (1-y)*(math.Float64frombits(size&^neg)+tail[j])
	}
}

// sigmoidSlopes fills d with (1-y) sigmoid(x) - p sigmoid(-x), given exp(-|x|).
func sigmoidSlopes[T loss.Float](d []float64, x, y []T, p, q []float64) {
	x, y, p, q = x[:len(d)], y[:len(d)], p[:len(d)], q[:len(d)]
	for j := range d {
		x, y, p := float64(x[j]), float64(y[j]), p[j]
		if x*0+y*0+p*0 != 0 {
			_, d[j] = sigmoidLimit(x, y, p)
			continue
		}
		up, down := sigmoid(q[j], negative(x))
		d[j] = (1-y)*up - p*down
	}
}

// sigmoidLimit is an item that holds an infinity or NaN, and its derivative.
func sigmoidLimit(x, y, p float64) (l, d float64) {
	if x != x || p != p || y-y != 0 {
		return math.NaN(), math.NaN()
	}
	up, plus, minus := 0.0, math.Max(x, 0), math.Max(-x, 0)
	if !math.IsInf(x, 0) { // p overflows
		q := math.Exp(-math.Abs(x))
		plus, minus = plus+math.Log1p(q), minus+math.Log1p(q)
		up, _ = sigmoid(q, negative(x))
	} else if x > 0 {
		up = 1
	}
	if p != 0 && minus != 0 {
		l = p * minus
		d = -p * (1 - up)
	}
	if y != 1 && plus != 0 {
		l += (1 - y) * plus
		d += (1 - y) * up
	}
	return l, d
}
