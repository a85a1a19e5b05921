package main

import (
	"fmt"
	"maps"
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/goldenloss/goldenloss/reference"
	"github.com/goldenloss/goldenloss/reference/loss"
)

// boxParams are parameters by name; those that a loss lacks are left out.
type boxParams map[string]any

// boxLoss is the value of the reference for each pair of rows, and its gradient.
func boxLoss(t *testing.T, id string, params boxParams, pred, target []float64) (values, grad []float64) {
	t.Helper()
	i := slices.IndexFunc(reference.All, func(r loss.Impl[float64]) bool { return r.ID == id })
	require.GreaterOrEqual(t, i, 0, id)
	p := reference.All[i].New()
	for _, q := range loss.Params(p) {
		if v, ok := params[q.Name]; ok {
			q.Set(v)
		}
		if q.Name == "reduction" {
			q.Set(string(loss.None))
		}
	}
	cols := 4
	if params["format"] == "cxcywhr" {
		cols = 5
	}
	for k, f := range loss.Fields(p) {
		*f.Float = loss.Tensor[float64]{Shape: []int{len(pred) / cols, cols}, Data: [][]float64{pred, target}[k]}
	}
	require.NoError(t, loss.Validate(p))
	values = make([]float64, len(pred)/cols)
	g := loss.NewGrad(p, reference.All[i].New())
	reference.All[i].Run(values, g, p, slices.Repeat([]float64{1}, len(values)))
	return values, loss.Fields(g)[0].Float.Data
}

// boxDraw returns n pairs of boxes by center and size; some are apart, some inside each other.
func boxDraw(r *rand.Rand, n int) (pred, target []float64) {
	for range n {
		target = append(target, 4*r.Float64(), 4*r.Float64(), 0.1+4*r.Float64(), 0.1+4*r.Float64())
		pred = append(pred, 4*r.Float64(), 4*r.Float64(), 0.1+4*r.Float64(), 0.1+4*r.Float64())
	}
	return pred, target
}

// boxEach applies f to every row.
func boxEach(rows []float64, cols int, f func(b []float64) []float64) []float64 {
	var out []float64
	for i := 0; i < len(rows); i += cols {
		out = append(out, f(rows[i:i+cols])...)
	}
	return out
}

func boxCorners(rows []float64) []float64 {
	return boxEach(rows, 4, func(b []float64) []float64 {
		return []float64{b[0] - b[2]/2, b[1] - b[3]/2, b[0] + b[2]/2, b[1] + b[3]/2}
	})
}

func boxTopLeft(rows []float64) []float64 {
	return boxEach(rows, 4, func(b []float64) []float64 { return []float64{b[0] - b[2]/2, b[1] - b[3]/2, b[2], b[3]} })
}

var boxIDs = []string{"iou", "giou", "diou", "ciou", "eiou", "focal_eiou"}

