package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime"
	"slices"
	"strings"

	"golang.org/x/perf/benchfmt"

	"github.com/goldenloss/goldenloss/reference/loss"
)

// runOptions say what is measured.
type runOptions struct {
	Set       string // quick, pr, full
	Bench     string // pattern of go test -bench
	Benchtime string
	Count     int
	Runner    string
	Keys      []string // further file keys, key=value: gpu, driver, ...
}

// program is a commit, built.
type program struct {
	rev, commit, time string
	binary, dir       string
	code              map[string]string
	log               bytes.Buffer
	writer            *benchfmt.Writer
}

// workshop builds and measures commits in a directory of its own.
type workshop struct {
	dir, repo string
	binaries  int
	trees     []string
	built     []*program
	stderr    io.Writer
}

func newWorkshop(ctx context.Context, stderr io.Writer) (*workshop, error) {
	repo, err := git(ctx, "", "rev-parse", "--show-toplevel")
	if err != nil {
		return nil, err
	}
	dir, err := os.MkdirTemp("", "benchstat")
	return &workshop{dir: dir, repo: repo, stderr: stderr}, err
}

// close removes the checkouts, also after an interrupt.
func (w *workshop) close() {
	for _, tree := range w.trees {
		git(context.Background(), w.repo, "worktree", "remove", "--force", tree)
	}
	os.RemoveAll(w.dir)
}

func git(ctx context.Context, dir string, args ...string) (string, error) {
	cmd := exec.CommandContext(ctx, "git", args...)
	cmd.Dir = dir
	out, err := cmd.Output()
	if e := (*exec.ExitError)(nil); errors.As(err, &e) {
		return "", fmt.Errorf("git %s: %s", strings.Join(args, " "), strings.TrimSpace(string(e.Stderr)))
	}
	return strings.TrimSpace(string(out)), err
}

// build makes the benchmark program of a commit; "." is the working tree as it is.
func (w *workshop) build(ctx context.Context, rev string) (*program, error) {
	p := &program{rev: rev, dir: w.repo}
	asked := rev
	if rev == "." {
		asked = "HEAD"
	}
	out, err := git(ctx, w.repo, "log", "-1", "--format=%H %cI", asked, "--")
	if err != nil {
		return nil, err
	}
	p.commit, p.time, _ = strings.Cut(out, " ")
	p.commit = p.commit[:12]
	if rev == "." {
		if dirty, err := git(ctx, w.repo, "status", "--porcelain", "--untracked-files=no"); err != nil {
			return nil, err
		} else if dirty != "" {
			p.commit += "-changed"
		}
	} else {
		p.dir = filepath.Join(w.dir, fmt.Sprintf("tree%d", len(w.trees)))
		if _, err := git(ctx, w.repo, "worktree", "add", "--detach", "--force", p.dir, rev); err != nil {
			return nil, err
		}
		w.trees = append(w.trees, p.dir)
	}
	p.binary = filepath.Join(w.dir, fmt.Sprintf("bench%d", w.binaries))
	w.binaries++
	cmd := exec.CommandContext(ctx, "go", "test", "-c", "-o", p.binary, "./benchstat")
	cmd.Dir = p.dir
	fmt.Fprintf(w.stderr, "building %s (%s)\n", rev, p.commit)
	if out, err := cmd.CombinedOutput(); err != nil {
		return nil, fmt.Errorf("building %s: %w\n%s", rev, err, out)
	}
	var ids []string
	for _, d := range loss.All {
		ids = append(ids, d.ID)
	}
	p.code, err = codeHashes(ctx, p.binary, ids)
	p.restart()
	return p, err
}

// unitLines declare the units of the benchmarks of this module. Programs of old commits do not print them.
const unitLines = "Unit ns/elem better=lower\nUnit %roof better=higher\nUnit bounds better=lower assume=exact\n"

// restart forgets what was measured.
func (p *program) restart() {
	p.log.Reset()
	p.log.WriteString(unitLines)
	p.writer = benchfmt.NewWriter(&p.log)
}

