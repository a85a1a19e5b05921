package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/schollz/progressbar/v3"
	"github.com/spf13/cobra"
	"golang.org/x/term"
)

// Exit codes.
const (
	exitOK        = 0
	exitRegressed = 1
	exitUnusable  = 2 // no verdict: usage, broken or mixed input, a build that fails
	exitStopped   = 3
)

// errRegressed says that the report names a regression.
var errRegressed = errors.New("regressed")

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	os.Exit(execute(ctx, os.Args[1:], os.Stdout, os.Stderr))
}

func execute(ctx context.Context, args []string, stdout, stderr io.Writer) int {
	root := command(stdout, stderr)
	root.SetArgs(longFlags(args))
	root.SetOut(stdout)
	root.SetErr(stderr)
	err := root.ExecuteContext(ctx)
	switch {
	case err == nil:
		return exitOK
	case errors.Is(err, errRegressed):
		return exitRegressed
	case ctx.Err() != nil:
		fmt.Fprintln(stderr, "benchstat: interrupted; nothing half written")
		return exitStopped
	}
	fmt.Fprintln(stderr, "benchstat:", err)
	return exitUnusable
}

// longFlags lets -run x work like --run x, as flags of Go programs do. One letter stays what it is.
func longFlags(args []string) []string {
	out := slices.Clone(args)
	for i, a := range args {
		name, _, _ := strings.Cut(strings.TrimPrefix(a, "-"), "=")
		if strings.HasPrefix(a, "-") && len(name) > 1 && name[0] != '-' && (name[0] < '0' || name[0] > '9') {
			out[i] = "-" + a
		}
	}
	return out
}

func command(stdout, stderr io.Writer) *cobra.Command {
	root := &cobra.Command{
		Use:   "benchstat",
		Short: "Measure the losses over commits",
		Long: `Measures the losses, compares commits with statistics that can be trusted, and keeps a history without a server.

  run       build two commits, measure them in turn on this machine, compare
  compare   compare two files of results
  report    the same as Markdown for a pull request
  aa        measure one commit against itself: the noise of every benchmark
  record    measure commits and add them to a history
  trend     a history as static HTML, with change points
  export    a history as Parquet, for SQL

Exit codes: 0 no regression, 1 a regression, 2 no verdict (usage, broken or mixed input), 3 interrupted.`,
		SilenceUsage: true, SilenceErrors: true,
	}
	root.AddCommand(runCommand(stdout, stderr), compareCommand(stdout), reportCommand(stdout), aaCommand(stdout, stderr), recordCommand(stdout, stderr),
		trendCommand(stdout, stderr), exportCommand(stdout))
	return root
}

// judgeFlags are the flags of all commands that compare.
type judgeFlags struct {
	compareOptions
	noise, waivers, format string
	second                 []string
}

func (f *judgeFlags) add(cmd *cobra.Command) {
	f.thresholds = defaults
	cmd.Flags().Float64Var(&f.Time, "time", f.Time, "least relative change of a time that counts")
	cmd.Flags().Float64Var(&f.Memory, "memory", f.Memory, "least relative change of memory that counts")
	cmd.Flags().Float64Var(&f.Accuracy, "accuracy", f.Accuracy, "least relative change of an accuracy that counts")
	cmd.Flags().Float64Var(&f.Alpha, "alpha", f.Alpha, "false discovery rate of the whole report")
	cmd.Flags().StringVar(&f.noise, "noise", "", "`file` made by aa: a change must exceed twice the noise of its benchmark")
	cmd.Flags().StringVar(&f.waivers, "waivers", "", "`file` of accepted regressions: pattern, unit, owner, last day, reason")
	cmd.Flags().BoolVar(&f.IgnoreCode, "ignore-code", false, "judge times although the machine code is the same")
}

func (f *judgeFlags) options() (compareOptions, error) {
	o := f.compareOptions
	if o.Alpha <= 0 || o.Alpha >= 1 || o.Time < 0 || o.Memory < 0 || o.Accuracy < 0 {
		return o, errors.New("want thresholds of at least 0 and -alpha between 0 and 1")
	}
	var err error
	if f.noise != "" {
		if o.Noise, err = readNoise(f.noise); err != nil {
			return o, err
		}
	}
	if f.waivers != "" {
		if o.Waivers, err = readWaivers(f.waivers, time.Now()); err != nil {
			return o, err
		}
	}
	if len(f.second) == 2 {
		var pair [2]*benchLog
		for i, path := range f.second {
			if pair[i], err = readLogs(path); err != nil {
				return o, err
			}
		}
		o.Second = &pair
	}
	return o, nil
}

