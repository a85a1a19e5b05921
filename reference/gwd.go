package reference

import (
	"math"

	"github.com/goldenloss/goldenloss/reference/loss"
)

// gaussians holds the difference of the centers (dx, dy), half sides a, b of the prediction and c, d of the target, and the angle
// between them.
type gaussians struct{ dx, dy, a, b, c, d, turn float64 }

// distance is D2 with its derivatives with respect to cx, cy, w, h and theta of the prediction.
func (o gaussians) distance(alpha float64) (d2 float64, d [5]float64) {
	a, b, c, e := o.a, o.b, o.c, o.d
	P, M := a*c+b*e, a*e+b*c
	Q := (a - b) * (a + b) * (c - e) * (c + e)
	sin, cos := math.Sincos(o.turn)
	si, co := sin*sin, cos*cos
	R := math.Sqrt(P*P*co + M*M*si)
	var shape float64
	switch {
	case Q < 0:
		shape = (a-e)*(a-e) + (b-c)*(b-c) - 2*Q*co/(M+R)
	case P+R == 0:
		shape = (a-c)*(a-c) + (b-e)*(b-e)
	default:
		shape = (a-c)*(a-c) + (b-e)*(b-e) + 2*Q*si/(P+R)
	}
	da, db, dTurn := 2*a, 2*b, 0.0
	if R > 0 {
		da -= 2 * (P*c*co + M*e*si) / R
		db -= 2 * (P*e*co + M*c*si) / R
		dTurn = Q * 2 * sin * cos / R
	}
	return o.result(alpha, shape, da, db, dTurn)
}

// straight is the same for boxes along the axes.
func (o gaussians) straight(alpha, da, db float64) (float64, [5]float64) {
	return o.result(alpha, da*da+db*db, 2*da, 2*db, 0)
}

func (o gaussians) result(alpha, shape, da, db, dTurn float64) (float64, [5]float64) {
	k := alpha * alpha
	return o.dx*o.dx + o.dy*o.dy + k*shape, [5]float64{2 * o.dx, 2 * o.dy, k * da / 2, k * db / 2, k * dTurn}
}

// gwdItem returns the item of a pair of rows and its derivatives with respect to the first.
func gwdItem(in *loss.GWD[float64], p, g []float64) (float64, []float64) {
	d := make([]float64, len(p))
	for i := range p {
		if v := (p[i] - p[i]) + (g[i] - g[i]); v != 0 { // NaN
			for k := range d {
				d[k] = v
			}
			return v, d
		}
	}
	w, h, W, H := p[2], p[3], g[2], g[3]
	if in.Format == "xyxy" {
		w, h, W, H = p[2]-p[0], p[3]-p[1], g[2]-g[0], g[3]-g[1]
	}
	o := gaussians{dx: p[0] - g[0], dy: p[1] - g[1], a: w / 2, b: h / 2, c: W / 2, d: H / 2}
	da, db := (w-W)/2, (h-H)/2
	var d2 float64
	var dd [5]float64
	switch in.Format {
	case "cxcywhr":
		o.turn = p[4] - g[4]
		d2, dd = o.distance(in.Alpha)
	case "xyxy":
		da, db = ((p[2]-g[2])-o.dx)/2, ((p[3]-g[3])-o.dy)/2
		o.dx, o.dy = (o.dx+(p[2]-g[2]))/2, (o.dy+(p[3]-g[3]))/2
		d2, dd = o.straight(in.Alpha, da, db)
	case "xywh":
		o.dx, o.dy = o.dx+da, o.dy+db
		fallthrough
	default:
		d2, dd = o.straight(in.Alpha, da, db)
	}
	l, slope, scaleSlope := gwdMap(in, d2, w, h, W, H)
	for k := range dd {
		dd[k] *= slope
	}
	if w > 0 && h > 0 {
		dd[2] += scaleSlope / (4 * w)
		dd[3] += scaleSlope / (4 * h)
	}
	switch in.Format {
	case "xyxy":
		d[0], d[1], d[2], d[3] = dd[0]/2-dd[2], dd[1]/2-dd[3], dd[0]/2+dd[2], dd[1]/2+dd[3]
	case "xywh":
		d[0], d[1], d[2], d[3] = dd[0], dd[1], dd[2]+dd[0]/2, dd[3]+dd[1]/2
	default:
		copy(d, dd[:])
	}
	return l, d
}

// gwdMap makes a loss of the squared distance. It returns the derivative with respect to it, and that with respect to the logarithm of
// the scale.
func gwdMap(in *loss.GWD[float64], d2, w, h, W, H float64) (l, slope, scaleSlope float64) {
	slope = 1
	if d2 < in.D2Floor {
		d2, slope = in.D2Floor, 0
	}
	root := func(x float64) (float64, float64) { // the root and its derivative
		if x == 0 {
			return 0, 0
		}
		return math.Sqrt(x), 1 / (2 * math.Sqrt(x))
	}
	y := d2
	chain := func(v, by float64) {
		y = v
		slope *= by
		scaleSlope *= by
	}
	if in.Variant == "mmrotate" {
		chain(root(y))
		if in.Normalize {
			scale, own := math.Sqrt(math.Sqrt(w*h)*math.Sqrt(W*H)), 1.0
			if scale < in.ScaleFloor {
				scale, own = in.ScaleFloor, 0
			}
			z := y / scale
			chain(z, 1/scale)
			scaleSlope = -z * own
		}
		if in.Fun == "sqrt" && y < in.D2Floor {
			chain(in.D2Floor, 0)
		}
	}
	switch in.Fun {
	case "sqrt":
		chain(root(y))
	case "log1p":
		chain(math.Log1p(y), 1/(1+y))
	}
	if in.Tau > 0 {
		chain((in.Tau-1+y)/(in.Tau+y), 1/(in.Tau+y)/(in.Tau+y))
	}
	return y, slope, scaleSlope
}

// GWD is the value of the Gaussian Wasserstein distance loss.
func GWD(in *loss.GWD[float64]) []float64 {
	items := make([]float64, in.Pred.Shape[0])
	n := in.Pred.Shape[1]
	for i := range items {
		items[i], _ = gwdItem(in, in.Pred.Data[n*i:n*i+n], in.Target.Data[n*i:n*i+n])
	}
	return reduce(in.Reduction, items, float64(len(items)))
}

// GWDGrad is its vector-Jacobian product.
func GWDGrad(in *loss.GWD[float64], dOut []float64) *loss.GWD[float64] {
	g := &loss.GWD[float64]{Format: in.Format, Pred: zeros(in.Pred)}
	items, n := in.Pred.Shape[0], in.Pred.Shape[1]
	for i, c := range itemWeights(in.Reduction, items, float64(items), dOut) {
		_, d := gwdItem(in, in.Pred.Data[n*i:n*i+n], in.Target.Data[n*i:n*i+n])
		for k := range d {
			g.Pred.Data[n*i+k] = c * d[k]
		}
	}
	return g
}
