package gate

import (
	"context"
	"fmt"
	"math"
	"regexp"
	"runtime"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/goldenloss/goldenloss/fixtures"
	"github.com/goldenloss/goldenloss/reference/loss"
)

// Column is an implementation under test in one dtype.
type Column struct {
	Name   string // reference, portable, ...
	Owes   Class  // the accuracy that it must reach in every case
	Own    bool   // judged by the chosen element on kinks; others by the accepted interval
	Warm   bool   // claims that warm calls allocate nothing and that the answer does not depend on GOMAXPROCS
	Flush  bool   // flushes subnormals: cases that hold them are skipped, and tolerances end at the smallest normal number
	format format
	impls  map[string]func(*fixtures.Row, *Column) *Result
	warm   map[string]func(*fixtures.Row, *Column) *Failure
	// answers returns the outputs of a row as float64, for reports.
	answers map[string]func(*fixtures.Row) map[string][]float64
}

// Float64 and Float32 make a column of the implementations of a dtype. It owes class C and is judged by intervals on kinks, until
// its fields say otherwise.
func Float64(name string, impls []loss.Impl[float64]) *Column {
	return column(name, float64Format, impls)
}

func Float32(name string, impls []loss.Impl[float32]) *Column {
	return column(name, float32Format, impls)
}

func column[T loss.Float](name string, f format, impls []loss.Impl[T]) *Column {
	c := &Column{Name: name, Owes: Usual, format: f, impls: map[string]func(*fixtures.Row, *Column) *Result{},
		warm: map[string]func(*fixtures.Row, *Column) *Failure{}, answers: map[string]func(*fixtures.Row) map[string][]float64{}}
	for _, impl := range impls {
		c.impls[impl.ID] = func(r *fixtures.Row, c *Column) *Result { return check(r, c, impl) }
		c.answers[impl.ID] = func(r *fixtures.Row) map[string][]float64 { return answer(r, impl) }
		c.warm[impl.ID] = func(r *fixtures.Row, c *Column) *Failure { return checkWarm(r, c, impl) }
	}
	return c
}

// DType is the dtype in which the column computes.
func (c *Column) DType() string { return c.format.name }

// Title names the column with its dtype.
func (c *Column) Title() string { return c.Name + " " + c.format.name }

// Losses lists the ids that the column implements.
func (c *Column) Losses() []string {
	var ids []string
	for id := range c.impls {
		ids = append(ids, id)
	}
	slices.Sort(ids)
	return ids
}

// Exemption excuses a missing cell until a date. One that is no longer needed, or past its date, fails.
type Exemption struct {
	Loss, Column, Reason string
	Until                time.Time
}

// Options select and arrange a run. The zero Options run everything.
type Options struct {
	Run, Skip   string // patterns on case ids, split at "/" and matched part by part, as go test does
	Shard, Of   int    // shard 1..Of; 0 for all
	FailFast    bool
	Workers     int           // cases at the same time; 0 for GOMAXPROCS
	Timeout     time.Duration // for one case; 0 for a minute
	Exemptions  []Exemption
	AllowAbsent bool // a loss without files, or a column without an implementation, is no failure: for foreign columns
	Progress    func(done, total int)
}

// Status of a case in a column.
type Status string

const (
	Pass Status = "pass"
	Weak Status = "weak" // every compared element has a tolerance too wide to say anything
	Fail Status = "fail"
	Skip Status = "skip"
)

// Failure is one way in which a case fails.
type Failure struct {
	Kind   string  `json:"kind"` // wrong value, not written, guard, input written, not repeatable, panic, error class, ...
	Output string  `json:"output,omitempty"`
	Index  int     `json:"index"`
	Want   float64 `json:"-"`
	Got    float64 `json:"-"`
	Ratio  float64 `json:"-"` // error in units of the bound
	Text   string  `json:"text"`
	Count  int     `json:"count"` // elements of this output that fail alike
}

// wrongValue is the kind of failure that a wider class may forgive.
const wrongValue = "wrong value"

// Result is a case in a column.
type Result struct {
	Case, Loss, Column string
	Status             Status
	Reason             string // of a skip
	Values, Weak       int    // elements compared, and weak ones among them
	Ratio              [3]float64
	Worst              Worst // the element with the largest error in units of the bound that the column owes
	Failures           []Failure
	File               string
}

// Holds reports whether the case passes, or would pass, in an accuracy class.
func (r *Result) Holds(c Class) bool {
	if slices.ContainsFunc(r.Failures, func(f Failure) bool { return f.Kind != wrongValue }) {
		return false // no class forgives a panic or an input that was written
	}
	return r.Ratio[slices.Index(Classes, c)] <= 1
}

// Worst is an element of an output.
type Worst struct {
	Output string
	Index  int
	Ratio  float64
}

