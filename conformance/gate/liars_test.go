package gate

import (
	"context"
	"encoding/json"
	"encoding/xml"
	"fmt"
	"math"
	"runtime"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"
	"unsafe"

	"github.com/stretchr/testify/require"

	"github.com/goldenloss/goldenloss/fixtures"
	"github.com/goldenloss/goldenloss/reference/loss"
)

type smooth = loss.SmoothL1[float64]

// honest is right on the rows of this file and allocates nothing.
func honest[T loss.Float](out []T, grad, in *loss.SmoothL1[T], dOut []T) {
	n := T(len(in.Pred.Data))
	out[0] = 0
	for i, x := range in.Pred.Data {
		e := x - in.Target.Data[i]
		l, d := max(e, -e)-T(in.Beta)/2, T(1)
		if e < 0 {
			d = -1
		}
		if max(e, -e) < T(in.Beta) {
			l, d = e*e/(2*T(in.Beta)), e/T(in.Beta)
		}
		if e != e {
			d = e
		}
		out[0] += l / n
		if grad != nil {
			grad.Pred.Data[i], grad.Target.Data[i] = d*dOut[0]/n, -d*dOut[0]/n
		}
	}
}

// row is a case of smooth_l1 with pred (0.5, 2, -3, 0), target 0 and beta 1, whose numbers are exact.
func row(id string) fixtures.Row {
	zeros := []float64{0, 0, 0, 0}
	tensor := func(name, role string, data ...float64) fixtures.Tensor {
		return fixtures.Tensor{Name: name, Role: role, DType: "bfloat16", Shape: []int64{4}, Data: data}
	}
	output := func(name string, shape []int64, data ...float64) fixtures.Output {
		return fixtures.Output{Output: name, Shape: shape, Data: data, Scale: zeros[:len(data)], ScaleUsual: zeros[:len(data)]}
	}
	return fixtures.Row{CaseID: "smooth_l1/" + id, Revision: 1, Loss: "smooth_l1", Tier: "core", Kind: "value",
		Params: `{"beta":1,"reduction":"mean"}`,
		Inputs: []fixtures.Tensor{tensor("pred", "var", 0.5, 2, -3, 0), tensor("target", "var", zeros...)},
		Expected: []fixtures.Output{output("value", []int64{}, 1.03125), output("grad:pred", []int64{4}, 0.125, 0.25, -0.25, 0),
			output("grad:target", []int64{4}, -0.125, -0.25, 0.25, 0)},
		DTypes: []string{"float64", "float32"}, Method: "hand", Comment: "wrong if anything is"}
}

// withNaN is a row whose value is NaN.
func withNaN() fixtures.Row {
	r, nan := row("hand/nan"), math.NaN()
	r.Inputs[0].Data = []float64{0.5, nan, -3, 0}
	r.Expected[0].Data = []float64{nan}
	r.Expected[1].Data = []float64{0.125, nan, -0.25, 0}
	r.Expected[2].Data = []float64{-0.125, nan, 0.25, 0}
	return r
}

func impl[T loss.Float](run func(out []T, grad, in *loss.SmoothL1[T], dOut []T)) loss.Impl[T] {
	return loss.Fused[T](run)
}

func file(rows ...fixtures.Row) []*fixtures.File {
	return []*fixtures.File{{Name: "golden/smooth_l1.parquet", Rows: rows}}
}

func check64(t *testing.T, r fixtures.Row, warm bool, run func(out []float64, grad, in *smooth, dOut []float64)) *Result {
	t.Helper()
	c := Float64("liar", []loss.Impl[float64]{impl(run)})
	c.Owes, c.Own, c.Warm = Standard, true, warm
	rep, err := Run(t.Context(), file(r), []*Column{c}, Options{AllowAbsent: true, Timeout: time.Second})
	require.NoError(t, err)
	require.Len(t, rep.Results, 1)
	return rep.Results[0]
}

func TestHonest(t *testing.T) {
	for _, r := range []fixtures.Row{row("hand/plain"), withNaN()} {
		require.Equal(t, Pass, check64(t, r, true, honest).Status)
		c := Float32("honest", []loss.Impl[float32]{impl(honest[float32])})
		c.Warm = true
		rep, err := Run(t.Context(), file(r), []*Column{c}, Options{AllowAbsent: true})
		require.NoError(t, err)
		require.Equal(t, Pass, rep.Results[0].Status, "%+v", rep.Results[0].Failures)
		require.Equal(t, 9, rep.Results[0].Values)
	}
}

