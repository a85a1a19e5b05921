package main

import (
	"bytes"
	"embed"
	"fmt"
	"html/template"
	"image/color"
	"io"
	"math"
	"path/filepath"
	"regexp"
	"slices"
	"sort"
	"strings"

	"github.com/spf13/cobra"
	"gonum.org/v1/plot"
	"gonum.org/v1/plot/plotter"
	"gonum.org/v1/plot/plotutil"
	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"
	"gonum.org/v1/plot/vg/vgsvg"

	"github.com/goldenloss/goldenloss/reference/loss"
)

//go:embed page.html
var pages embed.FS

var site = template.Must(template.ParseFS(pages, "page.html"))

// peers are implementations of other projects, drawn as reference lines at their latest value.
var peers = []string{"pytorch", "jax", "tensorflow"}

// shown lists the units that have a plot, with their titles.
var shown = []struct{ unit, title string }{
	{"sec/op", "time of a call"}, {"sec/elem", "time per element"}, {"%roof", "percent of the memory bandwidth"}, {"bounds", "worst error, in units of the bound"},
}

// overview is the data of the first page.
type overview struct {
	Runners []string
	Losses  []overviewRow
	Commits int
	First   string
	Last    string
	Steps   []stepLine
}

type overviewRow struct {
	ID, Title string
	Cells     []overviewCell
}

type overviewCell struct {
	Spark         template.HTML
	Last, Overall string // ratio of the latest commit to the one before, and to the first
	Class         string
}

type stepLine struct {
	Loss, Name, Unit, Commit, Day, Change, Class, Note string
}

type lossPage struct {
	ID, Title, Summary string
	Runners            []runnerPlots
	Steps              []stepLine
}

type runnerPlots struct {
	Runner string
	Plots  []template.HTML
}

// writeSite writes index.html and a page a loss.
func writeSite(dir string, all []*series) error {
	for _, s := range all {
		s.findSteps()
	}
	byLoss, runners := map[string][]*series{}, map[string]bool{}
	for _, s := range all {
		byLoss[s.key("loss")] = append(byLoss[s.key("loss")], s)
		runners[s.Runner] = true
	}
	o := overview{Runners: sortedKeys(runners)}
	commits := map[string]point{}
	for _, s := range all {
		for _, p := range s.Points {
			commits[p.Commit] = p
		}
	}
	o.Commits = len(commits)
	order := make([]point, 0, len(commits))
	for _, p := range commits {
		order = append(order, p)
	}
	sort.Slice(order, func(i, j int) bool { return order[i].Time.Before(order[j].Time) })
	if len(order) > 0 {
		o.First, o.Last = order[0].Commit+" "+order[0].Time.Format("2006-01-02"), order[len(order)-1].Commit+" "+order[len(order)-1].Time.Format("2006-01-02")
	}
	for _, d := range loss.All {
		list := byLoss[d.ID]
		if len(list) == 0 {
			continue
		}
		row := overviewRow{ID: d.ID, Title: d.Title}
		for _, r := range o.Runners {
			row.Cells = append(row.Cells, cellOf(list, r, order))
		}
		o.Losses = append(o.Losses, row)
		page := lossPage{ID: d.ID, Title: d.Title, Summary: strings.ToUpper(d.Summary[:1]) + d.Summary[1:], Steps: stepLines(list)}
		o.Steps = append(o.Steps, page.Steps...)
		for _, r := range o.Runners {
			plots, err := plotsOf(list, r, order)
			if err != nil {
				return err
			}
			if len(plots) > 0 {
				page.Runners = append(page.Runners, runnerPlots{r, plots})
			}
		}
		if err := writePage(dir, d.ID+".html", "loss", page); err != nil {
			return err
		}
	}
	return writePage(dir, "index.html", "overview", o)
}

func writePage(dir, name, tmpl string, data any) error {
	var b bytes.Buffer
	if err := site.ExecuteTemplate(&b, tmpl, data); err != nil {
		return err
	}
	return save(filepath.Join(dir, name), b.Bytes())
}

