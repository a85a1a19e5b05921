package loss

import (
	"encoding/json"
	"errors"
	"math"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// problems makes an empty problem of every loss.
var problems = func() map[string]func() Problem[float64] {
	all := map[string]func() Problem[float64]{}
	for _, f := range []func() Problem[float64]{
		func() Problem[float64] { return New[float64, Adversarial[float64]]() },
		func() Problem[float64] { return New[float64, GAN[float64]]() },
		func() Problem[float64] { return New[float64, CycleConsistency[float64]]() },
		func() Problem[float64] { return New[float64, ConditionalAdversarial[float64]]() },
		func() Problem[float64] { return New[float64, BinaryCrossEntropyWithLogits[float64]]() },
		func() Problem[float64] { return New[float64, BinaryCrossEntropy[float64]]() },
		func() Problem[float64] { return New[float64, Logistic[float64]]() },
		func() Problem[float64] { return New[float64, KLDivergence[float64]]() },
		func() Problem[float64] { return New[float64, AttentionTarget[float64]]() },
		func() Problem[float64] { return New[float64, IoU[float64]]() },
		func() Problem[float64] { return New[float64, GIoU[float64]]() },
		func() Problem[float64] { return New[float64, DIoU[float64]]() },
		func() Problem[float64] { return New[float64, CIoU[float64]]() },
		func() Problem[float64] { return New[float64, EIoU[float64]]() },
		func() Problem[float64] { return New[float64, FocalEIoU[float64]]() },
		func() Problem[float64] { return New[float64, GWD[float64]]() },
		func() Problem[float64] { return New[float64, CrossEntropy[float64]]() },
		func() Problem[float64] { return New[float64, SoftmaxCrossEntropy[float64]]() },
		func() Problem[float64] { return New[float64, WeightedCrossEntropy[float64]]() },
		func() Problem[float64] { return New[float64, PixelwiseCrossEntropy[float64]]() },
		func() Problem[float64] { return New[float64, CategoricalCrossEntropy[float64]]() },
		func() Problem[float64] { return New[float64, Focal[float64]]() },
		func() Problem[float64] { return New[float64, FocalSoftmax[float64]]() },
		func() Problem[float64] { return New[float64, NoisePrediction[float64]]() },
		func() Problem[float64] { return New[float64, VAE[float64]]() },
		func() Problem[float64] { return New[float64, Diffusion[float64]]() },
		func() Problem[float64] { return New[float64, NTXent[float64]]() },
		func() Problem[float64] { return New[float64, MarginRanking[float64]]() },
		func() Problem[float64] { return New[float64, Triplet[float64]]() },
		func() Problem[float64] { return New[float64, Contrastive[float64]]() },
		func() Problem[float64] { return New[float64, InfoNCE[float64]]() },
		func() Problem[float64] { return New[float64, CrossModalRanking[float64]]() },
		func() Problem[float64] { return New[float64, AttentionRanking[float64]]() },
		func() Problem[float64] { return New[float64, Perceptual[float64]]() },
		func() Problem[float64] { return New[float64, Style[float64]]() },
		func() Problem[float64] { return New[float64, FeatureMatching[float64]]() },
		func() Problem[float64] { return New[float64, Context[float64]]() },
		func() Problem[float64] { return New[float64, SSIM[float64]]() },
		func() Problem[float64] { return New[float64, MSSSIM[float64]]() },
		func() Problem[float64] { return New[float64, Reconstruction[float64]]() },
		func() Problem[float64] { return New[float64, SmoothL1[float64]]() },
		func() Problem[float64] { return New[float64, L1[float64]]() },
		func() Problem[float64] { return New[float64, MSE[float64]]() },
		func() Problem[float64] { return New[float64, Huber[float64]]() },
		func() Problem[float64] { return New[float64, LogCosh[float64]]() },
		func() Problem[float64] { return New[float64, Charbonnier[float64]]() },
		func() Problem[float64] { return New[float64, Quantile[float64]]() },
		func() Problem[float64] { return New[float64, PixelwiseMean[float64]]() },
		func() Problem[float64] { return New[float64, Dice[float64]]() },
		func() Problem[float64] { return New[float64, Jaccard[float64]]() },
		func() Problem[float64] { return New[float64, Tversky[float64]]() },
		func() Problem[float64] { return New[float64, Mahalanobis[float64]]() },
		func() Problem[float64] { return New[float64, CrossCorrelation[float64]]() },
	} {
		all[f().Def().ID] = f
	}
	return all
}()

func TestEveryLossIsTested(t *testing.T) {
	require.Len(t, problems, len(All))
	for _, d := range All {
		p := problems[d.ID]
		require.NotNil(t, p, d.ID)
		require.Same(t, d, p().Def())
		require.NotEmpty(t, d.Sources, d.ID)
		require.Same(t, d, Lookup(d.ID))
	}
	require.Nil(t, Lookup("no_such_loss"))
}

func TestDefaults(t *testing.T) {
	for id, make := range problems {
		p := make()
		for _, q := range Params(p) {
			require.Equal(t, q.Default, q.Value, "%s %s", id, q.Name)
			if q.Kind == "enum" {
				require.Equal(t, q.Default, q.Enum[0])
			}
			if v, ok := q.Value.(float64); ok {
				require.True(t, q.Range.Contains(v), "%s %s", id, q.Name)
			}
		}
	}
}

func float(name string, shape []int, data ...float64) Named {
	return Named{Name: name, Role: RoleVar, DType: "float64", Shape: shape, Data: data}
}

func class(name string, shape []int, data ...float64) Named {
	return Named{Name: name, Role: RoleIndex, DType: "int64", Shape: shape, Data: data}
}

func keep(x float64) float64 { return x }

// TestBindErrors: each mistake its class, and of several mistakes the first in the order of the classes.
func TestBindErrors(t *testing.T) {
	pair := []Named{float("pred", []int{2}, 1, 2), float("target", []int{2}, 1, 2)}
	box := float("target", []int{1, 4}, 0, 0, 1, 1)
	as := func(in Named, dtype string) Named { in.DType = dtype; return in }
	for _, c := range []struct {
		loss string
		call Call
		want Class
		name string
	}{
		{"smooth_l1", Call{Inputs: pair}, 0, ""},
		{"smooth_l1", Call{Inputs: pair, Params: map[string]any{"beta": -1.0}}, InvalidParam, "beta"},
		{"smooth_l1", Call{Inputs: pair, Params: map[string]any{"beta": "NaN"}}, InvalidParam, "beta"},
		{"smooth_l1", Call{Inputs: pair, Params: map[string]any{"beta": "Infinity"}}, InvalidParam, "beta"},
		{"smooth_l1", Call{Inputs: pair, Params: map[string]any{"beta": "x"}}, InvalidParam, "beta"},
		{"smooth_l1", Call{Inputs: pair, Params: map[string]any{"beta": nil}}, InvalidParam, "beta"},
		{"smooth_l1", Call{Inputs: pair, Params: map[string]any{"gamma": 1.0}}, InvalidParam, "gamma"},
		{"smooth_l1", Call{Inputs: pair, Params: map[string]any{"reduction": "average"}}, InvalidParam, "reduction"},
		{"smooth_l1", Call{Inputs: pair[:1]}, InvalidParam, "target"},
		{"smooth_l1", Call{Inputs: append(pair[:2:2], float("weight", []int{2}, 1, 1))}, InvalidParam, "weight"},
		{"smooth_l1", Call{Inputs: append(pair[:2:2], pair[0])}, InvalidParam, "pred"},
		{"smooth_l1", Call{Inputs: []Named{pair[0], float("target", []int{2, 1}, 1, 2)}}, InvalidShape, "target"},
		{"smooth_l1", Call{Inputs: []Named{pair[0], float("target", []int{3}, 1, 2)}}, InvalidShape, "target"},
		{"smooth_l1", Call{Inputs: []Named{pair[0], float("target", []int{-2}, 1, 2)}}, InvalidShape, "target"},
		{"smooth_l1", Call{Inputs: []Named{pair[0], as(pair[1], "int64")}}, InvalidDType, "target"},
		{"smooth_l1", Call{Literal: true, Inputs: []Named{pair[0], as(pair[1], "float32")}}, InvalidDType, "target"},
		{"smooth_l1", Call{Literal: true, Inputs: []Named{as(pair[0], "float16"), as(pair[1], "float16")}}, InvalidDType, "pred"},
		{"smooth_l1", Call{Inputs: []Named{as(pair[0], "bfloat16"), as(pair[1], "float32")}}, 0, ""},
		{"smooth_l1", Call{Inputs: append(pair[:2:2], Named{"cotangent", RoleCotangent, "float64", []int{2}, []float64{1, 1}})},
			InvalidShape, "cotangent"},
		// Several mistakes: dtype before shape before param before empty before target before box.
		{"cross_entropy", Call{Params: map[string]any{"label_smoothing": 2.0},
			Inputs: []Named{float("logits", []int{1, 2}, 0, 0), as(class("target", []int{3}, 5, 5, 5), "float64")}}, InvalidDType, "target"},
		{"cross_entropy", Call{Params: map[string]any{"label_smoothing": 2.0},
			Inputs: []Named{float("logits", []int{1, 2}, 0, 0), class("target", []int{3}, 5, 5, 5)}}, InvalidShape, "target"},
		{"cross_entropy", Call{Params: map[string]any{"label_smoothing": 2.0},
			Inputs: []Named{float("logits", []int{1, 2}, 0, 0), class("target", []int{1}, 5)}}, InvalidParam, "label_smoothing"},
		{"cross_entropy", Call{Inputs: []Named{float("logits", []int{1, 2}, 0, 0), class("target", []int{1}, 2)}}, InvalidTarget, "target[0]"},
		{"cross_entropy", Call{Inputs: []Named{float("logits", []int{1, 2}, 0, 0)}}, InvalidParam, "target"},
		{"cross_entropy", Call{Inputs: []Named{float("logits", []int{1, 0}), class("target", []int{1}, 0)}}, InvalidShape, "logits"},
		{"cross_entropy", Call{Params: map[string]any{"ignore_index": 1.5},
			Inputs: []Named{float("logits", []int{1, 2}, 0, 0), class("target", []int{1}, 0)}}, InvalidParam, "ignore_index"},
		{"iou", Call{Inputs: []Named{float("pred", []int{1, 4}, 1, 0, 0, 1), box}}, InvalidBox, "pred[0]"},
		{"iou", Call{Params: map[string]any{"format": "cxcywh"}, Inputs: []Named{float("pred", []int{1, 4}, 1, 0, 0, -1), box}},
			InvalidBox, "pred[0]"},
		{"iou", Call{Inputs: []Named{float("pred", []int{1, 5}, 0, 0, 1, 1, 1), box}}, InvalidShape, "pred"},
		{"focal", Call{Inputs: []Named{float("logits", []int{1}, 0), float("target", []int{1}, 1.5)}}, InvalidTarget, "target[0]"},
		{"focal", Call{Inputs: []Named{float("logits", []int{1}, 0), float("target", []int{1}, math.NaN())}}, 0, ""},
		{"nt_xent", Call{Inputs: []Named{float("z", []int{0, 2})}}, EmptyInput, "z"},
		{"nt_xent", Call{Inputs: []Named{float("z", []int{3, 1}, 1, 2, 3)}}, InvalidShape, "z"},
		{"perceptual", Call{}, EmptyInput, "features"},
		{"perceptual", Call{Inputs: []Named{float("features_0", []int{1, 1}, 1), float("target_1", []int{1, 1}, 1)}}, InvalidShape, "target"},
		{"perceptual", Call{Inputs: []Named{float("features_0", []int{1, 1}, 1), float("target_0", []int{1, 1}, 1),
			float("layer_weights", []int{2}, 1, 1)}}, InvalidShape, "layer_weights"},
		{"perceptual", Call{Inputs: []Named{float("features_0", []int{1, 1}, 1), float("target_0", []int{1, 1}, 1),
			float("layer_weights", []int{1}, -1)}}, InvalidParam, "layer_weights[0]"},
		{"perceptual", Call{Inputs: []Named{float("features_0", []int{1, 1}, 1), float("target_0", []int{1, 1}, 1),
			float("channel_weights_0", []int{1}, 1)}}, InvalidParam, "channel_weights_0"},
		{"ssim", Call{Params: map[string]any{"window_size": 4.0}, Inputs: []Named{float("pred", []int{1, 1, 4, 4}, make([]float64, 16)...),
			float("target", []int{1, 1, 4, 4}, make([]float64, 16)...)}}, InvalidParam, "window_size"},
		{"ssim", Call{Params: map[string]any{"window_size": 5.0}, Inputs: []Named{float("pred", []int{1, 1, 4, 4}, make([]float64, 16)...),
			float("target", []int{1, 1, 4, 4}, make([]float64, 16)...)}}, InvalidShape, "pred"},
		{"mahalanobis", Call{Inputs: []Named{float("x", []int{1, 2}, 1, 2), float("mean", []int{2}, 0, 0), float("matrix", []int{2, 2}, 1, 2, 2, 1)}}, NotPositiveDefinite, "matrix[0]"},
		{"mahalanobis", Call{Inputs: []Named{float("x", []int{1, 2}, 1, 2), float("mean", []int{1, 2}, 0, 0), float("matrix", []int{1, 2, 2}, 1, 2, 2, 1),
			class("index", []int{1}, 1)}}, InvalidTarget, "index[0]"},
		{"dice", Call{Inputs: []Named{float("pred", []int{1, 1, 0}), float("target", []int{1, 1, 0})}}, EmptyInput, "pred"},
		{"dice", Call{Inputs: []Named{float("pred", []int{1, 1, 1}, 0), float("target", []int{1, 1, 1}, 0),
			{"mask", RoleMask, "uint8", []int{1, 1}, []float64{2}}}}, InvalidTarget, "mask[0]"},
	} {
		_, err := Bind(problems[c.loss](), c.call, keep)
		if c.want == 0 {
			require.NoError(t, err)
			continue
		}
		var e *Error
		require.ErrorAs(t, err, &e, "%s %s", c.loss, c.want)
		require.Equal(t, [2]string{c.want.String(), c.name}, [2]string{e.Class.String(), e.Name}, err)
		require.Equal(t, c.loss, e.Loss)
		require.NotEmpty(t, e.Want)
	}
}

func TestConvertAndGrad(t *testing.T) {
	p := New[float64, Perceptual[float64]]()
	p.Variant = "lpips"
	x := Tensor[float64]{[]int{1, 2, 1, 1}, []float64{0.1, 2}}
	p.Features.Features, p.Target, p.ChannelWeights = []Tensor[float64]{x}, []Tensor[float64]{x}, []Tensor[float64]{{[]int{2}, []float64{1, 2}}}
	require.NoError(t, Validate(p))
	q := New[float32, Perceptual[float32]]()
	Convert(q, p, func(_ string, _ Role, x float64) float32 { return float32(x) })
	require.Equal(t, "lpips", q.Variant)
	require.Equal(t, []float32{0.1, 2}, q.Features.Features[0].Data)
	require.NoError(t, Validate(q))
	g := NewGrad(p, New[float64, Perceptual[float64]]()).(*Perceptual[float64])
	require.Equal(t, []float64{0, 0}, g.Features.Features[0].Data)
	require.Nil(t, g.Target[0].Data)
	g.Features.Features[0].Data[0] = 1
	require.Equal(t, 0.1, p.Features.Features[0].Data[0], "a gradient has its own memory")
}

func TestRanges(t *testing.T) {
	for r, text := range map[Range]string{Between(0, 1): "[0, 1]", AtLeast(0): "[0, inf)", Above(0): "(0, inf)", AtMost(1): "(-inf, 1]", Below(0): "(-inf, 0)",
		Inside(0, 1): "(0, 1)", Ends(-1, 1): "{-1, 1}", {}: "(-inf, inf)"} {
		require.Equal(t, text, r.String())
		require.False(t, r.Contains(math.NaN()))
	}
	require.False(t, Above(0).Contains(0))
	require.True(t, AtLeast(0).Contains(0))
	require.True(t, Ends(-1, 1).Contains(-1))
	for _, x := range []float64{0, 2, math.NaN()} {
		require.True(t, Ends(-1, 1).excludes(x))
	}
	// A closed infinite end is legal, an unbounded range is finite.
	for r, ok := range map[Range]bool{Between(1, math.Inf(1)): true, AtLeast(1): false, {}: false} {
		c := &Checker{}
		c.inRange(Param{Name: "p", Range: r, Value: math.Inf(1)})
		require.Equal(t, ok, c.err() == nil, r.String())
	}
}

func TestParseParams(t *testing.T) {
	p, err := ParseParams([]byte(`{"a":1,"b":[1,"NaN"],"c":true,"d":null,"e":"x"}`))
	require.NoError(t, err)
	require.Equal(t, map[string]any{"a": 1.0, "b": []any{1.0, "NaN"}, "c": true, "d": nil, "e": "x"}, p)
	for _, bad := range []string{``, `[]`, `{`, `{"a":1,"a":2}`, `{"a":{}}`, `{"a":[[1]]}`, `{"a":1}{}`, `{"a":1e999}`, `{"a":NaN}`, `null`, `{"a"}`} {
		_, err := ParseParams([]byte(bad))
		require.Error(t, err, bad)
	}
}

func FuzzParams(f *testing.F) {
	f.Add([]byte(`{"a":1,"b":[1,"NaN"]}`))
	f.Add([]byte(`{"a":[true,null]}`))
	f.Fuzz(func(t *testing.T, text []byte) {
		params, err := ParseParams(text)
		if err != nil {
			return
		}
		for _, make := range problems {
			_, err := Bind(make(), Call{Params: params}, keep)
			var e *Error
			if err != nil && !errors.As(err, &e) {
				t.Fatalf("%T: %v", err, err)
			}
		}
	})
}

// FuzzBind binds calls written as JSON: nothing panics, errors are *Error, and what binds has an output shape that can be counted.
func FuzzBind(f *testing.F) {
	seed := func(loss string, call Call) {
		text, err := json.Marshal(call)
		require.NoError(f, err)
		f.Add(loss, text)
	}
	seed("smooth_l1", Call{Inputs: []Named{float("pred", []int{2}, 1, 2), float("target", []int{2}, 1, 2)}})
	seed("cross_entropy", Call{Inputs: []Named{float("logits", []int{1, 2, 1}, 0, 0), class("target", []int{1, 1}, 1)}})
	seed("ssim", Call{Params: map[string]any{"window_size": 3, "padding": "reflect"},
		Inputs: []Named{float("pred", []int{1, 1, 3, 3}, make([]float64, 9)...), float("target", []int{1, 1, 3, 3}, make([]float64, 9)...)}})
	seed("iou", Call{Inputs: []Named{float("pred", []int{1, 4}, 0, 0, 1, 1), float("target", []int{1, 4}, 0, 0, 1, 1)}})
	seed("dice", Call{Params: map[string]any{"omega": "global"}, Inputs: []Named{float("pred", []int{1, 2, 1}, 0, 1), class("target_label", []int{1, 1}, 1)}})
	seed("perceptual", Call{Params: map[string]any{"variant": "lpips"},
		Inputs: []Named{float("features_0", []int{1, 1, 1, 1}, 1), float("target_0", []int{1, 1, 1, 1}, 1)}})
	seed("nt_xent", Call{Inputs: []Named{float("z", []int{2, 1}, 1, 2)}})
	f.Fuzz(func(t *testing.T, loss string, text []byte) {
		make := problems[strings.ToLower(loss)]
		var call Call
		if make == nil || json.Unmarshal(text, &call) != nil {
			return
		}
		p := make()
		_, err := Bind(p, call, keep)
		var e *Error
		if err != nil {
			if !errors.As(err, &e) {
				t.Fatalf("%T: %v", err, err)
			}
			return
		}
		if _, ok := SizeOf(p.Out()); !ok {
			t.Fatalf("output shape %v", p.Out())
		}
		if err := Validate(p); err != nil {
			t.Fatalf("bound, but invalid: %v", err)
		}
	})
}
