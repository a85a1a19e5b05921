package mutants

import (
	"math"

	"github.com/goldenloss/goldenloss/reference/loss"
)

const (
	reconAllPixels  = "mean over all pixels"
	reconPerImage   = "mean of the ratios of the images"
	reconChannels   = "denominator without channels"
	reconOwnMeans   = "hole and valid averaged over themselves"
	reconTimes      = "coefficient times NaN"
	reconBiased     = "variance divided by P"
	reconEpsOutside = "norm_eps added to the deviation"
	reconOnePass    = "variance in one pass"
	reconPatchSum   = "patches summed"
	reconTie        = "sign of zero is one"
	reconRemoved    = "context encoder divided by the mask"
	reconHalf       = "gradient of half the square"
	reconZero       = "gradient over a denominator of zero"
	reconNotScaled  = "patches centered and not scaled"
	reconFullMask   = "mask of the first channel for all"
)

var reconstructionFlaws = []flaw{
	{reconAllPixels, "divides a masked or weighted mean by the number of all elements or patches"},
	{reconPerImage, "averages over the images what is divided by the mask or weight of each"},
	{reconChannels, "does not count a mask or weight of one channel for every channel"},
	{reconOwnMeans, "divides the hole by the number of its elements and the valid part by that of its own"},
	{reconTimes, "multiplies by a coefficient of 0 in place of leaving out"},
	{reconBiased, "divides the variance of a patch by P"},
	{reconEpsOutside, "adds norm_eps to the standard deviation"},
	{reconOnePass, "takes the mean of squares minus the square of the mean for the variance"},
	{reconPatchSum, "sums over a patch in place of averaging"},
	{reconTie, "gives the absolute error the slope 1 at the origin"},
	{reconRemoved, "divides context_encoder by the number of removed elements"},
	{reconHalf, "gives the gradient of half the squared error"},
	{reconZero, "divides the gradient by a denominator of 0"},
	{reconNotScaled, "subtracts the mean of a patch and does not divide"},
	{reconFullMask, "takes the first channel of a mask or weight of many"},
}

