package loss

import (
	"fmt"
	"math"
)

// Mahalanobis is the distance of an observation from a mean, measured in units of a covariance S.
//
//	delta = x - mean      d2 = delta^T S^-1 delta
//	squared  d2           root  sqrt(d2)           nll  (d2 + log det S + k log(2 pi))/2
//	cov      S = matrix + jitter I, of which the lower triangle is read
//	precision  S^-1 = matrix, of which the lower triangle is read
//	chol     S = L L^T, L the lower triangle of matrix
//	diag     S = diag(matrix)
//
// The gradient of a symmetric matrix is symmetric: its product with a symmetric change of the matrix is the change of the value. Items
// are the rows [B]; mean divides by B. Row b uses mean and matrix b, the only one, or those of number Index[b].
//
// Special cases:
//
//	x = mean                             squared, root 0; gradients 0 (nll: those of the determinant)
//	infinite coordinate of delta         +Inf; diag: gradient +-Inf there (root: 1/sqrt(var), 0 elsewhere), of matrix -Inf there;
//	                                     other forms: gradients of the row, its mean and its matrix NaN
//	NaN or Inf-Inf in delta              item NaN; gradients of the row, its mean and its matrix NaN
//	NaN or infinite entry that is read   the same for all rows of that matrix; no error
//
// Kink: delta = 0 for root, reference 0. Errors: no row is empty_input; k = 0, no matrix, sizes that fit no layout are invalid_shape; an
// index out of range is invalid_target; jitter beside another form than cov is invalid_param; a finite matrix that is not symmetric to
// SymTol times its largest entry, has a Cholesky pivot, a diagonal entry (chol) or a variance that is not positive is
// not_positive_definite. NumPy and PyTorch read the lower triangle of any matrix. SciPy and OpenCV have precision and root;
// MultivariateNormal.log_prob of PyTorch is minus nll.
// Sources: Mahalanobis 1936; Wojke et al. 2017, Deep SORT, arXiv 1703.07402, eq. 1.
type Mahalanobis[T any] struct {
	Reduction
	Form    string        // cov (default), precision, chol, diag
	Variant string        // squared (default), root, nll
	Jitter  float64       // [0, inf), default 0; cov
	SymTol  float64       // [0, inf), default 1e-8
	X       Tensor[T]     // [B, k], any real, var
	Mean    Tensor[T]     // [B, k], [k], or [M, k] with Index; var
	Matrix  Tensor[T]     // [B, k, k], [k, k], or [M, k, k] with Index; diag without the last k; var
	Index   Tensor[int64] // [B], in [0, M), optional
}

var mahalanobis = &Def{
	ID: "mahalanobis", Name: "Mahalanobis", Title: "Mahalanobis distance",
	Summary: "distance of an observation from a mean in units of a covariance",
	Aliases: []string{"gating distance", "D_M", "Gaussian negative log-likelihood"},
	Tasks:   []Task{ObjectTracking},
	Sources: []Source{
		{"Mahalanobis 1936, On the generalised distance in statistics", "", ""},
		{"Wojke et al. 2017, Deep SORT", "arXiv 1703.07402", "1"},
	},
}

func (l *Mahalanobis[T]) Def() *Def { return mahalanobis }

func (l *Mahalanobis[T]) Visit(v Visitor[T]) {
	visitReduction(v, &l.Reduction)
	v.Enum("form", &l.Form, "cov", "precision", "chol", "diag")
	v.Enum("variant", &l.Variant, "squared", "root", "nll")
	v.Float("jitter", &l.Jitter, 0, AtLeast(0))
	v.Float("sym_tol", &l.SymTol, 1e-8, AtLeast(0))
	one := "k k" // matrix
	if l.Form == "diag" {
		one = "k"
	}
	mean, matrix := "B k", "B "+one
	switch {
	case l.Index.Given():
		mean, matrix = "M k", "M "+one
	default:
		if len(l.Mean.Shape) == 1 {
			mean = "k"
		}
		if l.Shared() {
			matrix = one
		}
	}
	v.Var("x", &l.X, "B k", Real)
	v.Var("mean", &l.Mean, mean, Real)
	v.Var("matrix", &l.Matrix, matrix, Real)
	v.Index("index", &l.Index, "B?")
}

