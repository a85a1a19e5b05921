package reference

import (
	"math"

	"github.com/goldenloss/goldenloss/reference/loss"
)

// edges returns x1, y1, x2, y2, width and height of a box.
func edges(b []float64, format string) (x1, y1, x2, y2, w, h float64) {
	switch format {
	case "cxcywh":
		return b[0] - b[2]/2, b[1] - b[3]/2, b[0] + b[2]/2, b[1] + b[3]/2, b[2], b[3]
	case "xywh":
		return b[0], b[1], b[0] + b[2], b[1] + b[3], b[2], b[3]
	}
	return b[0], b[1], b[2], b[3], b[2] - b[0], b[3] - b[1]
}

// fromEdges turns the derivatives with respect to the four edges into those of the format.
func fromEdges(d [4]float64, format string) [4]float64 {
	switch format {
	case "cxcywh":
		return [4]float64{d[0] + d[2], d[1] + d[3], (d[2] - d[0]) / 2, (d[3] - d[1]) / 2}
	case "xywh":
		return [4]float64{d[0] + d[2], d[1] + d[3], d[2], d[3]}
	}
	return d
}

// below is 1, 1/2, 0 for u <, =, > v: the share of an edge in a maximum or minimum.
func below(u, v float64) float64 {
	switch {
	case u < v:
		return 1
	case u > v:
		return 0
	}
	return 0.5
}

// iouItem returns the item of a pair of boxes and its derivatives with respect to the first.
func iouItem(in *loss.IoU[float64], pred, target []float64) (l float64, d [4]float64) {
	for i := range pred {
		if v := pred[i] + target[i]; math.IsNaN(v) || math.IsInf(pred[i], 0) || math.IsInf(target[i], 0) {
			n := math.NaN()
			return n, [4]float64{n, n, n, n}
		}
	}
	x1, y1, x2, y2, w, h := edges(pred, in.Format)
	a1, b1, a2, b2, W, H := edges(target, in.Format)
	wi, hi := math.Min(x2, a2)-math.Max(x1, a1), math.Min(y2, b2)-math.Max(y1, b1)
	if !(wi > 0 && hi > 0) {
		if in.Variant == "log" {
			return -log(in.IoUFloor), d
		}
		return 1, d
	}
	// Lengths in units of the power of two next to the largest, so that their squares neither overflow nor vanish.
	_, e := math.Frexp(math.Max(math.Max(x2, a2)-math.Min(x1, a1), math.Max(y2, b2)-math.Min(y1, b1)))
	unit := func(v float64) float64 { return math.Ldexp(v, -e) }
	w, h, W, H, wi, hi = unit(w), unit(h), unit(W), unit(H), unit(wi), unit(hi)
	eps := math.Ldexp(in.Eps, -2*e)
	wl, hl := unit(math.Max(0, a1-x1)+math.Max(0, x2-a2)), unit(math.Max(0, b1-y1)+math.Max(0, y2-b2))
	Wl, Hl := unit(math.Max(0, x1-a1)+math.Max(0, a2-x2)), unit(math.Max(0, y1-b1)+math.Max(0, b2-y2))
	inter := wi * hi
	diff := (wl*h + wi*hl) + (Wl*H + wi*Hl)
	union := inter + diff + eps
	q, ratio := (diff+eps)/union, inter/union
	l = q
	scale := 1 / union
	if in.Variant == "log" {
		switch {
		case ratio < in.IoUFloor:
			return -log(in.IoUFloor), d
		case q < 0.5:
			l = -math.Log1p(-q)
		default:
			l = -log(ratio)
		}
		scale = 1 / inter
	}
	dI := [4]float64{-below(a1, x1) * hi, -below(b1, y1) * wi, below(x2, a2) * hi, below(y2, b2) * wi}
	dA := [4]float64{-h, -w, h, w}
	for i := range d {
		// -(dI - ratio (dA - dI))/union, sorted so that equal boxes give 0
		d[i] = math.Ldexp((ratio*(dA[i]-dI[i])-dI[i])*scale, -e)
	}
	return l, fromEdges(d, in.Format)
}

// IoU is the value of the IoU loss.
func IoU(in *loss.IoU[float64]) []float64 {
	items := make([]float64, in.Pred.Shape[0])
	for i := range items {
		items[i], _ = iouItem(in, in.Pred.Data[4*i:4*i+4], in.Target.Data[4*i:4*i+4])
	}
	return reduce(in.Reduction, items, float64(len(items)))
}

// IoUGrad is its vector-Jacobian product.
func IoUGrad(in *loss.IoU[float64], dOut []float64) *loss.IoU[float64] {
	g := &loss.IoU[float64]{Boxes: loss.Boxes[float64]{Pred: zeros(in.Pred)}}
	n := in.Pred.Shape[0]
	for i, c := range itemWeights(in.Reduction, n, float64(n), dOut) {
		_, d := iouItem(in, in.Pred.Data[4*i:4*i+4], in.Target.Data[4*i:4*i+4])
		for k := range d {
			g.Pred.Data[4*i+k] = c * d[k]
		}
	}
	return g
}