// beyond is the element past the end of a slice.
func beyond(x []float64) *float64 {
	return (*float64)(unsafe.Add(unsafe.Pointer(unsafe.SliceData(x)), 8*len(x)))
}

var sink []byte

func TestLiars(t *testing.T) {
	var calls atomic.Int64
	for _, c := range []struct {
		name string
		nan  bool // on the row that wants NaN
		warm bool
		kind string
		text string
		run  func(out []float64, grad, in *smooth, dOut []float64)
	}{
		{"NaN everywhere", false, false, wrongValue, "value[0]: want 1.03125, got NaN", func(out []float64, grad, in *smooth, dOut []float64) {
			out[0] = math.NaN()
			if grad != nil {
				for i := range grad.Pred.Data {
					grad.Pred.Data[i], grad.Target.Data[i] = out[0], out[0]
				}
			}
		}},
		{"a gradient that is off by one bit too many", false, false, wrongValue, "grad:pred[2]: want -0.25, got -0.25000000000000011: 4 times the bound of class B (2 ulp)",
			func(out []float64, grad, in *smooth, dOut []float64) {
				honest(out, grad, in, dOut)
				if grad != nil {
					grad.Pred.Data[2] *= 1 + 0x1p-51
				}
			}},
		{"gradient not written", false, false, "not written", "grad:target[0] was not written", func(out []float64, grad, in *smooth, dOut []float64) {
			honest(out, nil, in, dOut)
			if grad != nil {
				copy(grad.Pred.Data, []float64{0.125, 0.25, -0.25, 0})
			}
		}},
		{"value not written where NaN is right", true, false, "not written", "value[0] was not written", func(out []float64, grad, in *smooth, dOut []float64) {
			if grad == nil {
				honest(out, grad, in, dOut)
				return
			}
			honest([]float64{0}, grad, in, dOut)
		}},
		{"value alone not written where NaN is right", true, false, "not written", "value alone[0] was not written", func(out []float64, grad, in *smooth, dOut []float64) {
			if grad != nil {
				honest(out, grad, in, dOut)
			}
		}},
		{"gradient put elsewhere", false, false, "not written", "grad:pred[0] was not written", func(out []float64, grad, in *smooth, dOut []float64) {
			if grad != nil {
				grad.Pred.Data, grad.Target.Data = make([]float64, 4), make([]float64, 4)
			}
			honest(out, grad, in, dOut)
		}},
		{"written outside the value", false, false, "guard", "value: element 1, outside the array of 1, was written", func(out []float64, grad, in *smooth, dOut []float64) {
			honest(out, grad, in, dOut)
			*beyond(out) = 0
		}},
		{"written outside an input", false, false, "guard", "target: element 4, outside the array of 4, was written", func(out []float64, grad, in *smooth, dOut []float64) {
			honest(out, grad, in, dOut)
			*beyond(in.Target.Data) = 0
		}},
		{"input written", false, false, "input written", "input pred[1] was written", func(out []float64, grad, in *smooth, dOut []float64) {
			honest(out, grad, in, dOut)
			in.Pred.Data[1] = math.Nextafter(in.Pred.Data[1], 9)
		}},
		{"NaN of an input written", true, false, "input written", "input pred[1] was written", func(out []float64, grad, in *smooth, dOut []float64) {
			honest(out, grad, in, dOut)
			in.Pred.Data[1] = -math.NaN()
		}},
		{"cotangent written", false, false, "input written", "input cotangent[0] was written", func(out []float64, grad, in *smooth, dOut []float64) {
			honest(out, grad, in, dOut)
			dOut[0] = 2
		}},
		{"parameter written", false, false, "input written", "beta=1", func(out []float64, grad, in *smooth, dOut []float64) {
			honest(out, grad, in, dOut)
			in.Beta = math.Nextafter(in.Beta, 2)
		}},
		{"another answer each time", false, false, "not repeatable", "in the second, on buffers that held something else", func(out []float64, grad, in *smooth, dOut []float64) {
			honest(out, grad, in, dOut)
			if calls.Add(1)%2 == 0 {
				out[0] = math.Nextafter(out[0], 2)
			}
		}},
		{"another value beside the gradient", false, false, "value depends on gradient", "value[0]: 1.03125 alone, 1.0312500000000002 with the gradient",
			func(out []float64, grad, in *smooth, dOut []float64) {
				honest(out, grad, in, dOut)
				if grad != nil {
					out[0] = math.Nextafter(out[0], 2)
				}
			}},
		{"panic", false, false, "panic", "the implementation panics: runtime error: index out of range", func(out []float64, grad, in *smooth, dOut []float64) {
			honest(out, grad, in, dOut)
			out[len(in.Pred.Data)] = 0
		}},
		{"hang", false, false, "timeout", "no answer within 1s", func(out []float64, grad, in *smooth, dOut []float64) { time.Sleep(3 * time.Second) }},
		{"allocation", false, true, "allocates", "a warm call for the value allocates 1 times", func(out []float64, grad, in *smooth, dOut []float64) {
			honest(out, grad, in, dOut)
			sink = make([]byte, 100)
		}},
		{"allocation beside the gradient", false, true, "allocates", "a warm call for value and gradient allocates 1 times",
			func(out []float64, grad, in *smooth, dOut []float64) {
				honest(out, grad, in, dOut)
				if grad != nil {
					sink = make([]byte, 100)
				}
			}},
		{"GOMAXPROCS", false, true, "depends on threads", "with GOMAXPROCS", func(out []float64, grad, in *smooth, dOut []float64) {
			honest(out, grad, in, dOut)
			if runtime.GOMAXPROCS(0) == 4 {
				out[0] = math.Nextafter(out[0], 2)
			}
		}},
		{"panic when warm", false, true, "panic", "odd", func(out []float64, grad, in *smooth, dOut []float64) {
			if runtime.GOMAXPROCS(0) == 4 {
				panic("odd")
			}
			honest(out, grad, in, dOut)
		}},
	} {
		t.Run(c.name, func(t *testing.T) {
			if c.warm && runtime.GOMAXPROCS(0) == 4 {
				defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(2))
			}
			r := row("hand/plain")
			if c.nan {
				r = withNaN()
			}
			res := check64(t, r, c.warm, c.run)
			require.Equal(t, Fail, res.Status)
			require.Equal(t, c.kind, res.Failures[0].Kind, res.Failures[0].Text)
			require.Contains(t, res.Failures[0].Text, c.text)
		})
	}
}

