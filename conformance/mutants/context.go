package mutants

import (
	"math"

	"github.com/goldenloss/goldenloss/reference/loss"
)

const (
	ownCenter        = "pred centered with its own mean"
	minOverPoints    = "minimum over the generated points"
	softmaxOverRows  = "softmax over the generated points"
	minDetached      = "minimum detached"
	logOfEach        = "logarithm of every maximum"
	unstableDistance = "1 - x.y"
	plainSoftmax     = "softmax without its maximum removed"
	unitDetached     = "norm not differentiated"
	normEpsAdded     = "norm_eps added to the norm"
	maxSpread        = "gradient to all points of a column"
	epsInRatio       = "eps added to the distance too"
	rowsCounted      = "sum of maxima over I"
	zeroTarget       = "distance 1/2 at a zero vector"
)

var contextFlaws = []flaw{
	{ownCenter, "subtracts the mean of pred from pred"},
	{minOverPoints, "divides by the smallest distance of a target point"},
	{softmaxOverRows, "normalizes over the generated points"},
	{minDetached, "does not differentiate the minimum"},
	{logOfEach, "averages -log of the maxima"},
	{unstableDistance, "takes 1 - x.y, which cancels for vectors that nearly agree"},
	{plainSoftmax, "takes exp(z)/sum exp(z), which overflows for small h"},
	{unitDetached, "does not differentiate the norm"},
	{normEpsAdded, "divides by norm + norm_eps"},
	{maxSpread, "gives every entry of a column the gradient of its maximum"},
	{epsInRatio, "adds eps to the numerator of the ratio"},
	{rowsCounted, "divides the sum over the target points by the number of generated points (col)"},
	{zeroTarget, "takes ||x-y||^2/2 for the distance of a zero vector"},
}

