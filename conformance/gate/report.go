package gate

import (
	"encoding/json"
	"encoding/xml"
	"fmt"
	"io"
	"math"
	"slices"
	"strings"
	"time"

	"github.com/jedib0t/go-pretty/v6/table"
	"github.com/jedib0t/go-pretty/v6/text"

	"github.com/goldenloss/goldenloss/fixtures"
	"github.com/goldenloss/goldenloss/reference/loss"
)

// Report is the outcome of a run.
type Report struct {
	Columns     []*Column
	Losses      []string
	Results     []*Result
	Problems    []string // what is wrong with the run as a whole: missing cells, needless exemptions, weak cells
	Warnings    []string
	Total       int // cases in the files
	Selected    int // cases that the filters accept
	Interrupted bool
	options     Options
}

// Cell sums up a loss in a column.
type Cell struct {
	Loss, Column                  string
	Passed, Failed, Skipped, Weak int // cases; a weak case is none of the passed
	Values, WeakValues            int // elements
	Worst                         float64
	WorstAt                       string
	Class                         string // the best class that holds in every case, - for none
	Exempt                        string
}

// complete checks the cross product of losses and columns.
func (rep *Report) complete(files []*fixtures.File, columns []*Column, o Options, whole bool) {
	has := map[string]bool{}
	for _, f := range files {
		for i := range f.Rows {
			has[f.Rows[i].Loss] = true
		}
	}
	for id := range has {
		if loss.Lookup(id) == nil {
			rep.Problems = append(rep.Problems, fmt.Sprintf("%s: golden cases of a loss that has no definition", id))
		}
	}
	if o.AllowAbsent || !whole {
		return
	}
	used := map[int]bool{}
	for _, d := range loss.All {
		if !has[d.ID] {
			rep.Problems = append(rep.Problems, fmt.Sprintf("%s: no golden cases", d.ID))
		}
		for _, c := range columns {
			if c.impls[d.ID] != nil {
				continue
			}
			i := slices.IndexFunc(o.Exemptions, func(e Exemption) bool { return e.Loss == d.ID && e.Column == c.Title() })
			switch {
			case i < 0:
				rep.Problems = append(rep.Problems, fmt.Sprintf("%s: not implemented in column %s", d.ID, c.Title()))
				continue
			case o.Exemptions[i].Until.Before(time.Now()):
				rep.Problems = append(rep.Problems, fmt.Sprintf("%s: the exemption of column %s ended on %s", d.ID, c.Title(),
					o.Exemptions[i].Until.Format(time.DateOnly)))
			}
			used[i] = true
		}
	}
	for i, e := range o.Exemptions {
		if !used[i] {
			rep.Problems = append(rep.Problems, fmt.Sprintf("%s: the exemption of column %s is not needed", e.Loss, e.Column))
		}
	}
	slices.Sort(rep.Problems)
}

// Cells returns the matrix, losses in their order and columns within them.
func (rep *Report) Cells() []Cell {
	at := map[[2]string]*Cell{}
	var cells []*Cell
	for _, id := range rep.Losses {
		for _, c := range rep.Columns {
			cell := &Cell{Loss: id, Column: c.Title(), Class: "-"}
			at[[2]string{id, c.Title()}] = cell
			cells = append(cells, cell)
		}
	}
	best := map[*Cell]int{} // the first class that holds in every case
	for _, r := range rep.Results {
		c := at[[2]string{r.Loss, r.Column}]
		switch r.Status {
		case Pass:
			c.Passed++
		case Fail:
			c.Failed++
		case Skip:
			c.Skipped++
			continue
		case Weak:
			c.Weak++
		}
		c.Values += r.Values
		c.WeakValues += r.Weak
		if r.Worst.Ratio > c.Worst {
			c.Worst, c.WorstAt = r.Worst.Ratio, fmt.Sprintf("%s %s[%d]", r.Case, r.Worst.Output, r.Worst.Index)
		}
		first := slices.IndexFunc(Classes, r.Holds)
		if first < 0 {
			first = len(Classes)
		}
		best[c] = max(best[c], first)
	}
	out := make([]Cell, len(cells))
	for i, c := range cells {
		if k := best[c]; c.Passed+c.Failed+c.Weak > 0 && k < len(Classes) {
			c.Class = Classes[k].Name
		}
		out[i] = *c
	}
	return out
}

