package mutants

import (
	"math"

	"github.com/goldenloss/goldenloss/reference/loss"
)

const (
	onePass         = "one-pass moments"
	window32        = "window in float32"
	notNormalized   = "window not normalized"
	borderDropped   = "border not folded back"
	halfCorrected   = "variances not corrected"
	meansDetached   = "luminance without gradient"
	clamped         = "similarity clamped to [0, 1]"
	positiveMoments = "negative covariance clamped"
	overChannels    = "summed over channels"
)

var ssimFlaws = []flaw{
	{onePass, "takes E[x^2] - E[x]^2 for the variance, which cancels for a large offset"},
	{window32, "rounds the Gaussian window to float32"},
	{notNormalized, "does not divide the Gaussian window by its sum but by 2 pi sigma^2"},
	{borderDropped, "drops the gradient of padded pixels instead of adding it to the pixels that they copy"},
	{halfCorrected, "corrects the covariance by k^2/(k^2-1) and not the variances"},
	{meansDetached, "does not differentiate the luminance term"},
	{clamped, "clamps the similarity of a sample to [0, 1]"},
	{positiveMoments, "clamps the covariance at 0"},
	{overChannels, "sums 1 - S over the channels instead of averaging it"},
}

func ssim(out []float64, grad, in *loss.SSIM[float64], dOut []float64, flaw string) {
	n, channels, height, width := in.Pred.Shape[0], in.Pred.Shape[1], in.Pred.Shape[2], in.Pred.Shape[3]
	k := in.WindowSize
	r := (k - 1) / 2
	w := window(&in.Windows, flaw)
	rows, cols, shift := height, width, r
	if in.Padding == "valid" {
		rows, cols, shift = height-k+1, width-k+1, 0
	}
	// source is the pixel that a padded position copies, -1 for none.
	source := func(i, size int) int {
		if 0 <= i && i < size {
			return i
		}
		switch in.Padding {
		case "reflect":
			if i < 0 {
				return -i
			}
			return 2*size - 2 - i
		case "symmetric":
			if i < 0 {
				return -i - 1
			}
			return 2*size - 1 - i
		}
		return -1
	}
	kappa := 1.0
	if in.Covariance == "sample" {
		kappa = float64(k*k) / float64(k*k-1)
	}
	c1, c2 := in.K1*in.DataRange*in.K1*in.DataRange, in.K2*in.DataRange*in.K2*in.DataRange
	averaged := float64(channels)
	if flaw == overChannels {
		averaged = 1
	}
	windows := float64(rows * cols)
	half := 1.0
	if in.Form == "half" {
		half = 0.5
	}
	items := make([]float64, n)
	at := make([]int, k*k)
	outside := make([]bool, k*k)
	for i := range n {
		a := -half * share(in.Reduction, dOut, i, float64(n)) / (averaged * windows)
		var deviations []float64 // 1 - l cs of each window
		for c := range channels {
			base := (i*channels + c) * height * width
			x, y := in.Pred.Data[base:base+height*width], in.Target.Data[base:base+height*width]
			g := grad.Pred.Data[base : base+height*width]
			for row := range rows {
				for col := range cols {
					for j := range k * k {
						u, v := row-shift+j/k, col-shift+j%k
						su, sv := source(u, height), source(v, width)
						at[j], outside[j] = -1, u != su || v != sv
						if su >= 0 && sv >= 0 {
							at[j] = su*width + sv
						}
					}
					get := func(data []float64, j int) float64 {
						if at[j] < 0 {
							return 0
						}
						return data[at[j]]
					}
					var p, q, xx, yy, xy float64
					for j := range w {
						p += w[j] * get(x, j)
						q += w[j] * get(y, j)
					}
					for j := range w {
						dx, dy := get(x, j)-p, get(y, j)-q
						if flaw == onePass {
							dx, dy = get(x, j), get(y, j)
						}
						xx += w[j] * dx * dx
						yy += w[j] * dy * dy
						xy += w[j] * dx * dy
					}
					if flaw == onePass {
						xx, yy, xy = xx-p*p, yy-q*q, xy-p*q
					}
					xx, yy, xy = kappa*xx, kappa*yy, kappa*xy
					if flaw == halfCorrected {
						xx, yy = xx/kappa, yy/kappa
					}
					if flaw == positiveMoments && xy < 0 {
						xy = 0
					}
					b1, b2 := p*p+q*q+c1, xx+yy+c2
					l, cs := (2*p*q+c1)/b1, (2*xy+c2)/b2
					// 1 - l cs without cancellation: 1 - l and 1 - cs are quotients of sums of squares.
					var square float64
					for j := range w {
						e := (get(x, j) - p) - (get(y, j) - q)
						square += w[j] * e * e
					}
					lost := (b2 - 2*xy - c2) / b2
					if flaw != onePass && flaw != halfCorrected && flaw != positiveMoments {
						lost = kappa * square / b2
					}
					deviations = append(deviations, (p-q)*(p-q)/b1+l*lost)
					gp := a * cs * (2*q - 2*p*l) / b1
					if flaw == meansDetached {
						gp = 0
					}
					gxx, gxy := -a*kappa*l*cs/b2, 2*a*kappa*l/b2
					for j := range w {
						if at[j] >= 0 && !(outside[j] && flaw == borderDropped) {
							g[at[j]] += w[j] * (gp + 2*gxx*(get(x, j)-p) + gxy*(get(y, j)-q))
						}
					}
				}
			}
		}
		items[i] = total(deviations) / (averaged * windows)
		if flaw == clamped {
			items[i] = math.Min(items[i], 1)
		}
		items[i] *= half
	}
	reduce(out, in.Reduction, items, float64(n))
}

func window(in *loss.Windows, flaw string) []float64 {
	k := in.WindowSize
	g := make([]float64, k)
	sum := 0.0
	for i := range g {
		d := float64(i - (k-1)/2)
		g[i] = 1
		if in.Window == "gaussian" {
			g[i] = math.Exp(-d * d / (2 * in.Sigma * in.Sigma))
		}
		sum += g[i]
	}
	if flaw == notNormalized && in.Window == "gaussian" {
		sum = math.Sqrt(2*math.Pi) * in.Sigma
	}
	w := make([]float64, k*k)
	for i := range w {
		w[i] = g[i/k] / sum * (g[i%k] / sum)
		if flaw == window32 && in.Window == "gaussian" {
			w[i] = round(g[i/k]/sum) * round(g[i%k]/sum)
		}
	}
	return w
}