func context(out []float64, grad, in *loss.Context[float64], dOut []float64, flaw string) {
	n, c := in.Pred.Shape[0], in.Pred.Shape[1]
	rows, columns := loss.Size(in.Pred.Shape[2:]), loss.Size(in.Target.Shape[2:])
	items := make([]float64, n)
	mean := func(x []float64, points, k, first, last int) float64 {
		var all []float64
		for i := first; i < last; i++ {
			all = append(all, x[(i*c+k)*points:(i*c+k+1)*points]...)
		}
		return total(all) / float64(len(all))
	}
	for s := range n {
		first, last := s, s+1
		if in.Center == "batch" {
			first, last = 0, n
		}
		vectors := func(x []float64, points int, own bool) (unit [][]float64, norms []float64) {
			for i := range points {
				z := make([]float64, c)
				for k := range z {
					z[k] = x[(s*c+k)*points+i]
					switch {
					case in.Center == "none":
					case own && flaw == ownCenter:
						z[k] -= mean(x, points, k, first, last)
					default:
						z[k] -= mean(in.Target.Data, columns, k, first, last)
					}
				}
				r := norm(z)
				by := math.Max(r, in.NormEps)
				if flaw == normEpsAdded {
					by = r + in.NormEps
				}
				for k := range z {
					z[k] /= by
				}
				unit, norms = append(unit, z), append(norms, r)
			}
			return unit, norms
		}
		x, rx := vectors(in.Pred.Data, rows, true)
		y, ry := vectors(in.Target.Data, columns, false)
		d, a := make([][]float64, rows), make([][]float64, rows)
		halved := func(i, j int) bool {
			if flaw == zeroTarget {
				return true
			}
			return flaw != unstableDistance && flaw != normEpsAdded && rx[i] > in.NormEps && ry[j] > in.NormEps
		}
		for i := range d {
			d[i] = make([]float64, columns)
			for j := range d[i] {
				terms := make([]float64, c)
				for k := range terms {
					terms[k] = x[i][k] * y[j][k]
					if halved(i, j) {
						terms[k] = (x[i][k] - y[j][k]) * (x[i][k] - y[j][k])
					}
				}
				d[i][j] = in.DistScale * (1 - total(terms))
				if halved(i, j) {
					d[i][j] = in.DistScale * total(terms) / 2
				}
			}
		}
		low := make([][]int, rows) // the distance that entry i, j is divided by: its row, and its column
		least := func(i, j int) float64 { return d[low[i][2*j]][low[i][2*j+1]] }
		z := make([][]float64, rows)
		for i := range d {
			low[i], z[i] = make([]int, 2*columns), make([]float64, columns)
			for j := range d[i] {
				u, v := i, 0
				if flaw == minOverPoints {
					u, v = 0, j
					for t := range rows {
						if d[t][j] < d[u][j] {
							u = t
						}
					}
				} else {
					for t := range columns {
						if d[i][t] < d[i][v] {
							v = t
						}
					}
				}
				low[i][2*j], low[i][2*j+1] = u, v
				above := d[i][j]
				if flaw == epsInRatio {
					above += in.Eps
				}
				z[i][j] = (1 - above/(least(i, j)+in.Eps)) / in.H
			}
		}
		across := func(i, j int) []float64 { // the logits that entry i, j is normalized over
			if flaw != softmaxOverRows {
				return z[i]
			}
			column := make([]float64, rows)
			for t := range column {
				column[t] = z[t][j]
			}
			return column
		}
		for i := range a {
			a[i] = make([]float64, columns)
			for j := range a[i] {
				top := 0.0
				if flaw != plainSoftmax {
					top = math.Inf(-1)
					for _, v := range across(i, j) {
						top = math.Max(top, v)
					}
				}
				var e []float64
				for _, v := range across(i, j) {
					e = append(e, math.Exp(v-top))
				}
				a[i][j] = math.Exp(z[i][j]-top) / total(e)
			}
		}
		gA := make([][]float64, rows)
		for i := range gA {
			gA[i] = make([]float64, columns)
		}
		var maxima []float64
		c0 := share(in.Reduction, dOut, s, float64(n))
		count := float64(columns)
		if in.MaxAxis == "row" || flaw == rowsCounted {
			count = float64(rows)
		}
		type place struct{ i, j int }
		var places [][]place
		if in.MaxAxis == "row" {
			for i := range rows {
				var list []place
				for j := range columns {
					list = append(list, place{i, j})
				}
				places = append(places, list)
			}
		} else {
			for j := range columns {
				var list []place
				for i := range rows {
					list = append(list, place{i, j})
				}
				places = append(places, list)
			}
		}
		var winners []place
		for _, list := range places {
			best := list[0]
			for _, p := range list {
				if a[p.i][p.j] > a[best.i][best.j] {
					best = p
				}
			}
			winners, maxima = append(winners, best), append(maxima, a[best.i][best.j])
		}
		cx := total(maxima)/count + in.LogEps
		if items[s] = -math.Log(cx); flaw == logOfEach {
			logs := make([]float64, len(maxima))
			for i, v := range maxima {
				logs[i] = -math.Log(v + in.LogEps)
			}
			items[s] = total(logs) / count
		}
		for k, p := range winners {
			g := -c0 / (cx * count)
			if flaw == logOfEach {
				g = -c0 / ((maxima[k] + in.LogEps) * count)
			}
			if flaw == maxSpread {
				for _, q := range places[k] {
					gA[q.i][q.j] += g
				}
			} else {
				gA[p.i][p.j] += g
			}
		}
		gd := make([][]float64, rows)
		for i := range gd {
			gd[i] = make([]float64, columns)
		}
		for i := range rows {
			for j := range columns {
				along := 0.0
				if flaw == softmaxOverRows {
					for t := range rows {
						along += gA[t][j] * a[t][j]
					}
				} else {
					for t := range columns {
						along += gA[i][t] * a[i][t]
					}
				}
				gt := -a[i][j] * (gA[i][j] - along) / in.H
				m := least(i, j) + in.Eps
				gd[i][j] += gt / m
				above := d[i][j]
				if flaw == epsInRatio {
					above += in.Eps
				}
				if flaw != minDetached {
					gd[low[i][2*j]][low[i][2*j+1]] -= gt / m * (above / m)
				}
			}
		}
		for i := range rows {
			gx := make([]float64, c)
			for k := range gx {
				for j := range columns {
					gx[k] -= in.DistScale * gd[i][j] * y[j][k]
				}
			}
			along := 0.0
			for k := range gx {
				along += gx[k] * x[i][k]
			}
			for k := range gx {
				v := (gx[k] - x[i][k]*along) / rx[i]
				if flaw == unitDetached {
					v = gx[k] / rx[i]
				}
				if !(rx[i] > in.NormEps) {
					v = gx[k] / in.NormEps
				}
				grad.Pred.Data[(s*c+k)*rows+i] = v
			}
		}
		if math.IsNaN(items[s]) {
			for i := range c * rows {
				grad.Pred.Data[s*c*rows+i] = math.NaN()
			}
		}
	}
	reduce(out, in.Reduction, items, float64(n))
}