// Verdict sums up a run.
type Verdict struct {
	Passed, Failed, Skipped int // cases; a weak one is skipped, not passed
	Weak                    int
	Values                  int
	Problems, Warnings      []string
}

// Verdict counts cases over all columns and adds what is wrong with whole cells: nothing checked, too many weak elements.
func (rep *Report) Verdict() Verdict {
	v := Verdict{Problems: slices.Clone(rep.Problems), Warnings: slices.Clone(rep.Warnings)}
	for _, c := range rep.Cells() {
		v.Passed += c.Passed
		v.Failed += c.Failed
		v.Skipped += c.Skipped + c.Weak
		v.Weak += c.Weak
		v.Values += c.Values
		name := c.Loss + " in " + c.Column
		checked := c.Passed + c.Failed + c.Weak
		if checked == 0 && !rep.Interrupted && rep.options.Run == "" && rep.options.Skip == "" && rep.options.Of == 0 && !rep.options.AllowAbsent &&
			!rep.exempt(c) {
			v.Problems = append(v.Problems, name+": nothing was checked")
		}
		if c.Weak > 0 {
			v.Warnings = append(v.Warnings, fmt.Sprintf("%s: %d cases are weak, every tolerance in them is too wide to say anything", name, c.Weak))
		}
		if c.Values > 0 && float64(c.WeakValues) > 0.1*float64(c.Values) {
			text := fmt.Sprintf("%s: %d of %d elements are weak", name, c.WeakValues, c.Values)
			if strings.HasSuffix(c.Column, "float64") {
				v.Problems = append(v.Problems, text)
			} else {
				v.Warnings = append(v.Warnings, text)
			}
		}
	}
	return v
}

func (rep *Report) exempt(c Cell) bool {
	return slices.ContainsFunc(rep.options.Exemptions, func(e Exemption) bool { return e.Loss == c.Loss && e.Column == c.Column })
}

// OK reports whether nothing failed.
func (v Verdict) OK() bool { return v.Failed == 0 && len(v.Problems) == 0 }

// last is the line that ends every text report.
func (v Verdict) last() string {
	return fmt.Sprintf("%d passed, %d failed, %d skipped", v.Passed, v.Failed+len(v.Problems), v.Skipped)
}

// Formats lists the formats that Write knows.
var Formats = []string{"text", "json", "junit", "github", "markdown"}

// Write prints the report.
func (rep *Report) Write(w io.Writer, format string) error {
	switch format {
	case "text":
		return rep.text(w)
	case "json":
		return rep.json(w)
	case "junit":
		return rep.junit(w)
	case "github":
		return rep.github(w)
	case "markdown":
		return rep.markdown(w)
	}
	return fmt.Errorf("want a format of %s, got %q", strings.Join(Formats, ", "), format)
}

// maxPrinted bounds the failures that a text report prints of one loss in one column, so that a broken loss does not hide the others.
const maxPrinted = 3

