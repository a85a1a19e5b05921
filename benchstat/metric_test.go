package main

import (
	"math"
	"math/rand/v2"

	"github.com/goldenloss/goldenloss/reference/loss"
)

func ntXent(rows, dims int) func(*rand.Rand) loss.Problem[float64] {
	return func(r *rand.Rand) loss.Problem[float64] {
		p := loss.New[float64, loss.NTXent[float64]]()
		p.Temperature = 0.1
		p.Z = tensor(r, normal(r, 0, 1), rows, dims)
		for i := range rows / 2 * dims { // views of one image are near each other
			p.Z.Data[rows/2*dims+i] = p.Z.Data[i] + 0.5*r.NormFloat64()
		}
		return p
	}
}

// views draws rows of unit length and, near each, a second view.
func views(r *rand.Rand, rows, dims int) (first, second loss.Tensor[float64]) {
	first, second = loss.Make[float64](rows, dims), loss.Make[float64](rows, dims)
	for i := range rows {
		a, b := first.Data[i*dims:(i+1)*dims], second.Data[i*dims:(i+1)*dims]
		for k := range a {
			a[k] = r.NormFloat64()
			b[k] = a[k] + 0.6*r.NormFloat64()
		}
		for _, x := range [][]float64{a, b} {
			s := 0.0
			for _, v := range x {
				s += v * v
			}
			for k := range x {
				x[k] /= math.Sqrt(s)
			}
		}
	}
	return first, second
}

func contrastive(rows, dims int) func(*rand.Rand) loss.Problem[float64] {
	return func(r *rand.Rand) loss.Problem[float64] {
		p := loss.New[float64, loss.Contrastive[float64]]()
		p.X1, p.X2 = views(r, rows, dims)
		p.Y = loss.Make[bool](rows)
		for i := range rows {
			p.Y.Data[i] = r.IntN(2) == 0
		}
		return p
	}
}

// infoNCE takes its negatives from a queue of unit rows, or with queue 0 from the batch.
func infoNCE(rows, queue, dims int) func(*rand.Rand) loss.Problem[float64] {
	return func(r *rand.Rand) loss.Problem[float64] {
		p := loss.New[float64, loss.InfoNCE[float64]]()
		p.Query, p.Key = views(r, rows, dims)
		if queue == 0 {
			p.Negatives = "in_batch"
		} else {
			p.Queue, _ = views(r, queue, dims)
		}
		return p
	}
}

func triplet(rows, dims int) func(*rand.Rand) loss.Problem[float64] {
	return func(r *rand.Rand) loss.Problem[float64] {
		p := loss.New[float64, loss.Triplet[float64]]()
		p.Margin = 0.3
		p.Anchor, p.Positive = views(r, rows, dims)
		_, p.Negative = views(r, rows, dims)
		return p
	}
}

func marginRanking(n int) func(*rand.Rand) loss.Problem[float64] {
	return func(r *rand.Rand) loss.Problem[float64] {
		p := loss.New[float64, loss.MarginRanking[float64]]()
		p.Margin = 0.1
		p.X1, p.X2 = tensor(r, normal(r, 0, 1), n), tensor(r, normal(r, 0, 1), n)
		p.Y = tensor(r, func() float64 { return float64(2*r.IntN(2) - 1) }, n)
		return p
	}
}

// crossModalRanking ranks embeddings, or with dims 0 a matrix of scores.
func crossModalRanking(mining string, pairs, dims int) func(*rand.Rand) loss.Problem[float64] {
	return func(r *rand.Rand) loss.Problem[float64] {
		p := loss.New[float64, loss.CrossModalRanking[float64]]()
		p.Mining = mining
		if dims > 0 {
			p.Image, p.Text = views(r, pairs, dims)
			return p
		}
		p.Input, p.Margin = "scores", 1
		p.Scores = tensor(r, normal(r, 0, 1), pairs, pairs)
		for i := range pairs {
			p.Scores.Data[i*pairs+i] += 2
		}
		return p
	}
}

// attentionRanking compares softmax rows, one entry of which stands out, with the same in 6 bits.
func attentionRanking(shape ...int) func(*rand.Rand) loss.Problem[float64] {
	return func(r *rand.Rand) loss.Problem[float64] {
		p := loss.New[float64, loss.AttentionRanking[float64]]()
		p.Target, p.Pred = loss.Make[float64](shape...), loss.Make[float64](shape...)
		w := shape[3]
		for lo := 0; lo < len(p.Target.Data); lo += w {
			row, sum, top := p.Target.Data[lo:lo+w], 0.0, 0.0
			for j := range row {
				row[j] = math.Exp(1.5 * r.NormFloat64())
				if j == 0 {
					row[j] *= 20
				}
				sum += row[j]
			}
			for j := range row {
				row[j] /= sum
				top = max(top, row[j])
			}
			for j, x := range row {
				p.Pred.Data[lo+j] = math.Round(63*x/top) * top / 63
			}
		}
		return p
	}
}
