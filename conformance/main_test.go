package main

import (
	"context"
	"encoding/json"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/goldenloss/goldenloss/conformance/gate"
	"github.com/goldenloss/goldenloss/fixtures"
	"github.com/goldenloss/goldenloss/reference"
	"github.com/goldenloss/goldenloss/reference/loss"
)

// call runs the command.
func call(t *testing.T, args ...string) (code int, stdout, stderr string) {
	t.Helper()
	return callWith(t.Context(), args...)
}

func callWith(ctx context.Context, args ...string) (code int, stdout, stderr string) {
	var out, err strings.Builder
	code = run(ctx, args, &out, &err)
	return code, out.String(), err.String()
}

// small writes golden files with two cases of smooth_l1 whose numbers are exact; edit may spoil the second.
func small(t *testing.T, edit func(r *fixtures.Row)) string {
	t.Helper()
	zeros := []float64{0, 0, 0, 0}
	var rows []fixtures.Row
	for _, id := range []string{"smooth_l1/hand/first", "smooth_l1/hand/second"} {
		output := func(name string, shape []int64, data ...float64) fixtures.Output {
			return fixtures.Output{Output: name, Shape: shape, Data: data, Scale: zeros[:len(data)], ScaleUsual: zeros[:len(data)]}
		}
		rows = append(rows, fixtures.Row{CaseID: id, Revision: 1, Loss: "smooth_l1", Tier: "core", Kind: "value",
			Params: `{"beta":1,"reduction":"mean"}`,
			Inputs: []fixtures.Tensor{{Name: "pred", Role: "var", DType: "bfloat16", Shape: []int64{4}, Data: []float64{0.5, 2, -3, 0}},
				{Name: "target", Role: "var", DType: "bfloat16", Shape: []int64{4}, Data: zeros}},
			Expected: []fixtures.Output{output("value", []int64{}, 1.03125), output("grad:pred", []int64{4}, 0.125, 0.25, -0.25, 0),
				output("grad:target", []int64{4}, -0.125, -0.25, 0.25, 0)},
			DTypes: []string{"float64", "float32"}, Tags: []string{"typical"}, Method: "hand", Source: "test", PrecisionBits: 53,
			Comment: "anything is wrong"})
	}
	if edit != nil {
		edit(&rows[1])
	}
	dir := t.TempDir()
	require.NoError(t, os.Mkdir(filepath.Join(dir, "golden"), 0o755))
	f, err := os.Create(filepath.Join(dir, "golden", "smooth_l1.parquet"))
	require.NoError(t, err)
	require.NoError(t, fixtures.Write(f, fixtures.NewMeta(), rows))
	require.NoError(t, f.Close())
	require.NoError(t, fixtures.WriteManifest(dir))
	return dir
}