func (rep *Report) text(w io.Writer) error {
	var b strings.Builder
	fmt.Fprintln(&b, rep.matrix().Render())
	fmt.Fprintln(&b, legend)
	v := rep.Verdict()
	failed, hidden := map[[2]string]int{}, 0
	for _, r := range rep.Results {
		if r.Status != Fail {
			continue
		}
		cell := [2]string{r.Loss, r.Column}
		if failed[cell]++; failed[cell] > maxPrinted {
			hidden++
			continue
		}
		fmt.Fprintf(&b, "\nFAIL %s in %s (%s)\n", r.Case, r.Column, r.File)
		for _, f := range r.Failures {
			fmt.Fprintf(&b, "     %s: %s", f.Kind, f.Text)
			if f.Count > 1 {
				fmt.Fprintf(&b, "; %d elements of %s fail", f.Count, f.Output)
			}
			fmt.Fprintln(&b)
		}
		fmt.Fprintf(&b, "     go run ./conformance -repro %s\n", r.Case)
	}
	if hidden > 0 {
		fmt.Fprintf(&b, "\nand %d more failures; -format json has all\n", hidden)
	}
	if len(v.Problems)+len(v.Warnings) > 0 {
		fmt.Fprintln(&b)
	}
	for _, p := range v.Problems {
		fmt.Fprintln(&b, "FAIL", p)
	}
	for _, p := range v.Warnings {
		fmt.Fprintln(&b, "warning:", p)
	}
	if rep.Interrupted {
		fmt.Fprintln(&b, "interrupted: the run is not complete")
	}
	if rep.Selected < rep.Total {
		fmt.Fprintf(&b, "\n%d of %d cases selected\n", rep.Selected, rep.Total)
	}
	fmt.Fprintf(&b, "\n%d values compared in %d cases of %d losses, %d weak\n%s\n", v.Values, rep.Selected, len(rep.Losses), v.Weak, v.last())
	_, err := io.WriteString(w, b.String())
	return err
}

const legend = "passed/total cases · worst error in units of the bound the column owes · best class that holds everywhere · weak elements"

// matrix is the table of losses by columns.
func (rep *Report) matrix() table.Writer {
	tab := table.NewWriter()
	tab.SetStyle(table.StyleLight)
	tab.Style().Format.Header = text.FormatDefault
	header := table.Row{"loss"}
	for _, c := range rep.Columns {
		header = append(header, c.Title()+" ("+c.Owes.Name+")")
	}
	tab.AppendHeader(header)
	cells := rep.Cells()
	for i, id := range rep.Losses {
		row := table.Row{id}
		for k := range rep.Columns {
			row = append(row, cells[i*len(rep.Columns)+k].String())
		}
		tab.AppendRow(row)
	}
	return tab
}

func (c Cell) String() string {
	total := c.Passed + c.Failed + c.Weak
	if total == 0 {
		return "-"
	}
	weak := 0.0
	if c.Values > 0 {
		weak = 100 * float64(c.WeakValues) / float64(c.Values)
	}
	return fmt.Sprintf("%3d/%-3d %5s %s %4.1f%%", c.Passed, total, ratio(c.Worst), c.Class, weak)
}

func ratio(x float64) string {
	switch {
	case math.IsInf(x, 1):
		return "inf"
	case x >= 1000:
		return fmt.Sprintf("%.0e", x)
	}
	return fmt.Sprintf("%.2f", x)
}

func (rep *Report) markdown(w io.Writer) error {
	v := rep.Verdict()
	var b strings.Builder
	fmt.Fprintf(&b, "### Conformance: %s\n\n%s\n\n%s.\n\n", v.last(), rep.matrix().RenderMarkdown(), legend)
	fmt.Fprintf(&b, "| loss | column | cases | values | worst | where | class |\n| --- | --- | ---: | ---: | ---: | --- | --- |\n")
	for _, c := range rep.Cells() {
		fmt.Fprintf(&b, "| %s | %s | %d | %d | %s | %s | %s |\n", c.Loss, c.Column, c.Passed+c.Failed+c.Weak, c.Values, ratio(c.Worst), c.WorstAt, c.Class)
	}
	for _, r := range rep.Results {
		if r.Status == Fail {
			fmt.Fprintf(&b, "\n- **%s** in %s: %s", r.Case, r.Column, r.Failures[0].Text)
		}
	}
	for _, p := range v.Problems {
		fmt.Fprintf(&b, "\n- **%s**", p)
	}
	fmt.Fprintln(&b)
	_, err := io.WriteString(w, b.String())
	return err
}

