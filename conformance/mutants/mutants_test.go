package mutants

import (
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/goldenloss/goldenloss/reference"
	"github.com/goldenloss/goldenloss/reference/loss"
	"github.com/goldenloss/goldenloss/reference/loss/random"
)

// outputs runs an implementation on a copy of a problem, into buffers that hold something.
func outputs(impl loss.Impl[float64], in problem, dOut []float64) []float64 {
	q := clone(impl, in)
	out := make([]float64, loss.Size(q.Out()))
	grad := loss.NewGrad(q, impl.New())
	fit(out, []float64{0.25})
	for _, g := range gradients(grad) {
		fit(g.data, []float64{0.5})
	}
	impl.Run(out, grad, q, dOut)
	for _, g := range gradients(grad) {
		out = append(out, g.data...)
	}
	return out
}

// problems calls f with random problems of every loss and a cotangent.
func problems(t *testing.T, n int, f func(base loss.Impl[float64], p problem, dOut []float64)) {
	for _, base := range reference.All {
		m, ok := random.Lookup(base.ID)
		require.True(t, ok, base.ID)
		r := rand.New(rand.NewPCG(7, 11))
		for range n {
			p := m.Problem(r, 20, true)
			require.NoError(t, loss.Validate(p))
			dOut := make([]float64, loss.Size(p.Out()))
			for i := range dOut {
				dOut[i] = r.NormFloat64()
			}
			f(base, p, dOut)
		}
	}
}

// TestFormulasWithoutFlaw: what the mutants of the arithmetic are made of is right where they are not wrong.
func TestFormulasWithoutFlaw(t *testing.T) {
	compared := map[string]bool{}
	problems(t, 300, func(base loss.Impl[float64], p problem, dOut []float64) {
		i := slices.IndexFunc(byHand, func(h hand) bool { return h.id == base.ID })
		require.GreaterOrEqual(t, i, 0, base.ID)
		if byHand[i].plain == nil {
			return
		}
		compared[base.ID] = true
		got := byHand[i].plain(p, dOut)
		want := outputs(base, p, dOut)
		require.Len(t, got, len(want))
		for i := range want {
			require.True(t, got[i] == want[i] || math.Abs(got[i]-want[i]) <= 1e-11*(1+math.Abs(want[i])) || math.IsNaN(got[i]) && math.IsNaN(want[i]),
				"%s %+v: output %d: want %g, got %g", base.ID, p, i, want[i], got[i])
		}
	})
	require.GreaterOrEqual(t, len(compared), 8)
}

// TestMutants: names are unique, every flaw changes some answer, and a mutant is its base where it says so.
func TestMutants(t *testing.T) {
	differs := map[string]bool{}
	list := map[string][]Mutant{}
	for _, base := range reference.All {
		list[base.ID] = Of(base)
		seen := map[string]bool{}
		for _, m := range list[base.ID] {
			require.False(t, seen[m.Name], "%s: two mutants named %s", base.ID, m.Name)
			require.Equal(t, base.ID, m.Impl.ID)
			require.NotEmpty(t, m.Does)
			seen[m.Name] = true
		}
	}
	problems(t, 60, func(base loss.Impl[float64], p problem, dOut []float64) {
		right := outputs(base, p, dOut)
		for _, m := range list[base.ID] {
			same := true
			for i, x := range outputs(m.Impl, p, dOut) {
				same = same && (x == right[i] || x != x && right[i] != right[i])
			}
			if !m.Affects(p) {
				require.True(t, same, "%s: %s is not its base where it says so", base.ID, m.Name)
			}
			if !same {
				differs[base.ID+": "+m.Name] = true
			}
		}
	})
	require.Len(t, byHand, len(reference.All))
	for _, base := range reference.All {
		i := slices.IndexFunc(byHand, func(h hand) bool { return h.id == base.ID })
		require.GreaterOrEqual(t, i, 0, base.ID)
		require.GreaterOrEqual(t, len(byHand[i].mutants(base)), 2, "%s: mutants written by hand", base.ID)
	}
	require.Greater(t, len(differs), 300)
}
