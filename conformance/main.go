// Command conformance is the gate: it checks every implementation of this repository against the golden files and prints what it
// found. See README.md for flags, exit codes and the comparison.
package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/signal"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/schollz/progressbar/v3"
	"github.com/spf13/cobra"
	"golang.org/x/term"

	"github.com/goldenloss/goldenloss/conformance/gate"
	"github.com/goldenloss/goldenloss/fixtures"
	"github.com/goldenloss/goldenloss/optimized"
	"github.com/goldenloss/goldenloss/reference"
	"github.com/goldenloss/goldenloss/reference/loss"
)

// Exit codes.
const (
	exitOK         = 0
	exitFail       = 1 // a failure, an unexpected pass, missing coverage
	exitUsage      = 2
	exitIncomplete = 3 // interrupted, or could not run
	exitNothing    = 4 // nothing selected
	exitData       = 6 // a golden file that is damaged or does not fit its digest
)

// coded is an error with its exit code.
type coded struct {
	code int
	error
}

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	context.AfterFunc(ctx, stop) // a second interrupt ends the process at once
	os.Exit(run(ctx, os.Args[1:], os.Stdout, os.Stderr))
}

func run(ctx context.Context, args []string, stdout, stderr io.Writer) int {
	cmd := command(stdout, stderr)
	cmd.SetArgs(longFlags(args))
	cmd.SetOut(stdout)
	cmd.SetErr(stderr)
	err := cmd.ExecuteContext(ctx)
	var c coded
	var data *fixtures.DataError
	switch {
	case err == nil:
		return exitOK
	case errors.As(err, &c):
		if c.error != nil {
			fmt.Fprintln(stderr, "conformance:", c.error)
		}
		return c.code
	case errors.As(err, &data):
		fmt.Fprintln(stderr, "conformance:", err)
		return exitData
	case errors.Is(err, fs.ErrNotExist):
		fmt.Fprintln(stderr, "conformance:", err)
		return exitData
	case errors.Is(err, context.Canceled):
		fmt.Fprintln(stderr, "conformance: interrupted")
		return exitIncomplete
	}
	fmt.Fprintf(stderr, "conformance: %v\nrun with -h for help\n", err)
	return exitUsage
}

// longFlags lets -run x work like --run x, as flags of Go programs do. One letter stays what it is: -j 4, -j4, -h.
func longFlags(args []string) []string {
	out := slices.Clone(args)
	for i, a := range args {
		if a == "--" {
			break
		}
		name, _, _ := strings.Cut(strings.TrimPrefix(a, "-"), "=")
		digit := len(name) > 1 && '0' <= name[1] && name[1] <= '9'
		if strings.HasPrefix(a, "-") && len(name) > 1 && name[0] != '-' && !digit {
			out[i] = "-" + a
		}
	}
	return out
}

// columns are what the repository implements.
func columns() []*gate.Column {
	var f32 []loss.Impl[float32]
	var f64 []loss.Impl[float64]
	for _, r := range optimized.CPU {
		f32, f64 = append(f32, r.Float32), append(f64, r.Float64)
	}
	ref := gate.Float64("reference", reference.All)
	ref.Owes, ref.Own = gate.Tight, true
	list := []*gate.Column{ref, gate.Float64("portable", f64), gate.Float32("portable", f32)}
	for _, c := range list[1:] {
		c.Owes, c.Own, c.Warm = gate.Standard, true, true
	}
	return list
}

// exemptions excuse cells that are missing for now.
var exemptions []gate.Exemption

type flags struct {
	run, skip, shard, repro, dir, format string
	outs                                 []string
	list, failFast                       bool
	workers                              int
	timeout                              time.Duration
}

// output is a report in a file.
type output struct{ format, path string }