func reconstruction(out []float64, grad, in *loss.Reconstruction[float64], dOut []float64, flaw string) {
	power := in.Power()
	point := func(coef, e float64) (l, d float64) {
		if coef == 0 && flaw != reconTimes {
			return 0, 0
		}
		l, d = e*e, 2*e
		if power == 1 {
			l, d = math.Abs(e), sign(e)
			if flaw == reconTie && e == 0 {
				d = 1
			}
		} else if flaw == reconHalf {
			d = e
		}
		return coef * l, coef * d
	}
	samples := in.Pred.Shape[0]
	var items, coefs []float64
	z := float64(len(in.Pred.Data))
	slopes := make([]float64, len(in.Pred.Data))
	switch in.Variant {
	case "mae":
		p := in.Pred.Shape[2]
		for i, m := range in.Mask.Data {
			coef := 0.0
			if m {
				coef = 1
			}
			coefs = append(coefs, coef)
			t := in.Target.Data[i*p:][:p]
			if in.NormPix {
				t = normalizedPatch(t, in.NormEps, flaw)
			}
			var terms []float64
			size := float64(p)
			if flaw == reconPatchSum {
				size = 1
			}
			for k := range p {
				l, d := point(coef, in.Pred.Data[i*p+k]-t[k])
				terms = append(terms, l)
				slopes[i*p+k] = d / size
			}
			l := total(terms) / size
			if l != l {
				for k := range p {
					slopes[i*p+k] = l
				}
			}
			items = append(items, l)
		}
		z = total(coefs)
		if flaw == reconAllPixels {
			z = float64(len(coefs))
		}
	default:
		c, plane := in.Pred.Shape[1], loss.Size(in.Pred.Shape[2:])
		for i := range in.Pred.Data {
			at := func(channels int) int {
				ch := i / plane % c % channels
				if flaw == reconFullMask {
					ch = 0
				}
				return (i/(c*plane)*channels+ch)*plane + i%plane
			}
			coef := 1.0
			switch in.Variant {
			case "masked_mean", "context_encoder":
				if !in.Mask.Data[at(in.Mask.Shape[1])] {
					coef = 0
				}
			case "weighted_mean":
				coef = in.Weight.Data[at(in.Weight.Shape[1])]
			case "hole_valid":
				coef = in.LambdaHole
				if in.Mask.Data[at(in.Mask.Shape[1])] {
					coef = in.LambdaValid
				}
			}
			l, d := point(coef, in.Pred.Data[i]-in.Target.Data[i])
			items, coefs, slopes[i] = append(items, l), append(coefs, coef), d
		}
		switch in.Variant {
		case "masked_mean", "weighted_mean":
			z = total(coefs)
			if shape := append(in.Mask.Shape, in.Weight.Shape...); flaw == reconChannels && shape[1] == 1 {
				z /= float64(c)
			}
			if flaw == reconAllPixels {
				z = float64(len(coefs))
			}
		case "context_encoder":
			size := c * plane
			var sums []float64
			for n := range samples {
				s := total(items[n*size:][:size])
				sums = append(sums, s)
				for i := n * size; s != s && i < (n+1)*size; i++ {
					if coefs[i] != 0 {
						slopes[i] = s
					}
				}
			}
			items, z = sums, float64(samples)
			if flaw == reconRemoved {
				z = total(coefs)
			}
		case "hole_valid":
			if flaw == reconOwnMeans && in.Reduction == loss.Mean {
				valid := 0.0
				for i := range items {
					if in.Mask.Data[(i/(c*plane)*in.Mask.Shape[1]+i/plane%c%in.Mask.Shape[1])*plane+i%plane] {
						valid++
					}
				}
				for i := range items {
					n := z - valid
					if in.Mask.Data[(i/(c*plane)*in.Mask.Shape[1]+i/plane%c%in.Mask.Shape[1])*plane+i%plane] {
						n = valid
					}
					items[i], slopes[i] = items[i]/n*z, slopes[i]/n*z
				}
			}
		}
	}
	if flaw == reconPerImage && in.Reduction == loss.Mean && (in.Variant == "masked_mean" || in.Variant == "weighted_mean" || in.Variant == "mae") {
		each, wide := len(items)/max(samples, 1), len(slopes)/max(samples, 1)
		for n := range samples {
			own := total(coefs[n*each:][:each])
			for i := n * each; i < (n+1)*each; i++ {
				items[i] *= z / own
			}
			for i := n * wide; i < (n+1)*wide; i++ {
				slopes[i] *= z / own
			}
		}
		z *= float64(samples)
	}
	for i, d := range slopes {
		if d != 0 || flaw == reconZero {
			d *= share(in.Reduction, dOut, i*len(items)/len(slopes), z)
		}
		grad.Pred.Data[i] = d
		if grad.Target.Data != nil {
			grad.Target.Data[i] = -d
		}
	}
	reduce(out, in.Reduction, items, z)
}

func normalizedPatch(t []float64, eps float64, flaw string) []float64 {
	d := make([]float64, len(t))
	squares := make([]float64, len(t))
	for k := range t {
		d[k] = t[k] - t[0]
	}
	mean := total(d) / float64(len(t))
	for k := range d {
		d[k] -= mean
		squares[k] = d[k] * d[k]
		if flaw == reconOnePass {
			squares[k] = t[k] * t[k]
		}
	}
	n := float64(len(t) - 1)
	variance := total(squares) / n
	switch flaw {
	case reconOnePass:
		mu := total(t) / float64(len(t))
		variance -= mu * mu * float64(len(t)) / n
	case reconBiased:
		variance = total(squares) / float64(len(t))
	}
	root := math.Sqrt(variance + eps)
	switch flaw {
	case reconEpsOutside:
		root = math.Sqrt(variance) + eps
	case reconNotScaled:
		root = 1
	}
	for k := range d {
		d[k] /= root
	}
	return d
}
