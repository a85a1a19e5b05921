package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/jedib0t/go-pretty/v6/table"
	"github.com/jedib0t/go-pretty/v6/text"
	"github.com/spf13/cobra"

	"github.com/goldenloss/goldenloss/fixtures"
	"github.com/goldenloss/goldenloss/reference"
	"github.com/goldenloss/goldenloss/reference/loss"
)

const coverageFile = "conformance/coverage.md"

// coverage tells what the golden cases of a loss reach.
type coverage struct {
	Loss      string          `json:"loss"`
	Rows      int             `json:"rows"`
	Errors    map[string]int  `json:"errors"`    // rows by error class
	DTypes    map[string]int  `json:"dtypes"`    // value rows that may judge a dtype
	Groups    map[string]int  `json:"groups"`    // rows by group
	Reduction map[string]int  `json:"reduction"` // value rows by reduction
	Ranks     map[int]int     `json:"ranks"`     // value rows by the rank of the first input
	Params    []paramCoverage `json:"params"`
	Inputs    []inputCoverage `json:"inputs"`
	Cotangent int             `json:"cotangent"` // value rows whose cotangent is not all ones
	NaN       int             `json:"nan"`       // value rows with a NaN among the inputs
	Infinite  int             `json:"infinite"`
	Empty     int             `json:"empty"`
	Kinks     int             `json:"kinks"`
}

// paramCoverage counts the value rows with each value of a parameter. Of a number only how many values there are is told.
type paramCoverage struct {
	Name   string         `json:"name"`
	Kind   string         `json:"kind"`
	Values map[string]int `json:"values"`
}

// inputCoverage counts the value rows with and without an input.
type inputCoverage struct {
	Name          string `json:"name"`
	With, Without int
}

func coverageOf(f *fixtures.File, id string) (*coverage, error) {
	c := &coverage{Loss: id, Errors: map[string]int{}, DTypes: map[string]int{}, Groups: map[string]int{}, Reduction: map[string]int{}, Ranks: map[int]int{}}
	base := reference.All[slices.IndexFunc(reference.All, func(i loss.Impl[float64]) bool { return i.ID == id })]
	params, inputs := map[string]*paramCoverage{}, map[string]*inputCoverage{}
	var paramOrder, inputOrder []string
	for i := range f.Rows {
		r := &f.Rows[i]
		c.Rows++
		c.Groups[strings.Split(r.CaseID, "/")[1]]++
		if r.Kind == "error" {
			c.Errors[*r.Error]++
			continue
		}
		for _, d := range r.DTypes {
			c.DTypes[d]++
		}
		p := base.New()
		dOut, err := fixtures.Bind(r, p)
		if err != nil {
			return nil, err
		}
		if slices.ContainsFunc(dOut, func(x float64) bool { return x != 1 }) {
			c.Cotangent++
		}
		if slices.Contains(r.Tags, "kink") {
			c.Kinks++
		}
		for _, q := range loss.Params(p) {
			if params[q.Name] == nil {
				params[q.Name] = &paramCoverage{q.Name, q.Kind, map[string]int{}}
				paramOrder = append(paramOrder, q.Name)
			}
			params[q.Name].Values[fmt.Sprint(show(q.Value))]++
			if q.Name == "reduction" {
				c.Reduction[q.Value.(string)]++
			}
		}
		given := map[string]bool{}
		nan, inf, empty := false, false, false
		for k, in := range loss.Fields(p) {
			name := in.Name
			if in.Layer >= 0 {
				name = name[:strings.LastIndex(name, "_")]
			}
			if inputs[name] == nil {
				inputs[name] = &inputCoverage{Name: name}
				inputOrder = append(inputOrder, name)
			}
			if k == 0 {
				c.Ranks[len(in.Shape())]++
			}
			if !in.Given() {
				continue
			}
			given[name] = true
			empty = empty || loss.Size(in.Shape()) == 0
			if in.Float != nil {
				for _, x := range in.Float.Data {
					nan, inf = nan || math.IsNaN(x), inf || math.IsInf(x, 0)
				}
			}
		}
		for name, in := range inputs {
			if given[name] {
				in.With++
			} else {
				in.Without++
			}
		}
		for _, x := range []struct {
			is bool
			to *int
		}{{nan, &c.NaN}, {inf, &c.Infinite}, {empty, &c.Empty}} {
			if x.is {
				*x.to++
			}
		}
	}
	for _, name := range paramOrder {
		c.Params = append(c.Params, *params[name])
	}
	for _, name := range inputOrder {
		c.Inputs = append(c.Inputs, *inputs[name])
	}
	return c, nil
}

func show(v any) any {
	if v == nil {
		return "unset"
	}
	return v
}

func coverages(dir string) ([]*coverage, error) {
	files, err := load(dir)
	if err != nil {
		return nil, err
	}
	var list []*coverage
	for _, d := range loss.All {
		for _, f := range files {
			if len(f.Rows) > 0 && f.Rows[0].Loss == d.ID {
				c, err := coverageOf(f, d.ID)
				if err != nil {
					return nil, err
				}
				list = append(list, c)
			}
		}
	}
	return list, nil
}

