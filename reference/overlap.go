package reference

import (
	"math"

	"github.com/goldenloss/goldenloss/reference/loss"
)

// entry is one kept prediction of an overlap item: its activated value, its target, and where it stands.
type entry struct {
	p, t   float64
	miss   float64 // 1 - p, from the logit where there is one
	sample int
	pixel  int
	class  int
}

// gap is p - t, without cancellation for a certain hit.
func (e *entry) gap() float64 {
	if e.t == 1 {
		return -e.miss
	}
	return e.p - e.t
}

// overlap is an overlap problem unfolded: activated predictions and the entries of every item.
type overlap struct {
	in            *loss.Overlap[float64]
	n, classes, s int
	items         [][]entry
	channel       []int // of an item, -1 without
	z             float64
}

func (o *overlap) at(n, c, i int) int { return (n*o.classes+c)*o.s + i }

func newOverlap(in *loss.Overlap[float64]) *overlap {
	o := &overlap{in: in, n: in.Pred.Shape[0], classes: in.Pred.Shape[1], s: loss.Size(in.Pred.Shape[2:])}
	channels := in.Channels()
	drop := o.classes - channels
	o.items = make([][]entry, loss.Size(in.Items()))
	o.channel = make([]int, len(o.items))
	for k := range o.items {
		switch in.Omega {
		case "per_sample_per_channel":
			o.channel[k] = k % channels
		case "per_channel":
			o.channel[k] = k
		default:
			o.channel[k] = -1
		}
	}
	for n := range o.n {
		for i := range o.s {
			pos := n*o.s + i
			if in.Mask.Given() && !in.Mask.Data[pos] {
				continue
			}
			if in.IgnoreIndex.Set && in.TargetLabel.Data[pos] == int64(in.IgnoreIndex.Value) {
				continue
			}
			x := make([]float64, o.classes)
			for c := range x {
				x[c] = in.Pred.Data[o.at(n, c, i)]
			}
			active, miss := activate(in.Activation, x)
			for c, p := range active {
				if c < drop {
					continue
				}
				t := 0.0
				if in.Target.Given() {
					t = in.Target.Data[o.at(n, c, i)]
				} else if in.TargetLabel.Data[pos] == int64(c) {
					t = 1
				}
				k := 0
				switch in.Omega {
				case "per_sample_per_channel":
					k = n*channels + c - drop
				case "per_channel":
					k = c - drop
				case "per_sample":
					k = n
				}
				o.items[k] = append(o.items[k], entry{p, t, miss[c], n, i, c})
			}
		}
	}
	o.z = float64(len(o.items))
	if in.ClassWeight.Given() && in.WeightNorm == "sum" {
		var w accumulator
		for _, c := range o.channel {
			w.add(in.ClassWeight.Data[c])
		}
		o.z = w.value()
	}
	return o
}

// activate returns the predictions p of one pixel and 1 - p.
func activate(activation string, x []float64) (p, miss []float64) {
	p, miss = make([]float64, len(x)), make([]float64, len(x))
	var s softmax
	if activation == "softmax" {
		s = newSoftmax(x)
		miss = s.others()
	}
	for c := range x {
		switch {
		case activation == "none":
			p[c], miss[c] = x[c], 1-x[c]
		case activation == "sigmoid":
			p[c], miss[c] = sigmoid(x[c]), sigmoid(-x[c])
		case s.bad:
			p[c], miss[c] = math.NaN(), math.NaN()
		default:
			p[c] = s.prob(c)
		}
	}
	return p, miss
}

// pullBack turns derivatives dp with respect to the activated predictions into the gradient with respect to Pred.
func (o *overlap) pullBack(dp []float64) loss.Tensor[float64] {
	g := zeros(o.in.Pred)
	for n := range o.n {
		for i := range o.s {
			x, d := make([]float64, o.classes), make([]float64, o.classes)
			touched := false
			for c := range x {
				x[c], d[c] = o.in.Pred.Data[o.at(n, c, i)], dp[o.at(n, c, i)]
				touched = touched || d[c] != 0
			}
			if !touched {
				continue
			}
			switch o.in.Activation {
			case "sigmoid":
				for c := range d {
					if d[c] != 0 {
						d[c] *= sigmoid(x[c]) * sigmoid(-x[c])
					}
				}
			case "softmax":
				// p_k (g_k - sum g_c p_c), as p_k (g_k (1 - p_k) - the other g_c p_c)
				s := newSoftmax(x)
				terms := make([]float64, len(d))
				for c := range d {
					if d[c] != 0 {
						terms[c] = d[c] * s.prob(c)
					}
				}
				rest, others := without(terms), s.others()
				pulled := make([]float64, len(d))
				for k := range d {
					if s.bad || math.IsNaN(rest[k]) || math.IsNaN(d[k]) {
						pulled[k] = math.NaN()
						continue
					}
					pulled[k] = s.prob(k) * (d[k]*others[k] - rest[k])
				}
				d = pulled
			}
			for c := range d {
				g.Data[o.at(n, c, i)] = d[c]
			}
		}
	}
	return g
}

