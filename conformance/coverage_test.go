package main

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/goldenloss/goldenloss/reference/loss"
)

// TestCoverageFile: coverage.md is what the golden files give, and every loss has what the cases owe.
func TestCoverageFile(t *testing.T) {
	list, err := coverages("")
	require.NoError(t, err)
	require.Len(t, list, len(loss.All))
	text, err := os.ReadFile(filepath.Join("..", coverageFile))
	require.NoError(t, err)
	require.Equal(t, coverageMarkdown(list), string(text), "go run ./conformance coverage -write")
	for _, c := range list {
		require.GreaterOrEqual(t, c.Rows, 40, c.Loss)
		require.Positive(t, c.Cotangent, c.Loss)
		require.Positive(t, c.NaN, c.Loss)
		require.Positive(t, c.Groups["real"], c.Loss)
		require.GreaterOrEqual(t, 4*c.DTypes["float32"], 3*c.DTypes["float64"], c.Loss)
		for _, class := range []loss.Class{loss.InvalidDType, loss.InvalidShape, loss.InvalidParam} {
			require.Positive(t, c.Errors[class.String()], "%s: %s", c.Loss, class)
		}
	}
}
