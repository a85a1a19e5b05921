package main

import (
	"encoding/json"
	"fmt"
	"io"
	"math"
	"os"
	"strconv"
	"strings"

	"github.com/jedib0t/go-pretty/v6/table"
	"github.com/jedib0t/go-pretty/v6/text"
	"golang.org/x/perf/benchunit"
)

// marker lets a workflow find its own comment and edit it in place.
const marker = "<!-- goldenloss benchmarks -->"

func (c *Comparison) write(w io.Writer, format string) error {
	switch format {
	case "json":
		return c.writeJSON(w)
	case "text", "markdown":
	default:
		return fmt.Errorf("-format: want text, markdown or json, got %q", format)
	}
	md := format == "markdown"
	if md {
		fmt.Fprintf(w, "%s\n### %s\n\n`%s` against `%s`, %s\n\n", marker, c.headline(), c.Head, c.Base, c.Place)
	} else {
		fmt.Fprintf(w, "%s against %s, %s\n\n", c.Head, c.Base, c.Place)
	}
	if rows := c.changed(); len(rows) > 0 {
		fmt.Fprintln(w, rowsTable(rows, md))
		fmt.Fprintln(w)
	}
	for _, s := range c.Warnings {
		fmt.Fprintln(w, "warning:", s)
	}
	for _, list := range []struct {
		names []string
		what  string
	}{{c.Added, "new"}, {c.Removed, "gone"}} {
		for i, name := range list.names {
			if i == 10 {
				fmt.Fprintf(w, "%s: %d more\n", list.what, len(list.names)-i)
				break
			}
			fmt.Fprintf(w, "%s: %s\n", list.what, name)
		}
	}
	if md {
		fmt.Fprintf(w, "\n<details><summary>all %d rows</summary>\n\n%s\n\n</details>\n\n", len(c.Rows), rowsTable(c.Rows, true))
	}
	for _, unit := range sortedKeys(c.Geomean) {
		fmt.Fprintf(w, "geomean of ratios, %s: %.4f%s\n", unit, c.Geomean[unit], map[bool]string{true: "  "}[md])
	}
	if !md {
		fmt.Fprintln(w, c.headline())
	}
	return nil
}

func (c *Comparison) headline() string {
	if n := c.count(Regression); n > 0 {
		return fmt.Sprintf("%d regressions, %d improvements in %d rows", n, c.count(Improvement), len(c.Rows))
	}
	return fmt.Sprintf("no regression, %d improvements in %d rows", c.count(Improvement), len(c.Rows))
}

func rowsTable(rows []Row, markdown bool) string {
	t := table.NewWriter()
	t.SetStyle(table.StyleLight)
	t.Style().Format.Header = text.FormatDefault
	t.Style().Options.SeparateColumns = false
	t.AppendHeader(table.Row{"benchmark", "unit", "base", "head", "change", "95 % interval", "p", "q", "verdict"})
	for i := range rows {
		r := &rows[i]
		interval, p, q := fmt.Sprintf("%s .. %s", percent(r.Lo), percent(r.Hi)), short(r.P), short(r.Q)
		if r.exact {
			interval, p, q = "exact", "", ""
		}
		if !r.tested() {
			q = ""
		}
		verdict := string(r.Verdict)
		if r.Waiver != "" {
			verdict += ": " + r.Waiver
		}
		t.AppendRow(table.Row{r.Name, r.Unit, amount(r.Old.Center, r.Unit), amount(r.New.Center, r.Unit), percent(r.Ratio), interval, p, q, verdict})
	}
	if markdown {
		return t.RenderMarkdown()
	}
	return t.Render()
}

func percent(ratio float64) string {
	if math.IsInf(ratio, 0) {
		return "from 0"
	}
	return fmt.Sprintf("%+.1f%%", 100*(ratio-1))
}

func short(p float64) string { return strconv.FormatFloat(p, 'g', 2, 64) }

// amount formats a value as people read it: seconds and bytes with prefixes, other units plainly.
func amount(x float64, unit string) string {
	switch unit {
	case "sec/op", "sec/elem", "B/op", "B/s":
		return benchunit.Scale(x, benchunit.ClassOf(unit))
	}
	return strconv.FormatFloat(x, 'g', 4, 64)
}