// Run checks the columns against golden files.
func Run(ctx context.Context, files []*fixtures.File, columns []*Column, o Options) (*Report, error) {
	match, err := newMatcher(o.Run, o.Skip)
	if err != nil {
		return nil, err
	}
	rep := &Report{Columns: columns, options: o}
	type job struct {
		file string
		row  *fixtures.Row
		col  *Column
		out  *Result
	}
	var jobs []job
	cases := map[string]bool{}
	for _, f := range files {
		for i := range f.Rows {
			r := &f.Rows[i]
			rep.Total++
			if !match.accepts(r.CaseID) || !inShard(r.CaseID, o.Shard, o.Of) {
				continue
			}
			cases[r.CaseID] = true
			if !slices.Contains(rep.Losses, r.Loss) {
				rep.Losses = append(rep.Losses, r.Loss)
			}
			for _, c := range columns {
				if c.impls[r.Loss] != nil {
					jobs = append(jobs, job{file: f.Name, row: r, col: c})
				}
			}
		}
	}
	rep.Selected = len(cases)
	slices.SortStableFunc(rep.Losses, func(a, b string) int { return inCatalogue(a) - inCatalogue(b) })
	whole := o.Run == "" && o.Skip == "" && o.Of == 0
	rep.complete(files, columns, o, whole)
	runCtx, cancel := context.WithCancel(ctx)
	defer cancel()
	var wg sync.WaitGroup
	var mu sync.Mutex
	next := make(chan *job)
	done := 0
	workers := o.Workers
	if workers < 1 {
		workers = runtime.GOMAXPROCS(0)
	}
	for range workers {
		wg.Go(func() {
			for j := range next {
				res := guardedRun(j.row, j.col, o.Timeout)
				res.File = j.file
				mu.Lock()
				j.out = res
				done++
				if o.Progress != nil {
					o.Progress(done, len(jobs))
				}
				if o.FailFast && res.Status == Fail {
					cancel()
				}
				mu.Unlock()
			}
		})
	}
feed:
	for i := range jobs {
		select {
		case next <- &jobs[i]:
		case <-runCtx.Done():
			break feed
		}
	}
	close(next)
	wg.Wait()
	// What depends on the whole process runs alone: the collector is off and GOMAXPROCS changes.
	for i := range jobs {
		j := &jobs[i]
		if runCtx.Err() == nil && j.out != nil && j.col.Warm && (j.out.Status == Pass || j.out.Status == Weak) && j.row.Kind == "value" {
			if f := j.col.warm[j.row.Loss](j.row, j.col); f != nil {
				j.out.fail(*f)
			}
		}
	}
	for i := range jobs {
		if jobs[i].out != nil {
			rep.Results = append(rep.Results, jobs[i].out)
		}
	}
	rep.Interrupted = len(rep.Results) < len(jobs)
	slices.SortStableFunc(rep.Results, func(a, b *Result) int { return strings.Compare(a.Case, b.Case) })
	return rep, ctx.Err()
}

// inCatalogue is the place of a loss in the catalogue, its end for an unknown one.
func inCatalogue(id string) int {
	if i := slices.IndexFunc(loss.All, func(d *loss.Def) bool { return d.ID == id }); i >= 0 {
		return i
	}
	return len(loss.All)
}

func (r *Result) fail(f Failure) {
	f.Count = max(f.Count, 1)
	r.Failures = append(r.Failures, f)
	r.Status = Fail
}

// guardedRun runs a case, turns a panic into a failure and gives up on a case that hangs.
func guardedRun(r *fixtures.Row, c *Column, limit time.Duration) *Result {
	if limit <= 0 {
		limit = time.Minute
	}
	out := make(chan *Result, 1)
	go func() {
		defer func() {
			if p := recover(); p != nil {
				res := newResult(r, c)
				res.fail(Failure{Kind: "panic", Text: fmt.Sprint("the implementation panics: ", p)})
				out <- res
			}
		}()
		out <- c.impls[r.Loss](r, c)
	}()
	select {
	case res := <-out:
		return res
	case <-time.After(limit):
		res := newResult(r, c)
		res.fail(Failure{Kind: "timeout", Text: fmt.Sprint("no answer within ", limit)})
		return res
	}
}

func newResult(r *fixtures.Row, c *Column) *Result {
	return &Result{Case: r.CaseID, Loss: r.Loss, Column: c.Title(), Status: Pass}
}

