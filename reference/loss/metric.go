package loss

import (
	"fmt"
	"math"
)

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

// Triplet is the hinge on the difference of two distances: the anchor must be closer to the positive than to the negative by a margin.
//
//	d(x, y) = ||x - y + eps||_p, eps added to every coordinate
//	l = max(0, margin + d(a, p) - d_neg)      d_neg = d(a, n), with swap the smaller of d(a, n) and d(p, n)
//
// Items are the triplets [N]; mean divides by N. Margin in (0, inf), default 1; P in [1, inf], both ends included, default 2; Eps in
// [0, inf), default 1e-6: the distance is not symmetric.
//
// Special cases:
//
//	no triplet                              mean NaN, sum 0
//	a = p = n, eps > 0, p = 2               margin; gradient of a is 0, of p -1/sqrt(D), of n 1/sqrt(D) in every coordinate
//	a = p = n, eps = 0                      margin, gradient 0 (kink)
//	negative infinite in a coordinate       0, gradient 0
//	positive infinite in one coordinate     +Inf; d(a, p) has the gradient +-1 there, 0 elsewhere (p = 1: the signs everywhere)
//	anchor infinite                         NaN, NaN; with swap, d(p, n) finite: +Inf like an infinite positive
//	NaN in a row                            NaN in that row of all three
//
// Kinks, with the gradient of the reference: hinge at 0 (0), a difference that is 0 in all coordinates (0), or for p = 1 in one (0),
// d(a, n) = d(p, n) with swap (half to each), several largest coordinates for p = Inf (the first). Errors: D = 0 is invalid_shape.
// PyTorch is active where the hinge is 0. Optax has eps inside the root and no absolute value; FaceNet squares the distances.
// Source: Balntas et al. 2016, Learning local feature descriptors with triplets, section 3 (swap).
type Triplet[T any] struct {
	Reduction
	Margin                     float64
	P                          float64
	Eps                        float64
	Swap                       bool
	Anchor, Positive, Negative Tensor[T] // [N, D], any real, var
}

var triplet = &Def{
	ID: "triplet", Name: "Triplet", Title: "Triplet margin loss",
	Summary: "the anchor must be closer to the positive than to the negative by a margin",
	Aliases: []string{"TripletMarginLoss"},
	Tasks:   []Task{ObjectTracking},
	Sources: []Source{{"Balntas et al. 2016, Learning local feature descriptors with triplets and shallow CNNs, BMVC", "", "section 3"}},
}

func (l *Triplet[T]) Def() *Def { return triplet }

func (l *Triplet[T]) Visit(v Visitor[T]) {
	visitReduction(v, &l.Reduction)
	v.Float("margin", &l.Margin, 1, Above(0))
	v.Float("p", &l.P, 2, Between(1, math.Inf(1)))
	v.Float("eps", &l.Eps, 1e-6, AtLeast(0))
	v.Bool("swap", &l.Swap, false)
	v.Var("anchor", &l.Anchor, "N D", Real)
	v.Var("positive", &l.Positive, "N D", Real)
	v.Var("negative", &l.Negative, "N D", Real)
}

func (l *Triplet[T]) Check(c *Checker) {
	c.Shape(l.Anchor.Shape[1] > 0, "anchor", "at least one column", l.Anchor.Shape)
}

func (l *Triplet[T]) Out() []int { return l.Reduction.shape(l.Anchor.Shape[0]) }

// Contrastive pulls similar pairs together and pushes dissimilar pairs beyond a margin.
//
//	similar, y = similar_label     l = scale d^2                     d = ||x1 - x2||
//	dissimilar                     l = scale max(0, margin - d)^2
//
// Items are the pairs [N]; mean divides by N. Margin in (0, inf), default 1; Scale in (0, inf), default 1/2; SimilarLabel 0 (default)
// or 1. The defaults are the published equation; much code has scale 1 and label 1 for similar pairs.
//
// Special cases:
//
//	similar, equal; dissimilar, beyond  0, gradient 0, smooth at the margin
//	similar, squares overflow           +Inf, gradient finite
//	similar, difference infinite        +Inf, gradient infinite at that coordinate, finite elsewhere
//	dissimilar, difference infinite     0, gradient 0
//	Inf - Inf, NaN in x1 or x2          NaN, NaN in that row of both
//
// Kink: a dissimilar pair at distance 0, gradient 0 (accepted: length up to 2 scale margin). Errors: no pair is empty_input; D = 0 is
// invalid_shape; a label other than 0 and 1, also NaN, is invalid_target. TensorFlow Addons takes distances, with scale 1 and label 1;
// PyTorch Metric Learning normalizes, takes all pairs and does not square its hinges; PyTorch's HingeEmbeddingLoss is another function.
// Source: Hadsell, Chopra, LeCun 2006, Dimensionality reduction by learning an invariant mapping, eq. 4.
type Contrastive[T any] struct {
	Reduction
	Margin       float64
	Scale        float64
	SimilarLabel int
	X1, X2       Tensor[T]    // [N, D], any real, var
	Y            Tensor[bool] // [N], labels 0 and 1
}

