package optimized

import (
	"cmp"
	"math"
	"slices"

	"github.com/goldenloss/goldenloss/reference/loss"
)

// rankingBlock is the number of neighbors in the order of the target whose pairs are taken one by one. Between blocks a sweep over
// sorted scores takes the place of pairs.
const rankingBlock = 16

type attentionRankingTask[T loss.Float] struct {
	in             *loss.AttentionRanking[T]
	pred, tgt, out []T
	g              []T
	cols, rows     int // rows of a chunk
	w              weights[T]
	items          []float64
}

// AttentionRanking sorts every row by its target and then counts pairs in that order. See loss.AttentionRanking.
func AttentionRanking[T loss.Float](out []T, grad, in *loss.AttentionRanking[T], dOut []T) {
	k := take[attentionRankingTask[T]]()
	k.in, k.pred, k.tgt, k.cols = in, in.Pred.Data, in.Target.Data, in.Pred.Shape[3]
	n := len(k.pred) / k.cols
	k.w = newWeights(in.Reduction, dOut, float64(n))
	if in.Reduction == loss.None {
		k.out = out
	}
	if grad != nil {
		k.g = grad.Pred.Data
	}
	k.rows = max(1, 2048/k.cols)
	k.items = grown(k.items, n)
	each(ceilDiv(n, k.rows), k.rows*k.cols*60, k)
	if k.out != nil {
		store(k.out, k.items)
	}
	finish(out, in.Reduction, k.items, float64(n))
	*k = attentionRankingTask[T]{items: k.items}
	give(k)
}

func (k *attentionRankingTask[T]) run(i int) {
	w := take[rankingRow]()
	w.grow(k.cols)
	for row := i * k.rows; row < min((i+1)*k.rows, len(k.items)); row++ {
		k.row(w, row)
	}
	give(w)
}

// rankingRow is a row in the order of its target.
type rankingRow struct {
	key    []uint64  // sorts like the target
	order  []int32   // columns in that order
	q, q2  []float64 // scores, and room to merge them
	at, a2 []int32   // where they stand in the order
	n      []int64   // derivatives
	theta  float64
	sum    running
}

func (w *rankingRow) grow(n int) {
	w.key, w.order, w.n = grown(w.key, n), grown(w.order, n), grown(w.n, n)
	w.q, w.q2, w.at, w.a2 = grown(w.q, n), grown(w.q2, n), grown(w.at, n), grown(w.a2, n)
}

func (k *attentionRankingTask[T]) row(w *rankingRow, row int) {
	q, a := k.pred[row*k.cols:(row+1)*k.cols], k.tgt[row*k.cols:(row+1)*k.cols]
	w.theta, w.sum = k.in.Theta, running{}
	clear(w.n)
	switch {
	case k.cols < 2:
	case allFinite(q) && allFinite(a):
		k.ordered(w, q, a)
	default:
		pairs(w, q, a, k.in.Ties == "constant")
	}
	value := w.sum.value()
	k.items[row] = value
	if k.g == nil {
		return
	}
	g, c := k.g[row*k.cols:(row+1)*k.cols], k.w.at(row)
	if value != value {
		fill(g, T(value))
		return
	}
	for j, n := range w.n {
		g[j] = T(c * float64(n))
	}
}

// pairs is the double loop over any numbers. w.n is by column.
func pairs[T loss.Float](w *rankingRow, q, a []T, ties bool) {
	for i := range q {
		for j := range i {
			first, second := i, j // in the order of the target
			switch {
			case a[i] < a[j]:
				first, second = j, i
			case a[i] == a[j] && a[i]-a[j] == 0 && q[i] == q[i] && q[j] == q[j]:
				if ties {
					w.sum.add(w.theta)
				}
				continue
			}
			u := max(w.theta-(float64(q[first])-float64(q[second])), 0)
			if !(a[i] != a[j] && a[i] == a[i] && a[j] == a[j]) {
				u = math.NaN()
			}
			w.sum.add(u)
			if u > 0 {
				w.n[first]--
				w.n[second]++
			}
		}
	}
}

// ordered does a row of finite numbers.
func (k *attentionRankingTask[T]) ordered(w *rankingRow, q, a []T) {
	tied := sorted(w, a)
	top := 0.0
	for i, c := range w.order {
		w.q[i] = float64(q[c])
		w.at[i] = int32(i)
		top = max(top, math.Abs(w.q[i]))
	}
	// Sums of scores must keep theta and the differences of float32 scores.
	if single[T]() && !tied && (w.theta == 0 || w.theta >= top*0x1p-26) {
		w.sweeps()
	} else {
		w.groups(k.in.Ties == "constant")
	}
	// From the order of the target to columns.
	for i, c := range w.order {
		w.key[c] = uint64(w.n[i])
	}
	for c, n := range w.key {
		w.n[c] = int64(n)
	}
}