// counts prints a map as "a 3, b 4", keys in the given order, what is left out when it is 0.
func counts[K comparable](m map[K]int, order []K) string {
	var parts []string
	for _, k := range order {
		if m[k] > 0 {
			parts = append(parts, fmt.Sprintf("%v %d", k, m[k]))
		}
	}
	return strings.Join(parts, ", ")
}

func keysOf[V any](m map[string]V) []string {
	var keys []string
	for k := range m {
		keys = append(keys, k)
	}
	slices.Sort(keys)
	return keys
}

func coverageTable(list []*coverage) table.Writer {
	tab := table.NewWriter()
	tab.SetStyle(table.StyleLight)
	tab.Style().Format.Header = text.FormatDefault
	tab.AppendHeader(table.Row{"loss", "rows", "float64", "float32", "float16", "bfloat16", "cotangents", "NaN", "infinite", "empty", "kinks", "real", "errors"})
	total := table.Row{"total"}
	sums := make([]int, 12)
	for _, c := range list {
		errs := 0
		for _, n := range c.Errors {
			errs += n
		}
		row := []int{c.Rows, c.DTypes["float64"], c.DTypes["float32"], c.DTypes["float16"], c.DTypes["bfloat16"], c.Cotangent, c.NaN, c.Infinite, c.Empty, c.Kinks, c.Groups["real"], errs}
		cells := table.Row{c.Loss}
		for i, n := range row {
			sums[i] += n
			cells = append(cells, n)
		}
		tab.AppendRow(cells)
	}
	for _, n := range sums {
		total = append(total, n)
	}
	tab.AppendFooter(total)
	return tab
}

func coverageMarkdown(list []*coverage) string {
	var b strings.Builder
	fmt.Fprintf(&b, `# Coverage of the golden cases

What the cases of each loss reach, counted in the files. Generated by %s; a test compares. Columns of the table: rows that
may judge each dtype, rows with a cotangent other than one, with NaN, infinite or empty inputs, on kinks, of real data, of input errors.

%s
`, "`go run ./conformance coverage -write`", coverageTable(list).RenderMarkdown())
	for _, c := range list {
		fmt.Fprintf(&b, "\n## %s\n\n", c.Loss)
		var ranks []int
		for r := range c.Ranks {
			ranks = append(ranks, r)
		}
		slices.Sort(ranks)
		fmt.Fprintf(&b, "- groups: %s\n- ranks of the first input: %s\n", counts(c.Groups, keysOf(c.Groups)), counts(c.Ranks, ranks))
		for _, p := range c.Params {
			values := keysOf(p.Values)
			if len(values) > 8 || p.Kind == "floats" || p.Kind == "ints" {
				fmt.Fprintf(&b, "- `%s`: %d values\n", p.Name, len(values))
				continue
			}
			fmt.Fprintf(&b, "- `%s`: %s\n", p.Name, counts(p.Values, values))
		}
		var given []string
		for _, in := range c.Inputs {
			s := fmt.Sprintf("%s %d", in.Name, in.With)
			if in.Without > 0 {
				s += fmt.Sprintf(" (absent %d)", in.Without)
			}
			given = append(given, s)
		}
		fmt.Fprintf(&b, "- inputs: %s\n- errors: %s\n", strings.Join(given, ", "), counts(c.Errors, loss.Classes()))
	}
	return b.String()
}

func coverageCommand(stdout io.Writer) *cobra.Command {
	var format, dir string
	var write bool
	cmd := &cobra.Command{
		Use:   "coverage",
		Short: "Show what the golden cases of each loss reach",
		Long: `Counts, for every loss, the golden cases by dtype, reduction, rank, value of each parameter, presence of each input, group, error class,
and those with other cotangents, NaN, infinities, empty inputs and kinks.`,
		Example: "  go run ./conformance coverage\n  go run ./conformance coverage -format json\n  go run ./conformance coverage -write",
		Args:    cobra.NoArgs,
		RunE: func(*cobra.Command, []string) error {
			list, err := coverages(dir)
			if err != nil {
				return err
			}
			if write {
				if _, err := os.Stat(filepath.Dir(coverageFile)); err != nil || dir != "" {
					return errors.New("-write: want to be run at the root of the repository, on its own files")
				}
				if err := replace(coverageFile, []byte(coverageMarkdown(list))); err != nil {
					return coded{exitIncomplete, err}
				}
			}
			switch format {
			case "json":
				e := json.NewEncoder(stdout)
				e.SetIndent("", " ")
				return e.Encode(list)
			case "markdown":
				_, err = io.WriteString(stdout, coverageMarkdown(list))
			case "text":
				_, err = fmt.Fprintln(stdout, coverageTable(list).Render())
			default:
				return fmt.Errorf("-format: want one of text, markdown, json, got %q", format)
			}
			return err
		},
	}
	cmd.Flags().StringVar(&format, "format", "text", "`format`: text, markdown, json")
	cmd.Flags().StringVar(&dir, "fixtures", "", "a `directory` with manifest.json and golden/ instead of the embedded files")
	cmd.Flags().BoolVar(&write, "write", false, "also write "+coverageFile)
	return cmd
}
