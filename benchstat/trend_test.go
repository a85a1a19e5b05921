package main

import (
	"bytes"
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/parquet-go/parquet-go"
	"github.com/stretchr/testify/require"
)

func noisy(r *rand.Rand, n int, level func(i int) float64) []float64 {
	x := make([]float64, n)
	for i := range x {
		x[i] = level(i) * (1 + 0.03*r.NormFloat64())
	}
	return x
}

// TestSteps: a step of 12 % under noise of 3 % is found where it is, give or take a commit; several are told apart.
func TestSteps(t *testing.T) {
	exact := 0
	for seed := range uint64(50) {
		r := rand.New(rand.NewPCG(seed, 1))
		points := changePoints(noisy(r, 24, func(i int) float64 { return map[bool]float64{false: 100, true: 130}[i >= 14] }))
		require.Len(t, points, 1, "seed %d", seed)
		require.InDelta(t, 14, points[0], 1)
		if points[0] == 14 {
			exact++
		}
	}
	require.GreaterOrEqual(t, exact, 48)
	points := changePoints(noisy(rand.New(rand.NewPCG(1, 2)), 120, func(i int) float64 { return []float64{100, 120, 90}[i/40] }))
	require.Equal(t, []int{40, 80}, points)
	require.Equal(t, []int{3}, changePoints([]float64{1, 1, 1, 2, 2, 2, 2}), "exact units")
	require.Empty(t, changePoints([]float64{1, 1, 1, 9, 1, 1, 1}), "a single commit is no level")
	require.Empty(t, changePoints(nil))
	require.Empty(t, changePoints([]float64{1}))
}

// TestNoSteps: noise has no steps: in 500 series of 30 commits at most two, where one in a thousand would be two or three a split.
func TestNoSteps(t *testing.T) {
	found := 0
	for seed := range uint64(500) {
		r := rand.New(rand.NewPCG(seed, 3))
		found += len(changePoints(noisy(r, 30, func(int) float64 { return 100 })))
	}
	t.Logf("%d steps in noise", found)
	require.LessOrEqual(t, found, 5)
}

// TestSampleHistory: the bundled history, made from real commits of this repository, becomes pages; a step planted in a copy of it is
// found at its commit.
func TestSampleHistory(t *testing.T) {
	const dir = "testdata/history"
	logs, err := readHistory(dir)
	require.NoError(t, err)
	require.GreaterOrEqual(t, len(logs), 15)
	commits := map[string]bool{}
	for _, l := range logs {
		commits[l.values("commit")[0]] = true
	}
	require.GreaterOrEqual(t, len(commits), 15)
	before, err := seriesOf(logs)
	require.NoError(t, err)
	at := len(logs) - 6
	commit := logs[at].values("commit")[0]
	planted := ""
	for _, l := range logs[at:] {
		for _, r := range l.Results {
			if planted == "" && key(r.Name, "loss") == "smooth_l1" && key(r.Name, "op") == "fwdbwd" {
				planted = label(r.Name)
			}
			if label(r.Name) == planted {
				for i := range r.Values {
					if r.Values[i].Unit == "sec/op" {
						r.Values[i].Value *= 3
					}
				}
			}
		}
	}
	after, err := seriesOf(logs)
	require.NoError(t, err)
	require.Equal(t, len(before), len(after))
	found := false
	for _, s := range after {
		s.findSteps()
		if s.Name == planted && s.Unit == "sec/op" {
			for _, st := range s.Steps {
				found = found || s.Points[st.At].Commit == commit && st.Ratio > 2
			}
		}
	}
	require.True(t, found, "%s at %s", planted, commit)
	out := t.TempDir()
	var stdout, stderr bytes.Buffer
	require.Equal(t, exitOK, execute(context.Background(), []string{"trend", "-history", dir, "-out", out}, &stdout, &stderr), stderr.String())
	index, err := os.ReadFile(filepath.Join(out, "index.html"))
	require.NoError(t, err)
	require.Contains(t, string(index), `<a href="smooth_l1.html">`)
	page, err := os.ReadFile(filepath.Join(out, "smooth_l1.html"))
	require.NoError(t, err)
	for _, text := range []string{string(index), string(page)} {
		for _, outside := range []string{"http://", "https://", "<script", "<link"} {
			for _, part := range strings.Split(text, outside)[1:] {
				require.True(t, strings.HasPrefix(part, "www.w3.org/"), "the page asks for something from outside: %s%.60s", outside, part)
			}
		}
	}
	require.Contains(t, string(page), "<title>portable float32")
	require.Contains(t, string(page), commit)
	looked(t, filepath.Join(out, "index.html"), 390)
	looked(t, filepath.Join(out, "smooth_l1.html"), 390)
	looked(t, filepath.Join(out, "smooth_l1.html"), 1100)

	file := filepath.Join(out, "perf.parquet")
	require.Equal(t, exitOK, execute(context.Background(), []string{"export", "-history", dir, "-out", file}, &stdout, &stderr), stderr.String())
	rows, err := parquet.ReadFile[sampleRow](file)
	require.NoError(t, err)
	samples := 0
	fresh, err := readHistory(dir)
	require.NoError(t, err)
	for _, l := range fresh {
		for _, r := range l.Results {
			samples += len(r.Values)
		}
	}
	require.Len(t, rows, samples)
}

