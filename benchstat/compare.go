package main

import (
	"fmt"
	"hash/fnv"
	"math"
	"math/rand/v2"
	"slices"
	"sort"
	"strings"

	"golang.org/x/perf/benchmath"
)

// thresholds are the changes that count, by class of unit: smaller ones are not worth a person's time even where they are sure.
type thresholds struct {
	Time     float64 // sec/op, sec/elem, B/s and every other measured unit
	Memory   float64 // B/op, allocs/op
	Accuracy float64 // exact units
	Alpha    float64 // false discovery rate over the report
}

var defaults = thresholds{Time: 0.05, Memory: 0.01, Accuracy: 0.01, Alpha: 0.05}

func (t thresholds) of(unit string, exact bool) float64 {
	switch {
	case exact:
		return t.Accuracy
	case unit == "B/op" || unit == "allocs/op":
		return t.Memory
	}
	return t.Time
}

// Verdict of a row.
type Verdict string

const (
	Regression  Verdict = "regression"
	Improvement Verdict = "improvement"
	Unchanged   Verdict = "unchanged"
	SameCode    Verdict = "same code"   // a change of time that the machine code cannot explain
	Unconfirmed Verdict = "unconfirmed" // not seen again in the second round
	Waived      Verdict = "waived"
	Derived     Verdict = "derived" // says the same as another unit
)

// Row compares one unit of one benchmark.
type Row struct {
	Name, Unit         string
	Old, New           benchmath.Summary
	N1, N2             int
	Ratio, Lo, Hi      float64 // new over old: medians, and a 95 % interval by bootstrap
	P, Q               float64 // of the U test, before and after the correction for many comparisons
	Threshold          float64
	Verdict            Verdict
	Waiver             string
	exact, same, worse bool
	better             int
	old, new           []float64
}

// Comparison is a report on two sets of results.
type Comparison struct {
	Base, Head string // commits
	Place      string
	Rows       []Row
	Added      []string // benchmarks without base
	Removed    []string
	Warnings   []string
	Geomean    map[string]float64 // of the ratios, by unit, over the rows that both have
}

// Failed reports whether some regression stands.
func (c *Comparison) Failed() bool {
	return slices.ContainsFunc(c.Rows, func(r Row) bool { return r.Verdict == Regression })
}

// count is the number of rows with a verdict.
func (c *Comparison) count(v Verdict) int {
	n := 0
	for i := range c.Rows {
		if c.Rows[i].Verdict == v {
			n++
		}
	}
	return n
}

// derived units follow from time and size; they are shown and not tested.
var derived = []string{"sec/elem", "B/s", "%roof"}

type cell struct {
	values []float64
	code   map[string]bool
}

// grouped collects results by benchmark and unit.
func grouped(l *benchLog) map[[2]string]*cell {
	t := map[[2]string]*cell{}
	for _, r := range l.Results {
		for _, v := range r.Values {
			k := [2]string{label(r.Name), v.Unit}
			if t[k] == nil {
				t[k] = &cell{code: map[string]bool{}}
			}
			t[k].values = append(t[k].values, v.Value)
			t[k].code[r.GetConfig("code")] = true
		}
	}
	return t
}

// compareOptions say what counts as a change.
type compareOptions struct {
	thresholds
	Noise      map[string]float64 // half widths of the A/A intervals, by name and unit
	Waivers    []waiver
	IgnoreCode bool // judge times although the machine code is the same
	Second     *[2]*benchLog
}