func command(stdout, stderr io.Writer) *cobra.Command {
	var f flags
	cmd := &cobra.Command{
		Use:   "conformance",
		Short: "Check every loss implementation of this repository against its golden values",
		Long: `Checks every loss implementation of this repository against the golden files and prints a matrix: losses by implementations,
cases passed, worst error in units of the bound, accuracy class.

Exit codes: 0 ok, 1 failure or missing coverage, 2 usage, 3 incomplete (interrupted, or a report that could not be written), 4 nothing
selected, 5 kept for the performance gate, 6 damaged golden files.`,
		Example: `  go run ./conformance
  go run ./conformance -run focal
  go run ./conformance -run 'dice/kink' -format json
  go run ./conformance -repro cross_entropy/check/plain-mean
  go run ./conformance -out junit=report.xml -out markdown=report.md
  go run ./conformance -shard 1/4 -j 2
  go run ./conformance -fixtures ../my-cases
  go run ./conformance list -run ssim
  go run ./conformance catalogue
  go run ./conformance mutants`,
		Args:          cobra.NoArgs,
		SilenceErrors: true,
		SilenceUsage:  true,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return f.execute(cmd.Context(), stdout, stderr)
		},
	}
	cmd.CompletionOptions.DisableDefaultCmd = true
	p := cmd.Flags()
	p.StringVar(&f.run, "run", "", "only cases whose id matches this `regexp`, part by part between slashes")
	p.StringVar(&f.skip, "skip", "", "leave out cases whose id matches this `regexp`")
	p.BoolVar(&f.list, "list", false, "list the selected cases and check nothing")
	p.StringVar(&f.format, "format", "text", "`format` of the report: "+strings.Join(gate.Formats, ", "))
	p.StringArrayVar(&f.outs, "out", nil, "also write the report to a file, `[format=]path`; may be repeated")
	p.StringVar(&f.repro, "repro", "", "run the case with this `id` in every column and print its numbers")
	p.StringVar(&f.shard, "shard", "", "run shard `i/n` of the cases")
	p.StringVar(&f.dir, "fixtures", "", "a `directory` with manifest.json and golden/ instead of the embedded files")
	p.BoolVar(&f.failFast, "fail-fast", false, "stop at the first failure")
	p.IntVarP(&f.workers, "jobs", "j", 0, "cases checked at the same time (default the number of processors)")
	p.DurationVar(&f.timeout, "timeout", time.Minute, "longest time for one case")
	cmd.AddCommand(listCommand(stdout), catalogueCommand(stdout), mutantsCommand(stdout, stderr), coverageCommand(stdout))
	return cmd
}

func (f *flags) options(stderr io.Writer) (gate.Options, error) {
	o := gate.Options{Run: f.run, Skip: f.skip, FailFast: f.failFast, Workers: f.workers, Timeout: f.timeout, Exemptions: exemptions,
		AllowAbsent: f.dir != ""}
	if f.shard != "" {
		i, n, ok := strings.Cut(f.shard, "/")
		a, err1 := strconv.Atoi(i)
		b, err2 := strconv.Atoi(n)
		if !ok || err1 != nil || err2 != nil || a < 1 || a > b {
			return o, fmt.Errorf("-shard: want i/n with 1 <= i <= n, got %q", f.shard)
		}
		o.Shard, o.Of = a, b
	}
	if f.workers < 0 || f.timeout <= 0 {
		return o, errors.New("want -j and -timeout that are not negative")
	}
	o.Progress = progress(stderr, "cases")
	return o, nil
}

// progress shows a bar on a terminal for what takes longer than two seconds.
func progress(stderr io.Writer, what string) func(done, total int) {
	w, ok := stderr.(*os.File)
	if !ok || !term.IsTerminal(int(w.Fd())) {
		return func(int, int) {}
	}
	var bar *progressbar.ProgressBar
	start := time.Now()
	return func(done, total int) {
		if bar == nil && time.Since(start) > 2*time.Second {
			bar = progressbar.NewOptions(total, progressbar.OptionSetWriter(stderr), progressbar.OptionSetDescription(what),
				progressbar.OptionShowCount(), progressbar.OptionClearOnFinish())
		}
		if bar != nil {
			bar.Set(done)
		}
	}
}

