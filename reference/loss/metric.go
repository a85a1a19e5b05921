package loss

// NTXent is the normalized temperature-scaled cross-entropy of SimCLR: every sample finds its other view among the batch.
//
//	u = z/max(||z||, norm_eps) row by row, or z      S_ik = u_i . u_k / temperature      p = the row paired with i
//	l_i = -log( exp(S_ip) / sum over k != i of exp(S_ik) )
//
// Items are the rows [2N]; mean divides by 2N. Pairing concatenated: p = (i+N) mod 2N; interleaved: p = i xor 1.
//
// Special cases:
//
//	two rows                    0, gradient 0
//	all rows identical          log(2N-1) each
//	zero row                    u = 0; its gradient is (dL/du)/norm_eps
//	NaN or infinite entry       all items and all gradient entries NaN
//
// Kink: ||z_i|| = norm_eps. Errors: no row is empty_input; an odd number of rows and D = 0 are invalid_shape.
// Source: Chen et al. 2020, SimCLR, arXiv 2002.05709, eq. 1.
type NTXent[T any] struct {
	Reduction
	Temperature float64   // (0, inf), default 0.5
	Pairing     string    // concatenated (default), interleaved
	Normalize   bool      // default true
	NormEps     float64   // (0, inf), default 1e-12
	Z           Tensor[T] // [2N, D], any real, var
}

var ntXent = &Def{
	ID: "nt_xent", Name: "NTXent", Title: "Normalized temperature-scaled cross-entropy",
	Summary: "each sample has one positive, its other view, among the batch",
	Aliases: []string{"SimCLR loss"},
	Tasks:   []Task{ActionRecognition, ImageToImage, TextToImage, AudioToImage},
	Sources: []Source{{"Chen et al. 2020, SimCLR", "arXiv 2002.05709", "1"}},
}

func (l *NTXent[T]) Def() *Def { return ntXent }

func (l *NTXent[T]) Visit(v Visitor[T]) {
	visitReduction(v, &l.Reduction)
	v.Float("temperature", &l.Temperature, 0.5, Above(0))
	v.Enum("pairing", &l.Pairing, "concatenated", "interleaved")
	v.Bool("normalize", &l.Normalize, true)
	v.Float("norm_eps", &l.NormEps, 1e-12, Above(0))
	v.Var("z", &l.Z, "R D", Real)
}

func (l *NTXent[T]) Check(c *Checker) {
	rows, dims := l.Z.Shape[0], l.Z.Shape[1]
	c.Shape(rows%2 == 0, "z", "an even number of rows", l.Z.Shape)
	c.Shape(dims > 0, "z", "at least one column", l.Z.Shape)
	c.NotEmpty(rows > 0, "z", "at least one pair of rows", l.Z.Shape)
}

func (l *NTXent[T]) Out() []int { return l.Reduction.shape(l.Z.Shape[0]) }

// MarginRanking is the hinge on the signed difference of two scores: x1 should exceed x2 by the margin where y = 1, and the other way
// round where y = -1.
//
//	l = max(0, margin - y (x1 - x2))
//
// Items are the elements; mean divides by their number. Margin in [0, inf), default 0.
//
// Special cases:
//
//	difference infinite on the right side   0, gradient 0
//	difference infinite on the wrong side   +Inf, gradient -y and y
//	Inf - Inf, NaN in x1 or x2              NaN, NaN
//	no element                              mean NaN, sum 0
//
// Kink: y (x1 - x2) = margin, gradient 0 (interval between 0 and -y for x1), also for x1 = x2 at margin 0. Errors: a label other
// than -1 and 1, also NaN, is invalid_target. PyTorch is active on the kink, broadcasts and accepts any label.
// Sources: Herbrich et al. 1999, Support vector learning for ordinal regression; Joachims 2002, Optimizing search engines using
// clickthrough data.
type MarginRanking[T any] struct {
	Reduction
	Margin float64
	X1, X2 Tensor[T] // [...], any real, var
	Y      Tensor[T] // like X1, -1 or 1, floats or integers
}

var marginRanking = &Def{
	ID: "margin_ranking", Name: "MarginRanking", Title: "Margin ranking loss", Summary: "hinge on the signed difference of two scores",
	Aliases: []string{"pairwise hinge", "RankSVM loss"},
	Tasks:   []Task{ImageClassification, AudioToImage},
	Sources: []Source{
		{"Herbrich, Graepel, Obermayer 1999, Support vector learning for ordinal regression", "", ""},
		{"Joachims 2002, Optimizing search engines using clickthrough data", "", ""},
	},
}

func (l *MarginRanking[T]) Def() *Def { return marginRanking }

func (l *MarginRanking[T]) Visit(v Visitor[T]) {
	visitReduction(v, &l.Reduction)
	v.Float("margin", &l.Margin, 0, AtLeast(0))
	v.Var("x1", &l.X1, "...", Real)
	v.Var("x2", &l.X2, "...", Real)
	v.Const("y", &l.Y, "...", Sign)
}

func (l *MarginRanking[T]) Check(*Checker) {}

func (l *MarginRanking[T]) Out() []int { return l.Reduction.shape(l.X1.Shape...) }
