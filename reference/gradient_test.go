package reference

import (
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"
	"gonum.org/v1/gonum/diff/fd"

	"github.com/goldenloss/goldenloss/reference/loss"
	"github.com/goldenloss/goldenloss/reference/loss/random"
)

// TestGradientsAgainstDifferences holds every vector-Jacobian product to central differences of the value, on random inputs. An
// entry that misses with two steps lies on no kink that a step of 1e-7 could reach by chance.
func TestGradientsAgainstDifferences(t *testing.T) {
	const problems = 40
	for _, impl := range All {
		m, ok := random.Lookup(impl.ID)
		require.True(t, ok, impl.ID)
		r := rand.New(rand.NewPCG(3, 5))
		checked, moved := 0, 0
		for range problems {
			in := m.Problem(r, 12, false)
			random.Differentiable(in)
			require.NoError(t, loss.Validate(in))
			out := make([]float64, loss.Size(in.Out()))
			dOut := make([]float64, len(out))
			for i := range dOut {
				dOut[i] = r.NormFloat64()
			}
			grad := loss.NewGrad(in, impl.New())
			impl.Run(out, grad, in, dOut)
			got := loss.Fields(grad)
			for k, f := range loss.Fields(in) {
				if f.Role != loss.RoleVar || !f.Given() {
					continue
				}
				x := slices.Clone(f.Float.Data)
				differences := func(step float64) []float64 {
					defer copy(f.Float.Data, x)
					return fd.Gradient(nil, func(x []float64) float64 {
						copy(f.Float.Data, x)
						impl.Run(out, nil, in, dOut)
						return dot(out, dOut)
					}, slices.Clone(x), &fd.Settings{Formula: fd.Central, Step: step})
				}
				want, fine := differences(1e-5), differences(1e-7)
				largest := 1e-3
				for _, w := range want {
					largest = math.Max(largest, math.Abs(w))
				}
				for e, g := range got[k].Float.Data {
					switch image, read := loss.Mirror(in, f.Name, e); {
					case !read:
						g = 0
					case image != e:
						g += got[k].Float.Data[image]
					}
					off := math.Min(math.Abs(g-want[e])/(2e-5*largest), math.Abs(g-fine[e])/(2e-5*largest))
					require.LessOrEqual(t, off, 1.0, "%s %+v %s[%d]: want %g, got %g", impl.ID, loss.Params(in), f.Name, e, want[e], g)
					checked++
					if g != 0 {
						moved++
					}
				}
			}
		}
		require.Greater(t, checked, 10*problems/4, impl.ID)
		require.Greater(t, 4*moved, checked, "%s: many entries have a gradient", impl.ID)
	}
}