// load reads the embedded golden files, or those of a directory.
func load(dir string) ([]*fixtures.File, error) {
	if dir == "" {
		return fixtures.LoadDir(fixtures.Golden())
	}
	files, err := fixtures.LoadDir(os.DirFS(dir))
	if err != nil {
		return nil, fmt.Errorf("%s: %w", dir, err)
	}
	return files, nil
}

// outputs reads the values of -out.
func (f *flags) outputs() ([]output, error) {
	var list []output
	for _, out := range f.outs {
		format, path, ok := strings.Cut(out, "=")
		if !ok {
			format, path = f.format, out
		}
		if !slices.Contains(gate.Formats, format) || path == "" {
			return nil, fmt.Errorf("-out: want path or format=path with one of %s, got %q", strings.Join(gate.Formats, ", "), out)
		}
		list = append(list, output{format, path})
	}
	return list, nil
}

func (f *flags) execute(ctx context.Context, stdout, stderr io.Writer) error {
	if !slices.Contains(gate.Formats, f.format) {
		return fmt.Errorf("-format: want one of %s, got %q", strings.Join(gate.Formats, ", "), f.format)
	}
	o, err := f.options(stderr)
	if err != nil {
		return err
	}
	outs, err := f.outputs()
	if err != nil {
		return err
	}
	files, err := load(f.dir)
	if err != nil {
		return err
	}
	if f.repro != "" {
		return repro(ctx, files, f.repro, stdout)
	}
	if f.list {
		ids, err := gate.List(files, o)
		if err != nil {
			return err
		}
		if len(ids) == 0 {
			return coded{exitNothing, errors.New("no case is selected")}
		}
		_, err = io.WriteString(stdout, strings.Join(ids, "\n")+"\n")
		return err
	}
	rep, err := gate.Run(ctx, files, columns(), o)
	if err != nil && !errors.Is(err, context.Canceled) {
		return err
	}
	if rep.Selected == 0 {
		return coded{exitNothing, fmt.Errorf("no case is selected: -run %q, -skip %q, -shard %q of %d cases", f.run, f.skip, f.shard, rep.Total)}
	}
	if err := rep.Write(stdout, f.format); err != nil {
		return coded{exitIncomplete, err}
	}
	for _, out := range outs {
		var b bytes.Buffer
		if err := rep.Write(&b, out.format); err != nil {
			return coded{exitIncomplete, fmt.Errorf("-out %s: %w", out.path, err)}
		}
		if err := replace(out.path, b.Bytes()); err != nil {
			return coded{exitIncomplete, fmt.Errorf("-out %s: %w", out.path, err)}
		}
	}
	v := rep.Verdict()
	switch {
	case err != nil || ctx.Err() != nil:
		return coded{exitIncomplete, errors.New("interrupted")}
	case !v.OK():
		return coded{code: exitFail}
	case v.Passed == 0:
		return coded{exitFail, errors.New("nothing was checked")}
	}
	return nil
}

// replace writes a file beside its place first and then renames it.
func replace(path string, text []byte) error {
	f, err := os.CreateTemp(filepath.Dir(path), "."+filepath.Base(path)+".*.tmp")
	if err != nil {
		return err
	}
	defer os.Remove(f.Name())
	_, err = f.Write(text)
	if err = errors.Join(err, f.Chmod(0o644), f.Close()); err != nil {
		return err
	}
	return os.Rename(f.Name(), path)
}

// repro prints one case with all of its numbers, and what every column answers.
func repro(ctx context.Context, files []*fixtures.File, id string, w io.Writer) error {
	for _, f := range files {
		for i := range f.Rows {
			if f.Rows[i].CaseID == id {
				rep, err := gate.Run(ctx, []*fixtures.File{{Name: f.Name, Meta: f.Meta, Rows: f.Rows[i : i+1]}}, columns(), gate.Options{AllowAbsent: true})
				if err != nil {
					return err
				}
				if err := rep.Repro(w, &f.Rows[i]); err != nil {
					return err
				}
				if !rep.Verdict().OK() {
					return coded{code: exitFail}
				}
				return nil
			}
		}
	}
	return coded{exitNothing, fmt.Errorf("-repro: no case has the id %q; -list shows all", id)}
}