// cellOf is the geometric mean over the benchmarks of a loss of the time of a call, relative to the first commit that has it.
func cellOf(list []*series, runner string, order []point) overviewCell {
	sums, counts := make([]float64, len(order)), make([]int, len(order))
	worst := ""
	for _, s := range list {
		if s.Runner != runner || s.Unit != "sec/op" || slices.Contains(peers, s.key("impl")) || len(s.Points) == 0 || s.Points[0].Center <= 0 {
			continue
		}
		for _, p := range s.Points {
			i := slices.IndexFunc(order, func(q point) bool { return q.Commit == p.Commit })
			sums[i] += math.Log(p.Center / s.Points[0].Center)
			counts[i]++
		}
		for _, st := range s.Steps {
			if st.At == len(s.Points)-1 || st.At >= len(s.Points)-levelLeast { // recent
				worst = map[bool]string{true: "good", false: "bad"}[st.Better]
			}
		}
	}
	var line []float64
	for i := range sums {
		if counts[i] > 0 {
			line = append(line, math.Exp(sums[i]/float64(counts[i])))
		}
	}
	if len(line) == 0 {
		return overviewCell{Last: "-", Overall: "-"}
	}
	c := overviewCell{Spark: spark(line), Last: "-", Overall: fmt.Sprintf("%.2f×", line[len(line)-1]), Class: worst}
	if len(line) > 1 {
		c.Last = fmt.Sprintf("%.2f×", line[len(line)-1]/line[len(line)-2])
	}
	return c
}

// spark draws a line of ratios as a small picture.
func spark(y []float64) template.HTML {
	const w, h = 96, 24
	lo, hi := slices.Min(y), slices.Max(y)
	if hi-lo < 0.1 {
		mid := (hi + lo) / 2
		lo, hi = mid-0.05, mid+0.05
	}
	var b strings.Builder
	fmt.Fprintf(&b, `<svg class="spark" viewBox="0 0 %d %d" role="img" aria-label="relative time over %d commits"><polyline points="`, w, h, len(y))
	for i, v := range y {
		x := float64(w) / 2
		if len(y) > 1 {
			x = 2 + float64(i)*(w-4)/float64(len(y)-1)
		}
		fmt.Fprintf(&b, "%.1f,%.1f ", x, 2+(h-4)*(hi-v)/(hi-lo))
	}
	b.WriteString(`"/></svg>`)
	return template.HTML(b.String())
}

func stepLines(list []*series) []stepLine {
	var lines []stepLine
	for _, s := range list {
		if slices.Contains([]string{"sec/elem", "B/s", "%roof"}, s.Unit) {
			continue // they repeat the time of a call
		}
		for _, st := range s.Steps {
			p := s.Points[st.At]
			l := stepLine{s.key("loss"), s.Name, s.Unit, p.Commit, p.Time.Format("2006-01-02"), percent(st.Ratio),
				map[bool]string{true: "good", false: "bad"}[st.Better], ""}
			if st.Same {
				l.Class, l.Note = "same", "same machine code: the machine changed"
			}
			lines = append(lines, l)
		}
	}
	return lines
}

// plotsOf draws the series of a loss on a runner, one plot for each workload, operation and unit, one line for each implementation.
func plotsOf(list []*series, runner string, order []point) ([]template.HTML, error) {
	groups := map[string][]*series{}
	for _, s := range list {
		for i, u := range shown {
			if s.Runner == runner && s.Unit == u.unit {
				k := fmt.Sprintf("%d|%s|%s", i, s.key("work"), s.key("op"))
				groups[k] = append(groups[k], s)
			}
		}
	}
	var plots []template.HTML
	for _, k := range sortedKeys(groups) {
		part := strings.Split(k, "|")
		title := shown[int(part[0][0]-'0')].title
		if part[1] != "" {
			title += ", " + strings.Join(part[1:], ", ")
		}
		svg, err := plotOf(title, groups[k], order)
		if err != nil {
			return nil, err
		}
		plots = append(plots, svg)
	}
	return plots, nil
}