// compareFiles reads and compares two files of results.
func (f *judgeFlags) compareFiles(base, head string) (*Comparison, error) {
	o, err := f.options()
	if err != nil {
		return nil, err
	}
	var logs [2]*benchLog
	for i, path := range []string{base, head} {
		if logs[i], err = readLogs(path); err != nil {
			return nil, err
		}
	}
	return compare(logs[0], logs[1], o)
}

func verdict(c *Comparison) error {
	if c.Failed() {
		return errRegressed
	}
	return nil
}

func compareCommand(stdout io.Writer) *cobra.Command {
	var f judgeFlags
	cmd := &cobra.Command{
		Use:   "compare BASE.txt HEAD.txt",
		Short: "Compare two files of results",
		Long: `Compares two files of Go benchmark lines, each of one commit, measured on one machine.

A row is a regression where the U test finds a change at the false discovery rate of the whole report (Benjamini-Hochberg), and the
95 % interval of the ratio of medians (bootstrap) lies wholly beyond the threshold, and the machine code differs, and a second round
(-second) says so too. Exact units, such as the accuracy, are compared as they are.`,
		Example: `  go run ./benchstat compare base.txt head.txt
  go run ./benchstat compare -second again-base.txt,again-head.txt -waivers waivers.txt base.txt head.txt`,
		Args: cobra.ExactArgs(2),
		RunE: func(_ *cobra.Command, args []string) error {
			c, err := f.compareFiles(args[0], args[1])
			if err != nil {
				return err
			}
			if err := c.write(stdout, f.format); err != nil {
				return err
			}
			return verdict(c)
		},
	}
	f.add(cmd)
	cmd.Flags().StringVar(&f.format, "format", "text", "`format`: text, markdown, json")
	cmd.Flags().StringSliceVar(&f.second, "second", nil, "two `files` of a second round, which must confirm each change")
	return cmd
}

func reportCommand(stdout io.Writer) *cobra.Command {
	var f judgeFlags
	cmd := &cobra.Command{
		Use:     "report BASE.txt HEAD.txt",
		Short:   "Compare two files of results and print Markdown for a pull request",
		Example: "  go run ./benchstat report base.txt head.txt > comment.md",
		Args:    cobra.ExactArgs(2),
		RunE: func(_ *cobra.Command, args []string) error {
			c, err := f.compareFiles(args[0], args[1])
			if err != nil {
				return err
			}
			if err := c.write(stdout, "markdown"); err != nil {
				return err
			}
			return verdict(c)
		},
	}
	f.add(cmd)
	cmd.Flags().StringSliceVar(&f.second, "second", nil, "two `files` of a second round, which must confirm each change")
	return cmd
}

func addRunFlags(cmd *cobra.Command, o *runOptions, count int) {
	cmd.Flags().StringVar(&o.Set, "set", "quick", "benchmarks: quick (a small workload a loss), pr (all workloads in float32), full")
	cmd.Flags().StringVar(&o.Bench, "bench", ".", "`pattern` of benchmarks, as for go test")
	cmd.Flags().StringVar(&o.Benchtime, "benchtime", "100ms", "time of one sample")
	cmd.Flags().IntVarP(&o.Count, "n", "n", count, "samples of each benchmark and commit")
	cmd.Flags().StringVar(&o.Runner, "runner", "local", "name of this machine in the results")
	cmd.Flags().StringArrayVar(&o.Keys, "key", nil, "further `key=value` of this machine, such as gpu=... or driver=...")
}

func (o *runOptions) check() error {
	if o.Count < 1 {
		return errors.New("-n: want at least 1")
	}
	if strings.ContainsAny(o.Runner, " /\\") || o.Runner == "" {
		return fmt.Errorf("-runner: want a name without blanks and slashes, got %q", o.Runner)
	}
	for _, k := range o.Keys {
		name, _, ok := strings.Cut(k, "=")
		if !ok || name == "" || strings.ToLower(name) != name || strings.ContainsAny(name, " :") {
			return fmt.Errorf("-key: want a lower-case key=value, got %q", k)
		}
	}
	return nil
}

// progress returns a bar on a terminal and nothing elsewhere.
func progress(stderr io.Writer, n int, what string) *progressbar.ProgressBar {
	w := io.Discard
	if f, ok := stderr.(*os.File); ok && term.IsTerminal(int(f.Fd())) {
		w = f
	}
	return progressbar.NewOptions(n, progressbar.OptionSetWriter(w), progressbar.OptionSetDescription(what), progressbar.OptionShowCount(),
		progressbar.OptionClearOnFinish(), progressbar.OptionSetPredictTime(true))
}