// once runs all benchmarks of a program one time and keeps the lines with their keys.
func (p *program) once(ctx context.Context, o runOptions, accuracy bool) error {
	args := []string{"-test.run=^$", "-test.bench=" + o.Bench, "-test.benchtime=" + o.Benchtime, "-test.count=1", "-test.timeout=0"}
	cmd := exec.CommandContext(ctx, p.binary, args...)
	cmd.Dir = filepath.Join(p.dir, "benchstat")
	cmd.Env = append(os.Environ(), "GOLDENLOSS_BENCH="+o.Set, fmt.Sprintf("GOLDENLOSS_ACCURACY=%t", accuracy))
	var stdout, stderr bytes.Buffer
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	if err := cmd.Run(); err != nil {
		if ctx.Err() != nil {
			return ctx.Err()
		}
		tail := strings.TrimSpace(stdout.String() + stderr.String())
		return fmt.Errorf("benchmarks of %s: %w\n%s", p.rev, err, tail[max(0, len(tail)-2000):])
	}
	keys := [][2]string{{"commit", p.commit}, {"commit-time", p.time}, {"runner", o.Runner}, {"go", runtime.Version()}}
	for _, k := range o.Keys {
		name, v, _ := strings.Cut(k, "=")
		keys = append(keys, [2]string{name, v})
	}
	found := 0
	r := benchfmt.NewReader(&stdout, p.rev)
	for r.Scan() {
		switch rec := r.Result().(type) {
		case *benchfmt.Result:
			found++
			for _, k := range keys {
				rec.SetConfig(k[0], k[1])
			}
			pkg := "optimized"
			if key(rec.Name, "impl") == "reference" {
				pkg = "reference"
			}
			rec.SetConfig("code", p.code[pkg+"/"+key(rec.Name, "loss")])
			for i := range rec.Config {
				rec.Config[i].File = true // or the writer leaves it out
			}
			if err := p.writer.Write(rec); err != nil {
				return err
			}
		case *benchfmt.SyntaxError:
			return rec
		}
	}
	if found == 0 && accuracy { // exact figures are measured in the first round alone
		return fmt.Errorf("benchmarks of %s: -bench %s selects none", p.rev, o.Bench)
	}
	return r.Err()
}

// measure runs programs in turn, A B B A, so that a slow drift of the machine hits all alike.
func measure(ctx context.Context, programs []*program, o runOptions, step func()) error {
	for i := range o.Count {
		order := slices.Clone(programs)
		if i%2 == 1 {
			slices.Reverse(order)
		}
		for _, p := range order {
			if err := p.once(ctx, o, i == 0); err != nil {
				return err
			}
			step()
		}
	}
	return nil
}

// selection is the pattern that selects the benchmarks of rows, for a second round.
func selection(rows []Row) string {
	seen := map[string]bool{}
	for _, r := range rows {
		if r.Verdict == Regression || r.Verdict == Improvement {
			seen[r.Name] = true
		}
	}
	// go test matches part by part: the parts of several names may mix, which selects a few benchmarks more.
	var parts []map[string]bool
	for name := range seen {
		for i, part := range strings.Split(name, "/") {
			if i == len(parts) {
				parts = append(parts, map[string]bool{})
			}
			parts[i][regexp.QuoteMeta(part)] = true
		}
	}
	var list []string
	for i, p := range parts {
		text := "^(" + strings.Join(sortedKeys(p), "|") + ")$"
		if i == 0 {
			text = "^Benchmark(" + strings.Join(sortedKeys(p), "|") + ")$"
		}
		list = append(list, text)
	}
	return strings.Join(list, "/")
}

// save writes a file whole or not at all.
func save(path string, text []byte) error {
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return err
	}
	if err := os.WriteFile(path+".tmp", text, 0o644); err != nil {
		return err
	}
	return os.Rename(path+".tmp", path)
}