// sorted fills in keys in ascending order, and the order of the columns. It reports whether two keys are equal.
func sorted[T loss.Float](w *rankingRow, a []T) (tied bool) {
	if single[T]() {
		for c, x := range a {
			u := math.Float32bits(float32(x) + 0) // no -0
			w.key[c] = uint64(u^(uint32(int32(u)>>31)|1<<31))<<32 | uint64(c)
		}
		slices.Sort(w.key)
		for i, key := range w.key {
			w.order[i] = int32(uint32(key))
			w.key[i] = key >> 32
		}
	} else {
		for c, x := range a {
			u := math.Float64bits(float64(x) + 0)
			w.q2[c] = math.Float64frombits(u)
			w.order[c] = int32(c)
		}
		slices.SortFunc(w.order, func(i, j int32) int { return cmp.Compare(w.q2[i], w.q2[j]) })
		for i, c := range w.order {
			w.key[i] = math.Float64bits(w.q2[c])
		}
	}
	for i := 1; i < len(w.key); i++ {
		tied = tied || w.key[i] == w.key[i-1]
	}
	return tied
}

// groups takes all pairs, those with equal keys apart.
func (w *rankingRow) groups(ties bool) {
	for from := 0; from < len(w.key); {
		to := from + 1
		for to < len(w.key) && w.key[to] == w.key[from] {
			to++
		}
		for i := from; i < to; i++ {
			w.against(i, w.q[:from], w.n[:from])
		}
		if ties && to-from > 1 {
			w.sum.add(w.theta * float64((to-from)*(to-from-1)/2))
		}
		from = to
	}
}

// against takes the pairs of score i and scores q before it in the order.
func (w *rankingRow) against(i int, q []float64, n []int64) {
	x, theta := w.q[i], w.theta
	n = n[:len(q)]
	var sum, sum1 float64
	var count int64
	j := 0
	for ; j+1 < len(q); j += 2 {
		u, u1 := max(theta-(x-q[j]), 0), max(theta-(x-q[j+1]), 0)
		sum += u
		sum1 += u1
		p, p1 := int64(positive(u)), int64(positive(u1)) // 0 or -1
		count += p + p1
		n[j] -= p
		n[j+1] -= p1
	}
	if j < len(q) {
		u := max(theta-(x-q[j]), 0)
		sum += u
		p := int64(positive(u))
		count += p
		n[j] -= p
	}
	w.sum.add(sum + sum1)
	w.n[i] += count
}

// sweeps takes the pairs of a row without ties: one by one within blocks, then between ever larger blocks of sorted scores.
func (w *rankingRow) sweeps() {
	size := len(w.q)
	for lo := 0; lo < size; lo += rankingBlock {
		hi := min(lo+rankingBlock, size)
		for i := lo + 1; i < hi; i++ {
			w.against(i, w.q[lo:i], w.n[lo:i])
		}
		for i := lo + 1; i < hi; i++ { // sort by score
			x, at := w.q[i], w.at[i]
			j := i
			for ; j > lo && w.q[j-1] > x; j-- {
				w.q[j], w.at[j] = w.q[j-1], w.at[j-1]
			}
			w.q[j], w.at[j] = x, at
		}
	}
	for width := rankingBlock; width < size; width *= 2 {
		for lo := 0; lo < size; lo += 2 * width {
			mid, hi := min(lo+width, size), min(lo+2*width, size)
			w.between(lo, mid, hi)
			w.merge(lo, mid, hi)
		}
		w.q, w.q2, w.at, w.a2 = w.q2, w.q, w.a2, w.at
	}
}

// between takes the pairs of sorted scores lo to mid and of sorted scores mid to hi, which come after them in the order. The smaller
// a score of the second part, the more of the first are active with it.
func (w *rankingRow) between(lo, mid, hi int) {
	left, atLeft := w.q[lo:mid], w.at[lo:mid]
	right, atRight := w.q[mid:hi], w.at[mid:hi]
	theta, j, sum, value := w.theta, len(left), 0.0, 0.0
	for i := len(right) - 1; i >= 0; i-- {
		x := right[i]
		for j > 0 && theta-(x-left[j-1]) > 0 {
			j--
			sum += left[j]
			w.n[atLeft[j]] += int64(i + 1)
		}
		count := len(left) - j
		value += float64(count)*(theta-x) + sum
		w.n[atRight[i]] -= int64(count)
	}
	w.sum.add(value)
}

// merge merges two sorted parts into the spare room.
func (w *rankingRow) merge(lo, mid, hi int) {
	i, j := lo, mid
	for at := lo; at < hi; at++ {
		if i < mid && (j == hi || w.q[i] <= w.q[j]) {
			w.q2[at], w.a2[at] = w.q[i], w.at[i]
			i++
		} else {
			w.q2[at], w.a2[at] = w.q[j], w.at[j]
			j++
		}
	}
}