func TestRowsThatDoNotFit(t *testing.T) {
	change := func(f func(r *fixtures.Row)) fixtures.Row {
		r := row("hand/plain")
		f(&r)
		return r
	}
	class := "invalid_box"
	for _, c := range []struct {
		kind, text string
		row        fixtures.Row
	}{
		{"shape", "value: want 1 elements of shape [1], got 1 of shape []", change(func(r *fixtures.Row) { r.Expected[0].Shape = []int64{1} })},
		{"shape", "grad:pred: want 4 elements of shape [2 2], got 4 of shape [4]", change(func(r *fixtures.Row) { r.Expected[1].Shape = []int64{2, 2} })},
		{"missing output", "no output grad:beta", change(func(r *fixtures.Row) { r.Expected[1].Output = "grad:beta" })},
		{"binding", "the inputs do not bind: smooth_l1: invalid_param: beta", change(func(r *fixtures.Row) { r.Params = `{"beta":-1}` })},
		{"error class", "want the error invalid_box, got none", change(func(r *fixtures.Row) { r.Kind, r.Error, r.Expected = "error", &class, nil })},
		{"error class", "want the error invalid_box, got invalid_shape", change(func(r *fixtures.Row) {
			r.Kind, r.Error, r.Expected = "error", &class, nil
			r.Inputs[1].Shape, r.Inputs[1].Data = []int64{3}, []float64{0, 0, 0}
		})},
	} {
		res := check64(t, c.row, false, honest)
		require.Equal(t, Fail, res.Status, c.text)
		require.Equal(t, c.kind, res.Failures[0].Kind)
		require.Contains(t, res.Failures[0].Text, c.text)
	}
}