var contrastive = &Def{
	ID: "contrastive", Name: "Contrastive", Title: "Contrastive loss on pairs",
	Summary: "pulls similar pairs together and pushes dissimilar pairs beyond a margin",
	Aliases: []string{"Hadsell-Chopra-LeCun loss", "DrLIM", "siamese loss"},
	Tasks:   []Task{ActionRecognition, ImageToImage, TextToImage, AudioToImage},
	Sources: []Source{{"Hadsell, Chopra, LeCun 2006, Dimensionality reduction by learning an invariant mapping, CVPR", "", "4"}},
}

func (l *Contrastive[T]) Def() *Def { return contrastive }

func (l *Contrastive[T]) Visit(v Visitor[T]) {
	visitReduction(v, &l.Reduction)
	v.Float("margin", &l.Margin, 1, Above(0))
	v.Float("scale", &l.Scale, 0.5, Above(0))
	v.Int("similar_label", &l.SimilarLabel, 0, Between(0, 1))
	v.Var("x1", &l.X1, "N D", Real)
	v.Var("x2", &l.X2, "N D", Real)
	v.Mask("y", &l.Y, "N")
}

func (l *Contrastive[T]) Check(c *Checker) {
	c.Shape(l.X1.Shape[1] > 0, "x1", "at least one column", l.X1.Shape)
	c.NotEmpty(l.X1.Shape[0] > 0, "x1", "at least one pair", l.X1.Shape)
}

func (l *Contrastive[T]) Out() []int { return l.Reduction.shape(l.X1.Shape[0]) }

// InfoNCE is the cross-entropy of picking the key that matches a query among negatives: a queue (MoCo) or the other keys of the batch
// (CPC).
//
//	q, k, Q = rows of query, key and queue, divided by max(norm, norm_eps) where asked for
//	s_i = q_i . k_i / temperature      n_ij = q_i . Q_j / temperature, or in_batch q_i . k_j / temperature for j != i
//	l_i = -log( exp(s_i) / (exp(s_i) + sum_j exp(n_ij)) )
//
// Items are the queries [N]; mean divides by N. Normalize applies to query and key, NormalizeQueue to the queue, whose rows are stored
// normalized in MoCo. Queue is required with negatives queue and absent with in_batch.
//
// Special cases:
//
//	no negative                                        0, gradient 0
//	zero row, normalized                               u = 0; its gradient is (dL/du)/norm_eps
//	NaN or infinity in a query, or in a key (queue)    that item NaN; the gradients of its query, of its key and of all negatives NaN
//	NaN or infinity in the queue, or a key (in_batch)  all NaN
//
// Kink: a norm of norm_eps. Errors: no query is empty_input; D = 0 is invalid_shape; a missing or superfluous queue is invalid_param.
// PatchNCE of CUT sets the similarity of a query to its own key among the negatives to -10 and detaches the keys.
// Sources: He et al. 2020, MoCo, arXiv 1911.05722, eq. 1; van den Oord et al. 2018, CPC, arXiv 1807.03748, eq. 4.
type InfoNCE[T any] struct {
	Reduction
	Negatives      string    // queue (default), in_batch
	Temperature    float64   // (0, inf), default 0.07
	Normalize      bool      // default true
	NormalizeQueue bool      // default false
	NormEps        float64   // (0, inf), default 1e-12
	Query, Key     Tensor[T] // [N, D], any real, var
	Queue          Tensor[T] // [K, D], any real, var
}

var infoNCE = &Def{
	ID: "info_nce", Name: "InfoNCE", Title: "InfoNCE with a queue or in-batch negatives",
	Summary: "cross-entropy of picking the matching key among negatives",
	Aliases: []string{"CPC loss", "MoCo loss"},
	Tasks:   []Task{ActionRecognition, ImageToImage, TextToImage, AudioToImage},
	Sources: []Source{
		{"He et al. 2020, Momentum Contrast", "arXiv 1911.05722", "1"},
		{"van den Oord, Li, Vinyals 2018, Contrastive Predictive Coding", "arXiv 1807.03748", "4"},
	},
}

func (l *InfoNCE[T]) Def() *Def { return infoNCE }

func (l *InfoNCE[T]) Visit(v Visitor[T]) {
	visitReduction(v, &l.Reduction)
	v.Enum("negatives", &l.Negatives, "queue", "in_batch")
	v.Float("temperature", &l.Temperature, 0.07, Above(0))
	v.Bool("normalize", &l.Normalize, true)
	v.Bool("normalize_queue", &l.NormalizeQueue, false)
	v.Float("norm_eps", &l.NormEps, 1e-12, Above(0))
	v.Var("query", &l.Query, "N D", Real)
	v.Var("key", &l.Key, "N D", Real)
	if l.Negatives != "in_batch" {
		v.Var("queue", &l.Queue, "K D", Real)
	}
}

