package mutants

import (
	"math"

	"github.com/goldenloss/goldenloss/reference/loss"
)

const (
	weightsToOne    = "weights divided by their sum"
	weightsIgnored  = "weights of the default"
	luminanceAlways = "luminance at every scale"
	luminanceNever  = "luminance at no scale"
	channelsFirst   = "mean over channels before the powers"
	poolNotDivided  = "gradient of the pooling not divided by 4"
	copiesDropped   = "gradient of replicated lines dropped"
	finestAlone     = "gradient of the finest scale alone"
	negativePowers  = "negative terms through their absolute value"
	reluDropsNaN    = "NaN taken for a negative term"
	strided         = "pyramid without averaging"
	maxPooled       = "pyramid of maxima"
	floorOfValue    = "negative terms left at a small number"
	lastPowered     = "last term raised once a scale"
	bothAxesPadded  = "both axes padded where one is odd"
)

var msSSIMFlaws = []flaw{
	{onePass, "takes E[x^2] - E[x]^2 for the variance, which cancels for a large offset"},
	{window32, "rounds the Gaussian window to float32"},
	{notNormalized, "does not divide the Gaussian window by its sum but by 2 pi sigma^2"},
	{halfCorrected, "corrects the covariance by k^2/(k^2-1) and not the variances"},
	{weightsToOne, "divides the weights by their sum"},
	{weightsIgnored, "takes the default weights as far as they go"},
	{luminanceAlways, "multiplies the luminance in at every scale"},
	{luminanceNever, "leaves the luminance out"},
	{channelsFirst, "averages the terms over the channels before the powers"},
	{poolNotDivided, "hands the gradient down the pyramid undivided"},
	{copiesDropped, "drops the gradient of replicated lines"},
	{finestAlone, "gives the gradient of the finest scale alone"},
	{negativePowers, "takes powers of absolute values (relu, none)"},
	{floorOfValue, "clamps terms at 1e-6 in place of 0 (relu)"},
	{reluDropsNaN, "takes the larger of a NaN and 0 for 0 (relu)"},
	{lastPowered, "multiplies the coarsest term into each of the others, as jorge-pessoa/pytorch-msssim"},
	{bothAxesPadded, "extends both axes where one is odd, as piq"},
	{strided, "takes every second pixel"},
	{maxPooled, "takes the largest of four pixels"},
	{overChannels, "sums 1 - MS over the channels instead of averaging it"},
}

// picture is one channel at one scale; from says which pixels of the finer scale a pixel is made of, -1 for a zero.
type picture struct {
	h, w int
	x, y []float64
	from [][4]int
}

// coarser is the next scale.
func (p *picture) coarser(oddPad, flaw string) picture {
	axis := func(n int) (pairs [][2]int) {
		var line []int
		for i := range n {
			line = append(line, i)
		}
		if n%2 == 1 || flaw == bothAxesPadded && (p.h+p.w)%2 == 1 {
			switch oddPad {
			case "replicate_end":
				line = append(line, n-1)
			case "replicate_start":
				line = append([]int{0}, line...)
			case "zero_start":
				line = append([]int{-1}, line...)
			}
		}
		for i := 0; i+1 < len(line); i += 2 {
			pairs = append(pairs, [2]int{line[i], line[i+1]})
		}
		return pairs
	}
	rows, cols := axis(p.h), axis(p.w)
	q := picture{h: len(rows), w: len(cols)}
	for _, r := range rows {
		for _, c := range cols {
			at := [4]int{r[0]*p.w + c[0], r[0]*p.w + c[1], r[1]*p.w + c[0], r[1]*p.w + c[1]}
			for k := range at {
				if r[k/2] < 0 || c[k%2] < 0 {
					at[k] = -1
				}
			}
			mean := func(x []float64) float64 {
				sum, top := 0.0, math.Inf(-1)
				for _, u := range at {
					v := 0.0
					if u >= 0 {
						v = x[u]
					}
					sum += v
					top = math.Max(top, v)
				}
				switch {
				case flaw == maxPooled:
					return top
				case flaw == strided && at[3] >= 0:
					return x[at[3]]
				}
				return sum / 4
			}
			q.x, q.y, q.from = append(q.x, mean(p.x)), append(q.y, mean(p.y)), append(q.from, at)
		}
	}
	return q
}