// Shared reports whether there is one matrix for all rows.
func (l *Mahalanobis[T]) Shared() bool {
	rank := 2
	if l.Form == "diag" {
		rank = 1
	}
	return !l.Index.Given() && len(l.Matrix.Shape) == rank
}

// Matrices returns the number of matrices.
func (l *Mahalanobis[T]) Matrices() int {
	if l.Shared() {
		return 1
	}
	return l.Matrix.Shape[0]
}

// Of returns the numbers of the mean and of the matrix of row b.
func (l *Mahalanobis[T]) Of(b int) (mean, matrix int) {
	if l.Index.Given() {
		b = int(l.Index.Data[b])
		return b, b
	}
	mean, matrix = b, b
	if len(l.Mean.Shape) == 1 {
		mean = 0
	}
	if l.Shared() {
		matrix = 0
	}
	return mean, matrix
}

func (l *Mahalanobis[T]) Check(c *Checker) {
	b, k := l.X.Shape[0], l.X.Shape[1]
	c.Shape(k > 0, "x", "at least one coordinate", l.X.Shape)
	c.Shape(b == 0 || l.Matrices() > 0, "matrix", "at least one matrix", l.Matrix.Shape)
	c.Param(l.Jitter == 0 || l.Form == "cov", "jitter", "0 with form "+l.Form, l.Jitter)
	c.NotEmpty(b > 0, "x", "at least one row", l.X.Shape)
	c.Values(func() {
		for i, m := range l.Index.Data {
			c.Target(m >= 0 && m < int64(l.Matrices()), fmt.Sprintf("index[%d]", i), fmt.Sprintf("a matrix in [0, %d)", l.Matrices()), m)
		}
		size := len(l.Matrix.Data) / l.Matrices()
		s := make([]float64, size)
		for m := range l.Matrices() {
			for i := range s {
				s[i] = l.Matrix.Float64(m*size + i)
			}
			want, got := l.definite(s, k)
			c.PositiveDefinite(want == "", fmt.Sprintf("matrix[%d]", m), want, got)
		}
	})
}

// definite says what is wanted of a matrix that is not positive definite; a matrix that is not finite passes.
func (l *Mahalanobis[T]) definite(s []float64, k int) (want string, got any) {
	if l.Form == "diag" {
		for _, x := range s {
			if x <= 0 {
				return "positive variances", x
			}
		}
		return "", nil
	}
	largest := 0.0
	for i := range k {
		for j := range k {
			if j > i && l.Form == "chol" {
				continue
			}
			if math.IsNaN(s[i*k+j]) || math.IsInf(s[i*k+j], 0) {
				return "", nil
			}
			largest = max(largest, math.Abs(s[i*k+j]))
		}
	}
	if l.Form == "chol" {
		for i := range k {
			if s[i*k+i] <= 0 {
				return "a positive diagonal", s[i*k+i]
			}
		}
		return "", nil
	}
	for i := range k {
		for j := range i {
			if d := math.Abs(s[i*k+j] - s[j*k+i]); d > l.SymTol*largest {
				return fmt.Sprintf("a symmetric matrix to %g", l.SymTol*largest), d
			}
		}
	}
	for i := range k { // the lower triangle becomes its factor
		for j := range i + 1 {
			x := s[i*k+j]
			if i == j {
				x += l.Jitter
			}
			for n := range j {
				x -= s[i*k+n] * s[j*k+n]
			}
			switch {
			case i > j:
				s[i*k+j] = x / s[j*k+j]
			case !(x > 0):
				return "positive Cholesky pivots", x
			default:
				s[i*k+i] = math.Sqrt(x)
			}
		}
	}
	return "", nil
}

