package reference

import "github.com/goldenloss/goldenloss/reference/loss"

// diceRatio is 2I/(2I + F), both smoothed.
func diceRatio(in *loss.Dice[float64]) ratio {
	return ratio{
		sums: func(list []entry) (num, den, x float64) {
			i, f := sizes(&in.Overlap, in.Power, list)
			return 2*i + in.SmoothNr, 2*i + f + in.SmoothDr, f + (in.SmoothDr - in.SmoothNr)
		},
		slopes: func(e entry) (dNum, dX float64) {
			dI, dF := sizeSlopes(&in.Overlap, in.Power, e)
			return 2 * dI, dF
		},
	}
}

// Dice is the value of the soft Dice loss.
func Dice(in *loss.Dice[float64]) []float64 {
	return newOverlap(&in.Overlap).value(in.Reduction, diceRatio(in))
}

// DiceGrad is its vector-Jacobian product.
func DiceGrad(in *loss.Dice[float64], dOut []float64) *loss.Dice[float64] {
	return &loss.Dice[float64]{Overlap: newOverlap(&in.Overlap).grad(in.Reduction, diceRatio(in), dOut)}
}