// check runs one case in one column.
func check[T loss.Float](r *fixtures.Row, c *Column, impl loss.Impl[T]) *Result {
	res := newResult(r, c)
	if !slices.Contains(r.DTypes, c.format.name) {
		res.Status, res.Reason = Skip, "does not judge "+c.format.name
		return res
	}
	if c.Flush && holdsSubnormals(r, c.format.min) {
		res.Status, res.Reason = Skip, "subnormal inputs"
		return res
	}
	in := impl.New()
	dOut, err := fixtures.Bind(r, in)
	if r.Kind == "error" {
		res.Values = 1
		if got := classOf(err); got != *r.Error {
			res.fail(Failure{Kind: "error class", Text: fmt.Sprintf("want the error %s, got %s", *r.Error, got)})
		}
		return res
	}
	if err != nil {
		res.fail(Failure{Kind: "binding", Text: fmt.Sprint("the inputs do not bind: ", err)})
		return res
	}
	b := newBench(impl, in, dOut)
	value := b.run(false, poisoned)
	grad := b.run(true, poisoned)
	again := b.run(true, dirty)
	b.behavior(res, value, grad, again)
	compare(res, r, c, grad, b.shapes)
	if res.Status == Pass && res.Values > 0 && res.Weak == res.Values {
		res.Status = Weak
	}
	return res
}

// compare holds the outputs of a run to the expectation.
func compare[T loss.Float](res *Result, r *fixtures.Row, c *Column, got outputs[T], shapes map[string][]int) {
	for _, o := range r.Expected {
		data, ok := got[o.Output]
		if !ok {
			res.fail(Failure{Kind: "missing output", Output: o.Output, Text: "the implementation has no output " + o.Output})
			continue
		}
		shape := shapes[o.Output]
		if len(data) != len(o.Data) || !slices.EqualFunc(shape, o.Shape, func(a int, b int64) bool { return int64(a) == b }) {
			res.fail(Failure{Kind: "shape", Output: o.Output,
				Text: fmt.Sprintf("%s: want %d elements of shape %v, got %d of shape %v", o.Output, len(o.Data), o.Shape, len(data), shape)})
			continue
		}
		var first *Failure
		failed := 0
		f := c.format
		if c.Flush {
			f.eta = f.min
		}
		for i, want := range o.Data {
			e := expected{want: want, scale: o.Scale[i], usual: o.ScaleUsual[i], lower: want, upper: want}
			if !c.Own && len(o.Lower) > 0 {
				e.lower, e.upper = o.Lower[i], o.Upper[i]
			}
			x := float64(data[i])
			res.Values++
			if f.weak(e, c.Owes) {
				res.Weak++
			}
			for k, class := range Classes {
				res.Ratio[k] = math.Max(res.Ratio[k], f.judge(e, class, x))
			}
			ratio := f.judge(e, c.Owes, x)
			if ratio > res.Worst.Ratio {
				res.Worst = Worst{o.Output, i, ratio}
			}
			if !(ratio <= 1) {
				failed++
				if first == nil || ratio > first.Ratio {
					first = &Failure{Kind: wrongValue, Output: o.Output, Index: i, Want: want, Got: x, Ratio: ratio,
						Text: fmt.Sprintf("%s[%d]: want %.17g, got %.17g", o.Output, i, want, x)}
					if !math.IsInf(ratio, 0) {
						first.Text += fmt.Sprintf(": %.3g times the bound of class %s (%s ulp)", ratio, c.Owes.Name, f.ulps(want, x))
					}
				}
			}
		}
		if first != nil {
			first.Count = failed
			res.fail(*first)
		}
	}
}

func holdsSubnormals(r *fixtures.Row, least float64) bool {
	for _, t := range r.Inputs {
		for _, x := range t.Data {
			if x != 0 && math.Abs(x) < least {
				return true
			}
		}
	}
	return false
}

func classOf(err error) string {
	if e, ok := err.(*loss.Error); ok {
		return e.Class.String()
	}
	if err == nil {
		return "none"
	}
	return err.Error()
}

// matcher selects case ids as go test selects subtests: a pattern is split at "/", each part must match its part of the id.
type matcher struct{ run, skip []*regexp.Regexp }

func newMatcher(run, skip string) (m matcher, err error) {
	if m.run, err = split("run", run); err != nil {
		return m, err
	}
	m.skip, err = split("skip", skip)
	return m, err
}

func split(flag, pattern string) ([]*regexp.Regexp, error) {
	if pattern == "" {
		return nil, nil
	}
	var list []*regexp.Regexp
	for _, part := range strings.Split(pattern, "/") {
		re, err := regexp.Compile(part)
		if err != nil {
			return nil, fmt.Errorf("-%s %q: %w", flag, pattern, err)
		}
		list = append(list, re)
	}
	return list, nil
}

func (m matcher) accepts(id string) bool {
	return matches(m.run, id) && !(m.skip != nil && matches(m.skip, id))
}

func matches(list []*regexp.Regexp, id string) bool {
	parts := strings.Split(id, "/")
	for i, re := range list {
		if i >= len(parts) || !re.MatchString(parts[i]) {
			return false
		}
	}
	return true
}

// inShard spreads case ids over shards by their hash.
func inShard(id string, shard, of int) bool {
	if of <= 1 {
		return true
	}
	h := uint32(2166136261)
	for _, b := range []byte(id) {
		h = (h ^ uint32(b)) * 16777619
	}
	return int(h%uint32(of)) == shard-1
}