func (l *Mahalanobis[T]) Out() []int { return l.Reduction.shape(l.X.Shape[0]) }

// mirror is what Mirror says.
func (l *Mahalanobis[T]) mirror(input string, i int) (image int, read bool) {
	if input != "matrix" || l.Form != "cov" && l.Form != "precision" {
		return i, true
	}
	k := l.X.Shape[1]
	row, column, start := i/k%k, i%k, i/(k*k)*k*k
	return start + column*k + row, row >= column
}

// Mirror returns the mirror image of element i of a symmetric input, of which only one triangle is read, and whether i lies in that
// triangle. The gradient is divided between an element and its image. Elements of other inputs are their own image.
func Mirror[T any](p Problem[T], input string, i int) (image int, read bool) {
	if s, ok := p.(interface {
		mirror(input string, i int) (int, bool)
	}); ok {
		return s.mirror(input, i)
	}
	return i, true
}

// CrossCorrelation trains the response map of an exemplar slid over a search region to be positive at the target and negative elsewhere.
//
//	R_nij = scale sum over c, u, v of template_ncuv search_nc(i+u)(j+v) + bias        valid positions, kernel not flipped
//	L_n   = sum over cells with Y != 0 of w_ij softplus(-Y_ij R_nij)
//
// Labels Y are given, or made of the distance of a cell from the middle of the map, d = |(i - (Hr-1)/2, j - (Wr-1)/2)| (metric): 1 where
// stride d <= r_pos, else 0 where stride d <= r_neg, else -1. Weights w of a map are 0.5/n_pos and 0.5/n_neg (balanced) or 1/(n_pos +
// n_neg) (uniform). Items are the samples [N]; mean divides by N.
//
// Special cases:
//
//	Y R = +large, -large                     0; -Y R with derivative -Y w
//	cell with Y = 0, whatever it sees        does not participate
//	NaN seen by a cell with Y != 0           item, gradients of the sample and of bias NaN
//	bias +-Inf                               a cell is 0 or +Inf; derivatives 0 or -Y w
//
// No kinks. Errors: no sample, a map without 1 or without -1 (balanced) or without both (uniform) is empty_input; no channel, a side of
// length 0, a template larger than the search region are invalid_shape; a label outside {-1, 0, 1} is invalid_target. Balanced losses of
// some libraries weigh the whole batch, which is the same where all maps share their labels. Not the normalized cross-correlation of
// images, nor the cross-correlation matrix of Barlow Twins.
// Source: Bertinetto et al. 2016, SiamFC, arXiv 1606.09549, eqs. 2 to 4.
type CrossCorrelation[T any] struct {
	Reduction
	Scale     float64       // finite, default 1e-3
	Weighting string        // balanced (default), uniform
	RPos      float64       // [0, inf), default 16; pixels
	RNeg      float64       // [0, inf), default 0; pixels
	Stride    float64       // (0, inf), default 8; pixels a cell
	Metric    string        // l2 (default), l1
	Template  Tensor[T]     // [N, C, Hz, Wz], any real, var
	Search    Tensor[T]     // [N, C, Hx, Wx], any real, var
	Bias      Tensor[T]     // [], any real, var, optional
	Labels    Tensor[int64] // [Hr, Wr] or [N, Hr, Wr], in {-1, 0, 1}, optional; Hr = Hx-Hz+1, Wr = Wx-Wz+1
}

var crossCorrelation = &Def{
	ID: "cross_correlation", Name: "CrossCorrelation", Title: "Cross-correlation response map with logistic loss",
	Summary: "an exemplar slid over a search region must respond at the target and nowhere else",
	Aliases: []string{"SiamFC loss", "response-map logistic loss"},
	Tasks:   []Task{ObjectTracking},
	Sources: []Source{{"Bertinetto et al. 2016, Fully-Convolutional Siamese Networks", "arXiv 1606.09549", "2 to 4"}},
}