// unitScale makes the numbers of a plot readable.
func unitScale(list []*series) (factor float64, name string) {
	unit, largest := list[0].Unit, 0.0
	for _, s := range list {
		for _, p := range s.Points {
			largest = max(largest, p.Center)
		}
	}
	if !strings.HasPrefix(unit, "sec/") {
		return 1, unit
	}
	per := strings.TrimPrefix(unit, "sec")
	for _, u := range []struct {
		from float64
		name string
	}{{1, "s"}, {1e-3, "ms"}, {1e-6, "µs"}} {
		if largest >= u.from {
			return 1 / u.from, u.name + per
		}
	}
	return 1e9, "ns" + per
}

const (
	plotWidth  = 6.4 * vg.Inch
	plotHeight = 2.6 * vg.Inch
)

func plotOf(title string, list []*series, order []point) (template.HTML, error) {
	p := plot.New()
	p.Title.Text = title
	factor, unit := unitScale(list)
	p.Y.Label.Text = unit
	p.Y.Min = 0
	p.Add(plotter.NewGrid())
	p.X.Min, p.X.Max = -0.5, float64(len(order))-0.5
	p.X.Tick.Marker = commitTicks(order)
	p.X.Tick.Label.Rotation = math.Pi / 5
	p.X.Tick.Label.XAlign, p.X.Tick.Label.YAlign = draw.XRight, draw.YCenter
	p.Legend.Top, p.Legend.Left = true, true
	index := map[string]int{}
	for i, c := range order {
		index[c.Commit] = i
	}
	type dot struct {
		x, y float64
		text string
	}
	var dots []dot
	var marks []dot
	for i, s := range list {
		name := s.key("impl") + " " + s.key("dtype")
		switch n := s.key("threads"); n {
		case "":
		case "1":
			name += ", 1 thread"
		default:
			name += ", " + n + " threads"
		}
		ink := plotutil.Color(i)
		if slices.Contains(peers, s.key("impl")) {
			last := s.Points[len(s.Points)-1].Center * factor
			line, err := plotter.NewLine(plotter.XYs{{X: p.X.Min, Y: last}, {X: p.X.Max, Y: last}})
			if err != nil {
				return "", err
			}
			line.Color, line.Dashes = ink, plotutil.Dashes(2)
			p.Add(line)
			p.Legend.Add(name, line)
			continue
		}
		var xy, band plotter.XYs
		for _, pt := range s.Points {
			x := float64(index[pt.Commit])
			xy = append(xy, plotter.XY{X: x, Y: pt.Center * factor})
			dots = append(dots, dot{x, pt.Center * factor, fmt.Sprintf("%s\n%s %s\n%.4g %s (%.4g .. %.4g)", name, pt.Commit, pt.Time.Format("2006-01-02 15:04"),
				pt.Center*factor, unit, finite(pt.Lo, pt.Center)*factor, finite(pt.Hi, pt.Center)*factor)})
		}
		for _, pt := range s.Points {
			band = append(band, plotter.XY{X: float64(index[pt.Commit]), Y: finite(pt.Lo, pt.Center) * factor})
		}
		for k := len(s.Points) - 1; k >= 0; k-- {
			pt := s.Points[k]
			band = append(band, plotter.XY{X: float64(index[pt.Commit]), Y: finite(pt.Hi, pt.Center) * factor})
		}
		if len(s.Points) > 1 {
			area, err := plotter.NewPolygon(band)
			if err != nil {
				return "", err
			}
			r, g, b, _ := ink.RGBA()
			area.Color = shade(r, g, b)
			area.LineStyle.Width = 0
			p.Add(area)
		}
		line, points, err := plotter.NewLinePoints(xy)
		if err != nil {
			return "", err
		}
		line.Color, line.Width = ink, vg.Points(1.2)
		points.Color, points.Shape, points.Radius = ink, draw.CircleGlyph{}, vg.Points(1.5)
		p.Add(line, points)
		p.Legend.Add(name, line)
		for _, st := range s.Steps {
			marks = append(marks, dot{float64(index[s.Points[st.At].Commit]) - 0.5, 0, fmt.Sprintf("%s: %s at %s", name, percent(st.Ratio), s.Points[st.At].Commit)})
		}
	}
	p.Y.Max *= 1.25 // room for the legend
	canvas := vgsvg.New(plotWidth, plotHeight)
	whole := draw.New(canvas)
	p.Draw(whole)
	data := p.DataCanvas(whole)
	toX, toY := p.Transforms(&data)
	var over strings.Builder
	px := func(l vg.Length) float64 { return l.Points() } // the units of the picture
	height := px(plotHeight)
	for _, m := range marks {
		x := px(toX(m.x))
		fmt.Fprintf(&over, `<line class="step" x1="%.1f" x2="%.1f" y1="%.1f" y2="%.1f"><title>%s</title></line>`, x, x, height-px(data.Min.Y), height-px(data.Max.Y), template.HTMLEscapeString(m.text))
	}
	for _, d := range dots {
		fmt.Fprintf(&over, `<circle class="dot" cx="%.1f" cy="%.1f" r="7"><title>%s</title></circle>`, px(toX(d.x)), height-px(toY(d.y)), template.HTMLEscapeString(d.text))
	}
	var b bytes.Buffer
	if _, err := canvas.WriteTo(&b); err != nil {
		return "", err
	}
	svg := b.String()
	svg = svg[strings.Index(svg, "<svg"):]
	svg = sizeOf.ReplaceAllString(svg, `<svg class="plot" role="img" aria-label="`+template.HTMLEscapeString(title)+`"`)
	return template.HTML(strings.Replace(svg, "</svg>", over.String()+"</svg>", 1)), nil
}