// compare judges head against base. An error means that no verdict is possible.
func compare(base, head *benchLog, o compareOptions) (*Comparison, error) {
	c := &Comparison{Geomean: map[string]float64{}}
	places := slices.Compact(append(base.places(), head.places()...))
	slices.Sort(places)
	if places = slices.Compact(places); len(places) != 1 {
		return nil, fmt.Errorf("%w: %s", errMixed, strings.Join(places, " | "))
	}
	c.Place = places[0]
	for _, side := range []struct {
		log *benchLog
		to  *string
	}{{base, &c.Base}, {head, &c.Head}} {
		commits := side.log.values("commit")
		if len(commits) != 1 {
			return nil, fmt.Errorf("want results of one commit on each side, got %s", strings.Join(commits, ", "))
		}
		*side.to = commits[0]
	}
	if a, b := base.values("go"), head.values("go"); !slices.Equal(a, b) {
		c.Warnings = append(c.Warnings, fmt.Sprintf("different compilers: %s and %s", strings.Join(a, " "), strings.Join(b, " ")))
	}
	old, now := grouped(base), grouped(head)
	c.Added, c.Removed = missing(now, old), missing(old, now)
	keys := make([][2]string, 0, len(now))
	for k := range now {
		if old[k] != nil {
			keys = append(keys, k)
		}
	}
	if len(keys) == 0 {
		return nil, fmt.Errorf("the two sides have no benchmark in common")
	}
	sort.Slice(keys, func(i, j int) bool { return keys[i][0]+"\x00"+keys[i][1] < keys[j][0]+"\x00"+keys[j][1] })
	few := 0
	for _, k := range keys {
		r, err := newRow(k, old[k], now[k], head, o)
		if err != nil {
			return nil, err
		}
		if !r.exact && min(r.N1, r.N2) < 4 {
			few++
		}
		c.Rows = append(c.Rows, r)
	}
	if few > 0 {
		return nil, fmt.Errorf("%d of %d rows have fewer than 4 samples on a side: no test can find a change", few, len(c.Rows))
	}
	tests := benjaminiHochberg(c.Rows)
	c.warnPower(tests, o.Alpha)
	var second map[string]Verdict
	if o.Second != nil {
		again := o
		again.Second, again.Waivers = nil, nil
		more, err := compare(o.Second[0], o.Second[1], again)
		if err != nil {
			return nil, fmt.Errorf("second round: %w", err)
		}
		second = map[string]Verdict{}
		for _, r := range more.Rows {
			second[r.Name+" "+r.Unit] = r.Verdict
		}
	}
	for i := range c.Rows {
		c.Rows[i].judge(o, second)
	}
	for unit, logs := range logRatios(c.Rows) {
		sum := 0.0
		for _, x := range logs {
			sum += x
		}
		c.Geomean[unit] = math.Exp(sum / float64(len(logs)))
	}
	for _, w := range o.Waivers {
		if !slices.ContainsFunc(c.Rows, func(r Row) bool { return r.Waiver == w.text }) {
			c.Warnings = append(c.Warnings, "waiver without a regression: "+w.text)
		}
	}
	return c, nil
}

// missing lists the benchmarks of a that b lacks.
func missing(a, b map[[2]string]*cell) []string {
	has, gone := map[string]bool{}, map[string]bool{}
	for k := range b {
		has[k[0]] = true
	}
	for k := range a {
		if !has[k[0]] {
			gone[k[0]] = true
		}
	}
	return sortedKeys(gone)
}

func newRow(k [2]string, old, now *cell, units *benchLog, o compareOptions) (Row, error) {
	assume := units.Units.GetAssumption(k[1])
	a, b := benchmath.NewSample(slices.Clone(old.values), &benchmath.DefaultThresholds), benchmath.NewSample(slices.Clone(now.values), &benchmath.DefaultThresholds)
	r := Row{Name: k[0], Unit: k[1], N1: len(a.Values), N2: len(b.Values), old: a.Values, new: b.Values, exact: assume == benchmath.AssumeExact,
		better: units.better(k[1])}
	for _, s := range []*benchmath.Sample{a, b} {
		if slices.ContainsFunc(s.Values, func(x float64) bool { return math.IsNaN(x) || math.IsInf(x, 0) || x < 0 }) {
			return r, fmt.Errorf("%s: %s: want numbers of at least 0, got %v", r.Name, r.Unit, s.Values)
		}
		if r.exact && s.Values[0] != s.Values[len(s.Values)-1] {
			return r, fmt.Errorf("%s: %s is declared exact, but differs between %g and %g at one commit", r.Name, r.Unit, s.Values[0], s.Values[len(s.Values)-1])
		}
	}
	r.Old, r.New = assume.Summary(a, 0.95), assume.Summary(b, 0.95)
	r.same = !o.IgnoreCode && len(old.code) == 1 && len(now.code) == 1 && !old.code[""] && sortedKeys(old.code)[0] == sortedKeys(now.code)[0]
	r.Threshold = max(o.of(k[1], r.exact), 2*o.Noise[k[0]+" "+k[1]])
	r.P, r.Q = 1, 1
	r.Ratio = quotient(r.New.Center, r.Old.Center)
	r.Lo, r.Hi = r.Ratio, r.Ratio
	if !r.exact {
		r.P = benchmath.AssumeNothing.Compare(a, b).P
		r.Lo, r.Hi = bootstrap(r.Name+r.Unit, a.Values, b.Values)
	}
	r.worse = (r.Ratio > 1) == (r.better < 0)
	return r, nil
}

// quotient is a/b; 1 for 0/0.
func quotient(a, b float64) float64 {
	if a == b {
		return 1
	}
	return a / b
}

const resamples = 1000

