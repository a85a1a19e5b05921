package reference

import (
	"math"

	"github.com/goldenloss/goldenloss/reference/loss"
)

// unitRows are the rows u of a matrix z, each divided by max(norm, eps) where that is asked for.
type unitRows struct {
	u, z      [][]float64
	norms     []float64
	finite    []bool
	normalize bool
	eps       float64
}

func newUnitRows(z loss.Tensor[float64], normalize bool, eps float64) *unitRows {
	dims := z.Shape[1]
	r := &unitRows{normalize: normalize, eps: eps}
	for i := range z.Shape[0] {
		row := z.Data[i*dims : (i+1)*dims]
		n, by := norm(row), 1.0
		if normalize {
			by = math.Max(n, eps)
		}
		u := make([]float64, dims)
		for k, x := range row {
			u[k] = x / by
		}
		r.u, r.z, r.norms, r.finite = append(r.u, u), append(r.z, row), append(r.norms, n), append(r.finite, allFinite(row))
	}
	return r
}

// pull takes the gradient of every row of u back to z: (du - u (u.du))/||z||, or du/eps for a short row.
func (r *unitRows) pull(sums [][]accumulator, dz []float64) {
	for i, u := range r.u {
		du := make([]float64, len(u))
		for k := range du {
			du[k] = sums[i][k].value()
		}
		along := dot(u, du)
		for k, d := range du {
			switch {
			case !r.normalize:
			case r.norms[i] > r.eps:
				d = (d - u[k]*along) / r.norms[i]
			default:
				d /= r.eps
			}
			dz[i*len(u)+k] = d
		}
	}
}

// sums returns sums of none, shaped like the rows.
func (r *unitRows) sums() [][]accumulator {
	d := make([][]accumulator, len(r.u))
	for i := range d {
		d[i] = make([]accumulator, len(r.u[i]))
	}
	return d
}

// addScaled adds a x to sums.
func addScaled(sums []accumulator, a float64, x []float64) {
	for k := range sums {
		sums[k].addProduct(a, x[k])
	}
}

func fillNaN(x []float64) {
	for i := range x {
		x[i] = math.NaN()
	}
}