// sizeOf is the fixed size in the head of a picture, which is left out so that it fills the page.
var sizeOf = regexp.MustCompile(`<svg width="[^"]*" height="[^"]*"`)

// finite is x, or the center where a sample is too small for an interval.
func finite(x, center float64) float64 {
	if math.IsInf(x, 0) || math.IsNaN(x) {
		return center
	}
	return x
}

func commitTicks(order []point) plot.ConstantTicks {
	var ticks []plot.Tick
	each := max(1, (len(order)+11)/12)
	for i, c := range order {
		t := plot.Tick{Value: float64(i)}
		if i%each == 0 || i == len(order)-1 {
			t.Label = c.Commit[:min(7, len(c.Commit))]
		}
		ticks = append(ticks, t)
	}
	return ticks
}

func trendCommand(stdout, stderr io.Writer) *cobra.Command {
	var dir, out string
	cmd := &cobra.Command{
		Use:   "trend",
		Short: "Write a history as static HTML, with change points",
		Long: `Writes a page with all losses and a page a loss: time, time per element, share of the memory bandwidth and accuracy over commits, with
95 % intervals and change points. The pages need no server and nothing from the network.

A change point is a commit from which on a benchmark runs at another level: found by energy statistics, kept where the levels differ by
at least 2 % and Welch's t test says so at p < 0.001.`,
		Example: "  go run ./benchstat trend -history perf -out site",
		Args:    cobra.NoArgs,
		RunE: func(*cobra.Command, []string) error {
			logs, err := readHistory(dir)
			if err != nil {
				return err
			}
			all, err := seriesOf(logs)
			if err != nil {
				return err
			}
			if err := writeSite(out, all); err != nil {
				return err
			}
			steps := 0
			for _, s := range all {
				for _, st := range s.Steps {
					if l := stepLines([]*series{s}); len(l) > 0 && st.At > 0 {
						steps++
					}
				}
			}
			_, err = fmt.Fprintf(stdout, "%s: %d files of results, %d series, %d steps\n", filepath.Join(out, "index.html"), len(logs), len(all), steps)
			return err
		},
	}
	cmd.Flags().StringVar(&dir, "history", "perf", "`directory` of the history")
	cmd.Flags().StringVar(&out, "out", "site", "`directory` for the pages")
	return cmd
}

// shade is a color, almost transparent.
func shade(r, g, b uint32) color.Color {
	return color.NRGBA{uint8(r >> 8), uint8(g >> 8), uint8(b >> 8), 50}
}
