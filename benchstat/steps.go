package main

import (
	"math"
	"math/rand/v2"
	"slices"

	"gonum.org/v1/gonum/stat"
	"gonum.org/v1/gonum/stat/distuv"
)

// step is a change point: from its index on a series runs at another level.
type step struct {
	At     int     // index of the first point of the new level
	Ratio  float64 // of the levels, after over before
	P      float64
	Same   bool // the machine code is that of the point before: the machine changed, not the loss
	Better bool
}

const (
	stepP      = 0.001 // a step must be this sure
	weakP      = 10 * stepP
	stepLeast  = 0.02 // and at least this large
	stepWindow = 50   // points at a time: what is far away says little about a level
	levelLeast = 2    // points of a level: a single commit is no level
)

// findSteps fills in the change points of a series: divisive by energy statistics (Matteson and James 2014), accepted by a
// permutation test, then merged from the bottom while some neighboring levels do not differ for sure, as Otava does. It is deterministic.
func (s *series) findSteps() {
	x := make([]float64, len(s.Points))
	for i, p := range s.Points {
		x[i] = p.Center
	}
	s.Steps = nil
	for _, at := range changePoints(x) {
		before, after := levels(x, changePoints(x), at)
		r := quotient(stat.Mean(after, nil), stat.Mean(before, nil))
		s.Steps = append(s.Steps, step{at, r, different(before, after), s.Points[at].Code != "" && s.Points[at].Code == s.Points[at-1].Code, (r > 1) == (s.Better > 0)})
	}
}

// changePoints returns the indices at which levels begin, without 0.
func changePoints(x []float64) []int {
	var points []int
	for from := 0; ; from += stepWindow / 2 {
		to := min(from+stepWindow, len(x))
		for _, at := range split(x[from:to], from) {
			if !slices.ContainsFunc(points, func(p int) bool { return abs(p-at) < levelLeast }) {
				points = append(points, at)
			}
		}
		if to == len(x) {
			break
		}
	}
	slices.Sort(points)
	for len(points) > 0 {
		worst, at := 0.0, -1
		for i, p := range points {
			before, after := levels(x, points, p)
			score := different(before, after)
			if a, b := stat.Mean(before, nil), stat.Mean(after, nil); math.Abs(math.Log(quotient(b, a))) < math.Log1p(stepLeast) {
				score = 1
			}
			if score >= worst {
				worst, at = score, i
			}
		}
		if worst < stepP {
			break
		}
		points = slices.Delete(points, at, at+1)
	}
	return points
}

func abs(i int) int { return max(i, -i) }

// levels returns the points between the neighbors of a change point, before and after it.
func levels(x []float64, points []int, at int) (before, after []float64) {
	i, _ := slices.BinarySearch(points, at)
	lo, hi := 0, len(x)
	if i > 0 {
		lo = points[i-1]
	}
	if i+1 < len(points) {
		hi = points[i+1]
	}
	return x[lo:at], x[at:hi]
}

// split divides at the point where the two sides are farthest apart, as long as the best division of shuffled points is rarely as
// good: that test, unlike one of the two sides, knows that the point was chosen.
func split(x []float64, offset int) []int {
	best, at := farthest(x)
	if at < 0 || different(x[:at], x[at:]) > weakP || !rare(x, best, at) {
		return nil
	}
	return slices.Concat(split(x[:at], offset), []int{offset + at}, split(x[at:], offset+at))
}

const shuffles = 1999

func rare(x []float64, best float64, at int) bool {
	if stat.Variance(x[:at], nil) == 0 && stat.Variance(x[at:], nil) == 0 {
		return true // two exact levels
	}
	r := rand.New(rand.NewPCG(uint64(len(x)), 1))
	y := slices.Clone(x)
	for k, as := 0, 0; k < shuffles; k++ {
		r.Shuffle(len(y), func(i, j int) { y[i], y[j] = y[j], y[i] })
		if e, _ := farthest(y); e >= best {
			if as++; float64(as+1) > stepP*(shuffles+1) {
				return false
			}
		}
	}
	return true
}

// farthest returns the largest scaled energy distance of a beginning from the rest, and where the rest begins.
func farthest(x []float64) (best float64, at int) {
	n := len(x)
	at = -1
	// Sums of |x_i - x_j| within the beginning, across, and within the rest, as the border moves.
	var within, across, rest float64
	for i := range n {
		for j := range i {
			rest += math.Abs(x[i] - x[j])
		}
	}
	for i := range n - levelLeast {
		var left, right float64
		for j := range n {
			if d := math.Abs(x[i] - x[j]); j < i {
				left += d
			} else {
				right += d
			}
		}
		within += left
		rest -= right
		across += right - left
		a, b := float64(i+1), float64(n-i-1)
		if i+1 < levelLeast {
			continue
		}
		e := (2*across/(a*b) - 2*within/(a*(a-1)) - 2*rest/(b*(b-1))) * a * b / (a + b)
		if e > best {
			best, at = e, i+1
		}
	}
	return best, at
}

// different is the p-value of Welch's t test of two levels.
func different(a, b []float64) float64 {
	if len(a) < levelLeast || len(b) < levelLeast {
		return 1
	}
	ma, va := stat.MeanVariance(a, nil)
	mb, vb := stat.MeanVariance(b, nil)
	ea, eb := va/float64(len(a)), vb/float64(len(b))
	if ea+eb <= 0 {
		if ma == mb {
			return 1
		}
		return 0
	}
	t := math.Abs(ma-mb) / math.Sqrt(ea+eb)
	free := (ea + eb) * (ea + eb) / (ea*ea/float64(len(a)-1) + eb*eb/float64(len(b)-1))
	return 2 * distuv.StudentsT{Mu: 0, Sigma: 1, Nu: free}.Survival(t)
}
