package reference

import (
	"math"

	"github.com/goldenloss/goldenloss/reference/loss"
)

// embeddings holds the rows u, their similarities S and the norms of z, nil where some entry is not finite.
type embeddings struct {
	rows, dims int
	u, s       [][]float64
	norms      []float64
}

func newEmbeddings(in *loss.NTXent[float64]) *embeddings {
	e := &embeddings{rows: in.Z.Shape[0], dims: in.Z.Shape[1]}
	for _, x := range in.Z.Data {
		if math.IsNaN(x) || math.IsInf(x, 0) {
			return nil
		}
	}
	for i := range e.rows {
		z := in.Z.Data[i*e.dims : (i+1)*e.dims]
		u := append([]float64{}, z...)
		n := norm(z)
		if in.Normalize {
			for k := range u {
				u[k] = z[k] / math.Max(n, in.NormEps)
			}
		}
		e.u, e.norms = append(e.u, u), append(e.norms, n)
	}
	for i := range e.u {
		row := make([]float64, e.rows)
		for k := range e.u {
			row[k] = dot(e.u[i], e.u[k]) / in.Temperature
		}
		e.s = append(e.s, row)
	}
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
	for k, x := range e.s[i] {
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
			items[i] = softplus((negatives[s.top] - e.s[i][p]) + math.Log1p(s.rest))
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
	G := make([][]float64, e.rows)
	for i := range G {
		G[i] = make([]float64, e.rows)
		p := e.positive(in, i)
		negatives, index := e.others(i, p)
		if len(negatives) == 0 {
			continue
		}
		s := newSoftmax(negatives)
		miss := sigmoid((negatives[s.top] - e.s[i][p]) + math.Log1p(s.rest)) // 1 - P_ip
		for j, k := range index {
			G[i][k] = c[i] * miss * s.prob(j)
		}
		G[i][p] = -c[i] * miss
	}
	for i := range G {
		du := make([]float64, e.dims)
		for k := range du {
			var a accumulator
			for j := range G {
				a.addProduct(G[i][j], e.u[j][k])
				a.addProduct(G[j][i], e.u[j][k])
			}
			du[k] = a.value() / in.Temperature
		}
		dz := g.Z.Data[i*e.dims : (i+1)*e.dims]
		switch {
		case !in.Normalize:
			copy(dz, du)
		case e.norms[i] > in.NormEps:
			along := dot(e.u[i], du)
			for k := range dz {
				dz[k] = (du[k] - e.u[i][k]*along) / e.norms[i]
			}
		default:
			for k := range dz {
				dz[k] = du[k] / in.NormEps
			}
		}
	}
	return g
}
