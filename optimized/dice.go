package optimized

import "github.com/goldenloss/goldenloss/reference/loss"

// Dice is the soft Dice loss. See loss.Dice.
func Dice[T loss.Float](out []T, grad, in *loss.Dice[T], dOut []T) {
	var g *loss.Overlap[T]
	if grad != nil {
		g = &grad.Overlap
	}
	overlap(out, g, &in.Overlap, in.Reduction, overlapForm{double: 2, power: in.Power, fp: 1, fn: 1}, dOut)
}
