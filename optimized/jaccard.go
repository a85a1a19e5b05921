package optimized

import "github.com/goldenloss/goldenloss/reference/loss"

// Jaccard is the soft Jaccard loss. See loss.Jaccard.
func Jaccard[T loss.Float](out []T, grad, in *loss.Jaccard[T], dOut []T) {
	var g *loss.Overlap[T]
	if grad != nil {
		g = &grad.Overlap
	}
	overlap(out, g, &in.Overlap, in.Reduction, overlapForm{double: 1, power: in.Power, fp: 1, fn: 1}, dOut)
}
