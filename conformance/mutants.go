package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"

	"github.com/jedib0t/go-pretty/v6/table"
	"github.com/jedib0t/go-pretty/v6/text"
	"github.com/spf13/cobra"

	"github.com/goldenloss/goldenloss/conformance/gate"
	"github.com/goldenloss/goldenloss/conformance/mutants"
	"github.com/goldenloss/goldenloss/fixtures"
	"github.com/goldenloss/goldenloss/reference"
	"github.com/goldenloss/goldenloss/reference/loss"
)

// matrixFile holds the kill matrix; a test holds it to what the cases do.
const matrixFile = "conformance/mutants.md"

// kill is a line of the matrix: what the cases do to one mutant.
type kill struct {
	Loss     string `json:"loss"`
	Mutant   string `json:"mutant"`
	Does     string `json:"does"`
	Affected int    `json:"affected"` // cases that the mutant treats in a way of its own
	Kills    int    `json:"kills"`    // cases that fail under class B
	KillsC   int    `json:"kills_c"`  // cases that fail under class C too
	Example  string `json:"example"`  // the first killing case
	Exempt   string `json:"exempt,omitempty"`
}

// survives reports whether no case kills a mutant that has no exemption.
func (k kill) survives() bool { return k.Kills == 0 && k.Exempt == "" }

// killMatrix runs every mutant of the reference on the core cases that it affects, in float64, under class B. Cases that the
// reference itself fails say nothing and are left out.
func killMatrix(ctx context.Context, files []*fixtures.File, match *regexp.Regexp, progress func(done, total int)) ([]kill, error) {
	var list []kill
	var all []mutants.Mutant
	for _, base := range reference.All {
		for _, m := range mutants.Of(base) {
			if match.MatchString(base.ID + "/" + m.Name) {
				all = append(all, m)
			}
		}
	}
	cases := map[string][]mutantCase{}
	for i, m := range all {
		id := m.Impl.ID
		if cases[id] == nil {
			var err error
			if cases[id], err = casesOf(ctx, files, id); err != nil {
				return nil, err
			}
		}
		k := kill{Loss: id, Mutant: m.Name, Does: m.Does}
		for _, e := range mutants.Exemptions {
			if e.Loss == id && e.Mutant == m.Name {
				k.Exempt = e.Reason
			}
		}
		f := &fixtures.File{Name: id}
		for _, c := range cases[id] {
			if m.Affects(c.problem) {
				f.Rows = append(f.Rows, *c.row)
			}
		}
		k.Affected = len(f.Rows)
		rep, err := gate.Run(ctx, []*fixtures.File{f}, []*gate.Column{classB(m.Impl)}, gate.Options{AllowAbsent: true})
		if err != nil {
			return nil, err
		}
		example := map[string]bool{}
		for _, r := range rep.Results {
			if !r.Holds(gate.Standard) {
				k.Kills++
				example[r.Case] = true
			}
			if !r.Holds(gate.Usual) {
				k.KillsC++
			}
		}
		for _, r := range f.Rows { // in the order of the file
			if example[r.CaseID] {
				k.Example = r.CaseID
				break
			}
		}
		list = append(list, k)
		progress(i+1, len(all))
	}
	return list, nil
}

// mutantCase is a case that the reference passes.
type mutantCase struct {
	row     *fixtures.Row
	problem loss.Problem[float64]
}

func casesOf(ctx context.Context, files []*fixtures.File, id string) ([]mutantCase, error) {
	i := slices.IndexFunc(reference.All, func(i loss.Impl[float64]) bool { return i.ID == id })
	base := reference.All[i]
	var list []mutantCase
	for _, f := range files {
		rep, err := gate.Run(ctx, []*fixtures.File{f}, []*gate.Column{classB(base)}, gate.Options{AllowAbsent: true, Run: "^" + id + "$"})
		if err != nil {
			return nil, err
		}
		passes := map[string]bool{}
		for _, r := range rep.Results {
			passes[r.Case] = r.Status == gate.Pass
		}
		for k := range f.Rows {
			r := &f.Rows[k]
			if !passes[r.CaseID] || r.Kind != "value" || r.Tier != "core" {
				continue
			}
			p := base.New()
			if _, err := fixtures.Bind(r, p); err != nil {
				return nil, err
			}
			list = append(list, mutantCase{r, p})
		}
	}
	return list, nil
}

func classB(i loss.Impl[float64]) *gate.Column {
	c := gate.Float64("mutant", []loss.Impl[float64]{i})
	c.Owes, c.Own = gate.Standard, true
	return c
}

// judgeMatrix lists what is wrong with a matrix: survivors, exemptions that are not needed or name no mutant.
func judgeMatrix(list []kill, whole bool) []string {
	var problems []string
	named := map[string]bool{}
	for _, k := range list {
		named[k.Loss+": "+k.Mutant] = true
		switch {
		case k.survives() && k.Affected == 0:
			problems = append(problems, fmt.Sprintf("%s: %q survives: no case can show it", k.Loss, k.Mutant))
		case k.survives():
			problems = append(problems, fmt.Sprintf("%s: %q survives %d cases", k.Loss, k.Mutant, k.Affected))
		case k.Kills > 0 && k.Exempt != "":
			problems = append(problems, fmt.Sprintf("%s: the exemption of %q is not needed: %s kills it", k.Loss, k.Mutant, k.Example))
		}
	}
	for _, e := range mutants.Exemptions {
		if whole && !named[e.Loss+": "+e.Mutant] {
			problems = append(problems, fmt.Sprintf("%s: the exemption of %q names no mutant", e.Loss, e.Mutant))
		}
	}
	return problems
}