func runCommand(stdout, stderr io.Writer) *cobra.Command {
	var f judgeFlags
	var o runOptions
	var out string
	var confirm bool
	cmd := &cobra.Command{
		Use:   "run BASE HEAD",
		Short: "Build two commits, measure them in turn on this machine, compare",
		Long: `Builds the benchmarks of two commits, runs them in turn (A B B A ...) and compares. "." is the working tree. Rows that changed are
measured a second time in fresh processes and count only if both rounds agree. The raw lines go to -out.`,
		Example: `  go run ./benchstat run main .
  go run ./benchstat run -bench 'Loss/loss=(dice|jaccard)' -out results HEAD~1 HEAD`,
		Args: cobra.ExactArgs(2),
		RunE: func(cmd *cobra.Command, args []string) error {
			ctx := cmd.Context()
			opts, err := f.options()
			if err == nil {
				err = o.check()
			}
			if err != nil {
				return err
			}
			shop, err := newWorkshop(ctx, stderr)
			if err != nil {
				return err
			}
			defer shop.close()
			logs, err := shop.pair(ctx, args, o, "measuring")
			if err != nil {
				return err
			}
			files := map[string][]byte{"base.txt": logs[0], "head.txt": logs[1]}
			parsed, err := parsePair(logs)
			if err != nil {
				return err
			}
			c, err := compare(parsed[0], parsed[1], opts)
			if err != nil {
				return err
			}
			if again := selection(c.Rows); confirm && again != "" {
				o.Bench = again
				more, err := shop.pair(ctx, args, o, "second round")
				if err != nil {
					return err
				}
				files["base-2.txt"], files["head-2.txt"] = more[0], more[1]
				second, err := parsePair(more)
				if err != nil {
					return err
				}
				opts.Second = &second
				if c, err = compare(parsed[0], parsed[1], opts); err != nil {
					return err
				}
			}
			for name, text := range files {
				if err := save(filepath.Join(out, name), text); err != nil {
					return err
				}
			}
			if err := c.write(stdout, f.format); err != nil {
				return err
			}
			return verdict(c)
		},
	}
	f.add(cmd)
	addRunFlags(cmd, &o, 10)
	cmd.Flags().StringVar(&f.format, "format", "text", "`format`: text, markdown, json")
	cmd.Flags().StringVar(&out, "out", "benchstat-results", "`directory` for the raw lines")
	cmd.Flags().BoolVar(&confirm, "confirm", true, "measure rows that changed a second time")
	return cmd
}

// pair builds the two commits, once, and measures them.
func (w *workshop) pair(ctx context.Context, revs []string, o runOptions, what string) ([2][]byte, error) {
	var logs [2][]byte
	if w.built == nil {
		for _, rev := range revs {
			p, err := w.build(ctx, rev)
			if err != nil {
				return logs, err
			}
			w.built = append(w.built, p)
		}
	}
	bar := progress(w.stderr, 2*o.Count, what)
	defer bar.Finish()
	for _, p := range w.built {
		p.restart()
	}
	if err := measure(ctx, w.built, o, func() { bar.Add(1) }); err != nil {
		return logs, err
	}
	for i, p := range w.built {
		logs[i] = append([]byte{}, p.log.Bytes()...)
	}
	return logs, nil
}

func parsePair(text [2][]byte) (logs [2]*benchLog, err error) {
	for i := range text {
		logs[i] = newLog()
		if err := logs[i].parse([]string{"base", "head"}[i], text[i]); err != nil {
			return logs, err
		}
		if err := logs[i].checkUnits(); err != nil {
			return logs, err
		}
	}
	return logs, nil
}

func aaCommand(stdout, stderr io.Writer) *cobra.Command {
	var o runOptions
	var out string
	cmd := &cobra.Command{
		Use:   "aa [COMMIT]",
		Short: "Measure one commit against itself: the noise of every benchmark",
		Long: `Builds one commit twice, measures the two programs in turn as run does, and writes for every benchmark and unit how far the ratio of
equal things strays: half of the width of its 95 % interval. compare -noise asks a change to exceed twice that.`,
		Example: "  go run ./benchstat aa -out noise.txt\n  go run ./benchstat compare -noise noise.txt base.txt head.txt",
		Args:    cobra.MaximumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			if err := o.check(); err != nil {
				return err
			}
			shop, err := newWorkshop(cmd.Context(), stderr)
			if err != nil {
				return err
			}
			defer shop.close()
			rev := "."
			if len(args) == 1 {
				rev = args[0]
			}
			logs, err := shop.pair(cmd.Context(), []string{rev, rev}, o, "measuring")
			if err != nil {
				return err
			}
			parsed, err := parsePair(logs)
			if err != nil {
				return err
			}
			c, err := compare(parsed[0], parsed[1], compareOptions{thresholds: defaults, IgnoreCode: true})
			if err != nil {
				return err
			}
			if err := save(out, noiseText(c)); err != nil {
				return err
			}
			return c.writeNoise(stdout, out)
		},
	}
	addRunFlags(cmd, &o, 10)
	cmd.Flags().StringVar(&out, "out", "noise.txt", "`file` for the noise")
	return cmd
}