func TestExitCodes(t *testing.T) {
	good := small(t, nil)
	wrong := small(t, func(r *fixtures.Row) { r.Expected[1].Data = []float64{0.125, 0.25, -0.25, 0.5} })
	golden := func(dir string) string { return filepath.Join(dir, "golden", "smooth_l1.parquet") }
	edit := func(change func(text []byte) []byte) string {
		dir := small(t, nil)
		text, err := os.ReadFile(golden(dir))
		require.NoError(t, err)
		require.NoError(t, os.WriteFile(golden(dir), change(text), 0o644))
		return dir
	}
	truncated := edit(func(text []byte) []byte { return text[:len(text)-100] })
	flipped := edit(func(text []byte) []byte { text[len(text)/3] ^= 4; return text })
	unlisted := small(t, nil)
	text, err := os.ReadFile(golden(good))
	require.NoError(t, err)
	require.NoError(t, os.WriteFile(filepath.Join(unlisted, "golden", "other.parquet"), text, 0o644))

	for _, c := range []struct {
		name   string
		code   int
		stdout string // contained in it
		stderr string
		args   []string
	}{
		{"all pass", exitOK, "\n6 passed, 0 failed, 0 skipped\n", "", []string{"-fixtures", good}},
		{"two dashes", exitOK, "\n3 passed, 0 failed, 0 skipped\n", "", []string{"--fixtures", good, "--run", "//first"}},
		{"equals sign", exitOK, "\n3 passed, 0 failed, 0 skipped\n", "", []string{"-fixtures=" + good, "-skip=//first"}},
		{"jobs", exitOK, "6 passed", "", []string{"-fixtures", good, "-j", "1"}},
		{"jobs without blank", exitOK, "6 passed", "", []string{"-fixtures", good, "-j1"}},
		{"list flag", exitOK, "smooth_l1/hand/first\nsmooth_l1/hand/second\n", "", []string{"-fixtures", good, "-list"}},
		{"list", exitOK, "anything is wrong", "", []string{"list", "-fixtures", good, "-run", "//first"}},
		{"list as JSON", exitOK, `"case": "smooth_l1/hand/first"`, "", []string{"list", "-fixtures", good, "-format", "json"}},
		{"repro", exitOK, "reference float64: pass", "", []string{"-fixtures", good, "-repro", "smooth_l1/hand/first"}},
		{"wrong", exitFail, "go run ./conformance -repro smooth_l1/hand/second", "", []string{"-fixtures", wrong}},
		{"wrong, text", exitFail, "grad:pred[3]: want 0.5, got 0: 9.01e+15 times the bound of class A", "", []string{"-fixtures", wrong}},
		{"wrong, repro", exitFail, "portable float32: fail", "", []string{"-fixtures", wrong, "-repro", "smooth_l1/hand/second"}},
		{"unknown flag", exitUsage, "", "unknown flag: --bogus", []string{"-bogus"}},
		{"unknown command", exitUsage, "", "unknown command", []string{"bogus"}},
		{"argument", exitUsage, "", "unknown command", []string{"catalogue", "bogus"}},
		{"pattern", exitUsage, "", "-run \"[\"", []string{"-run", "["}},
		{"pattern to skip", exitUsage, "", "-skip \"a/(\"", []string{"-skip", "a/("}},
		{"shard", exitUsage, "", "-shard: want i/n", []string{"-shard", "3/2"}},
		{"format", exitUsage, "", "-format: want one of text, json", []string{"-format", "html"}},
		{"format of a file", exitUsage, "", "-out: want path or format=path", []string{"-out", "html=x"}},
		{"timeout", exitUsage, "", "-timeout", []string{"-timeout", "0s"}},
		{"negative jobs", exitUsage, "", "-j", []string{"-j", "-1"}},
		{"catalogue format", exitUsage, "", "want one of text, json, markdown", []string{"catalogue", "-format", "junit"}},
		{"half a matrix", exitUsage, "", "-write needs the whole matrix", []string{"mutants", "-write", "-run", "x"}},
		{"unwritable", exitIncomplete, "6 passed", "no such file or directory", []string{"-fixtures", good, "-out", filepath.Join(good, "none", "x.txt")}},
		{"nothing selected", exitNothing, "", "no case is selected: -run \"^none$\"", []string{"-fixtures", good, "-run", "^none$"}},
		{"nothing listed", exitNothing, "", "no case is selected", []string{"-fixtures", good, "-list", "-run", "^none$"}},
		{"nothing in list", exitNothing, "", "no case is selected", []string{"list", "-fixtures", good, "-run", "^none$"}},
		{"no such case", exitNothing, "", "no case has the id \"a/b/c\"", []string{"-fixtures", good, "-repro", "a/b/c"}},
		{"no such mutant", exitNothing, "", "no mutant is selected", []string{"mutants", "-fixtures", good, "-run", "^none$"}},
		{"no directory", exitData, "", "nowhere: open manifest.json", []string{"-fixtures", "nowhere"}},
		{"truncated file", exitData, "", "golden/smooth_l1.parquet: bytes: want", []string{"-fixtures", truncated}},
		{"flipped bit", exitData, "", "golden/smooth_l1.parquet: sha256: want", []string{"-fixtures", flipped}},
		{"unlisted file", exitData, "", "golden/other.parquet: want an entry in manifest.json", []string{"-fixtures", unlisted}},
		{"mutants of a tampered file", exitData, "", "golden/smooth_l1.parquet", []string{"mutants", "-fixtures", flipped}},
		{"surviving mutants", exitFail, "SURVIVES", "FAIL smooth_l1: \"sign of zero is one\" survives 2 cases", []string{"mutants", "-fixtures", good, "-run", "^smooth_l1/sign"}},
		{"killed mutants", exitOK, "1 mutants, 1 killed", "", []string{"mutants", "-fixtures", good, "-run", "^smooth_l1/gradient doubled"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			code, stdout, stderr := call(t, c.args...)
			require.Equal(t, c.code, code, stderr)
			require.Contains(t, stdout, c.stdout)
			require.Contains(t, stderr, c.stderr)
			if c.code == exitOK {
				require.Empty(t, stderr)
			}
		})
	}
}

func TestInterrupted(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	code, stdout, stderr := callWith(ctx, "-fixtures", small(t, nil))
	require.Equal(t, exitIncomplete, code)
	require.Contains(t, stderr, "interrupted")
	require.Contains(t, stdout, "interrupted: the run is not complete")
}

func TestOut(t *testing.T) {
	dir := t.TempDir()
	path := func(name string) string { return filepath.Join(dir, name) }
	code, _, stderr := call(t, "-fixtures", small(t, nil), "-out", "junit="+path("r.xml"), "-out", "json="+path("r.json"), "-out", path("r.txt"))
	require.Equal(t, exitOK, code, stderr)
	entries, err := os.ReadDir(dir)
	require.NoError(t, err)
	require.Len(t, entries, 3, "no temporary file is left")
	text, err := os.ReadFile(path("r.json"))
	require.NoError(t, err)
	var j gate.JSON
	require.NoError(t, json.Unmarshal(text, &j))
	require.True(t, j.OK && j.Complete)
	require.Equal(t, 6, j.Passed)
	text, err = os.ReadFile(path("r.xml"))
	require.NoError(t, err)
	require.Contains(t, string(text), `<testsuite name="smooth_l1" tests="6"`)
}

