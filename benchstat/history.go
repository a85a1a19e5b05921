package main

import (
	"bytes"
	"compress/gzip"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"sort"
	"strings"
	"time"

	"github.com/parquet-go/parquet-go"
	"github.com/spf13/cobra"
	"golang.org/x/perf/benchfmt"
	"golang.org/x/perf/benchmath"
)

// A history is a directory of raw benchmark lines, <runner>/<yyyy>/<commit time>-<commit>.txt.gz, one file a commit and runner. It can
// be a branch of a repository; nothing else is kept, so nothing can disagree with the lines.

// historyPath is the file of a log in a history.
func historyPath(l *benchLog) (string, error) {
	var part [3]string
	for i, k := range []string{"commit", "commit-time", "runner"} {
		v := l.values(k)
		if len(v) != 1 || v[0] == "" {
			return "", fmt.Errorf("a file of a history holds results of one %s, got %q", k, v)
		}
		part[i] = v[0]
	}
	at, err := time.Parse(time.RFC3339, part[1])
	if err != nil {
		return "", fmt.Errorf("commit-time: %w", err)
	}
	if strings.ContainsAny(part[0]+part[2], "/\\.") {
		return "", fmt.Errorf("commit %q or runner %q is no name of a file", part[0], part[2])
	}
	at = at.UTC()
	return filepath.Join(part[2], at.Format("2006"), at.Format("20060102T150405Z")+"-"+part[0]+".txt.gz"), nil
}

// addHistory files raw lines in a history. What is there of the same commit and runner is replaced.
func addHistory(dir string, text []byte) (string, error) {
	l := newLog()
	if err := l.parse("results", text); err != nil {
		return "", err
	}
	if len(l.Results) == 0 {
		return "", errors.New("no benchmark result")
	}
	if err := l.checkUnits(); err != nil {
		return "", err
	}
	path, err := historyPath(l)
	if err != nil {
		return "", err
	}
	var z bytes.Buffer
	w, _ := gzip.NewWriterLevel(&z, gzip.BestCompression)
	w.Write(text)
	if err := w.Close(); err != nil {
		return "", err
	}
	return path, save(filepath.Join(dir, path), z.Bytes())
}

// readHistory reads all files of a history, oldest commit first.
func readHistory(dir string) ([]*benchLog, error) {
	var paths []string
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err == nil && strings.HasSuffix(path, ".txt.gz") {
			paths = append(paths, path)
		}
		return err
	})
	if err != nil {
		return nil, err
	}
	if len(paths) == 0 {
		return nil, fmt.Errorf("%s: no history: want files <runner>/<yyyy>/<time>-<commit>.txt.gz", dir)
	}
	sort.Slice(paths, func(i, j int) bool { return filepath.Base(paths[i]) < filepath.Base(paths[j]) })
	var logs []*benchLog
	for _, p := range paths {
		l, err := readLogs(p)
		if err != nil {
			return nil, err
		}
		if _, err := historyPath(l); err != nil {
			return nil, fmt.Errorf("%s: %w", p, err)
		}
		logs = append(logs, l)
	}
	return logs, nil
}

// point is a commit in a series.
type point struct {
	Commit string
	Time   time.Time
	Code   string
	benchmath.Summary
}

// series is one unit of one benchmark on one runner over commits.
type series struct {
	Runner, Name, Unit string
	Better             int
	Points             []point
	Steps              []step
}

func (s *series) key(k string) string { return key(benchfmt.Name(s.Name), k) }

// seriesOf groups a history by runner, benchmark and unit.
func seriesOf(logs []*benchLog) ([]*series, error) {
	type id struct{ runner, name, unit string }
	all := map[id]*series{}
	for _, l := range logs {
		values, code := map[id][]float64{}, map[id]string{}
		var order []id
		for _, r := range l.Results {
			for _, v := range r.Values {
				k := id{r.GetConfig("runner"), label(r.Name), v.Unit}
				if values[k] == nil {
					order = append(order, k)
				}
				values[k] = append(values[k], v.Value)
				code[k] = r.GetConfig("code")
			}
		}
		at, err := time.Parse(time.RFC3339, l.values("commit-time")[0])
		if err != nil {
			return nil, err
		}
		for _, k := range order {
			if all[k] == nil {
				all[k] = &series{Runner: k.runner, Name: k.name, Unit: k.unit, Better: l.better(k.unit)}
			}
			sample := benchmath.NewSample(slices.Clone(values[k]), &benchmath.DefaultThresholds)
			p := point{l.values("commit")[0], at, code[k], l.Units.GetAssumption(k.unit).Summary(sample, 0.95)}
			all[k].Points = append(all[k].Points, p)
		}
	}
	var list []*series
	for _, s := range all {
		sort.SliceStable(s.Points, func(i, j int) bool { return s.Points[i].Time.Before(s.Points[j].Time) })
		list = append(list, s)
	}
	sort.Slice(list, func(i, j int) bool {
		a, b := list[i], list[j]
		return a.Runner+"\x00"+a.Name+"\x00"+a.Unit < b.Runner+"\x00"+b.Name+"\x00"+b.Unit
	})
	return list, nil
}

