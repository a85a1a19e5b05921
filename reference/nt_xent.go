package reference

import (
	"math"

	"gonum.org/v1/gonum/mat"

	"github.com/goldenloss/goldenloss/reference/loss"
)

// embeddings holds the rows u, their similarities S and the norms of z.
type embeddings struct {
	rows, dims int
	u, s       *mat.Dense
	norms      []float64
}

// newEmbeddings returns nil where some entry of z is not finite.
func newEmbeddings(in *loss.NTXent[float64]) *embeddings {
	if !allFinite(in.Z.Data) {
		return nil
	}
	rows, dims := in.Z.Shape[0], in.Z.Shape[1]
	e := &embeddings{rows: rows, dims: dims, u: mat.NewDense(rows, dims, nil), s: mat.NewDense(rows, rows, nil)}
	for i := range rows {
		z := in.Z.Data[i*dims : (i+1)*dims]
		n := norm(z)
		e.norms = append(e.norms, n)
		by := 1.0
		if in.Normalize {
			by = math.Max(n, in.NormEps)
		}
		for k := range z {
			e.u.Set(i, k, z[k]/by)
		}
	}
	e.s.Mul(e.u, e.u.T())
	e.s.Apply(func(_, _ int, v float64) float64 { return v / in.Temperature }, e.s)
	return e
}

func (e *embeddings) positive(in *loss.NTXent[float64], i int) int {
	if in.Pairing == "interleaved" {
		return i ^ 1
	}
	return (i + e.rows/2) % e.rows
}

// others returns row i of S without the entries i and p, and their indices.
func (e *embeddings) others(i, p int) (s []float64, index []int) {
	for k, x := range e.s.RawRowView(i) {
		if k != i && k != p {
			s, index = append(s, x), append(index, k)
		}
	}
	return s, index
}

// NTXent is the value of the normalized temperature-scaled cross-entropy: softplus(LSE of the negatives - S_ip).
func NTXent(in *loss.NTXent[float64]) []float64 {
	items := make([]float64, in.Z.Shape[0])
	e := newEmbeddings(in)
	for i := range items {
		if e == nil {
			items[i] = math.NaN()
			continue
		}
		p := e.positive(in, i)
		if negatives, _ := e.others(i, p); len(negatives) > 0 {
			s := newSoftmax(negatives)
			items[i] = softplus((negatives[s.top] - e.s.At(i, p)) + math.Log1p(s.rest))
		}
	}
	return reduce(in.Reduction, items, float64(len(items)))
}

// NTXentGrad is its vector-Jacobian product: dS = G + G^T, du = dS u / temperature, then back through the normalization.
func NTXentGrad(in *loss.NTXent[float64], dOut []float64) *loss.NTXent[float64] {
	g := &loss.NTXent[float64]{Z: zeros(in.Z)}
	e := newEmbeddings(in)
	if e == nil {
		for i := range g.Z.Data {
			g.Z.Data[i] = math.NaN()
		}
		return g
	}
	c := itemWeights(in.Reduction, e.rows, float64(e.rows), dOut)
	G := mat.NewDense(e.rows, e.rows, nil)
	for i := range e.rows {
		p := e.positive(in, i)
		negatives, index := e.others(i, p)
		if len(negatives) == 0 {
			continue
		}
		s := newSoftmax(negatives)
		miss := sigmoid((negatives[s.top] - e.s.At(i, p)) + math.Log1p(s.rest)) // 1 - P_ip
		for j, k := range index {
			G.Set(i, k, c[i]*miss*s.prob(j))
		}
		G.Set(i, p, -c[i]*miss)
	}
	var dS, dU mat.Dense
	dS.Add(G, G.T())
	dU.Mul(&dS, e.u)
	for i := range e.rows {
		u, du := e.u.RawRowView(i), dU.RawRowView(i)
		for k := range du {
			du[k] /= in.Temperature
		}
		dz := g.Z.Data[i*e.dims : (i+1)*e.dims]
		switch {
		case !in.Normalize:
			copy(dz, du)
		case e.norms[i] > in.NormEps:
			along := dot(u, du)
			for k := range dz {
				dz[k] = (du[k] - u[k]*along) / e.norms[i]
			}
		default:
			for k := range dz {
				dz[k] = du[k] / in.NormEps
			}
		}
	}
	return g
}