func msSSIM(out []float64, grad, in *loss.MSSSIM[float64], dOut []float64, flaw string) {
	n, channels, h, w := in.Pred.Shape[0], in.Pred.Shape[1], in.Pred.Shape[2], in.Pred.Shape[3]
	k := in.WindowSize
	win := window(&in.Windows, flaw)
	weights := append([]float64{}, loss.MSSSIMWeights...)
	if in.ScaleWeights.Given() && !(flaw == weightsIgnored && len(in.ScaleWeights.Data) <= 5) {
		weights = append([]float64{}, in.ScaleWeights.Data...)
	}
	weights = weights[:in.Scales()]
	if flaw == weightsToOne {
		sum := total(weights)
		for i := range weights {
			weights[i] /= sum
		}
	}
	m := len(weights)
	if flaw == lastPowered && m > 1 {
		weights[m-1] *= float64(m - 1)
	}
	kappa := 1.0
	if in.Covariance == "sample" {
		kappa = float64(k*k) / float64(k*k-1)
	}
	c1, c2 := in.K1*in.DataRange*in.K1*in.DataRange, in.K2*in.DataRange*in.K2*in.DataRange
	// level returns the mean of the map of a scale and its derivatives.
	level := func(p *picture, coarsest bool) (v float64, d []float64) {
		d = make([]float64, len(p.x))
		count := float64((p.h - k + 1) * (p.w - k + 1))
		var maps []float64
		for row := range p.h - k + 1 {
			for col := range p.w - k + 1 {
				at := func(j int) int { return (row+j/k)*p.w + col + j%k }
				var mx, my, xx, yy, xy float64
				for j := range win {
					mx += win[j] * p.x[at(j)]
					my += win[j] * p.y[at(j)]
				}
				for j := range win {
					dx, dy := p.x[at(j)]-mx, p.y[at(j)]-my
					if flaw == onePass {
						dx, dy = p.x[at(j)], p.y[at(j)]
					}
					xx += win[j] * dx * dx
					yy += win[j] * dy * dy
					xy += win[j] * dx * dy
				}
				if flaw == onePass {
					xx, yy, xy = xx-mx*mx, yy-my*my, xy-mx*my
				}
				xx, yy, xy = kappa*xx, kappa*yy, kappa*xy
				if flaw == halfCorrected {
					xx, yy = xx/kappa, yy/kappa
				}
				b1, b2 := mx*mx+my*my+c1, xx+yy+c2
				l, cs := (2*mx*my+c1)/b1, (2*xy+c2)/b2
				gp := cs * (2*my - 2*mx*l) / b1
				if flaw == luminanceNever || flaw != luminanceAlways && !coarsest {
					l, gp = 1, 0
				}
				maps = append(maps, l*cs)
				gxx, gxy := -kappa*l*cs/b2, 2*kappa*l/b2
				for j := range win {
					u := at(j)
					d[u] += win[j] / count * (gp + 2*gxx*(p.x[u]-mx) + gxy*(p.y[u]-my))
				}
			}
		}
		return total(maps) / count, d
	}
	items := make([]float64, n)
	for i := range n {
		terms := make([]float64, channels)
		v, d, scales := make([][]float64, channels), make([][][]float64, channels), make([][]picture, channels)
		for c := range channels {
			from, to := (i*channels+c)*h*w, (i*channels+c+1)*h*w
			p := picture{h: h, w: w, x: in.Pred.Data[from:to], y: in.Target.Data[from:to]}
			for s := range m {
				mean, slopes := level(&p, s == m-1)
				v[c], d[c], scales[c] = append(v[c], mean), append(d[c], slopes), append(scales[c], p)
				if s < m-1 {
					p = p.coarser(in.OddPad, flaw)
				}
			}
		}
		if flaw == channelsFirst {
			for s := range m {
				sum := 0.0
				for c := range channels {
					sum += v[c][s] / float64(channels)
				}
				for c := range channels {
					v[c][s] = sum
				}
			}
		}
		averaged := float64(channels)
		if flaw == overChannels {
			averaged = 1
		}
		grads := make([][]float64, channels)
		for c := range channels {
			product, zero, slope := 1.0, false, 1.0
			f := append([]float64{}, v[c]...)
			for s := range f {
				if flaw == negativePowers && in.Negative != "shift" {
					f[s] = math.Abs(f[s])
				}
				switch {
				case in.Negative == "shift":
					f[s], slope = (f[s]+1)/2, 0.5
				case in.Negative == "none" && f[s] < 0:
					f[s] = math.NaN()
				case in.Negative == "relu" && flaw == floorOfValue && f[s] < 1e-6:
					f[s] = 1e-6
				case in.Negative == "relu" && !(f[s] > 0) && (flaw == reluDropsNaN || f[s] <= 0):
					f[s] = 0
				}
				zero = zero || f[s] == 0
				product *= math.Pow(f[s], weights[s])
			}
			grads[c] = make([]float64, h*w)
			terms[c] = product
			if zero {
				if terms[c] = 0 * product; flaw == reluDropsNaN {
					terms[c] = 0
				}
				continue
			}
			var coarse []float64
			for s := m - 1; s >= 0; s-- {
				g := make([]float64, len(d[c][s]))
				for u := range g {
					g[u] = -share(in.Reduction, dOut, i, float64(n)) / averaged * weights[s] * slope * product / f[s] * d[c][s][u]
				}
				if coarse != nil && flaw != finestAlone {
					for u, of := range scales[c][s+1].from {
						seen := map[int]bool{}
						for _, t := range of {
							if t < 0 || flaw == copiesDropped && seen[t] {
								continue
							}
							seen[t] = true
							if flaw == poolNotDivided {
								g[t] += coarse[u]
							} else {
								g[t] += coarse[u] / 4
							}
						}
					}
				}
				coarse = g
			}
			copy(grads[c], coarse)
		}
		if items[i] = 1 - total(terms)/averaged; flaw == overChannels {
			items[i] = float64(channels) - total(terms)
		}
		for c := range channels {
			g := grad.Pred.Data[(i*channels+c)*h*w:]
			for u, x := range grads[c] {
				if g[u] = x; math.IsNaN(items[i]) {
					g[u] = math.NaN()
				}
			}
		}
	}
	reduce(out, in.Reduction, items, float64(n))
}
