package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"

	"github.com/jedib0t/go-pretty/v6/table"
	"github.com/jedib0t/go-pretty/v6/text"
	"github.com/spf13/cobra"

	"github.com/goldenloss/goldenloss/conformance/gate"
)

// listedCase is a case as list prints it.
type listedCase struct {
	Case    string   `json:"case"`
	Kind    string   `json:"kind"`
	Params  string   `json:"params"`
	DTypes  []string `json:"dtypes"`
	Tags    []string `json:"tags"`
	Comment string   `json:"comment"`
}

func listCommand(stdout io.Writer) *cobra.Command {
	var o gate.Options
	var dir, format string
	cmd := &cobra.Command{
		Use:   "list",
		Short: "List golden cases with their parameters and what they hunt",
		Long: `Lists golden cases with their parameters and what is wrong if they fail. The flag -list of the command without a name prints ids
alone, one a line.`,
		Example: "  go run ./conformance list -run 'ssim/extreme'\n  go run ./conformance list -run '//mean$' -format json",
		Args:    cobra.NoArgs,
		RunE: func(*cobra.Command, []string) error {
			files, err := load(dir)
			if err != nil {
				return err
			}
			ids, err := gate.List(files, o)
			if err != nil {
				return err
			}
			if len(ids) == 0 {
				return coded{exitNothing, errors.New("no case is selected")}
			}
			selected := map[string]bool{}
			for _, id := range ids {
				selected[id] = true
			}
			var list []listedCase
			for _, f := range files {
				for _, r := range f.Rows {
					if selected[r.CaseID] {
						list = append(list, listedCase{r.CaseID, r.Kind, r.Params, r.DTypes, append([]string{}, r.Tags...), r.Comment})
					}
				}
			}
			switch format {
			case "json":
				e := json.NewEncoder(stdout)
				e.SetIndent("", " ")
				return e.Encode(list)
			case "text":
			default:
				return fmt.Errorf("-format: want text or json, got %q", format)
			}
			tab := table.NewWriter()
			tab.SetStyle(table.StyleLight)
			tab.Style().Format.Header = text.FormatDefault
			tab.AppendHeader(table.Row{"case", "params", "wrong if it fails"})
			tab.SetColumnConfigs([]table.ColumnConfig{{Number: 2, WidthMax: 60}, {Number: 3, WidthMax: 80, WidthMaxEnforcer: text.WrapSoft}})
			for _, c := range list {
				tab.AppendRow(table.Row{c.Case, c.Params, c.Comment})
			}
			_, err = fmt.Fprintf(stdout, "%s\n%d cases\n", tab.Render(), len(list))
			return err
		},
	}
	cmd.Flags().StringVar(&o.Run, "run", "", "only cases whose id matches this `regexp`, part by part between slashes")
	cmd.Flags().StringVar(&o.Skip, "skip", "", "leave out cases whose id matches this `regexp`")
	cmd.Flags().StringVar(&dir, "fixtures", "", "a `directory` with manifest.json and golden/ instead of the embedded files")
	cmd.Flags().StringVar(&format, "format", "text", "`format`: text, json")
	return cmd
}