// looked renders a page in a headless browser at a width and requires that something is drawn and nothing is wider than the window.
func looked(t *testing.T, page string, width int) {
	browser := ""
	for _, name := range []string{"chromium", "chromium-browser", "google-chrome", "chrome"} {
		if path, err := exec.LookPath(name); err == nil {
			browser = path
			break
		}
	}
	if browser == "" {
		require.Empty(t, os.Getenv("GOLDENLOSS_BROWSER"), "a browser is required here")
		t.Log("no browser on this machine: the page is not looked at")
		return
	}
	text, err := os.ReadFile(page)
	require.NoError(t, err)
	// The page tells its own measure in its title.
	probe := strings.Replace(string(text), "</body>", `<script>
const wide = [...document.querySelectorAll("body *")].filter(e => !e.closest(".wide") && !e.closest("svg") && e.getBoundingClientRect().right > window.innerWidth + 1).length;
const plots = [...document.querySelectorAll("svg.plot, svg.spark")].filter(e => e.getBoundingClientRect().height > 10).length;
document.title = "wide=" + wide + " plots=" + plots + " dots=" + document.querySelectorAll("circle.dot title").length;
</script></body>`, 1)
	path := filepath.Join(t.TempDir(), "probe.html")
	require.NoError(t, os.WriteFile(path, []byte(probe), 0o644))
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, browser, "--headless", "--no-sandbox", "--disable-gpu", fmt.Sprintf("--window-size=%d,800", width), "--dump-dom", "file://"+path)
	dom, err := cmd.Output()
	require.NoError(t, err)
	_, title, _ := strings.Cut(string(dom), "<title>")
	title, _, _ = strings.Cut(title, "</title>")
	var wide, plots, dots int
	_, err = fmt.Sscanf(title, "wide=%d plots=%d dots=%d", &wide, &plots, &dots)
	require.NoError(t, err, title)
	require.Zero(t, wide, "%s at %d pixels: elements beyond the window", filepath.Base(page), width)
	require.Positive(t, plots)
}

// TestHistory: files are named by commit and runner, and what does not belong is refused.
func TestHistory(t *testing.T) {
	dir := t.TempDir()
	text := fake{commit: "abc", n: 5}.text()
	path, err := addHistory(dir, []byte(text))
	require.NoError(t, err)
	require.Equal(t, filepath.Join("test", "2026", "20261126T010000Z-abc.txt.gz"), path)
	logs, err := readHistory(dir)
	require.NoError(t, err)
	require.Len(t, logs, 1)
	require.Len(t, logs[0].Results, 6*fakes)
	for want, bad := range map[string]string{
		"one commit":      text + fake{commit: "def", n: 5}.text(),
		"one runner":      strings.ReplaceAll(text, "runner: test\n", ""),
		"no name":         strings.ReplaceAll(text, "runner: test", "runner: ../x"),
		"commit-time":     strings.ReplaceAll(text, "2026-11-26T01:00:00Z", "yesterday"),
		"no benchmark":    unitLines,
		"without a direc": strings.ReplaceAll(text, "bounds\n", "furlongs\n"),
	} {
		_, err := addHistory(t.TempDir(), []byte(bad))
		require.ErrorContains(t, err, want)
	}
	require.NoError(t, os.WriteFile(filepath.Join(dir, "test", "broken.txt.gz"), []byte("x"), 0o644))
	_, err = readHistory(dir)
	require.ErrorContains(t, err, "broken.txt.gz")
}
