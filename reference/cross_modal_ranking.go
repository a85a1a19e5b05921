package reference

import (
	"math"

	"github.com/goldenloss/goldenloss/reference/loss"
)

// crossModal holds the scores of all pairs, and with input embeddings the normalized rows.
type crossModal struct {
	in          *loss.CrossModalRanking[float64]
	n           int
	image, text *unitRows
	s           []float64 // [B, B]
}

func newCrossModal(in *loss.CrossModalRanking[float64]) *crossModal {
	m := &crossModal{in: in, n: in.Batch(), s: in.Scores.Data}
	if in.Input == "scores" {
		return m
	}
	cosine := in.Similarity == "cosine"
	m.image, m.text = newUnitRows(in.Image, cosine, in.NormEps), newUnitRows(in.Text, cosine, in.NormEps)
	m.s = make([]float64, m.n*m.n)
	for i, u := range m.image.u {
		for j, v := range m.text.u {
			m.s[i*m.n+j] = dot(u, v)
			if cosine && !(m.image.finite[i] && m.text.finite[j]) {
				m.s[i*m.n+j] = math.NaN()
			}
		}
	}
	return m
}

// rivals returns where in the scores the rivals of pair i stand: image i with other texts, text i with other images.
func (m *crossModal) rivals(i int) (texts, images []int) {
	if m.in.Mining == "sampled" {
		return []int{i*m.n + int(m.in.ImpostorText.Data[i])}, []int{int(m.in.ImpostorImage.Data[i])*m.n + i}
	}
	for j := range m.n {
		if j != i {
			texts, images = append(texts, i*m.n+j), append(images, j*m.n+i)
		}
	}
	return texts, images
}

// hinges returns the item of pair i and where the rivals stand whose hinges are positive.
func (m *crossModal) hinges(i int) (item float64, active []int) {
	var sum accumulator
	texts, images := m.rivals(i)
	for _, rivals := range [][]int{texts, images} {
		if m.in.Mining == "hardest" && len(rivals) > 0 {
			best := rivals[0]
			for _, at := range rivals {
				if m.s[at] > m.s[best] || math.IsNaN(m.s[at]) {
					best = at
				}
			}
			rivals = []int{best}
		}
		for _, at := range rivals {
			h := math.Max(0, m.in.Margin-m.s[i*m.n+i]+m.s[at])
			sum.add(h)
			if h > 0 {
				active = append(active, at)
			}
		}
	}
	return sum.value(), active
}

func (m *crossModal) divisor() float64 {
	if m.in.Divisor == "pairs" {
		return math.Max(1, float64(m.n*(m.n-1)))
	}
	return float64(m.n)
}

// CrossModalRanking is the value of the bidirectional ranking loss.
func CrossModalRanking(in *loss.CrossModalRanking[float64]) []float64 {
	m := newCrossModal(in)
	items := make([]float64, m.n)
	for i := range items {
		items[i], _ = m.hinges(i)
	}
	return reduce(in.Reduction, items, m.divisor())
}

// CrossModalRankingGrad is its vector-Jacobian product: G by the scores, then du = G v and dv = G^T u by the rows.
func CrossModalRankingGrad(in *loss.CrossModalRanking[float64], dOut []float64) *loss.CrossModalRanking[float64] {
	m := newCrossModal(in)
	c := itemWeights(in.Reduction, m.n, m.divisor(), dOut)
	sums, lost := make([]accumulator, m.n*m.n), make([]bool, m.n*m.n)
	for i := range m.n {
		item, active := m.hinges(i)
		if math.IsNaN(item) {
			texts, images := m.rivals(i)
			for _, at := range append(append(texts, images...), i*m.n+i) {
				lost[at] = true
			}
		}
		for _, at := range active {
			sums[at].add(c[i])
			sums[i*m.n+i].add(-c[i])
		}
	}
	if in.Input == "scores" {
		g := &loss.CrossModalRanking[float64]{Input: in.Input, Scores: zeros(in.Scores)}
		for at := range sums {
			if g.Scores.Data[at] = sums[at].value(); lost[at] {
				g.Scores.Data[at] = math.NaN()
			}
		}
		return g
	}
	g := &loss.CrossModalRanking[float64]{Image: zeros(in.Image), Text: zeros(in.Text)}
	if m.n == 1 { // no rivals, whatever the rows hold
		return g
	}
	du, dv := m.image.sums(), m.text.sums()
	for at := range sums {
		if w := sums[at].value(); w != 0 {
			addScaled(du[at/m.n], w, m.text.u[at%m.n])
			addScaled(dv[at%m.n], w, m.image.u[at/m.n])
		}
	}
	m.image.pull(du, g.Image.Data)
	m.text.pull(dv, g.Text.Data)
	dims := in.Image.Shape[1]
	for at := range lost {
		if lost[at] {
			i, j := at/m.n, at%m.n
			fillNaN(g.Image.Data[i*dims : (i+1)*dims])
			fillNaN(g.Text.Data[j*dims : (j+1)*dims])
		}
	}
	return g
}
