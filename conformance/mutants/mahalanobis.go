package mutants

import "github.com/goldenloss/goldenloss/reference/loss"

type mahalanobisProblem = *loss.Mahalanobis[float64]

// mahalanobis lists what people get wrong in the distance.
func mahalanobis(base implementation) []Mutant {
	when := func(name, does string, change func(p mahalanobisProblem) bool) Mutant {
		return changed(base, name, does, func(q problem) bool { return change(q.(mahalanobisProblem)) })
	}
	// onMatrix edits the gradient of every matrix of k columns.
	onMatrix := func(name, does string, edit func(p mahalanobisProblem, g []float64, k int)) Mutant {
		return Mutant{name, does, implementation{ID: base.ID, New: base.New, Run: func(out []float64, grad, in problem, dOut []float64) {
			base.Run(out, grad, in, dOut)
			p := in.(mahalanobisProblem)
			for _, g := range gradients(grad) {
				k := p.X.Shape[1]
				for m := 0; g.name == "matrix" && p.Form != "diag" && m < len(g.data); m += k * k {
					edit(p, g.data[m:m+k*k], k)
				}
			}
		}}, always}
	}
	symmetric := func(p mahalanobisProblem) bool { return p.Form == "cov" || p.Form == "precision" }
	return []Mutant{
		onMatrix("gradient in the lower triangle", "gives the lower triangle of a symmetric matrix all of the gradient", func(p mahalanobisProblem, g []float64, k int) {
			for i := range k {
				for j := range i {
					if symmetric(p) {
						g[i*k+j], g[j*k+i] = g[i*k+j]+g[j*k+i], 0
					}
				}
			}
		}),
		onMatrix("gradient of a symmetric parameter", "doubles the gradient off the diagonal of a symmetric matrix", func(p mahalanobisProblem, g []float64, k int) {
			for i := range k {
				for j := range k {
					if symmetric(p) && i != j {
						g[i*k+j] *= 2
					}
				}
			}
		}),
		onMatrix("gradient above the diagonal", "gives the part of a factor that is not read a gradient", func(p mahalanobisProblem, g []float64, k int) {
			for i := range k {
				for j := range i {
					if p.Form == "chol" {
						g[j*k+i] = g[i*k+j]
					}
				}
			}
		}),
		when("upper triangle read", "reads the upper triangle of a matrix", func(p mahalanobisProblem) bool {
			k := p.X.Shape[1]
			if !symmetric(p) {
				return false
			}
			differs := false
			for m := 0; m < len(p.Matrix.Data); m += k * k {
				for i := range k {
					for j := range i {
						lower, upper := &p.Matrix.Data[m+i*k+j], &p.Matrix.Data[m+j*k+i]
						differs = differs || *lower != *upper
						*lower, *upper = *upper, *lower
					}
				}
			}
			return differs
		}),
		when("all of the factor read", "takes what is above the diagonal of a factor for zeros only where it is finite", func(p mahalanobisProblem) bool {
			k := p.X.Shape[1]
			if p.Form != "chol" || k == 1 {
				return false
			}
			for m := 0; m < len(p.Matrix.Data); m += k * k {
				p.Matrix.Data[m+k] += p.Matrix.Data[m+1]
			}
			return true
		}),
		when("jitter once more", "adds the jitter twice", func(p mahalanobisProblem) bool {
			p.Jitter *= 2
			return p.Jitter > 0
		}),
		when("standard deviations", "takes variances for standard deviations", func(p mahalanobisProblem) bool {
			for i, x := range p.Matrix.Data {
				p.Matrix.Data[i] = x * x
			}
			return p.Form == "diag"
		}),
		when("next matrix", "takes the mean and the matrix after those that the index names", func(p mahalanobisProblem) bool {
			for b, m := range p.Index.Data {
				p.Index.Data[b] = (m + 1) % int64(p.Matrices())
			}
			return p.Index.Given()
		}),
		when("first matrix", "takes the first matrix for every row", func(p mahalanobisProblem) bool {
			size := len(p.Matrix.Data) / p.Matrices()
			for m := size; m < len(p.Matrix.Data); m += size {
				copy(p.Matrix.Data[m:m+size], p.Matrix.Data[:size])
			}
			return p.Matrices() > 1
		}),
		{"k log 2 pi left out", "leaves the constant out of the log-likelihood", implementation{ID: base.ID, New: base.New, Run: func(out []float64, grad, in problem, dOut []float64) {
			base.Run(out, grad, in, dOut)
			if p := in.(mahalanobisProblem); p.Variant == "nll" {
				for i := range out {
					n := 1.0
					if p.Reduction == loss.Sum {
						n = float64(p.X.Shape[0])
					}
					out[i] -= n * float64(p.X.Shape[1]) / 2 * 1.8378770664093453
				}
			}
		}}, always},
		{"determinant of the factor", "takes the logarithm of the determinant of the Cholesky factor for that of the covariance", implementation{ID: base.ID, New: base.New, Run: func(out []float64, grad, in problem, dOut []float64) {
			base.Run(out, grad, in, dOut)
			p := in.(mahalanobisProblem)
			if p.Variant != "nll" || p.Form == "diag" {
				return
			}
			// Half of the part of the determinant is left, the other two parts are whole.
			k := p.X.Shape[1]
			distance, g := answer(base, withVariant(base, in, "squared"), dOut, grad != nil)
			for i, d := range distance {
				n := 1.0
				if p.Reduction == loss.Sum {
					n = float64(p.X.Shape[0])
				}
				out[i] = (out[i] + (d+n*float64(k)*1.8378770664093453)/2) / 2
			}
			from := map[string][]float64{}
			for _, g := range gradients(g) {
				from[g.name] = g.data
			}
			for _, g := range gradients(grad) {
				for j, d := range from[g.name] {
					g.data[j] = (g.data[j] + d/2) / 2
				}
			}
		}}, always},
		{"determinant detached", "does not differentiate the determinant", implementation{ID: base.ID, New: base.New, Run: func(out []float64, grad, in problem, dOut []float64) {
			base.Run(out, grad, in, dOut)
			if in.(mahalanobisProblem).Variant != "nll" || grad == nil {
				return
			}
			q := withVariant(base, in, "squared") // twice the gradient
			half := make([]float64, len(dOut))
			for i, d := range dOut {
				half[i] = d / 2
			}
			_, g := answer(base, q, half, true)
			fitGradients(grad, g)
		}}, always},
	}
}

func withVariant(base implementation, in problem, variant string) problem {
	q := clone(base, in)
	q.(mahalanobisProblem).Variant = variant
	return q
}