func TestClassOfACell(t *testing.T) {
	cell := func(r fixtures.Row, owes Class, run func(out []float64, grad, in *smooth, dOut []float64)) Cell {
		c := Float64("liar", []loss.Impl[float64]{impl(run)})
		c.Owes = owes
		rep, err := Run(t.Context(), file(r), []*Column{c}, Options{AllowAbsent: true})
		require.NoError(t, err)
		return rep.Cells()[0]
	}
	scaled := row("hand/plain")
	scaled.Expected[0].Scale, scaled.Expected[0].ScaleUsual = []float64{1}, []float64{4}
	off := func(ulps float64) func(out []float64, grad, in *smooth, dOut []float64) {
		return func(out []float64, grad, in *smooth, dOut []float64) {
			honest(out, grad, in, dOut)
			out[0] += ulps * 0x1p-52
		}
	}
	require.Equal(t, "A", cell(scaled, Standard, off(1)).Class)
	require.Equal(t, "B", cell(scaled, Standard, off(3)).Class)
	require.Equal(t, "C", cell(scaled, Usual, off(100)).Class)
	require.Equal(t, "-", cell(scaled, Usual, off(1000)).Class)
	require.Equal(t, 1, cell(scaled, Standard, off(3)).Passed)
	require.Equal(t, 1, cell(scaled, Tight, off(3)).Failed)
	require.Equal(t, "-", cell(scaled, Usual, func(out []float64, grad, in *smooth, dOut []float64) { panic("no") }).Class)
}

func TestWeakCases(t *testing.T) {
	r := row("hand/plain")
	for i := range r.Expected {
		r.Expected[i].Scale = []float64{1e17, 1e17, 1e17, 1e17}[:len(r.Expected[i].Data)]
	}
	r.Expected[1].Data = []float64{1, 1, 1, 1} // anything passes
	r.Expected[2].Data = r.Expected[1].Data
	res := check64(t, r, false, honest)
	require.Equal(t, Weak, res.Status)
	for _, name := range []string{"float64", "float32"} {
		c := Float64("honest", []loss.Impl[float64]{impl(honest[float64])})
		if name == "float32" {
			c = Float32("honest", []loss.Impl[float32]{impl(honest[float32])})
		}
		rep, err := Run(t.Context(), file(r), []*Column{c}, Options{AllowAbsent: true})
		require.NoError(t, err)
		v := rep.Verdict()
		require.Equal(t, 0, v.Passed, "a weak case has not passed")
		require.Equal(t, 1, v.Weak)
		require.Equal(t, name == "float32", v.OK(), "weak elements fail in float64 and warn in float32")
	}
}

func TestKinks(t *testing.T) {
	r := row("kink/zero")
	r.Expected[1].Lower, r.Expected[1].Upper = []float64{0.125, 0.25, -0.25, -0.25}, []float64{0.125, 0.25, -0.25, 0.25}
	run := func(out []float64, grad, in *smooth, dOut []float64) {
		honest(out, grad, in, dOut)
		if grad != nil {
			grad.Pred.Data[3] = 0.25
		}
	}
	c := Float64("foreign", []loss.Impl[float64]{impl(run)})
	for _, own := range []bool{false, true} {
		c.Own = own
		rep, err := Run(t.Context(), file(r), []*Column{c}, Options{AllowAbsent: true})
		require.NoError(t, err)
		require.Equal(t, own, rep.Results[0].Status == Fail)
	}
}

func TestFlush(t *testing.T) {
	r := row("hand/tiny")
	r.Inputs[0].Data[3] = 0x1p-130
	c := Float32("flushing", []loss.Impl[float32]{impl(honest[float32])})
	c.Flush = true
	rep, err := Run(t.Context(), file(r, row("hand/plain")), []*Column{c}, Options{AllowAbsent: true})
	require.NoError(t, err)
	require.Equal(t, Pass, rep.Results[0].Status)
	require.Equal(t, Skip, rep.Results[1].Status)
	require.Equal(t, "subnormal inputs", rep.Results[1].Reason)
}

func TestDTypes(t *testing.T) {
	r := row("hand/plain")
	r.DTypes = []string{"float64"}
	c := Float32("honest", []loss.Impl[float32]{impl(honest[float32])})
	rep, err := Run(t.Context(), file(r), []*Column{c}, Options{})
	require.NoError(t, err)
	require.Equal(t, Skip, rep.Results[0].Status)
	require.Contains(t, strings.Join(rep.Verdict().Problems, "\n"), "smooth_l1 in honest float32: nothing was checked")
}