func (c *Comparison) writeJSON(w io.Writer) error {
	type row struct {
		Name      string  `json:"name"`
		Unit      string  `json:"unit"`
		Base      float64 `json:"base"`
		Head      float64 `json:"head"`
		N         [2]int  `json:"n"`
		Ratio     any     `json:"ratio"`
		Interval  [2]any  `json:"interval"`
		P         float64 `json:"p"`
		Q         float64 `json:"q"`
		Threshold float64 `json:"threshold"`
		Verdict   Verdict `json:"verdict"`
		Waiver    string  `json:"waiver,omitempty"`
	}
	out := struct {
		Version  int                `json:"version"`
		OK       bool               `json:"ok"`
		Base     string             `json:"base"`
		Head     string             `json:"head"`
		Place    string             `json:"place"`
		Rows     []row              `json:"rows"`
		Added    []string           `json:"added"`
		Removed  []string           `json:"removed"`
		Warnings []string           `json:"warnings"`
		Geomean  map[string]float64 `json:"geomean"`
	}{1, !c.Failed(), c.Base, c.Head, c.Place, nil, append([]string{}, c.Added...), append([]string{}, c.Removed...), append([]string{}, c.Warnings...), c.Geomean}
	for _, r := range c.Rows {
		out.Rows = append(out.Rows, row{r.Name, r.Unit, r.Old.Center, r.New.Center, [2]int{r.N1, r.N2}, number(r.Ratio), [2]any{number(r.Lo), number(r.Hi)}, r.P, r.Q,
			r.Threshold, r.Verdict, r.Waiver})
	}
	e := json.NewEncoder(w)
	e.SetIndent("", " ")
	return e.Encode(out)
}

// number is x, or its name where JSON has no such number.
func number(x float64) any {
	if math.IsInf(x, 0) || math.IsNaN(x) {
		return map[bool]string{true: "Infinity", false: "NaN"}[math.IsInf(x, 0)]
	}
	return x
}

// noiseText lists, for every row of an A/A comparison, half of the width of the interval of the ratio.
func noiseText(c *Comparison) []byte {
	var b strings.Builder
	fmt.Fprintf(&b, "# Noise of every benchmark: benchmark, unit, half width of the 95 %% interval of the ratio of equal things.\n# %s, %s\n", c.Base, c.Place)
	for i := range c.Rows {
		if r := &c.Rows[i]; !r.exact {
			fmt.Fprintf(&b, "%s %s %.4g\n", r.Name, r.Unit, r.spread())
		}
	}
	return []byte(b.String())
}

// spread is the largest distance of the interval from 1.
func (r *Row) spread() float64 {
	s := (r.Hi - r.Lo) / 2
	if math.IsNaN(s) || math.IsInf(s, 0) {
		return 0
	}
	return s
}

func (c *Comparison) writeNoise(w io.Writer, path string) error {
	t := table.NewWriter()
	t.SetStyle(table.StyleLight)
	t.Style().Format.Header = text.FormatDefault
	t.Style().Options.SeparateColumns = false
	t.AppendHeader(table.Row{"benchmark", "unit", "ratio", "half width", "least change that counts"})
	for i := range c.Rows {
		if r := &c.Rows[i]; r.tested() && r.Unit == "sec/op" {
			t.AppendRow(table.Row{r.Name, r.Unit, fmt.Sprintf("%.4f", r.Ratio), fmt.Sprintf("%.1f%%", 100*r.spread()),
				fmt.Sprintf("%.1f%%", 100*max(r.Threshold, 2*r.spread()))})
		}
	}
	_, err := fmt.Fprintf(w, "%s\n%s written\n%s\n", t.Render(), path, c.headline())
	return err
}

func readNoise(path string) (map[string]float64, error) {
	content, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	noise := map[string]float64{}
	for n, line := range strings.Split(string(content), "\n") {
		if line == "" || line[0] == '#' {
			continue
		}
		part := strings.Fields(line)
		if len(part) != 3 {
			return nil, fmt.Errorf("%s:%d: want benchmark, unit and width, got %q", path, n+1, line)
		}
		x, err := strconv.ParseFloat(part[2], 64)
		if err != nil || !(x >= 0) {
			return nil, fmt.Errorf("%s:%d: want a width of at least 0, got %q", path, n+1, part[2])
		}
		noise[part[0]+" "+part[1]] = x
	}
	if len(noise) == 0 {
		return nil, fmt.Errorf("%s: no noise", path)
	}
	return noise, nil
}
