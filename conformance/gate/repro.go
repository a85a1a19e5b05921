package gate

import (
	"fmt"
	"io"
	"strings"

	"github.com/jedib0t/go-pretty/v6/table"
	"github.com/jedib0t/go-pretty/v6/text"

	"github.com/goldenloss/goldenloss/fixtures"
	"github.com/goldenloss/goldenloss/reference/loss"
)

// List returns the ids of the cases that the options select.
func List(files []*fixtures.File, o Options) ([]string, error) {
	match, err := newMatcher(o.Run, o.Skip)
	if err != nil {
		return nil, err
	}
	var ids []string
	for _, f := range files {
		for i := range f.Rows {
			if id := f.Rows[i].CaseID; match.accepts(id) && inShard(id, o.Shard, o.Of) {
				ids = append(ids, id)
			}
		}
	}
	return ids, nil
}

// maxShown bounds the elements that Repro prints of an output.
const maxShown = 12

// Repro prints a case in full: parameters, inputs, and for every column what it answered beside what was wanted, the worst elements
// of a long output.
func (rep *Report) Repro(w io.Writer, r *fixtures.Row) error {
	var b strings.Builder
	fmt.Fprintf(&b, "%s\n  %s\n  tags %s; judges %s; %s, %d bits\n  params %s\n", r.CaseID, r.Comment, strings.Join(r.Tags, ", "),
		strings.Join(r.DTypes, ", "), r.Method, r.PrecisionBits, r.Params)
	for _, t := range r.Inputs {
		fmt.Fprintf(&b, "  %-9s %-16s %-8s %v %s\n", t.Role, t.Name, t.DType, t.Shape, short(t.Data))
	}
	if r.Error != nil {
		fmt.Fprintf(&b, "  want the error %s\n", *r.Error)
	}
	for _, c := range rep.Columns {
		for _, res := range rep.Results {
			if res.Column != c.Title() {
				continue
			}
			fmt.Fprintf(&b, "\n%s: %s", c.Title(), res.Status)
			if res.Reason != "" {
				fmt.Fprintf(&b, " (%s)", res.Reason)
			}
			fmt.Fprintln(&b)
			for _, f := range res.Failures {
				fmt.Fprintf(&b, "  %s: %s\n", f.Kind, f.Text)
			}
			if res.Status != Skip && r.Error == nil {
				if got := c.answers[r.Loss]; got != nil {
					b.WriteString(c.show(r, got(r)))
				}
			}
		}
	}
	_, err := io.WriteString(w, b.String())
	return err
}

// show tabulates want and got of every output.
func (c *Column) show(r *fixtures.Row, got map[string][]float64) string {
	tab := table.NewWriter()
	tab.SetStyle(table.StyleLight)
	tab.Style().Format.Header = text.FormatDefault
	tab.AppendHeader(table.Row{"output", "index", "want", "got", "of the bound", "ulp", "scale"})
	for _, o := range r.Expected {
		var list []int
		for i := range o.Data {
			list = append(list, i)
		}
		ratios := make([]float64, len(o.Data))
		for i, want := range o.Data {
			e := expected{want: want, scale: o.Scale[i], usual: o.ScaleUsual[i], lower: want, upper: want}
			if !c.Own && len(o.Lower) > 0 {
				e.lower, e.upper = o.Lower[i], o.Upper[i]
			}
			if i < len(got[o.Output]) {
				ratios[i] = c.format.judge(e, c.Owes, got[o.Output][i])
			}
		}
		if len(list) > maxShown { // the worst, in order of their index
			for i := range list {
				for k := i; k > 0 && ratios[list[k]] > ratios[list[k-1]]; k-- {
					list[k], list[k-1] = list[k-1], list[k]
				}
			}
			list = list[:maxShown]
		}
		for _, i := range list {
			if i < len(got[o.Output]) {
				x := got[o.Output][i]
				tab.AppendRow(table.Row{o.Output, i, fmt.Sprintf("%.17g", o.Data[i]), fmt.Sprintf("%.17g", x), ratio(ratios[i]), c.format.ulps(o.Data[i], x),
					fmt.Sprintf("%.3g", o.Scale[i])})
			}
		}
	}
	return tab.Render() + "\n"
}

func short(data []float64) string {
	if len(data) <= maxShown {
		return fmt.Sprint(data)
	}
	return fmt.Sprintf("%v ... (%d)", strings.TrimSuffix(fmt.Sprint(data[:maxShown]), "]"), len(data))
}

// answer runs an implementation on a row and returns its outputs as float64.
func answer[T loss.Float](r *fixtures.Row, impl loss.Impl[T]) (out map[string][]float64) {
	defer func() {
		if recover() != nil {
			out = nil // reported as a failure of the case
		}
	}()
	in := impl.New()
	dOut, err := fixtures.Bind(r, in)
	if err != nil {
		return nil
	}
	out = map[string][]float64{}
	for name, data := range newBench(impl, in, dOut).run(true, poisoned) {
		for _, x := range data {
			out[name] = append(out[name], float64(x))
		}
	}
	return out
}
