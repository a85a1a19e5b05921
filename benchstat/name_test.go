package main

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"golang.org/x/perf/benchfmt"
	"golang.org/x/perf/benchproc"

	"github.com/goldenloss/goldenloss/reference/loss"
)

// TestNames: every workload prints lines that benchmark tools read, with the keys that they group by.
func TestNames(t *testing.T) {
	per := map[string]int{}
	seen := map[string]bool{}
	for _, w := range workloads {
		per[w.loss]++
		require.NotNil(t, loss.Lookup(w.loss), w.loss)
		require.False(t, seen[w.loss+w.name], "two workloads %s of %s", w.name, w.loss)
		seen[w.loss+w.name] = true
		line := fmt.Sprintf("BenchmarkLoss/loss=%s/impl=portable/op=fwd/dtype=float32/work=%s/threads=2-2 10 1234 ns/op 5 ns/elem\n", w.loss, w.name)
		r := benchfmt.NewReader(strings.NewReader(line), "x")
		require.True(t, r.Scan(), line)
		result, ok := r.Result().(*benchfmt.Result)
		require.True(t, ok, "%s: %v", line, r.Result())
		_, ok = result.Value("ns/elem")
		require.True(t, ok || len(result.Values) == 2, line)
		var p benchproc.ProjectionParser
		key, err := p.Parse("/loss,/work,/impl,/threads", nil)
		require.NoError(t, err)
		require.Equal(t, fmt.Sprintf("%s %s portable 2", w.loss, w.name), key.Project(result).StringValues())
	}
	for _, d := range loss.All {
		require.GreaterOrEqual(t, per[d.ID], 2, d.ID)
		require.True(t, slices.ContainsFunc(workloads, func(w workload) bool { return w.loss == d.ID && small(w) }), "%s: no workload whose name ends in _latency or _small", d.ID)
	}
}
