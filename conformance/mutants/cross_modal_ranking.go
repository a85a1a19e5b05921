package mutants

import (
	"math"

	"github.com/goldenloss/goldenloss/reference/loss"
)

const (
	diagonalIncluded   = "diagonal included"
	sameDirectionTwice = "second direction with S_ij"
	oneDirection       = "images as anchors alone"
	ownOfRival         = "match of the rival"
	diagonalForgotten  = "no gradient of the match"
	otherImpostors     = "impostors exchanged"
	lastOfTies         = "last of the hardest"
	hardestOfBoth      = "hardest of both directions"
	sumOfSquares       = "hinges squared"
	meanOverPairs      = "mean over B(B-1) always"
	symmetricGradient  = "gradient not transposed"
)

var crossModalRankingFlaws = []flaw{
	{diagonalIncluded, "counts the match itself as a mismatch, which costs the margin"},
	{sameDirectionTwice, "takes S_ij in place of S_ji for the texts as anchors"},
	{oneDirection, "leaves out the direction from texts to images"},
	{ownOfRival, "compares S_ij and S_ji with S_jj in place of S_ii"},
	{diagonalForgotten, "gives the score of the match no gradient"},
	{otherImpostors, "takes the impostor text for the impostor image and the other way round"},
	{lastOfTies, "takes the last of equally hard rivals"},
	{hardestOfBoth, "keeps only the harder of the two directions"},
	{sumOfSquares, "squares the hinges"},
	{meanOverPairs, "divides the mean by the number of mismatched pairs"},
	{symmetricGradient, "takes G for G^T in the gradient of the texts"},
	{activeOnKink, "is active where a hinge is exactly 0"},
	{comparedWithNaN, "asks whether the hinge is positive, which is false for NaN"},
	{meanOfActive, "divides the mean by the number of items that are not 0"},
	{normDetached, "does not differentiate the norms"},
	{epsAdded, "adds norm_eps to the norms instead of taking the larger"},
}

// crossModalRanking leaves embeddings that are not finite alone: it has no answer there, with or without a flaw.
func crossModalRanking(out []float64, grad, in *loss.CrossModalRanking[float64], dOut []float64, flaw string) {
	n := in.Batch()
	s := in.Scores.Data
	var u, v [][]float64
	var nu, nv []float64
	cosine := in.Similarity == "cosine"
	if in.Input == "embeddings" {
		var okImage, okText bool
		u, nu, okImage = units(in.Image, cosine, in.NormEps, flaw)
		v, nv, okText = units(in.Text, cosine, in.NormEps, flaw)
		if !okImage || !okText {
			return
		}
		s = make([]float64, n*n)
		for i := range s {
			s[i] = inner(u[i/n], v[i%n])
		}
	}
	z := float64(n)
	if in.Divisor == "pairs" || flaw == meanOverPairs {
		z = math.Max(1, z*(z-1))
	}
	items, weightOf := make([]float64, n), make([]float64, n)
	type entry struct {
		at, item int
		slope    float64
	}
	var g []entry
	active := 0.0
	for i := range items {
		var texts, images []int
		for j := range n {
			switch {
			case in.Mining == "sampled":
			case j != i || flaw == diagonalIncluded && n > 1:
				texts, images = append(texts, i*n+j), append(images, j*n+i)
			}
		}
		if in.Mining == "sampled" {
			t, m := int(in.ImpostorText.Data[i]), int(in.ImpostorImage.Data[i])
			if flaw == otherImpostors {
				t, m = m, t
			}
			texts, images = []int{i*n + t}, []int{m*n + i}
		}
		if flaw == sameDirectionTwice {
			images = texts
		}
		if flaw == oneDirection {
			images = nil
		}
		uses := append(append([]int{i*n + i}, texts...), images...)
		var hinges [2]float64
		for side, list := range [2][]int{texts, images} {
			if in.Mining == "hardest" && len(list) > 0 {
				best := list[0]
				for _, at := range list {
					if s[at] > s[best] || s[at] != s[at] || s[at] == s[best] && flaw == lastOfTies {
						best = at
					}
				}
				list = list[:0:0]
				list = append(list, best)
			}
			for _, at := range list {
				own := i*n + i
				if rival := at%n + at/n - i; flaw == ownOfRival {
					own = rival*n + rival
				}
				h := in.Margin - s[own] + s[at]
				switch {
				case h != h && flaw != comparedWithNaN:
					hinges[side] = h
				case h > 0 || h == 0 && flaw == activeOnKink:
					slope := 1.0
					if flaw == sumOfSquares {
						h, slope = h*h, 2*h
					}
					hinges[side] += h
					if at == own {
						continue
					}
					g = append(g, entry{at, i, slope})
					if flaw != diagonalForgotten {
						g = append(g, entry{own, i, -slope})
					}
				}
			}
		}
		if items[i] = hinges[0] + hinges[1]; flaw == hardestOfBoth {
			items[i] = math.Max(hinges[0], hinges[1])
		}
		if items[i] > 0 {
			active++
		}
		if items[i] != items[i] {
			for _, at := range uses {
				g = append(g, entry{at, i, math.NaN()})
			}
		}
	}
	if flaw == meanOfActive {
		z = active
	}
	for i := range items {
		weightOf[i] = share(in.Reduction, dOut, i, z)
	}
	G := make([]float64, n*n)
	for _, e := range g {
		G[e.at] += e.slope * weightOf[e.item]
	}
	reduce(out, in.Reduction, items, z)
	if in.Input == "scores" {
		copy(grad.Scores.Data, G)
		return
	}
	du, dv := blank(u), blank(v)
	for at, w := range G {
		i, j := at/n, at%n
		addTo(du[i], w, v[j])
		if flaw == symmetricGradient {
			addTo(dv[i], w, u[j])
		} else {
			addTo(dv[j], w, u[i])
		}
	}
	pullUnits(grad.Image.Data, u, du, nu, cosine, in.NormEps, flaw)
	pullUnits(grad.Text.Data, v, dv, nv, cosine, in.NormEps, flaw)
}