// JSONVersion is raised when a field of JSON changes its meaning or goes; new fields do not raise it.
const JSONVersion = 1

// JSON is what -format json prints. Numbers that JSON does not have are the strings "NaN", "Infinity", "-Infinity".
type JSON struct {
	Version  int        `json:"version"`
	Complete bool       `json:"complete"`
	OK       bool       `json:"ok"`
	Passed   int        `json:"passed"`
	Failed   int        `json:"failed"`
	Skipped  int        `json:"skipped"`
	Weak     int        `json:"weak"`
	Values   int        `json:"values"`
	Selected int        `json:"selected"`
	Total    int        `json:"total"`
	Cells    []JSONCell `json:"cells"`
	Cases    []JSONCase `json:"cases"`
	Problems []string   `json:"problems"`
	Warnings []string   `json:"warnings"`
}

// JSONCell is a cell of the matrix.
type JSONCell struct {
	Loss       string `json:"loss"`
	Column     string `json:"column"`
	Passed     int    `json:"passed"`
	Failed     int    `json:"failed"`
	Skipped    int    `json:"skipped"`
	Weak       int    `json:"weak"`
	Values     int    `json:"values"`
	WeakValues int    `json:"weak_values"`
	Worst      any    `json:"worst"`
	WorstAt    string `json:"worst_at"`
	Class      string `json:"class"`
}

// JSONCase is a case in a column.
type JSONCase struct {
	Case     string        `json:"case"`
	Column   string        `json:"column"`
	Status   Status        `json:"status"`
	Reason   string        `json:"reason,omitempty"`
	Values   int           `json:"values"`
	Ratio    any           `json:"ratio"`
	Failures []JSONFailure `json:"failures,omitempty"`
}

// JSONFailure is a failure with its numbers.
type JSONFailure struct {
	Failure
	Want  any `json:"want"`
	Got   any `json:"got"`
	Ratio any `json:"ratio"`
}

func number(x float64) any {
	switch {
	case math.IsNaN(x):
		return "NaN"
	case math.IsInf(x, 1):
		return "Infinity"
	case math.IsInf(x, -1):
		return "-Infinity"
	}
	return x
}

func (rep *Report) json(w io.Writer) error {
	v := rep.Verdict()
	out := JSON{Version: JSONVersion, Complete: !rep.Interrupted, OK: v.OK(), Passed: v.Passed, Failed: v.Failed + len(v.Problems), Skipped: v.Skipped, Weak: v.Weak, Values: v.Values,
		Selected: rep.Selected, Total: rep.Total, Cells: []JSONCell{}, Cases: []JSONCase{}, Problems: append([]string{}, v.Problems...),
		Warnings: append([]string{}, v.Warnings...)}
	for _, c := range rep.Cells() {
		out.Cells = append(out.Cells, JSONCell{c.Loss, c.Column, c.Passed, c.Failed, c.Skipped, c.Weak, c.Values, c.WeakValues, number(c.Worst),
			c.WorstAt, c.Class})
	}
	for _, r := range rep.Results {
		j := JSONCase{Case: r.Case, Column: r.Column, Status: r.Status, Reason: r.Reason, Values: r.Values, Ratio: number(r.Worst.Ratio)}
		for _, f := range r.Failures {
			j.Failures = append(j.Failures, JSONFailure{f, number(f.Want), number(f.Got), number(f.Ratio)})
		}
		out.Cases = append(out.Cases, j)
	}
	e := json.NewEncoder(w)
	e.SetIndent("", " ")
	return e.Encode(out)
}

type junitSuites struct {
	XMLName  xml.Name     `xml:"testsuites"`
	Tests    int          `xml:"tests,attr"`
	Failures int          `xml:"failures,attr"`
	Skipped  int          `xml:"skipped,attr"`
	Suites   []junitSuite `xml:"testsuite"`
}

type junitSuite struct {
	Name     string      `xml:"name,attr"`
	Tests    int         `xml:"tests,attr"`
	Failures int         `xml:"failures,attr"`
	Skipped  int         `xml:"skipped,attr"`
	Cases    []junitCase `xml:"testcase"`
}

