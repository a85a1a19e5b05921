package reference

import (
	"math"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"gonum.org/v1/gonum/diff/fd"

	"github.com/goldenloss/goldenloss/fixtures"
	"github.com/goldenloss/goldenloss/reference/loss"
)

// smooth reports whether a row is fit for central differences: moderate inputs away from kinks.
func smooth(r *fixtures.Row) bool {
	if r.Kind != "value" || strings.Contains(r.CaseID, "/extreme/") || slices.Contains(r.Tags, "kink") || slices.Contains(r.Tags, "boundary") || slices.Contains(r.Tags, "empty") {
		return false
	}
	for _, x := range r.Expected[0].Data {
		if math.IsNaN(x) || math.IsInf(x, 0) {
			return false
		}
	}
	for _, t := range r.Inputs {
		if len(t.Data) > 90 {
			return false
		}
		for _, x := range t.Data {
			if !(math.Abs(x) < 50) {
				return false
			}
		}
	}
	return true
}

// TestGradientsAgainstDifferences holds every vector-Jacobian product to central differences of the value.
func TestGradientsAgainstDifferences(t *testing.T) {
	for _, impl := range All {
		file, err := fixtures.Load(fixtures.Golden(), impl.ID)
		require.NoError(t, err)
		checked := 0
		for i := range file.Rows {
			row := &file.Rows[i]
			if !smooth(row) {
				continue
			}
			in := impl.New()
			dOut, err := fixtures.Bind(row, in)
			require.NoError(t, err)
			out := make([]float64, len(dOut))
			grad := loss.NewGrad(in, impl.New())
			impl.Run(out, grad, in, dOut)
			got := loss.Fields(grad)
			for k, f := range loss.Fields(in) {
				if f.Role != loss.RoleVar {
					continue
				}
				x := slices.Clone(f.Float.Data)
				want := fd.Gradient(nil, func(x []float64) float64 {
					copy(f.Float.Data, x)
					impl.Run(out, nil, in, dOut)
					return dot(out, dOut)
				}, x, &fd.Settings{Formula: fd.Central, Step: 1e-5})
				copy(f.Float.Data, x)
				largest := 1e-3
				for _, w := range want {
					largest = math.Max(largest, math.Abs(w))
				}
				for e, w := range want {
					g := got[k].Float.Data[e]
					switch image, read := loss.Mirror(in, f.Name, e); {
					case !read:
						g = 0
					case image != e:
						g += got[k].Float.Data[image]
					}
					require.InDelta(t, w, g, 2e-5*largest, "%s %s[%d]", row.CaseID, f.Name, e)
					checked++
				}
			}
		}
		require.Greater(t, checked, 100, impl.ID)
	}
}