// ratio is what an overlap loss makes of the entries of an item: score Num/Den with X = Den - Num.
type ratio struct {
	sums func(list []entry) (num, den, x float64)
	// slopes are the derivatives of Num and X with respect to the prediction of an entry.
	slopes func(e entry) (dNum, dX float64)
}

// item returns the loss of a list of entries and its derivatives with respect to their predictions.
func (o *overlap) item(r ratio, list []entry) (l float64, d []float64) {
	in := o.in
	d = make([]float64, len(list))
	targets := 0.0
	for _, e := range list {
		targets += e.t
		if math.IsNaN(e.p) || math.IsInf(e.p, 0) || math.IsNaN(e.t) {
			for k := range d {
				d[k] = math.NaN()
			}
			return math.NaN(), d
		}
	}
	if in.Absent == "zero" && targets == 0 {
		return 0, d
	}
	num, den, x := r.sums(list)
	if den == 0 && in.DenFloor == 0 {
		return in.EmptyValue, d
	}
	floored := den < in.DenFloor
	if floored {
		den, x = in.DenFloor, in.DenFloor-num
	}
	q, score := x/den, num/den
	l = q
	scale := 1 / den
	if in.Form == "log" {
		switch {
		case score < in.LogFloor:
			return -log(in.LogFloor), d
		case q < 0.5:
			l = -math.Log1p(-q)
		default:
			l = -log(score)
		}
		scale = 1 / num
	}
	for k, e := range list {
		dNum, dX := r.slopes(e)
		if floored {
			d[k] = -dNum * scale
		} else {
			d[k] = (score*dX - q*dNum) * scale // dX - q dDen, with 1 - q = score put in: nothing cancels
		}
	}
	return l, d
}

func (o *overlap) weight(k int) float64 {
	if o.in.ClassWeight.Given() {
		return o.in.ClassWeight.Data[o.channel[k]]
	}
	return 1
}

// value is the value of an overlap loss.
func (o *overlap) value(reduction loss.Reduction, r ratio) []float64 {
	items := make([]float64, len(o.items))
	for k, list := range o.items {
		if w := o.weight(k); w != 0 {
			l, _ := o.item(r, list)
			items[k] = w * l
		}
	}
	return reduce(reduction, items, o.z)
}

// grad is its vector-Jacobian product.
func (o *overlap) grad(reduction loss.Reduction, r ratio, dOut []float64) loss.Overlap[float64] {
	dp := make([]float64, len(o.in.Pred.Data))
	c := itemWeights(reduction, len(o.items), o.z, dOut)
	for k, list := range o.items {
		w := o.weight(k)
		if w == 0 {
			continue
		}
		_, d := o.item(r, list)
		for j, e := range list {
			if d[j] != 0 || math.IsNaN(w) {
				dp[o.at(e.sample, e.class, e.pixel)] = c[k] * w * d[j]
			}
		}
	}
	return loss.Overlap[float64]{Pred: o.pullBack(dp)}
}

// sizes returns the intersection I of the entries of an item and F, which is sum p^r + sum t^r - 2 I summed term by term.
func sizes(in *loss.Overlap[float64], power int, list []entry) (i, f float64) {
	var inter, diff accumulator
	for _, e := range list {
		switch {
		case in.Intersection == "l1":
			inter.add(math.Min(e.p, e.t))
			diff.add(math.Abs(e.gap()))
		case power == 2:
			inter.addProduct(e.p, e.t)
			diff.addProduct(e.gap(), e.gap())
		default:
			inter.addProduct(e.p, e.t)
			diff.addProduct(e.p, 1-e.t)
			diff.addProduct(e.t, e.miss)
		}
	}
	return inter.value(), diff.value()
}

// sizeSlopes returns the derivatives of I and F with respect to the prediction of an entry.
func sizeSlopes(in *loss.Overlap[float64], power int, e entry) (dI, dF float64) {
	switch {
	case in.Intersection == "l1":
		return below(e.p, e.t), sign(e.gap())
	case power == 2:
		return e.t, 2 * e.gap()
	}
	return e.t, 1 - 2*e.t
}