type junitCase struct {
	Name    string        `xml:"name,attr"`
	Class   string        `xml:"classname,attr"`
	Failure *junitMessage `xml:"failure"`
	Skipped *junitMessage `xml:"skipped"`
}

type junitMessage struct {
	Message string `xml:"message,attr"`
	Text    string `xml:",chardata"`
}

// printable drops what XML 1.0 cannot hold.
func printable(s string) string {
	return strings.Map(func(r rune) rune {
		if r < ' ' && r != '\n' && r != '\t' {
			return -1
		}
		return r
	}, s)
}

func (rep *Report) junit(w io.Writer) error {
	v := rep.Verdict()
	all := junitSuites{Tests: v.Passed + v.Failed + v.Skipped, Failures: v.Failed, Skipped: v.Skipped}
	for _, id := range rep.Losses {
		s := junitSuite{Name: id}
		for _, r := range rep.Results {
			if r.Loss != id {
				continue
			}
			c := junitCase{Name: r.Case + " [" + r.Column + "]", Class: "goldenloss." + id}
			s.Tests++
			switch r.Status {
			case Fail:
				s.Failures++
				var lines []string
				for _, f := range r.Failures {
					lines = append(lines, f.Kind+": "+f.Text)
				}
				c.Failure = &junitMessage{printable(r.Failures[0].Text), printable(strings.Join(lines, "\n"))}
			case Skip, Weak:
				s.Skipped++
				c.Skipped = &junitMessage{Message: printable(strings.TrimSpace(string(r.Status) + " " + r.Reason))}
			}
			s.Cases = append(s.Cases, c)
		}
		all.Suites = append(all.Suites, s)
	}
	if len(v.Problems) > 0 {
		s := junitSuite{Name: "run", Tests: len(v.Problems), Failures: len(v.Problems)}
		for _, p := range v.Problems {
			s.Cases = append(s.Cases, junitCase{Name: printable(p), Class: "goldenloss.run", Failure: &junitMessage{Message: printable(p)}})
		}
		all.Suites = append(all.Suites, s)
		all.Tests += len(v.Problems)
		all.Failures += len(v.Problems)
	}
	if _, err := io.WriteString(w, xml.Header); err != nil {
		return err
	}
	e := xml.NewEncoder(w)
	e.Indent("", " ")
	if err := e.Encode(all); err != nil {
		return err
	}
	_, err := io.WriteString(w, "\n")
	return err
}

// maxAnnotations is how many annotations of one kind GitHub shows for a step.
const maxAnnotations = 10

func (rep *Report) github(w io.Writer) error {
	property := strings.NewReplacer("%", "%25", "\r", "%0D", "\n", "%0A", ":", "%3A", ",", "%2C")
	message := strings.NewReplacer("%", "%25", "\r", "%0D", "\n", "%0A")
	v := rep.Verdict()
	var b strings.Builder
	n := 0
	annotate := func(title, text string) {
		if n++; n <= maxAnnotations {
			fmt.Fprintf(&b, "::error title=%s::%s\n", property.Replace(title), message.Replace(text))
		}
	}
	for _, p := range v.Problems {
		annotate("conformance", p)
	}
	for _, id := range rep.Losses { // one a loss and column first, so that a broken loss does not hide the others
		for _, c := range rep.Columns {
			failed, first := 0, (*Result)(nil)
			for _, r := range rep.Results {
				if r.Loss == id && r.Column == c.Title() && r.Status == Fail {
					if failed++; first == nil {
						first = r
					}
				}
			}
			if first != nil {
				annotate(fmt.Sprintf("%s in %s: %d cases fail", id, c.Title(), failed), first.Case+": "+first.Failures[0].Text)
			}
		}
	}
	if _, err := io.WriteString(w, b.String()); err != nil {
		return err
	}
	return rep.text(w)
}