func (l *CrossCorrelation[T]) Def() *Def { return crossCorrelation }

func (l *CrossCorrelation[T]) Visit(v Visitor[T]) {
	visitReduction(v, &l.Reduction)
	v.Float("scale", &l.Scale, 1e-3, Range{})
	v.Enum("weighting", &l.Weighting, "balanced", "uniform")
	v.Float("r_pos", &l.RPos, 16, AtLeast(0))
	v.Float("r_neg", &l.RNeg, 0, AtLeast(0))
	v.Float("stride", &l.Stride, 8, Above(0))
	v.Enum("metric", &l.Metric, "l2", "l1")
	v.Var("template", &l.Template, "N C Hz Wz", Real)
	v.Var("search", &l.Search, "N C Hx Wx", Real)
	v.Var("bias", &l.Bias, "()?", Real)
	labels := "N Hr Wr?"
	if len(l.Labels.Shape) == 2 {
		labels = "Hr Wr?"
	}
	v.Index("labels", &l.Labels, labels)
}

// Map returns the size of the response map.
func (l *CrossCorrelation[T]) Map() (h, w int) {
	return l.Search.Shape[2] - l.Template.Shape[2] + 1, l.Search.Shape[3] - l.Template.Shape[3] + 1
}

func (l *CrossCorrelation[T]) Check(c *Checker) {
	h, w := l.Map()
	for i, name := range []string{"template", "search"} {
		dims := [][]int{l.Template.Shape, l.Search.Shape}[i]
		c.Shape(dims[1] > 0 && dims[2] > 0 && dims[3] > 0, name, "a channel and a pixel", dims)
	}
	c.Shape(h > 0 && w > 0, "search", "at least the size of template", l.Search.Shape)
	if rank := len(l.Labels.Shape); l.Labels.Given() {
		c.Shape(l.Labels.Shape[rank-2] == h && l.Labels.Shape[rank-1] == w, "labels", fmt.Sprintf("maps of %d x %d", h, w), l.Labels.Shape)
	}
	c.NotEmpty(l.Template.Shape[0] > 0, "template", "at least one sample", l.Template.Shape)
	c.Values(func() {
		maps := 1
		if len(l.Labels.Shape) == 3 {
			maps = l.Labels.Shape[0]
		}
		for m := range maps {
			positive, negative := 0, 0
			for i := range h * w {
				y := int64(0)
				if l.Labels.Given() {
					y = l.Labels.Data[m*h*w+i]
					c.Target(-1 <= y && y <= 1, fmt.Sprintf("labels[%d]", m*h*w+i), "-1, 0 or 1", y)
				} else {
					y = l.label(float64(i/w)-float64(h-1)/2, float64(i%w)-float64(w-1)/2)
				}
				if y > 0 {
					positive++
				} else if y < 0 {
					negative++
				}
			}
			got := fmt.Sprintf("%d and %d in map %d", positive, negative, m)
			if l.Weighting == "balanced" {
				c.NotEmpty(positive > 0 && negative > 0, "labels", "cells of 1 and of -1", got)
			} else {
				c.NotEmpty(positive+negative > 0, "labels", "a cell of 1 or -1", got)
			}
		}
	})
}

// label is the label of a cell at di, dj from the middle.
func (l *CrossCorrelation[T]) label(di, dj float64) int64 {
	within := func(r float64) bool {
		if l.Metric == "l1" {
			return l.Stride*(math.Abs(di)+math.Abs(dj)) <= r
		}
		return l.Stride*l.Stride*(di*di+dj*dj) <= r*r
	}
	switch {
	case within(l.RPos):
		return 1
	case within(l.RNeg):
		return 0
	}
	return -1
}

func (l *CrossCorrelation[T]) Out() []int { return l.Reduction.shape(l.Template.Shape[0]) }