func TestHelp(t *testing.T) {
	for _, args := range [][]string{{"-h"}, {"-help"}, {"--help"}, {"list", "-h"}, {"catalogue", "-h"}, {"mutants", "-h"}} {
		code, stdout, stderr := call(t, args...)
		require.Equal(t, exitOK, code, stderr)
		require.Contains(t, stdout, "Examples:")
		require.Contains(t, stdout, "go run ./conformance")
	}
}

func TestCatalogue(t *testing.T) {
	_, stdout, _ := call(t, "catalogue", "-format", "json")
	var list []catalogueEntry
	require.NoError(t, json.Unmarshal([]byte(stdout), &list))
	require.Len(t, list, len(loss.Tasks))
	served := map[string]bool{}
	for i, e := range list {
		require.Equal(t, loss.Tasks[i].Task, e.Task)
		require.NotEmpty(t, e.CNN)
		require.NotEmpty(t, e.ViT)
		for _, l := range e.Losses {
			served[l.ID] = true
			require.NotEmpty(t, l.Sources, l.ID)
			require.NotEmpty(t, l.Params, l.ID)
			require.Equal(t, docs+loss.Lookup(l.ID).Name, l.Docs)
		}
	}
	require.Len(t, served, len(loss.All), "every loss serves a task")
	for _, format := range []string{"text", "markdown"} {
		_, stdout, _ = call(t, "catalogue", "-format", format)
		for _, d := range loss.All {
			require.Contains(t, stdout, d.ID)
		}
		for _, m := range loss.Tasks {
			require.Contains(t, stdout, string(m.Task))
		}
	}
}

func TestLongFlags(t *testing.T) {
	require.Equal(t, []string{"--run", "x", "--run=x", "--run", "-h", "-j", "-j4", "-j=4", "-1", "-", "x-y", "--", "-run"},
		longFlags([]string{"-run", "x", "-run=x", "--run", "-h", "-j", "-j4", "-j=4", "-1", "-", "x-y", "--", "-run"}))
}

// TestGoldenRowsAreComplete: a row that lacked a gradient would leave it unchecked.
func TestGoldenRowsAreComplete(t *testing.T) {
	// The definition leaves the gradient of these open.
	valueOnly, seen := regexp.MustCompile(`^(style/(nonfinite/\w+-infinite|extreme/\w+-overflow)|context/kink/equal-\S+|kl_divergence/nonfinite/zero-at-zero-\w+|cross_correlation/nonfinite/infinite-(search-\w+|right)-none)$`), 0
	files, err := fixtures.LoadDir(fixtures.Golden())
	require.NoError(t, err)
	rows := 0
	for _, f := range files {
		for i := range f.Rows {
			r := &f.Rows[i]
			if r.Kind != "value" {
				continue
			}
			rows++
			want := []string{"value"}
			for _, base := range reference.All {
				if base.ID == r.Loss {
					p := base.New()
					_, err := fixtures.Bind(r, p)
					require.NoError(t, err, r.CaseID)
					for _, field := range loss.Fields(p) {
						if field.Role == loss.RoleVar && field.Given() {
							want = append(want, "grad:"+field.Name)
						}
					}
				}
			}
			var got []string
			for _, o := range r.Expected {
				got = append(got, o.Output)
			}
			if slices.Equal(got, want[:min(1, len(want))]) && valueOnly.MatchString(r.CaseID) {
				seen++
				continue
			}
			require.ElementsMatch(t, want, got, r.CaseID)
		}
	}
	require.Positive(t, rows)
	require.Equal(t, 17, seen, "rows without gradient")
}

// TestKillMatrix: the golden cases kill every mutant, and the matrix in the tree is the one they make.
func TestKillMatrix(t *testing.T) {
	files, err := fixtures.LoadDir(fixtures.Golden())
	require.NoError(t, err)
	list, err := killMatrix(t.Context(), files, regexp.MustCompile(""), func(int, int) {})
	require.NoError(t, err)
	require.Empty(t, judgeMatrix(list, true))
	want, err := fs.ReadFile(os.DirFS(".."), matrixFile)
	require.NoError(t, err)
	require.Equal(t, string(want), matrixMarkdown(list), "go run ./conformance mutants -write")
}

func TestJudgeMatrix(t *testing.T) {
	require.Equal(t, []string{`focal: "a" survives 3 cases`, `focal: "b" survives: no case can show it`,
		`focal: the exemption of "d" is not needed: focal/x/y kills it`},
		judgeMatrix([]kill{{Loss: "focal", Mutant: "a", Affected: 3}, {Loss: "focal", Mutant: "b"}, {Loss: "focal", Mutant: "c", Exempt: "why"},
			{Loss: "focal", Mutant: "d", Kills: 1, Exempt: "why", Example: "focal/x/y"}, {Loss: "focal", Mutant: "e", Kills: 1}}, false))
	require.Contains(t, strings.Join(judgeMatrix(nil, true), "\n"), "names no mutant")
}
