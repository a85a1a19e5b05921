package optimized

import "github.com/goldenloss/goldenloss/reference/loss"

// Tversky is the Tversky loss. See loss.Tversky.
func Tversky[T loss.Float](out []T, grad, in *loss.Tversky[T], dOut []T) {
	var g *loss.Overlap[T]
	if grad != nil {
		g = &grad.Overlap
	}
	overlap(out, g, &in.Overlap, in.Reduction, overlapForm{double: 1, power: 1, weighted: true, fp: in.AlphaFP, fn: in.BetaFN}, dOut)
}