// matrixMarkdown is the text of matrixFile.
func matrixMarkdown(list []kill) string {
	var b strings.Builder
	killed, exempt := 0, 0
	for _, k := range list {
		if k.Kills > 0 {
			killed++
		} else if k.Exempt != "" {
			exempt++
		}
	}
	fmt.Fprintf(&b, `# Kill matrix

Wrong implementations, and how many golden cases tell each from a right one. Generated by %s; a test
compares. %d mutants: %d killed, %d exempt, %d survive.

A mutant is the float64 reference with one mistake. It is killed by a core case that it fails under accuracy class B, what the code
of this project owes. *C* counts the cases that fail it under class C too. *Affects* counts the cases that the mutant treats in a way
of its own: one that ignores a parameter, for example, does nothing where the parameter has its default.
`, "`go run ./conformance mutants -write`", len(list), killed, exempt, len(list)-killed-exempt)
	last := ""
	for _, k := range list {
		if k.Loss != last {
			fmt.Fprintf(&b, "\n## %s\n\n| mutant | what it does | affects | kills | C | one of them |\n| --- | --- | ---: | ---: | ---: | --- |\n", k.Loss)
			last = k.Loss
		}
		example := k.Example
		if k.Exempt != "" {
			example = "exempt: " + k.Exempt
		}
		if example == "" {
			example = "**survives**"
		}
		escape := strings.NewReplacer("|", `\|`).Replace
		fmt.Fprintf(&b, "| %s | %s | %d | %d | %d | %s |\n", escape(k.Mutant), escape(k.Does), k.Affected, k.Kills, k.KillsC, escape(example))
	}
	return b.String()
}

func matrixText(list []kill) string {
	tab := table.NewWriter()
	tab.SetStyle(table.StyleLight)
	tab.Style().Format.Header = text.FormatDefault
	tab.AppendHeader(table.Row{"loss", "mutant", "affects", "kills", "C", "one of them"})
	right := table.ColumnConfig{Align: text.AlignRight, AlignHeader: text.AlignRight}
	var configs []table.ColumnConfig
	for _, n := range []int{3, 4, 5} {
		c := right
		c.Number = n
		configs = append(configs, c)
	}
	tab.SetColumnConfigs(configs)
	for _, k := range list {
		example := k.Example
		switch {
		case k.Exempt != "":
			example = "exempt: " + k.Exempt
		case k.survives():
			example = "SURVIVES"
		}
		tab.AppendRow(table.Row{k.Loss, k.Mutant, k.Affected, k.Kills, k.KillsC, example})
	}
	return tab.Render() + "\n"
}

func mutantsCommand(stdout, stderr io.Writer) *cobra.Command {
	var run, format, dir string
	var write bool
	cmd := &cobra.Command{
		Use:   "mutants",
		Short: "Show which golden cases kill which wrong implementations",
		Long: `Runs implementations that are wrong in one known way against the golden cases and prints how many cases tell each from a right
one. Exit code 1 where a mutant survives.`,
		Example: `  go run ./conformance mutants
  go run ./conformance mutants -run 'iou/ties'
  go run ./conformance mutants -format json
  go run ./conformance mutants -write`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			match, err := regexp.Compile(run)
			if err != nil {
				return fmt.Errorf("-run %q: %w", run, err)
			}
			if !slices.Contains([]string{"text", "markdown", "json"}, format) {
				return fmt.Errorf("-format: want one of text, markdown, json, got %q", format)
			}
			if write && run != "" {
				return errors.New("-write needs the whole matrix: leave -run out")
			}
			if _, err := os.Stat(filepath.Dir(matrixFile)); write && err != nil {
				return fmt.Errorf("-write: want to be run at the root of the repository: %w", err)
			}
			files, err := load(dir)
			if err != nil {
				return err
			}
			list, err := killMatrix(cmd.Context(), files, match, progress(stderr, "mutants"))
			if err != nil {
				return err
			}
			if len(list) == 0 {
				return coded{exitNothing, fmt.Errorf("no mutant is selected: -run %q", run)}
			}
			if write {
				if err := replace(matrixFile, []byte(matrixMarkdown(list))); err != nil {
					return coded{exitIncomplete, err}
				}
			}
			if err := printMatrix(stdout, list, format); err != nil {
				return coded{exitIncomplete, err}
			}
			problems := judgeMatrix(list, run == "")
			for _, p := range problems {
				fmt.Fprintln(stderr, "FAIL", p)
			}
			if len(problems) > 0 {
				return coded{code: exitFail}
			}
			return nil
		},
	}
	cmd.Flags().StringVar(&run, "run", "", "only mutants whose <loss>/<name> matches this `regexp`")
	cmd.Flags().StringVar(&format, "format", "text", "`format`: text, markdown, json")
	cmd.Flags().StringVar(&dir, "fixtures", "", "a `directory` with manifest.json and golden/ instead of the embedded files")
	cmd.Flags().BoolVar(&write, "write", false, "also write "+matrixFile)
	return cmd
}

func printMatrix(w io.Writer, list []kill, format string) error {
	var err error
	switch format {
	case "json":
		e := json.NewEncoder(w)
		e.SetIndent("", " ")
		err = e.Encode(list)
	case "markdown":
		_, err = io.WriteString(w, matrixMarkdown(list))
	default:
		killed := 0
		for _, k := range list {
			if k.Kills > 0 {
				killed++
			}
		}
		_, err = fmt.Fprintf(w, "%s\n%d mutants, %d killed\n", matrixText(list), len(list), killed)
	}
	return err
}
