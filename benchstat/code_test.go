package main

import (
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// TestCodeHashes: the digest follows the machine code of a loss and of what it calls, and of nothing else.
func TestCodeHashes(t *testing.T) {
	if testing.Short() {
		t.Skip("builds three programs")
	}
	ids := []string{"alpha", "beta"}
	build := func(alpha, shared string) map[string]string {
		dir := t.TempDir()
		write := func(name, text string) {
			require.NoError(t, os.MkdirAll(filepath.Dir(filepath.Join(dir, name)), 0o755))
			require.NoError(t, os.WriteFile(filepath.Join(dir, name), []byte(text), 0o644))
		}
		write("go.mod", "module "+strings.TrimSuffix(module, "/")+"\n\ngo 1.26\n")
		write("optimized/alpha.go", "package optimized\n\n//go:noinline\nfunc Alpha(x float64) float64 { return "+alpha+" }\n")
		write("optimized/beta.go", "package optimized\n\n//go:noinline\nfunc Beta(x float64) float64 { return shared(x) + 2 }\n")
		write("optimized/shared.go", "package optimized\n\n//go:noinline\nfunc shared(x float64) float64 { return "+shared+" }\n")
		write("main.go", "package main\n\nimport \""+module+"optimized\"\n\nfunc main() { println(optimized.Alpha(1), optimized.Beta(2)) }\n")
		cmd := exec.Command("go", "build", "-o", "program", ".")
		cmd.Dir = dir
		out, err := cmd.CombinedOutput()
		require.NoError(t, err, "%s", out)
		h, err := codeHashes(context.Background(), filepath.Join(dir, "program"), ids)
		require.NoError(t, err)
		require.Len(t, h, 2)
		return h
	}
	base := build("x*3", "x*x")
	require.Equal(t, base, build("x*3", "x*x"))
	other := build("x*3.5+x/7+1", "x*x") // longer: beta moves to other addresses
	require.NotEqual(t, base["optimized/alpha"], other["optimized/alpha"])
	require.Equal(t, base["optimized/beta"], other["optimized/beta"])
	other = build("x*3", "x*x+1")
	require.Equal(t, base["optimized/alpha"], other["optimized/alpha"])
	require.NotEqual(t, base["optimized/beta"], other["optimized/beta"], "beta calls shared")
}
