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
	row(BinaryCrossEntropyWithLogits[float32], BinaryCrossEntropyWithLogits[float64]),
	row(BinaryCrossEntropy[float32], BinaryCrossEntropy[float64]),
	row(Logistic[float32], Logistic[float64]),
	row(KLDivergence[float32], KLDivergence[float64]),
	row(AttentionTarget[float32], AttentionTarget[float64]),
	row(GIoU[float32], GIoU[float64]),
	row(DIoU[float32], DIoU[float64]),
	row(CIoU[float32], CIoU[float64]),
	row(EIoU[float32], EIoU[float64]),
	row(FocalEIoU[float32], FocalEIoU[float64]),
	row(SoftmaxCrossEntropy[float32], SoftmaxCrossEntropy[float64]),
	row(WeightedCrossEntropy[float32], WeightedCrossEntropy[float64]),
	row(PixelwiseCrossEntropy[float32], PixelwiseCrossEntropy[float64]),
	row(Jaccard[float32], Jaccard[float64]),
	row(Tversky[float32], Tversky[float64]),
	row(NoisePrediction[float32], NoisePrediction[float64]),
	row(VAE[float32], VAE[float64]),
}

func row[L, M any, P loss.Of[float32, L], Q loss.Of[float64, M]](f func(out []float32, grad, in P, dOut []float32),
	g func(out []float64, grad, in Q, dOut []float64)) Row {
	return Row{loss.Fused[float32](f), loss.Fused[float64](g)}
}