func (l *InfoNCE[T]) Check(c *Checker) {
	c.Shape(l.Query.Shape[1] > 0, "query", "at least one column", l.Query.Shape)
	c.NotEmpty(l.Query.Shape[0] > 0, "query", "at least one query", l.Query.Shape)
}

func (l *InfoNCE[T]) Out() []int { return l.Reduction.shape(l.Query.Shape[0]) }

// CrossModalRanking asks that a matching pair of two modalities score higher than mismatched pairs by a margin, in both directions.
//
//	S_ij = cosine or dot product of image_i and text_j, or scores_ij
//	R_ij = max(0, margin - S_ii + S_ij)      image i as anchor, j != i
//	K_ij = max(0, margin - S_jj + S_ij)      text j as anchor, i != j
//	all      L_i = sum over j of R_ij + sum over j of K_ji
//	hardest  L_i = largest R_ij + largest K_ji
//	sampled  L_i = R_it + K_mi, t = impostor_text_i, m = impostor_image_i
//
// Items are the pairs [B]; mean divides by B, or with divisor pairs (mining all) by B(B-1). Image and Text are the inputs with input
// embeddings, Scores (row = image, column = text) with input scores; Similarity and NormEps belong to embeddings, the impostors to
// mining sampled.
//
// Special cases:
//
//	B = 1                                    0, gradient 0, also where the single score is NaN
//	S_ij = -Inf, i != j; S_ii = +Inf         the hinge is 0
//	S_ij = +Inf, i != j; S_ii = -Inf         +Inf, gradient 1 and -1
//	S_ii and S_ij both +Inf, or both -Inf    NaN, NaN, if the pair counts
//	NaN in S_ij                              items i and j NaN (all, hardest), gradient NaN in rows and columns i and j; i = j: item i
//	NaN in a score, sampled                  the items that use it; NaN at their scores
//	NaN, or cosine of infinity, in a row     all NaN (sampled: the items that use the row, and the rows that these items use)
//
// Kinks: every hinge (0), ties of the hardest (the first), norms of norm_eps. Errors: no pair is empty_input; scores that are not
// square and D = 0 are invalid_shape; an impostor out of range or equal to its own index is invalid_target; divisor pairs without
// mining all, inputs that do not match the options are invalid_param. VSE++ sums over the batch; S2IGAN and ResDAVEnet sample.
// Sources: Frome et al. 2013, DeViSE; Kiros et al. 2014, arXiv 1411.2539; Faghri et al. 2018, VSE++, arXiv 1707.05612, eqs. 5-6;
// Harwath et al. 2016, Unsupervised learning of spoken language with visual context.
type CrossModalRanking[T any] struct {
	Reduction
	Input                       string // embeddings (default), scores
	Similarity                  string // cosine (default), dot
	Margin                      float64
	Mining                      string        // all (default), hardest, sampled
	Divisor                     string        // batch (default), pairs
	NormEps                     float64       // (0, inf), default 1e-12
	Image, Text                 Tensor[T]     // [B, D], any real, var
	Scores                      Tensor[T]     // [B, B], any real, var
	ImpostorText, ImpostorImage Tensor[int64] // [B], in [0, B), not its own index
}

var crossModalRanking = &Def{
	ID: "cross_modal_ranking", Name: "CrossModalRanking", Title: "Bidirectional max-margin ranking",
	Summary: "a matching pair of two modalities must score higher than mismatched pairs, in both directions",
	Aliases: []string{"VSE loss", "VSE++", "DeViSE ranking", "max-margin matching loss"},
	Tasks:   []Task{AudioToImage},
	Sources: []Source{
		{"Frome et al. 2013, DeViSE", "", ""},
		{"Kiros, Salakhutdinov, Zemel 2014, Unifying visual-semantic embeddings", "arXiv 1411.2539", ""},
		{"Faghri et al. 2018, VSE++", "arXiv 1707.05612", "5-6"},
		{"Harwath, Torralba, Glass 2016, Unsupervised learning of spoken language with visual context", "", ""},
	},
}

func (l *CrossModalRanking[T]) Def() *Def { return crossModalRanking }

