package optimized

import "github.com/goldenloss/goldenloss/reference/loss"

// Row is a loss in both element types.
type Row struct {
	Float32 loss.Impl[float32]
	Float64 loss.Impl[float64]
}

// CPU lists the optimized implementation of every loss.
var CPU = []Row{
	row(SmoothL1[float32], SmoothL1[float64]),
	row(CrossEntropy[float32], CrossEntropy[float64]),
	row(Focal[float32], Focal[float64]),
	row(IoU[float32], IoU[float64]),
	row(Dice[float32], Dice[float64]),
	row(NTXent[float32], NTXent[float64]),
	row(Perceptual[float32], Perceptual[float64]),
	row(SSIM[float32], SSIM[float64]),
	row(MarginRanking[float32], MarginRanking[float64]),
	row(Triplet[float32], Triplet[float64]),
	row(Contrastive[float32], Contrastive[float64]),
	row(InfoNCE[float32], InfoNCE[float64]),
	row(CrossModalRanking[float32], CrossModalRanking[float64]),
	row(AttentionRanking[float32], AttentionRanking[float64]),
}

func row[L, M any, P loss.Of[float32, L], Q loss.Of[float64, M]](f func(out []float32, grad, in P, dOut []float32),
	g func(out []float64, grad, in Q, dOut []float64)) Row {
	return Row{loss.Fused[float32](f), loss.Fused[float64](g)}
}
