package mutants

import (
	"math"

	"github.com/goldenloss/goldenloss/reference/loss"
)

const (
	pixel         = "one more pixel"
	touching      = "touching boxes overlap"
	tieToPred     = "ties go to pred"
	tieToTarget   = "ties go to target"
	oneMinusRatio = "one minus the quotient"
	epsFloor      = "eps as a floor"
	noFloor       = "logarithm without a floor"
	throughFloor  = "gradient through the floor"
	log1pAlways   = "log1p everywhere"
	cornersOnly   = "gradient left in corners"
	onesAdded     = "one added to both areas"
	squaredRatio  = "square of the IoU"
)

var iouFlaws = []flaw{
	{pixel, "takes x2 - x1 + 1 for the width, as for pixel indices"},
	{touching, "gives boxes that only touch the gradient of an overlap"},
	{tieToPred, "gives the whole gradient of a tie of edges to pred"},
	{tieToTarget, "gives no gradient at a tie of edges"},
	{oneMinusRatio, "takes 1 - I/U, which cancels for boxes that nearly agree"},
	{epsFloor, "takes max(U, eps) for U + eps"},
	{noFloor, "does not clamp the IoU before the logarithm"},
	{throughFloor, "passes the gradient where the IoU is below the floor"},
	{log1pAlways, "takes -log1p(-q) for q near 1 too, where it loses digits"},
	{cornersOnly, "gives the gradient of the corners whatever the format is"},
	{onesAdded, "takes (I+1)/(U+1), as detectors without anchors do"},
	{squaredRatio, "takes 1 - IoU^2, a mode of MMDetection"},
}

func iou(out []float64, grad, in *loss.IoU[float64], dOut []float64, flaw string) {
	n := in.Pred.Shape[0]
	items := make([]float64, n)
	for i := range n {
		p, g := in.Pred.Data[4*i:4*i+4], in.Target.Data[4*i:4*i+4]
		d := [4]float64{}
		items[i], d = overlap(in, corners(p, in.Format), corners(g, in.Format), flaw)
		switch {
		case flaw == cornersOnly:
		case in.Format == "cxcywh":
			d = [4]float64{d[0] + d[2], d[1] + d[3], (d[2] - d[0]) / 2, (d[3] - d[1]) / 2}
		case in.Format == "xywh":
			d = [4]float64{d[0] + d[2], d[1] + d[3], d[2], d[3]}
		}
		for k := range d {
			grad.Pred.Data[4*i+k] = share(in.Reduction, dOut, i, float64(n)) * d[k]
		}
	}
	reduce(out, in.Reduction, items, float64(n))
}

// corners returns x1, y1, x2, y2.
func corners(b []float64, format string) [4]float64 {
	switch format {
	case "cxcywh":
		return [4]float64{b[0] - b[2]/2, b[1] - b[3]/2, b[0] + b[2]/2, b[1] + b[3]/2}
	case "xywh":
		return [4]float64{b[0], b[1], b[0] + b[2], b[1] + b[3]}
	}
	return [4]float64{b[0], b[1], b[2], b[3]}
}

// overlap is the loss of one pair and its gradient by the corners of the first box.
func overlap(in *loss.IoU[float64], p, g [4]float64, flaw string) (float64, [4]float64) {
	one := 0.0
	if flaw == pixel {
		one = 1
	}
	length := func(lo, hi float64) float64 { return hi - lo + one }
	w, h, W, H := length(p[0], p[2]), length(p[1], p[3]), length(g[0], g[2]), length(g[1], g[3])
	wi := length(math.Max(p[0], g[0]), math.Min(p[2], g[2]))
	hi := length(math.Max(p[1], g[1]), math.Min(p[3], g[3]))
	meets := wi > 0 && hi > 0
	if flaw == touching {
		meets = wi >= 0 && hi >= 0
	}
	inter, diff := 0.0, w*h+W*H // intersection, symmetric difference
	outside := func(k int, a, b [4]float64) float64 { return math.Max(0, b[k]-a[k]) + math.Max(0, a[k+2]-b[k+2]) }
	if meets {
		inter = wi * hi
		diff = outside(0, p, g)*h + wi*outside(1, p, g) + outside(0, g, p)*H + wi*outside(1, g, p)
	}
	union := inter + diff + in.Eps
	if flaw == epsFloor {
		union = math.Max(inter+diff, in.Eps)
	}
	if flaw == onesAdded {
		inter, union = inter+1, union+1
	}
	if union == 0 || math.IsNaN(union) || math.IsInf(union, 0) {
		if in.Variant == "log" && flaw != noFloor {
			return -math.Log(in.IoUFloor), [4]float64{}
		}
		return 1, [4]float64{}
	}
	ratio, q := inter/union, (diff+in.Eps)/union
	if flaw == epsFloor || flaw == oneMinusRatio || flaw == onesAdded {
		q = 1 - ratio
	}
	below := func(u, v float64) float64 { // 1 for u < v; ties are shared
		switch {
		case u < v:
			return 1
		case u > v:
			return 0
		case flaw == tieToPred:
			return 1
		case flaw == tieToTarget:
			return 0
		}
		return 0.5
	}
	var d [4]float64
	if meets {
		dI := [4]float64{-below(g[0], p[0]) * hi, -below(g[1], p[1]) * wi, below(p[2], g[2]) * hi, below(p[3], g[3]) * wi}
		dA := [4]float64{-h, -w, h, w}
		for k := range d {
			d[k] = -(dI[k] - ratio*(dA[k]-dI[k])) / union
		}
	}
	if in.Variant != "log" {
		if flaw == squaredRatio {
			for k := range d {
				d[k] *= 2 * ratio
			}
			q *= 1 + ratio
		}
		return q, d
	}
	if ratio < in.IoUFloor && flaw != noFloor {
		if flaw == throughFloor && ratio > 0 {
			for k := range d {
				d[k] /= ratio
			}
			return -math.Log(in.IoUFloor), d
		}
		return -math.Log(in.IoUFloor), [4]float64{}
	}
	if ratio > 0 {
		for k := range d {
			d[k] /= ratio
		}
	}
	if q < 0.5 || flaw == log1pAlways {
		return -math.Log1p(-q), d
	}
	return -math.Log(ratio), d
}
