package optimized

import (
	"math"

	"github.com/goldenloss/goldenloss/reference/loss"
)

// ntRows is the number of rows of the similarity matrix that a chunk covers.
const ntRows = 8

type ntXentTask[T loss.Float] struct {
	in                 *loss.NTXent[T]
	z, out, g          []T
	rows, dims         int
	u                  []float64 // normalized rows
	norm               []float64
	top, total, miss   []float64 // of the negatives of a row: largest, 1 + sum of the other exponentials; 1 - P_ip times the weight
	items, rowsScratch []float64
	w                  weights[T]
	phase              int
	bad                bool
}

// NTXent is the normalized temperature-scaled cross-entropy. The similarity matrix is computed row by row and never stored. See
// loss.NTXent.
func NTXent[T loss.Float](out []T, grad, in *loss.NTXent[T], dOut []T) {
	k := take[ntXentTask[T]]()
	k.in, k.z, k.rows, k.dims = in, in.Z.Data, in.Z.Shape[0], in.Z.Shape[1]
	if in.Reduction == loss.None {
		k.out = out
	}
	if grad != nil {
		k.g = grad.Z.Data
	}
	k.w = newWeights(in.Reduction, dOut, float64(k.rows))
	k.u = grown(k.u, k.rows*k.dims)
	k.norm, k.items = grown(k.norm, k.rows), grown(k.items, k.rows)
	k.top, k.total, k.miss = grown(k.top, k.rows), grown(k.total, k.rows), grown(k.miss, k.rows)
	chunks := ceilDiv(k.rows, ntRows)
	k.rowsScratch = grown(k.rowsScratch, chunks*(k.rows+k.dims))
	k.normalize()
	if k.bad {
		for i := range k.items {
			k.items[i] = math.NaN()
		}
		for i := range k.g {
			k.g[i] = T(math.NaN())
		}
	} else {
		k.phase = 0
		each(chunks, k)
		if k.g != nil {
			k.phase = 1
			each(chunks, k)
		}
	}
	if k.out != nil {
		for i, v := range k.items {
			k.out[i] = T(v)
		}
	}
	finish(out, in.Reduction, k.items, float64(k.rows))
	k.in, k.z, k.out, k.g, k.w = nil, nil, nil, nil, weights[T]{}
	give(k)
}

func (k *ntXentTask[T]) normalize() {
	k.bad = false
	for i := range k.rows {
		z, u := k.z[i*k.dims:(i+1)*k.dims], k.u[i*k.dims:(i+1)*k.dims]
		top := 0.0
		for _, v := range z {
			f := math.Abs(float64(v))
			if !(f <= math.MaxFloat64) {
				k.bad = true
				return
			}
			top = max(top, f)
		}
		unit := 1.0
		if top > 0x1p500 || top < 0x1p-500 && top > 0 { // squares leave the range
			_, e := math.Frexp(top)
			unit = math.Ldexp(1, -min(e, 1000))
		}
		s := 0.0
		for j, v := range z {
			u[j] = float64(v) * unit
			s += u[j] * u[j]
		}
		k.norm[i] = math.Sqrt(s) / unit
		by := unit
		if k.in.Normalize {
			by = math.Max(k.norm[i], k.in.NormEps) * unit
		}
		for j := range u {
			u[j] /= by
		}
	}
}

func (k *ntXentTask[T]) pair(i int) int {
	if k.in.Pairing == "interleaved" {
		return i ^ 1
	}
	if i < k.rows/2 {
		return i + k.rows/2
	}
	return i - k.rows/2
}

// similar fills s with row i of the similarity matrix.
func (k *ntXentTask[T]) similar(i int, s []float64) {
	a := k.u[i*k.dims : (i+1)*k.dims]
	for j := range s {
		b := k.u[j*k.dims:][:len(a)]
		var s0, s1, s2, s3 float64
		d := 0
		for ; d+4 <= len(a); d += 4 {
			s0 += a[d] * b[d]
			s1 += a[d+1] * b[d+1]
			s2 += a[d+2] * b[d+2]
			s3 += a[d+3] * b[d+3]
		}
		for ; d < len(a); d++ {
			s0 += a[d] * b[d]
		}
		s[j] = ((s0 + s1) + (s2 + s3)) / k.in.Temperature
	}
}

func (k *ntXentTask[T]) run(chunk int) {
	scratch := k.rowsScratch[chunk*(k.rows+k.dims) : (chunk+1)*(k.rows+k.dims)]
	s, du := scratch[:k.rows], scratch[k.rows:]
	for i := chunk * ntRows; i < min((chunk+1)*ntRows, k.rows); i++ {
		k.similar(i, s)
		if k.phase == 0 {
			k.forward(i, s)
		} else {
			k.backward(i, s, du)
		}
	}
}

// forward is softplus(LSE of the negatives - S_ip).
func (k *ntXentTask[T]) forward(i int, s []float64) {
	p := k.pair(i)
	if k.rows == 2 {
		k.items[i], k.miss[i] = 0, 0
		return
	}
	top, at := math.Inf(-1), -1
	for j, v := range s {
		if j != i && j != p && v > top {
			top, at = v, j
		}
	}
	rest, low := 0.0, 0.0
	for j, v := range s {
		if j != i && j != p && j != at {
			low += math.Exp(v - top)
		}
		if j%64 == 63 {
			rest, low = rest+low, 0
		}
	}
	rest += low
	gap := (top - s[p]) + math.Log1p(rest)
	q := math.Exp(-math.Abs(gap))
	k.items[i] = math.Max(gap, 0) + math.Log1p(q)
	k.top[i], k.total[i] = top, 1+rest
	if k.g != nil {
		k.miss[i] = k.w.at(i) / (1 + q)
		if gap < 0 {
			k.miss[i] *= q
		}
	}
}

// backward is du_i = sum over j of (G_ij + G_ji) u_j / temperature, then back through the normalization.
func (k *ntXentTask[T]) backward(i int, s, du []float64) {
	clear(du)
	p := k.pair(i)
	for j, v := range s {
		if j == i {
			continue
		}
		a := 0.0
		if j == p {
			a = -k.miss[i] - k.miss[j]
		} else {
			a = k.miss[i]*(math.Exp(v-k.top[i])/k.total[i]) + k.miss[j]*(math.Exp(v-k.top[j])/k.total[j])
		}
		for d, u := range k.u[j*k.dims : (j+1)*k.dims] {
			du[d] += a * u
		}
	}
	g := k.g[i*k.dims : (i+1)*k.dims]
	for d := range du {
		du[d] /= k.in.Temperature
	}
	switch {
	case !k.in.Normalize:
		for d, v := range du {
			g[d] = T(v)
		}
	case k.norm[i] > k.in.NormEps:
		u := k.u[i*k.dims : (i+1)*k.dims]
		along := 0.0
		for d, v := range du {
			along += v * u[d]
		}
		for d, v := range du {
			g[d] = T((v - along*u[d]) / k.norm[i])
		}
	default:
		for d, v := range du {
			g[d] = T(v / k.in.NormEps)
		}
	}
}