// TestBoxOrder: penalties are not negative, and vanish where they must.
func TestBoxOrder(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 3))
	pred, target := boxDraw(r, 300)
	for _, eps := range []float64{0, 1e-7, 0.1} {
		at := func(id string, more boxParams, pred, target []float64) []float64 {
			params := boxParams{"eps": eps, "format": "cxcywh"}
			maps.Copy(params, more)
			v, _ := boxLoss(t, id, params, pred, target)
			return v
		}
		v := map[string][]float64{}
		for _, id := range boxIDs {
			v[id] = at(id, nil, pred, target)
		}
		for i := range v["iou"] {
			require.GreaterOrEqual(t, v["giou"][i], v["iou"][i])
			require.GreaterOrEqual(t, v["diou"][i], v["iou"][i])
			require.GreaterOrEqual(t, v["ciou"][i], v["diou"][i])
			require.GreaterOrEqual(t, v["eiou"][i], v["diou"][i])
			require.LessOrEqual(t, v["giou"][i], 2.)
			require.LessOrEqual(t, v["diou"][i], 2.)
			require.LessOrEqual(t, v["eiou"][i], 4.)
		}
		require.InDeltaSlice(t, v["eiou"], at("focal_eiou", boxParams{"gamma": 0.}, pred, target), 1e-15)
		log := at("iou", boxParams{"variant": "log"}, pred, target)
		for i, l := range v["iou"] {
			want := -math.Log(1e-6)
			if l < 1 {
				want = -math.Log(1 - l)
			}
			require.InDelta(t, want, log[i], 1e-12*math.Max(1, 1/(1-math.Min(l, 0.9999))))
		}
		inside := boxEach(target, 4, func(b []float64) []float64 {
			w, h := b[2]*(0.2+0.7*r.Float64()), b[3]*(0.2+0.7*r.Float64())
			return []float64{b[0] + (b[2]-w)/2*(2*r.Float64()-1), b[1] + (b[3]-h)/2*(2*r.Float64()-1), w, h}
		})
		require.InDeltaSlice(t, at("iou", nil, inside, target), at("giou", nil, inside, target), 1e-14, "inside")
		concentric := boxEach(target, 4, func(b []float64) []float64 { return []float64{b[0], b[1], 3 * r.Float64(), 3 * r.Float64()} })
		require.InDeltaSlice(t, at("iou", nil, concentric, target), at("diou", nil, concentric, target), 1e-14, "concentric")
		similar := boxEach(target, 4, func(b []float64) []float64 { k := 0.5 + r.Float64(); return []float64{b[0], b[1], k * b[2], k * b[3]} })
		require.InDeltaSlice(t, at("iou", nil, similar, target), at("ciou", nil, similar, target), 1e-14, "similar")
	}
}

// TestBoxSymmetry: moving, mirroring, exchanging the axes and, without eps, another unit of length change nothing but the gradient in
// the way that they must.
func TestBoxSymmetry(t *testing.T) {
	r := rand.New(rand.NewPCG(2, 3))
	cp, cg := boxDraw(r, 200)
	pred, target := boxCorners(cp), boxCorners(cg)
	for _, id := range append(slices.Clone(boxIDs), "gwd") {
		for _, detach := range []bool{true, false} {
			params := boxParams{"eps": 0., "format": "xyxy", "detach_alpha": detach, "detach_weight": detach, "variant": "linear", "gamma": 0.7}
			if id == "gwd" {
				params["variant"], params["normalize"] = "mmrotate", true
				params["scale_floor"] = 1e-300
			}
			v, g := boxLoss(t, id, params, pred, target)
			same := func(what string, by func(b []float64) []float64, back func(d []float64) []float64) {
				t.Helper()
				got, gg := boxLoss(t, id, params, boxEach(pred, 4, by), boxEach(target, 4, by))
				require.InDeltaSlice(t, v, got, 1e-12, "%s %s", id, what)
				require.InDeltaSlice(t, g, boxEach(gg, 4, back), 2e-11, "%s %s: gradient", id, what)
			}
			same("moved", func(b []float64) []float64 { return []float64{b[0] + 7, b[1] - 3, b[2] + 7, b[3] - 3} }, slices.Clone[[]float64])
			same("mirrored", func(b []float64) []float64 { return []float64{-b[2], b[1], -b[0], b[3]} },
				func(d []float64) []float64 { return []float64{-d[2], d[1], -d[0], d[3]} })
			same("exchanged", func(b []float64) []float64 { return []float64{b[1], b[0], b[3], b[2]} },
				func(d []float64) []float64 { return []float64{d[1], d[0], d[3], d[2]} })
			for _, k := range []float64{0x1p40, 0x1p-60, 3} {
				times := func(by float64) func(b []float64) []float64 {
					return func(b []float64) []float64 { return []float64{by * b[0], by * b[1], by * b[2], by * b[3]} }
				}
				same(fmt.Sprint("times ", k), times(k), times(k))
			}
			// Formats agree through the chain rule.
			params["format"] = "cxcywh"
			got, gg := boxLoss(t, id, params, cp, cg)
			require.InDeltaSlice(t, v, got, 1e-12, id)
			require.InDeltaSlice(t, boxEach(g, 4, func(d []float64) []float64 {
				return []float64{d[0] + d[2], d[1] + d[3], (d[2] - d[0]) / 2, (d[3] - d[1]) / 2}
			}), gg, 2e-11, id)
			params["format"] = "xywh"
			got, gg = boxLoss(t, id, params, boxTopLeft(cp), boxTopLeft(cg))
			require.InDeltaSlice(t, v, got, 1e-12, id)
			require.InDeltaSlice(t, boxEach(g, 4, func(d []float64) []float64 { return []float64{d[0] + d[2], d[1] + d[3], d[2], d[3]} }), gg, 2e-11, id)
		}
	}
}

