package main

import (
	"math"
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

// findSteps fills in the change points of a series: divisive by energy statistics (Matteson and James 2014), accepted loosely, then
// merged from the bottom while some neighboring levels do not differ for sure, as Otava does. It is deterministic.
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

// split divides at the point where the two sides are farthest apart, as long as they differ at all.
func split(x []float64, offset int) []int {
	best, at := 0.0, -1
	for i := levelLeast; i <= len(x)-levelLeast; i++ {
		if e := energy(x[:i], x[i:]); e > best {
			best, at = e, i
		}
	}
	if at < 0 || different(x[:at], x[at:]) > weakP {
		return nil
	}
	return slices.Concat(split(x[:at], offset), []int{offset + at}, split(x[at:], offset+at))
}

// energy is the scaled energy distance of two samples.
func energy(a, b []float64) float64 {
	between := func(a, b []float64) float64 {
		sum := 0.0
		for _, u := range a {
			for _, v := range b {
				sum += math.Abs(u - v)
			}
		}
		return sum
	}
	n, m := float64(len(a)), float64(len(b))
	e := 2 * between(a, b) / (n * m)
	e -= between(a, a) / (n * (n - 1))
	e -= between(b, b) / (m * (m - 1))
	return e * n * m / (n + m)
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
