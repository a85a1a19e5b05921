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