// TestTurnedBoxes: a rotated box may be written in several ways, both boxes may be turned and moved together, and over its scale the
// distance has no unit.
func TestTurnedBoxes(t *testing.T) {
	r := rand.New(rand.NewPCG(3, 3))
	cp, cg := boxDraw(r, 200)
	turned := func(b []float64) []float64 { return append(slices.Clone(b), 3*r.NormFloat64()) }
	pred, target := boxEach(cp, 4, turned), boxEach(cg, 4, turned)
	for _, c := range []boxParams{{}, {"fun": "log1p", "tau": 0.}, {"variant": "mmrotate", "normalize": true, "fun": "log1p", "tau": 1., "scale_floor": 1e-300, "alpha": 0.5}} {
		c["format"] = "cxcywhr"
		v, g := boxLoss(t, "gwd", c, pred, target)
		same := func(what string, p, q []float64, back func(d []float64) []float64) {
			t.Helper()
			got, gg := boxLoss(t, "gwd", c, p, q)
			require.InDeltaSlice(t, v, got, 1e-12, what)
			require.InDeltaSlice(t, g, boxEach(gg, 5, back), 1e-11, "%s: gradient", what)
		}
		plusPi := func(b []float64) []float64 { return []float64{b[0], b[1], b[2], b[3], b[4] + math.Pi} }
		swap := func(b []float64) []float64 { return []float64{b[0], b[1], b[3], b[2], b[4] - math.Pi/2} }
		unswap := func(d []float64) []float64 { return []float64{d[0], d[1], d[3], d[2], d[4]} }
		same("half a turn of pred", boxEach(pred, 5, plusPi), target, slices.Clone[[]float64])
		same("half a turn of target", pred, boxEach(target, 5, plusPi), slices.Clone[[]float64])
		same("sides of pred exchanged", boxEach(pred, 5, swap), target, unswap)
		same("sides of target exchanged", pred, boxEach(target, 5, swap), slices.Clone[[]float64])
		sin, cos := math.Sincos(0.7)
		together := func(b []float64) []float64 {
			return []float64{cos*b[0] - sin*b[1] + 5, sin*b[0] + cos*b[1] - 2, b[2], b[3], b[4] + 0.7}
		}
		same("turned and moved together", boxEach(pred, 5, together), boxEach(target, 5, together), func(d []float64) []float64 {
			return []float64{cos*d[0] + sin*d[1], cos*d[1] - sin*d[0], d[2], d[3], d[4]}
		})
		if c["normalize"] == true {
			for _, k := range []float64{0x1p30, 0x1p-50, 7} {
				times := func(b []float64) []float64 { return []float64{k * b[0], k * b[1], k * b[2], k * b[3], b[4]} }
				same("another unit", boxEach(pred, 5, times), boxEach(target, 5, times), times)
			}
		}
	}
	// Without angles the formats agree.
	flat := func(b []float64) []float64 { return append(slices.Clone(b), 0) }
	v, g := boxLoss(t, "gwd", boxParams{"format": "cxcywh"}, cp, cg)
	got, gg := boxLoss(t, "gwd", boxParams{"format": "cxcywhr"}, boxEach(cp, 4, flat), boxEach(cg, 4, flat))
	require.InDeltaSlice(t, v, got, 1e-13)
	require.InDeltaSlice(t, g, boxEach(gg, 5, func(d []float64) []float64 { return d[:4] }), 1e-13)
}
