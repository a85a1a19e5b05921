package main

import (
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/goldenloss/goldenloss/fixtures"
	"github.com/goldenloss/goldenloss/fixtures/oracle"
	"github.com/goldenloss/goldenloss/optimized"
	"github.com/goldenloss/goldenloss/reference"
	"github.com/goldenloss/goldenloss/reference/loss"
	"github.com/goldenloss/goldenloss/reference/loss/random"
)

const module = "github.com/goldenloss/goldenloss/"

// allowed lists, for each package, the packages of this module that it may depend on. Oracle, reference and optimized are three
// derivations that never see each other.
var allowed = map[string][]string{
	"reference/loss":        {},
	"reference/loss/random": {"reference/loss"},
	"reference":             {"reference/loss"},
	"optimized":             {"reference/loss"},
	"fixtures/oracle":       {"reference/loss"},
	"fixtures":              {"reference/loss"},
	"fixtures/generate":     {"reference/loss", "fixtures", "fixtures/oracle"},
	"conformance/gate":      {"reference/loss", "fixtures"},
	"conformance/mutants":   {"reference/loss", "reference"},
	"conformance":           {"reference/loss", "reference", "optimized", "fixtures", "conformance/gate", "conformance/mutants"},
	"benchstat":             {"reference/loss"},
}

func TestImportDirections(t *testing.T) {
	out, err := exec.Command("go", "list", "-deps", "-f", "{{.ImportPath}} {{join .Deps \",\"}}", module+"...").Output()
	require.NoError(t, err)
	seen := map[string]bool{}
	for _, line := range strings.Split(strings.TrimSpace(string(out)), "\n") {
		path, deps, _ := strings.Cut(line, " ")
		name, ours := strings.CutPrefix(path, module)
		if !ours {
			continue
		}
		seen[name] = true
		may, known := allowed[name]
		require.True(t, known, "package %s is not in the table of allowed imports", name)
		for _, d := range strings.Split(deps, ",") {
			if d, ours := strings.CutPrefix(d, module); ours {
				require.Contains(t, may, d, "%s depends on %s", name, d)
			}
		}
	}
	for name := range allowed {
		require.True(t, seen[name], "package %s is allowed imports but does not exist", name)
	}
}

// TestEveryLossEverywhere: one line in every table, one file in every directory, one golden file, and nothing more.
func TestEveryLossEverywhere(t *testing.T) {
	var ids []string
	for _, d := range loss.All {
		ids = append(ids, d.ID)
	}
	var ref, ora, f32, f64, gold, drawn []string
	for _, m := range random.All {
		drawn = append(drawn, m.ID)
	}
	for _, i := range reference.All {
		ref = append(ref, i.ID)
	}
	for _, r := range optimized.CPU {
		f32, f64 = append(f32, r.Float32.ID), append(f64, r.Float64.ID)
	}
	for _, r := range oracle.All {
		ora = append(ora, r.ID)
	}
	files, err := fs.Glob(fixtures.Golden(), "golden/*.parquet")
	require.NoError(t, err)
	for _, f := range files {
		gold = append(gold, strings.TrimSuffix(filepath.Base(f), ".parquet"))
	}
	for name, got := range map[string][]string{"reference.All": ref, "optimized.CPU float32": f32, "optimized.CPU float64": f64,
		"oracle.All": ora, "golden files": gold, "random.All": drawn} {
		require.ElementsMatch(t, ids, got, name)
	}
	for _, id := range ids {
		for _, dir := range []string{"reference", "optimized", "fixtures/oracle", "fixtures/generate"} {
			_, err := os.Stat(filepath.Join("..", dir, id+".go"))
			require.NoError(t, err, "%s in %s", id, dir)
		}
	}
}

// TestFileNames: no name that the build would leave out silently.
func TestFileNames(t *testing.T) {
	out, err := exec.Command("go", "list", "-f", "{{range .IgnoredGoFiles}}{{.}} {{end}}", module+"...").Output()
	require.NoError(t, err)
	ignored := slices.DeleteFunc(strings.Fields(string(out)), func(f string) bool { return strings.HasSuffix(f, "_noasm.go") })
	require.Empty(t, ignored)
}