func recordCommand(stdout, stderr io.Writer) *cobra.Command {
	var o runOptions
	var dir string
	var from []string
	cmd := &cobra.Command{
		Use:   "record [COMMIT...]",
		Short: "Measure commits and add them to a history",
		Long: `Measures commits, in turn where they are several so that a drift of the machine hits all alike, and files the raw lines in a history,
a directory <runner>/<yyyy>/<commit time>-<commit>.txt.gz. With -from it files results that are there already. Without commits it
measures HEAD.`,
		Example: `  go run ./benchstat record -history perf HEAD
  go run ./benchstat record -history perf -from head.txt
  go run ./benchstat record -history perf $(git rev-list --reverse v1.0..HEAD)`,
		RunE: func(cmd *cobra.Command, args []string) error {
			if len(from) > 0 {
				if len(args) > 0 {
					return errors.New("want commits or -from, not both")
				}
				for _, path := range from {
					text, err := os.ReadFile(path)
					if err != nil {
						return err
					}
					to, err := addHistory(dir, text)
					if err != nil {
						return fmt.Errorf("%s: %w", path, err)
					}
					fmt.Fprintln(stdout, to)
				}
				return nil
			}
			if err := o.check(); err != nil {
				return err
			}
			if len(args) == 0 {
				args = []string{"HEAD"}
			}
			ctx := cmd.Context()
			shop, err := newWorkshop(ctx, stderr)
			if err != nil {
				return err
			}
			defer shop.close()
			var programs []*program
			for _, rev := range args {
				p, err := shop.build(ctx, rev)
				if err != nil {
					return err
				}
				programs = append(programs, p)
			}
			bar := progress(stderr, len(programs)*o.Count, "measuring")
			err = measure(ctx, programs, o, func() { bar.Add(1) })
			bar.Finish()
			if err != nil {
				return err
			}
			for _, p := range programs {
				to, err := addHistory(dir, p.log.Bytes())
				if err != nil {
					return err
				}
				fmt.Fprintln(stdout, to)
			}
			return nil
		},
	}
	addRunFlags(cmd, &o, 5)
	cmd.Flags().StringVar(&dir, "history", "perf", "`directory` of the history")
	cmd.Flags().StringSliceVar(&from, "from", nil, "`files` of results to add instead of measuring")
	return cmd
}

// sampleRow is one measurement in the Parquet export.
type sampleRow struct {
	Commit     string  `parquet:"commit,dict"`
	CommitTime int64   `parquet:"commit_time,timestamp(millisecond)"`
	Runner     string  `parquet:"runner,dict"`
	CPU        string  `parquet:"cpu,dict"`
	GPU        string  `parquet:"gpu,dict"`
	Driver     string  `parquet:"driver,dict"`
	Go         string  `parquet:"go,dict"`
	Code       string  `parquet:"code,dict"`
	Benchmark  string  `parquet:"benchmark,dict"`
	Loss       string  `parquet:"loss,dict"`
	Impl       string  `parquet:"impl,dict"`
	Op         string  `parquet:"op,dict"`
	DType      string  `parquet:"dtype,dict"`
	Work       string  `parquet:"work,dict"`
	Threads    string  `parquet:"threads,dict"`
	Unit       string  `parquet:"unit,dict"`
	Value      float64 `parquet:"value"`
}

func exportCommand(stdout io.Writer) *cobra.Command {
	var dir, out string
	cmd := &cobra.Command{
		Use:   "export",
		Short: "Write a history as Parquet, one row a sample, for SQL",
		Example: `  go run ./benchstat export -history perf -out perf.parquet
  duckdb -c "SELECT loss, commit, median(value) FROM 'perf.parquet' WHERE unit = 'sec/op' GROUP BY ALL"`,
		Args: cobra.NoArgs,
		RunE: func(*cobra.Command, []string) error {
			logs, err := readHistory(dir)
			if err != nil {
				return err
			}
			var rows []sampleRow
			for _, l := range logs {
				for _, r := range l.Results {
					at, err := time.Parse(time.RFC3339, r.GetConfig("commit-time"))
					if err != nil {
						return err
					}
					for _, v := range r.Values {
						rows = append(rows, sampleRow{r.GetConfig("commit"), at.UnixMilli(), r.GetConfig("runner"), r.GetConfig("cpu"), r.GetConfig("gpu"), r.GetConfig("driver"),
							r.GetConfig("go"), r.GetConfig("code"), label(r.Name), key(r.Name, "loss"), key(r.Name, "impl"), key(r.Name, "op"), key(r.Name, "dtype"), key(r.Name, "work"),
							key(r.Name, "threads"), v.Unit, v.Value})
					}
				}
			}
			var text bytes.Buffer
			if err := parquet.Write(&text, rows, parquet.Compression(&parquet.Zstd)); err != nil {
				return err
			}
			if err := save(out, text.Bytes()); err != nil {
				return err
			}
			fmt.Fprintf(stdout, "%d samples of %d files in %s\n", len(rows), len(logs), out)
			return nil
		},
	}
	cmd.Flags().StringVar(&dir, "history", "perf", "`directory` of the history")
	cmd.Flags().StringVar(&out, "out", "perf.parquet", "the `file` to write")
	return cmd
}
