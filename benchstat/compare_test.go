package main

import (
	"bytes"
	"context"
	"encoding/csv"
	"fmt"
	"math"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// fake makes results of 60 benchmarks of one commit: n samples with 2 % noise. change may alter a time or an accuracy.
type fake struct {
	commit, place string
	n             int
	seed          uint64
	noise         float64
	slower        map[int]float64 // factor of the time, by benchmark
	bounds        map[int]float64 // accuracy, by benchmark; 0.25 elsewhere
	code          func(i int) string
}

const fakes = 60

func fakeName(i int) string {
	return fmt.Sprintf("Loss/loss=loss%d/impl=portable/op=fwdbwd/dtype=float32/work=w/threads=1", i)
}

func (f fake) text() string {
	if f.place == "" {
		f.place = "cpu: Test"
	}
	if f.noise == 0 {
		f.noise = 0.02
	}
	r := rand.New(rand.NewPCG(f.seed, 9))
	var b strings.Builder
	b.WriteString(unitLines)
	fmt.Fprintf(&b, "goos: linux\n%s\ncommit: %s\ncommit-time: 2026-11-26T01:00:00Z\nrunner: test\n", f.place, f.commit)
	for i := range fakes {
		code := f.commit
		if f.code != nil {
			code = f.code(i)
		}
		fmt.Fprintf(&b, "\ncode: %s\n\n", code)
		for range f.n {
			ns := 1000 * float64(1+i) * (1 + f.noise*math.Abs(r.NormFloat64()))
			if k := f.slower[i]; k != 0 {
				ns *= k
			}
			fmt.Fprintf(&b, "Benchmark%s-2 100 %.2f ns/op %.4f ns/elem 64 B/op 2 allocs/op\n", fakeName(i), ns, ns/100)
		}
		bound := 0.25
		if x, ok := f.bounds[i]; ok {
			bound = x
		}
		fmt.Fprintf(&b, "BenchmarkAccuracy/loss=loss%d/impl=portable/dtype=float32-2 1 %g bounds\n", i, bound)
	}
	return b.String()
}

func parsed(t *testing.T, text string) *benchLog {
	l := newLog()
	require.NoError(t, l.parse("x", []byte(text)))
	require.NoError(t, l.checkUnits())
	return l
}

func compared(t *testing.T, base, head fake, o compareOptions) *Comparison {
	c, err := compare(parsed(t, base.text()), parsed(t, head.text()), o)
	require.NoError(t, err)
	return c
}

func names(c *Comparison, v Verdict) (list []string) {
	for _, r := range c.Rows {
		if r.Verdict == v {
			list = append(list, r.Name+" "+r.Unit)
		}
	}
	return list
}

var standard = compareOptions{thresholds: defaults}

// TestPlanted: one kernel made 12 % slower and one made 12 % faster are named, and nothing else.
func TestPlanted(t *testing.T) {
	for seed := range uint64(20) {
		c := compared(t, fake{commit: "a", n: 10, seed: seed}, fake{commit: "b", n: 10, seed: 100 + seed, slower: map[int]float64{17: 1.12, 30: 1 / 1.12}}, standard)
		require.Equal(t, []string{fakeName(17) + " sec/op"}, names(c, Regression))
		require.Equal(t, []string{fakeName(30) + " sec/op"}, names(c, Improvement))
		require.True(t, c.Failed())
	}
}

// TestUnchanged: equal things never fail, in 200 comparisons of 120 rows.
func TestUnchanged(t *testing.T) {
	for seed := range uint64(200) {
		c := compared(t, fake{commit: "a", n: 10, seed: seed}, fake{commit: "b", n: 10, seed: 1000 + seed}, standard)
		require.False(t, c.Failed(), "%v", c.changed())
	}
}

// TestAccuracy: an accuracy that changes beside equal times is reported.
func TestAccuracy(t *testing.T) {
	c := compared(t, fake{commit: "a", n: 10, seed: 1}, fake{commit: "b", n: 10, seed: 2, bounds: map[int]float64{3: 0.5, 4: 0.1}}, standard)
	require.Equal(t, []string{"Accuracy/loss=loss3/impl=portable/dtype=float32 bounds"}, names(c, Regression))
	require.Equal(t, []string{"Accuracy/loss=loss4/impl=portable/dtype=float32 bounds"}, names(c, Improvement))
	c = compared(t, fake{commit: "a", n: 4, seed: 1, bounds: map[int]float64{3: 0}}, fake{commit: "b", n: 4, seed: 2}, standard)
	require.Len(t, names(c, Regression), 1, "from 0 to 0.25")
}

// TestSameCode: a change of time that the machine code cannot explain is noise, unless one asks for it.
func TestSameCode(t *testing.T) {
	same := func(i int) string { return fmt.Sprint("code", i) }
	base, head := fake{commit: "a", n: 10, seed: 1, code: same}, fake{commit: "b", n: 10, seed: 2, code: same, slower: map[int]float64{5: 1.3}}
	c := compared(t, base, head, standard)
	require.False(t, c.Failed())
	require.Equal(t, []string{fakeName(5) + " sec/op"}, names(c, SameCode))
	o := standard
	o.IgnoreCode = true
	require.True(t, compared(t, base, head, o).Failed())
}

// TestSecondRound: what the second round does not see again does not count.
func TestSecondRound(t *testing.T) {
	base, head := fake{commit: "a", n: 10, seed: 1}, fake{commit: "b", n: 10, seed: 2, slower: map[int]float64{5: 1.3, 6: 1.3}}
	o := standard
	o.Second = &[2]*benchLog{parsed(t, fake{commit: "a", n: 10, seed: 3}.text()), parsed(t, fake{commit: "b", n: 10, seed: 4, slower: map[int]float64{6: 1.3}}.text())}
	c := compared(t, base, head, o)
	require.Equal(t, []string{fakeName(5) + " sec/op"}, names(c, Unconfirmed))
	require.Equal(t, []string{fakeName(6) + " sec/op"}, names(c, Regression))
	require.Equal(t, `^Benchmark(Loss)$/^(loss=loss5|loss=loss6)$/^(impl=portable)$/^(op=fwdbwd)$/^(dtype=float32)$/^(work=w)$/^(threads=1)$`,
		selection(compared(t, base, head, standard).Rows))
}

// TestNoise: a benchmark must change by more than twice its own noise.
func TestNoise(t *testing.T) {
	o := standard
	o.Noise = map[string]float64{fakeName(5) + " sec/op": 0.2}
	require.False(t, compared(t, fake{commit: "a", n: 10, seed: 1}, fake{commit: "b", n: 10, seed: 2, slower: map[int]float64{5: 1.3}}, o).Failed())
	c := compared(t, fake{commit: "a", n: 10, seed: 1}, fake{commit: "a", n: 10, seed: 2}, compareOptions{thresholds: defaults, IgnoreCode: true})
	path := filepath.Join(t.TempDir(), "noise.txt")
	require.NoError(t, os.WriteFile(path, noiseText(c), 0o644))
	noise, err := readNoise(path)
	require.NoError(t, err)
	require.Greater(t, noise[fakeName(5)+" sec/op"], 0.001)
	require.Less(t, noise[fakeName(5)+" sec/op"], 0.05)
}

func TestWaivers(t *testing.T) {
	path := filepath.Join(t.TempDir(), "waivers.txt")
	day := time.Date(2026, 11, 26, 12, 0, 0, 0, time.UTC)
	write := func(text string) { require.NoError(t, os.WriteFile(path, []byte(text), 0o644)) }
	write("# reason\nloss=loss5/ sec/op kim 2026-11-26 a safer exponential\nloss=loss9/ * kim 2026-12-31 to be found\n")
	list, err := readWaivers(path, day)
	require.NoError(t, err)
	o := standard
	o.Waivers = list
	c := compared(t, fake{commit: "a", n: 10, seed: 1}, fake{commit: "b", n: 10, seed: 2, slower: map[int]float64{5: 1.3}}, o)
	require.False(t, c.Failed())
	require.Equal(t, []string{fakeName(5) + " sec/op"}, names(c, Waived))
	require.Contains(t, strings.Join(c.Warnings, " "), "waiver without a regression: loss=loss9/")
	_, err = readWaivers(path, day.AddDate(0, 0, 2))
	require.ErrorContains(t, err, "ended on 2026-11-26")
	for _, bad := range []string{"loss sec/op kim 2026-11-26\n", "( sec/op kim 2026-11-26 x\n", "loss sec/op kim tomorrow x\n"} {
		write(bad)
		_, err = readWaivers(path, day)
		require.ErrorContains(t, err, "waivers.txt:1", bad)
	}
}

// TestPower: too few samples for so many comparisons is said.
func TestPower(t *testing.T) {
	c := compared(t, fake{commit: "a", n: 5, seed: 1}, fake{commit: "b", n: 5, seed: 2}, standard)
	require.Contains(t, strings.Join(c.Warnings, " "), "too few for")
	c = compared(t, fake{commit: "a", n: 10, seed: 1}, fake{commit: "b", n: 10, seed: 2}, standard)
	require.Empty(t, c.Warnings)
}

// TestBroken: broken input has a message of its own and exit code 2, never a verdict.
func TestBroken(t *testing.T) {
	good := fake{commit: "a", n: 10, seed: 1}.text()
	head := fake{commit: "b", n: 10, seed: 2}
	for name, c := range map[string]struct{ base, head, want string }{
		"cut off":         {good[:len(good)-3], head.text(), "the last line is cut off"},
		"half a line":     {good + "BenchmarkLoss/loss=a-2 100 12\n", head.text(), "want a name, a count and a measurement"},
		"no number":       {good + "BenchmarkLoss/loss=a-2 100 x ns/op\n", head.text(), "base.txt:"},
		"unknown unit":    {good + "BenchmarkLoss/loss=a-2 100 12 furlongs\n", head.text(), "units without a direction: furlongs"},
		"empty":           {"", head.text(), "no benchmark result"},
		"no result":       {unitLines, head.text(), "no benchmark result"},
		"mixed runners":   {good, fake{commit: "b", n: 10, seed: 2, place: "cpu: Other"}.text(), "different machines"},
		"mixed file":      {good + fake{commit: "a", n: 10, place: "cpu: Other"}.text(), head.text(), "different machines"},
		"two commits":     {good + fake{commit: "c", n: 10}.text(), head.text(), "want results of one commit on each side, got a, c"},
		"nothing common":  {strings.ReplaceAll(good, "loss=", "loss=x"), head.text(), "no benchmark in common"},
		"few samples":     {fake{commit: "a", n: 3}.text(), fake{commit: "b", n: 3}.text(), "fewer than 4 samples"},
		"not a number":    {good + strings.Repeat("Benchmark"+fakeName(0)+"-2 100 NaN ns/op\n", 4), head.text(), "want numbers of at least 0"},
		"exact differs":   {good + "BenchmarkAccuracy/loss=loss1/impl=portable/dtype=float32-2 1 0.5 bounds\n", head.text(), "is declared exact, but differs"},
		"units disagree":  {good + "Unit bounds better=higher\n", head.text(), "bounds"},
		"missing base":    {"-", head.text(), "no such file"},
		"damaged archive": {"gz", head.text(), "gzip"},
	} {
		dir := t.TempDir()
		base := filepath.Join(dir, "base.txt")
		switch c.base {
		case "-":
		case "gz":
			base += ".gz"
			require.NoError(t, os.WriteFile(base, []byte("nothing like it"), 0o644))
		default:
			require.NoError(t, os.WriteFile(base, []byte(c.base), 0o644))
		}
		require.NoError(t, os.WriteFile(filepath.Join(dir, "head.txt"), []byte(c.head), 0o644))
		var out, errs bytes.Buffer
		code := execute(context.Background(), []string{"compare", base, filepath.Join(dir, "head.txt")}, &out, &errs)
		require.Equal(t, exitUnusable, code, "%s: %s", name, out.String())
		require.Contains(t, errs.String(), c.want, name)
		require.Empty(t, out.String(), name)
	}
}

// TestCommands: exit codes and formats.
func TestCommands(t *testing.T) {
	dir := t.TempDir()
	file := func(name string, f fake) string {
		path := filepath.Join(dir, name)
		require.NoError(t, os.WriteFile(path, []byte(f.text()), 0o644))
		return path
	}
	base, same, slow := file("base", fake{commit: "a", n: 10, seed: 1}), file("same", fake{commit: "b", n: 10, seed: 2}), file("slow", fake{commit: "c", n: 10, seed: 3, slower: map[int]float64{7: 1.12}})
	run := func(args ...string) (int, string) {
		var out, errs bytes.Buffer
		code := execute(context.Background(), args, &out, &errs)
		return code, out.String() + errs.String()
	}
	code, out := run("compare", base, same)
	require.Equal(t, exitOK, code, out)
	require.Contains(t, out, "no regression, 0 improvements in 300 rows")
	code, out = run("compare", base, slow)
	require.Equal(t, exitRegressed, code, out)
	require.Contains(t, out, "loss=loss7/")
	require.NotContains(t, out, "loss=loss8/")
	code, out = run("report", base, slow)
	require.Equal(t, exitRegressed, code)
	require.True(t, strings.HasPrefix(out, marker))
	require.Contains(t, out, "<details><summary>all 300 rows</summary>")
	code, out = run("compare", "-format", "json", base, slow)
	require.Equal(t, exitRegressed, code)
	require.Contains(t, out, `"verdict": "regression"`)
	for _, args := range [][]string{{"compare", base}, {"compare", "-format", "xml", base, same}, {"compare", "-alpha", "2", base, same}, {"nonsense"}, {"trend", "-history", dir},
		{"run", "-n", "0", "a", "b"}, {"record", "-runner", "a/b"}, {"compare", "-noise", base, base, same}} {
		code, out := run(args...)
		require.Equal(t, exitUnusable, code, "%v: %s", args, out)
	}
}

// TestOfficial: the figures are those of the official benchstat command on the same files.
func TestOfficial(t *testing.T) {
	dir := t.TempDir()
	for name, f := range map[string]fake{"a": {commit: "a", n: 10, seed: 5}, "b": {commit: "b", n: 9, seed: 6, slower: map[int]float64{7: 1.12, 8: 0.8}}} {
		require.NoError(t, os.WriteFile(filepath.Join(dir, name), []byte(f.text()), 0o644))
	}
	cmd := exec.Command("go", "run", "golang.org/x/perf/cmd/benchstat", "-format", "csv", "-table", "", "-col", "commit", "-ignore", "commit-time,code", filepath.Join(dir, "a"), filepath.Join(dir, "b"))
	text, err := cmd.Output()
	require.NoError(t, err, "%s", text)
	base, err := readLogs(filepath.Join(dir, "a"))
	require.NoError(t, err)
	head, err := readLogs(filepath.Join(dir, "b"))
	require.NoError(t, err)
	c, err := compare(base, head, standard)
	require.NoError(t, err)
	ours := map[string]*Row{}
	for i := range c.Rows {
		ours[c.Rows[i].Name+" "+c.Rows[i].Unit] = &c.Rows[i]
	}
	unit, checked := "", 0
	for _, line := range strings.Split(string(text), "\n") {
		f, err := csv.NewReader(strings.NewReader(line)).Read()
		if err != nil || len(f) < 4 {
			continue
		}
		if f[0] == "" {
			unit = f[1]
			continue
		}
		name, ok := strings.CutSuffix(f[0], "-2")
		r := ours[name+" "+unit]
		if !ok || r == nil {
			continue // the geomean
		}
		for i, want := range map[int]float64{1: r.Old.Center, 3: r.New.Center} {
			got, err := strconv.ParseFloat(f[i], 64)
			require.NoError(t, err, line)
			require.InDelta(t, want, got, 1e-12*math.Abs(want), line)
		}
		if r.exact {
			continue
		}
		var p float64
		if _, err := fmt.Sscanf(f[6], "p=%g", &p); err == nil {
			require.InDelta(t, r.P, p, 0.0005001, line) // it prints three digits
		}
		if f[5] != "~" {
			change, err := strconv.ParseFloat(strings.TrimSuffix(f[5], "%"), 64)
			require.NoError(t, err, line)
			require.InDelta(t, 100*(r.Ratio-1), change, 0.00501, line)
		}
		require.Equal(t, f[2], strings.TrimSuffix(strings.TrimPrefix(strings.TrimSpace(r.Old.PctRangeString()), "±"), " "), line)
		checked++
	}
	require.GreaterOrEqual(t, checked, 4*fakes)
}