func TestCompleteness(t *testing.T) {
	var others []loss.Impl[float64]
	for _, d := range loss.All {
		others = append(others, loss.Impl[float64]{ID: d.ID, New: impl(honest[float64]).New, Run: impl(honest[float64]).Run})
	}
	without := slices.DeleteFunc(slices.Clone(others), func(i loss.Impl[float64]) bool { return i.ID == "smooth_l1" })
	soon, past := time.Now().Add(time.Hour), time.Now().Add(-time.Hour)
	problems := func(impls []loss.Impl[float64], o Options, rows ...fixtures.Row) []string {
		rep, err := Run(t.Context(), file(rows...), []*Column{Float64("ours", impls)}, o)
		require.NoError(t, err)
		return rep.Problems
	}
	golden := row("hand/plain")
	require.Contains(t, problems(without, Options{}, golden), "smooth_l1: not implemented in column ours float64")
	require.Contains(t, problems(others, Options{}, golden), "dice: no golden cases")
	exempt := []Exemption{{"smooth_l1", "ours float64", "not yet", soon}}
	require.NotContains(t, strings.Join(problems(without, Options{Exemptions: exempt}, golden), "\n"), "ours")
	require.Contains(t, problems(others, Options{Exemptions: exempt}, golden), "smooth_l1: the exemption of column ours float64 is not needed")
	exempt[0].Until = past
	require.Contains(t, strings.Join(problems(without, Options{Exemptions: exempt}, golden), "\n"), "smooth_l1: the exemption of column ours float64 ended on")
	golden.Loss = "smooth_l9"
	require.Contains(t, problems(others, Options{AllowAbsent: true}, golden), "smooth_l9: golden cases of a loss that has no definition")
}

func TestSelection(t *testing.T) {
	var rows []fixtures.Row
	for i := range 40 {
		rows = append(rows, row(fmt.Sprintf("%s/case-%d", []string{"plain", "kink"}[i%2], i)))
	}
	column := []*Column{Float64("honest", []loss.Impl[float64]{impl(honest[float64])})}
	selected := func(o Options) int {
		o.AllowAbsent = true
		rep, err := Run(t.Context(), file(rows...), column, o)
		require.NoError(t, err)
		ids, err := List(file(rows...), o)
		require.NoError(t, err)
		require.Len(t, ids, rep.Selected)
		require.Equal(t, 40, rep.Total)
		return rep.Selected
	}
	require.Equal(t, 40, selected(Options{}))
	require.Equal(t, 20, selected(Options{Run: "smooth_l1/kink"}))
	require.Equal(t, 20, selected(Options{Skip: "/kink"}))
	require.Equal(t, 10, selected(Options{Run: "//case-3."}))
	require.Equal(t, 5, selected(Options{Run: "//case-3.", Skip: "/kink"}))
	require.Equal(t, 0, selected(Options{Run: "^l1$"}))
	require.Equal(t, 0, selected(Options{Run: "kink"}), "parts are matched one by one")
	sum := 0
	for i := 1; i <= 3; i++ {
		n := selected(Options{Shard: i, Of: 3})
		require.Positive(t, n)
		sum += n
	}
	require.Equal(t, 40, sum)
	_, err := Run(t.Context(), file(rows...), column, Options{Run: "["})
	require.ErrorContains(t, err, "-run")

	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	rep, err := Run(ctx, file(rows...), column, Options{AllowAbsent: true})
	require.ErrorIs(t, err, context.Canceled)
	require.True(t, rep.Interrupted)

	column[0].impls["smooth_l1"] = func(r *fixtures.Row, c *Column) *Result {
		res := newResult(r, c)
		res.fail(Failure{Kind: "panic", Text: "no"})
		return res
	}
	rep, err = Run(t.Context(), file(rows...), column, Options{AllowAbsent: true, FailFast: true, Workers: 1})
	require.NoError(t, err)
	require.Less(t, len(rep.Results), 40)
}

