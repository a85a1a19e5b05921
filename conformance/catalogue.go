package main

import (
	"encoding/json"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/jedib0t/go-pretty/v6/table"
	"github.com/jedib0t/go-pretty/v6/text"
	"github.com/spf13/cobra"

	"github.com/goldenloss/goldenloss/reference"
	"github.com/goldenloss/goldenloss/reference/loss"
)

const docs = "https://pkg.go.dev/github.com/goldenloss/goldenloss/reference/loss#"

// catalogueEntry is a task with its losses.
type catalogueEntry struct {
	Task   loss.Task       `json:"task"`
	CNN    string          `json:"cnn"`
	ViT    string          `json:"vit"`
	Losses []catalogueLoss `json:"losses"`
}

type catalogueLoss struct {
	ID      string        `json:"id"`
	Title   string        `json:"title"`
	Summary string        `json:"summary"`
	Params  []string      `json:"params"`
	Sources []loss.Source `json:"sources"`
	Docs    string        `json:"docs"`
}

// catalogue lists every task of the survey with the losses that serve it, on convolutional and transformer models alike.
func catalogue() []catalogueEntry {
	params := map[string][]string{}
	for _, i := range reference.All {
		for _, q := range loss.Params(i.New()) {
			text := fmt.Sprintf("%s=%v", q.Name, q.Default)
			switch {
			case len(q.Enum) > 0:
				text = q.Name + "=" + strings.Join(q.Enum, "|")
			case q.Default == nil:
				text = q.Name + " (unset)"
			}
			params[i.ID] = append(params[i.ID], text)
		}
	}
	var list []catalogueEntry
	for _, m := range loss.Tasks {
		e := catalogueEntry{Task: m.Task, CNN: m.CNN, ViT: m.ViT, Losses: []catalogueLoss{}}
		for _, d := range loss.All {
			if slices.Contains(d.Tasks, m.Task) {
				e.Losses = append(e.Losses, catalogueLoss{d.ID, d.Title, d.Summary, params[d.ID], d.Sources, docs + d.Name})
			}
		}
		list = append(list, e)
	}
	return list
}

func catalogueCommand(stdout io.Writer) *cobra.Command {
	var format string
	cmd := &cobra.Command{
		Use:   "catalogue",
		Short: "Print the tasks of the survey with the losses that serve them",
		Long: `Prints every task of the survey of vision losses, and the regression tasks beside it, with typical convolutional and transformer
models and the losses that serve the task: parameters with defaults, source, link to the documentation.`,
		Example: "  go run ./conformance catalogue\n  go run ./conformance catalogue -format markdown",
		Args:    cobra.NoArgs,
		RunE: func(*cobra.Command, []string) error {
			list := catalogue()
			switch format {
			case "json":
				e := json.NewEncoder(stdout)
				e.SetIndent("", " ")
				return e.Encode(list)
			case "text", "markdown":
			default:
				return fmt.Errorf("-format: want one of text, json, markdown, got %q", format)
			}
			tab := table.NewWriter()
			tab.SetStyle(table.StyleLight)
			tab.Style().Format.Header = text.FormatDefault
			tab.Style().Options.SeparateRows = true
			tab.AppendHeader(table.Row{"task", "CNN", "ViT", "loss", "parameters", "source", "documentation"})
			tab.SetColumnConfigs([]table.ColumnConfig{{Number: 1, AutoMerge: format == "text"}, {Number: 2, AutoMerge: format == "text", WidthMax: 16, WidthMaxEnforcer: text.WrapSoft},
				{Number: 3, AutoMerge: format == "text", WidthMax: 16, WidthMaxEnforcer: text.WrapSoft}, {Number: 5, WidthMax: 44, WidthMaxEnforcer: text.WrapSoft}, {Number: 6, WidthMax: 34, WidthMaxEnforcer: text.WrapSoft}})
			for _, e := range list {
				if len(e.Losses) == 0 {
					tab.AppendRow(table.Row{e.Task, e.CNN, e.ViT, "(none yet)", "", "", ""})
				}
				for _, l := range e.Losses {
					var sources []string
					for _, s := range l.Sources {
						sources = append(sources, strings.TrimRight(strings.Join([]string{s.Text, s.ID}, ", "), ", "))
					}
					tab.AppendRow(table.Row{e.Task, e.CNN, e.ViT, l.ID, strings.Join(l.Params, ", "), strings.Join(sources, "; "), l.Docs})
				}
			}
			out := tab.Render
			if format == "markdown" {
				out = tab.RenderMarkdown
			}
			_, err := fmt.Fprintln(stdout, out())
			return err
		},
	}
	cmd.Flags().StringVar(&format, "format", "text", "`format`: text, json, markdown")
	return cmd
}
