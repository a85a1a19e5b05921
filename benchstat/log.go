package main

import (
	"bufio"
	"bytes"
	"compress/gzip"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"

	"golang.org/x/perf/benchfmt"
)

// benchLog is the content of benchmark files.
type benchLog struct {
	Results []*benchfmt.Result
	Units   benchfmt.UnitMetadataMap
}

func newLog() *benchLog { return &benchLog{Units: benchfmt.UnitMetadataMap{}} }

// builtin units have a direction that x/perf knows.
var builtin = []string{"sec/op", "B/s", "B/op", "allocs/op"}

// readLogs reads benchmark files, gzipped where the name ends in .gz. It is strict: what a tolerant reader would skip is an error,
// for a line that is skipped here is a regression that nobody sees.
func readLogs(paths ...string) (*benchLog, error) {
	log := newLog()
	for _, path := range paths {
		text, err := os.ReadFile(path)
		if err != nil {
			return nil, err
		}
		if strings.HasSuffix(path, ".gz") {
			z, err := gzip.NewReader(bytes.NewReader(text))
			if err == nil {
				text, err = io.ReadAll(z)
			}
			if err != nil {
				return nil, fmt.Errorf("%s: %w", path, err)
			}
		}
		if err := log.parse(path, text); err != nil {
			return nil, err
		}
	}
	if len(log.Results) == 0 {
		return nil, fmt.Errorf("%s: no benchmark result", strings.Join(paths, ", "))
	}
	return log, log.checkUnits()
}

func (l *benchLog) parse(path string, text []byte) error {
	if len(text) > 0 && text[len(text)-1] != '\n' {
		return fmt.Errorf("%s: the last line is cut off: want a line end", path)
	}
	lines := bufio.NewScanner(bytes.NewReader(text))
	lines.Buffer(nil, 1<<20)
	for n := 1; lines.Scan(); n++ {
		if f := strings.Fields(lines.Text()); len(f) > 0 && strings.HasPrefix(f[0], "Benchmark") && len(f) < 4 {
			return fmt.Errorf("%s:%d: want a name, a count and a measurement, got %q", path, n, lines.Text())
		}
	}
	if err := lines.Err(); err != nil {
		return fmt.Errorf("%s: %w", path, err)
	}
	r := benchfmt.NewReader(bytes.NewReader(text), path)
	for r.Scan() {
		switch rec := r.Result().(type) {
		case *benchfmt.Result:
			l.Results = append(l.Results, rec.Clone())
		case *benchfmt.SyntaxError:
			return rec
		}
	}
	for key, m := range r.Units() {
		if old := l.Units[key]; old != nil && old.Value != m.Value {
			return fmt.Errorf("%s: unit %s: %s=%s, but %s elsewhere", path, m.OrigUnit, m.Key, m.Value, old.Value)
		}
		l.Units[key] = m
	}
	return r.Err()
}

// checkUnits requires a direction of every unit: a gate that does not know which way is worse would pass anything.
func (l *benchLog) checkUnits() error {
	unknown := map[string]bool{}
	for _, r := range l.Results {
		for _, v := range r.Values {
			if !slices.Contains(builtin, v.Unit) && l.Units.GetBetter(v.Unit) == 0 {
				unknown[v.Unit] = true
			}
		}
	}
	if len(unknown) == 0 {
		return nil
	}
	return fmt.Errorf("units without a direction: %s: want a line such as \"Unit x better=lower\"", strings.Join(sortedKeys(unknown), ", "))
}

// better is 1 where more is better, -1 where less is.
func (l *benchLog) better(unit string) int {
	if b := l.Units.GetBetter(unit); b != 0 {
		return b
	}
	if unit == "B/s" {
		return 1
	}
	return -1
}

// environment lists the keys that two results must share to be comparable. The version of Go is not among them: a new
// compiler is a change that one may want to measure.
var environment = []string{"goos", "goarch", "cpu", "runner", "gpu", "driver"}

// place is the environment of a result.
func place(r *benchfmt.Result) string {
	var parts []string
	for _, k := range environment {
		if v := r.GetConfig(k); v != "" {
			parts = append(parts, k+"="+v)
		}
	}
	return strings.Join(parts, " ")
}

// places lists the environments of all results.
func (l *benchLog) places() []string {
	seen := map[string]bool{}
	for _, r := range l.Results {
		seen[place(r)] = true
	}
	return sortedKeys(seen)
}

// value returns the values of a file key over all results.
func (l *benchLog) values(key string) []string {
	seen := map[string]bool{}
	for _, r := range l.Results {
		seen[r.GetConfig(key)] = true
	}
	return sortedKeys(seen)
}

var errMixed = errors.New("results of different machines cannot be compared")

// key of a benchmark name, such as loss or impl; "" where it has none.
func key(name benchfmt.Name, k string) string {
	_, parts := name.Parts()
	for _, p := range parts {
		if v, ok := strings.CutPrefix(string(p), "/"+k+"="); ok {
			return v
		}
	}
	return ""
}

// label is a name without the suffix that tells GOMAXPROCS, which the key threads tells already.
func label(name benchfmt.Name) string {
	base, parts := name.Parts()
	s := string(base)
	for _, p := range parts {
		if p[0] == '/' {
			s += string(p)
		}
	}
	return s
}

func sortedKeys[V any](m map[string]V) []string {
	keys := make([]string, 0, len(m))
	for k := range m {
		keys = append(keys, k)
	}
	slices.Sort(keys)
	return keys
}