func TestFormats(t *testing.T) {
	rows := []fixtures.Row{row("hand/plain"), withNaN(), row("hand/skipped")}
	rows[2].DTypes = []string{"float32"}
	bad := func(out []float64, grad, in *smooth, dOut []float64) {
		honest(out, grad, in, dOut)
		if in.Pred.Data[1] == 2 {
			out[0] = math.Inf(1)
			panic("100% \x1b<&>\r\nwrong: a, b")
		}
		out[0] = math.Inf(1)
	}
	c := Float64("mine", []loss.Impl[float64]{impl(bad)})
	rep, err := Run(t.Context(), file(rows...), []*Column{c}, Options{AllowAbsent: true})
	require.NoError(t, err)
	render := func(format string) string {
		var b strings.Builder
		require.NoError(t, rep.Write(&b, format))
		return b.String()
	}

	text := render("text")
	require.True(t, strings.HasSuffix(text, "\n0 passed, 2 failed, 1 skipped\n"), text)
	for _, want := range []string{"FAIL smooth_l1/hand/nan in mine float64 (golden/smooth_l1.parquet)", "value[0]: want NaN, got +Inf",
		"go run ./conformance -repro smooth_l1/hand/plain", "9 values compared in 3 cases of 1 losses, 0 weak"} {
		require.Contains(t, text, want)
	}

	var j JSON
	require.NoError(t, json.Unmarshal([]byte(render("json")), &j))
	require.Equal(t, []int{0, 2, 1, 9, 3}, []int{j.Passed, j.Failed, j.Skipped, j.Values, j.Total})
	require.False(t, j.OK)
	require.Equal(t, "Infinity", j.Cells[0].Worst)
	require.Equal(t, "NaN", j.Cases[0].Failures[0].Want)
	require.Equal(t, "Infinity", j.Cases[0].Failures[0].Got)

	var suites junitSuites
	require.NoError(t, xml.Unmarshal([]byte(render("junit")), &suites))
	require.Equal(t, []int{3, 2, 1}, []int{suites.Tests, suites.Failures, suites.Skipped})
	require.Equal(t, "smooth_l1", suites.Suites[0].Name)
	require.NotNil(t, suites.Suites[0].Cases[0].Failure)
	require.NotNil(t, suites.Suites[0].Cases[2].Skipped)
	require.NotContains(t, render("junit"), "\x1b")

	github := render("github")
	require.Equal(t, 1, strings.Count(github, "::error title="))
	require.Contains(t, github, "::error title=smooth_l1 in mine float64%3A 2 cases fail::")
	require.Contains(t, render("markdown"), "| smooth_l1 |")
	require.ErrorContains(t, rep.Write(&strings.Builder{}, "html"), "markdown")

	for i := range 30 {
		rep.Problems = append(rep.Problems, fmt.Sprintf("problem %d: 100%%,\nand more", i))
	}
	github = render("github")
	require.Equal(t, maxAnnotations, strings.Count(github, "::error title="))
	require.Contains(t, github, "::error title=conformance::problem 1: 100%25,%0Aand more\n")
}

func TestRepro(t *testing.T) {
	r := row("hand/plain")
	c := Float64("mine", []loss.Impl[float64]{impl(func(out []float64, grad, in *smooth, dOut []float64) {
		honest(out, grad, in, dOut)
		out[0] = 2
	})})
	rep, err := Run(t.Context(), file(r), []*Column{c}, Options{AllowAbsent: true})
	require.NoError(t, err)
	var b strings.Builder
	require.NoError(t, rep.Repro(&b, &r))
	for _, want := range []string{"smooth_l1/hand/plain", `params {"beta":1,"reduction":"mean"}`, "[0.5 2 -3 0]", "mine float64: fail", "1.03125", "grad:target"} {
		require.Contains(t, b.String(), want)
	}
}

// lies collects what Test reports.
type lies struct {
	*testing.T
	errors []string
}

func (l *lies) Errorf(format string, args ...any) {
	l.errors = append(l.errors, fmt.Sprintf(format, args...))
}
func (l *lies) Fatalf(format string, args ...any) {
	l.errors = append(l.errors, fmt.Sprintf(format, args...))
}

func TestInsideAGoTest(t *testing.T) {
	l := &lies{T: t}
	Test(l, Options{Run: "^no_such_loss$", AllowAbsent: true}, Float64("mine", nil))
	require.Equal(t, []string{"no case was checked"}, l.errors)
}