// bootstrap returns a 95 % interval of the ratio of medians. The stream of random numbers is fixed by the name, so that the same
// results get the same verdict.
func bootstrap(name string, old, now []float64) (lo, hi float64) {
	h := fnv.New64a()
	h.Write([]byte(name))
	r := rand.New(rand.NewPCG(h.Sum64(), 1))
	draw := func(x, buf []float64) float64 {
		for i := range buf {
			buf[i] = x[r.IntN(len(x))]
		}
		slices.Sort(buf)
		return median(buf)
	}
	a, b := make([]float64, len(old)), make([]float64, len(now))
	ratios := make([]float64, resamples)
	for i := range ratios {
		ratios[i] = quotient(draw(now, b), draw(old, a))
	}
	slices.Sort(ratios)
	return ratios[resamples/40], ratios[resamples-1-resamples/40]
}

// median of a sorted slice.
func median(x []float64) float64 {
	n := len(x)
	if n%2 == 1 {
		return x[n/2]
	}
	return (x[n/2-1] + x[n/2]) / 2
}

// tested reports whether a row enters the correction: measured, by a unit of its own, on code that differs.
func (r *Row) tested() bool { return !r.exact && !r.same && !slices.Contains(derived, r.Unit) }

// benjaminiHochberg fills in Q and returns the number of tests. (Benjamini and Hochberg 1995.)
func benjaminiHochberg(rows []Row) int {
	var order []int
	for i := range rows {
		if rows[i].tested() {
			order = append(order, i)
		}
	}
	sort.SliceStable(order, func(i, j int) bool { return rows[order[i]].P < rows[order[j]].P })
	least := 1.0
	for i := len(order) - 1; i >= 0; i-- {
		r := &rows[order[i]]
		least = min(least, r.P*float64(len(order))/float64(i+1))
		r.Q = least
	}
	return len(order)
}

// warnPower warns where so many comparisons are made of so few samples that a single change could not be told from chance.
func (c *Comparison) warnPower(tests int, alpha float64) {
	for _, r := range c.Rows {
		if !r.tested() {
			continue
		}
		// The least p of the two-sided U test is 2 over the number of ways to divide the samples.
		ways := 1.0
		for i := 1; i <= r.N1; i++ {
			ways *= float64(r.N2+i) / float64(i)
		}
		if 2/ways*float64(tests) > alpha {
			c.Warnings = append(c.Warnings, fmt.Sprintf("%d and %d samples are too few for %d comparisons: a change of a single row stays unseen", r.N1, r.N2, tests))
			return
		}
	}
}

// judge gives the verdict. A change must be sure after correction for many comparisons, and its whole interval beyond the threshold.
func (r *Row) judge(o compareOptions, second map[string]Verdict) {
	r.Verdict = Unchanged
	switch {
	case slices.Contains(derived, r.Unit):
		r.Verdict = Derived
		return
	case r.exact:
		if r.Ratio == 1 || math.Abs(r.Ratio-1) <= r.Threshold {
			return
		}
	case r.P > o.Alpha || !beyond(r.Lo, r.Hi, r.Threshold):
		return
	case r.same:
		r.Verdict = SameCode
		return
	case r.Q > o.Alpha:
		return
	}
	r.Verdict = Improvement
	if r.worse {
		r.Verdict = Regression
	}
	if v, again := second[r.Name+" "+r.Unit]; again && v != r.Verdict {
		r.Verdict = Unconfirmed
		return
	}
	if r.Verdict == Regression {
		for _, w := range o.Waivers {
			if w.covers(r) {
				r.Verdict, r.Waiver = Waived, w.text
			}
		}
	}
}

// beyond reports whether an interval of ratios lies wholly outside 1 +- t.
func beyond(lo, hi, t float64) bool { return lo > 1+t || hi < 1/(1+t) }

func logRatios(rows []Row) map[string][]float64 {
	logs := map[string][]float64{}
	for _, r := range rows {
		if !r.exact && r.Ratio > 0 && !math.IsInf(r.Ratio, 0) {
			logs[r.Unit] = append(logs[r.Unit], math.Log(r.Ratio))
		}
	}
	return logs
}

// changed lists the rows that stand out, worst first.
func (c *Comparison) changed() []Row {
	var list []Row
	for _, r := range c.Rows {
		if r.Verdict != Unchanged && r.Verdict != Derived {
			list = append(list, r)
		}
	}
	rank := map[Verdict]int{Regression: 0, Waived: 1, Unconfirmed: 2, Improvement: 3, SameCode: 4}
	sort.SliceStable(list, func(i, j int) bool {
		a, b := list[i], list[j]
		if rank[a.Verdict] != rank[b.Verdict] {
			return rank[a.Verdict] < rank[b.Verdict]
		}
		return math.Abs(math.Log(a.Ratio)) > math.Abs(math.Log(b.Ratio))
	})
	return list
}