func (l *CrossModalRanking[T]) Visit(v Visitor[T]) {
	visitReduction(v, &l.Reduction)
	v.Enum("input", &l.Input, "embeddings", "scores")
	v.Enum("similarity", &l.Similarity, "cosine", "dot")
	v.Float("margin", &l.Margin, 0.2, AtLeast(0))
	v.Enum("mining", &l.Mining, "all", "hardest", "sampled")
	v.Enum("divisor", &l.Divisor, "batch", "pairs")
	v.Float("norm_eps", &l.NormEps, 1e-12, Above(0))
	if l.Input == "scores" {
		v.Var("scores", &l.Scores, "B B", Real)
	} else {
		v.Var("image", &l.Image, "B D", Real)
		v.Var("text", &l.Text, "B D", Real)
	}
	if l.Mining == "sampled" {
		v.Index("impostor_text", &l.ImpostorText, "B")
		v.Index("impostor_image", &l.ImpostorImage, "B")
	}
}

// Batch returns the number of pairs.
func (l *CrossModalRanking[T]) Batch() int {
	if l.Input == "scores" {
		return l.Scores.Shape[0]
	}
	return l.Image.Shape[0]
}

func (l *CrossModalRanking[T]) Check(c *Checker) {
	name, dims := "image", 1
	if l.Input == "scores" {
		name = "scores"
	} else {
		dims = l.Image.Shape[1]
	}
	c.Shape(dims > 0, name, "at least one column", dims)
	c.NotEmpty(l.Batch() > 0, name, "at least one pair", l.Batch())
	c.Param(l.Divisor != "pairs" || l.Mining == "all", "divisor", "batch, unless all pairs are mined", l.Divisor)
	if l.Mining != "sampled" {
		return
	}
	c.Values(func() {
		c.impostors("impostor_text", l.ImpostorText.Data)
		c.impostors("impostor_image", l.ImpostorImage.Data)
	})
}

func (c *Checker) impostors(name string, index []int64) {
	for i, j := range index {
		c.Target(0 <= j && j < int64(len(index)) && j != int64(i), fmt.Sprintf("%s[%d]", name, i), fmt.Sprintf("an index in [0, %d) that is not %d", len(index), i), j)
	}
}

func (l *CrossModalRanking[T]) Out() []int { return l.Reduction.shape(l.Batch()) }

// AttentionRanking asks that quantized attention scores keep the order of the full-precision scores, pair by pair within a row.
//
//	l = sum over i < j of max(0, theta - (Q_i - Q_j) sign(A_i - A_j))      Q = row of pred, A = row of target
//
// Items are the rows [B, H, R]; mean divides by B H R, sum is the published form. Theta in [0, inf), default 0.2. A pair with
// A_i = A_j adds the constant theta (ties constant, the equation, default) or nothing (ties skip), and has no gradient.
//
// Special cases:
//
//	one column                                      0, gradient 0, also where it is NaN
//	Q infinite, others finite                       a pair in order 0, out of order +Inf, tied theta
//	equal infinities in Q, their A not tied         NaN, NaN
//	equal infinities in A                           no order: NaN, NaN
//	NaN in Q or A                                   NaN, NaN in the row
//
// Kink: (Q_i - Q_j) sign(A_i - A_j) = theta with A_i and A_j not equal, gradient 0. Errors: no row is empty_input; no column is
// invalid_shape. No library has it.
// Source: Liu et al. 2021, Post-Training Quantization for Vision Transformer, arXiv 2106.14156, ranking-aware objective.
type AttentionRanking[T any] struct {
	Reduction
	Theta  float64
	Ties   string    // constant (default), skip
	Pred   Tensor[T] // [B, H, R, W], any real, var
	Target Tensor[T] // like Pred, const
}

var attentionRanking = &Def{
	ID: "attention_ranking", Name: "AttentionRanking", Title: "Order-preserving loss on attention scores",
	Summary: "quantized attention scores must keep the pairwise order of the full-precision scores",
	Aliases: []string{"ranking loss of post-training quantization for vision transformers"},
	Tasks:   []Task{ImageClassification},
	Sources: []Source{{"Liu et al. 2021, Post-Training Quantization for Vision Transformer", "arXiv 2106.14156", "ranking-aware objective"}},
}

func (l *AttentionRanking[T]) Def() *Def { return attentionRanking }

func (l *AttentionRanking[T]) Visit(v Visitor[T]) {
	visitReduction(v, &l.Reduction)
	v.Float("theta", &l.Theta, 0.2, AtLeast(0))
	v.Enum("ties", &l.Ties, "constant", "skip")
	v.Var("pred", &l.Pred, "N H R W", Real)
	v.Const("target", &l.Target, "N H R W", Real)
}

func (l *AttentionRanking[T]) Check(c *Checker) {
	c.Shape(l.Pred.Shape[3] > 0, "pred", "at least one column", l.Pred.Shape)
	c.NotEmpty(Size(l.Pred.Shape[:3]) > 0, "pred", "at least one row", l.Pred.Shape)
}

func (l *AttentionRanking[T]) Out() []int { return l.Reduction.shape(l.Pred.Shape[:3]...) }
