package optimized

import "github.com/goldenloss/goldenloss/reference/loss"

// Row is a loss in both element types.
type Row struct {
	Float32 loss.Impl[float32]
	Float64 loss.Impl[float64]
}

// CPU lists the optimized implementation of every loss.
var CPU = []Row{
	row(L1[float32], L1[float64]),
	row(MSE[float32], MSE[float64]),
	row(SmoothL1[float32], SmoothL1[float64]),
	row(Huber[float32], Huber[float64]),
	row(LogCosh[float32], LogCosh[float64]),
	row(Charbonnier[float32], Charbonnier[float64]),
	row(Quantile[float32], Quantile[float64]),
	row(PixelwiseMean[float32], PixelwiseMean[float64]),
	row(Reconstruction[float32], Reconstruction[float64]),
	row(CrossEntropy[float32], CrossEntropy[float64]),
	row(WeightedCrossEntropy[float32], WeightedCrossEntropy[float64]),
	row(SoftmaxCrossEntropy[float32], SoftmaxCrossEntropy[float64]),
	row(CategoricalCrossEntropy[float32], CategoricalCrossEntropy[float64]),
	row(BinaryCrossEntropy[float32], BinaryCrossEntropy[float64]),
	row(BinaryCrossEntropyWithLogits[float32], BinaryCrossEntropyWithLogits[float64]),
	row(PixelwiseCrossEntropy[float32], PixelwiseCrossEntropy[float64]),
	row(Logistic[float32], Logistic[float64]),
	row(Focal[float32], Focal[float64]),
	row(FocalSoftmax[float32], FocalSoftmax[float64]),
	row(KLDivergence[float32], KLDivergence[float64]),
	row(AttentionTarget[float32], AttentionTarget[float64]),
	row(IoU[float32], IoU[float64]),
	row(GIoU[float32], GIoU[float64]),
	row(DIoU[float32], DIoU[float64]),
	row(CIoU[float32], CIoU[float64]),
	row(EIoU[float32], EIoU[float64]),
	row(FocalEIoU[float32], FocalEIoU[float64]),
	row(GWD[float32], GWD[float64]),
	row(Dice[float32], Dice[float64]),
	row(Jaccard[float32], Jaccard[float64]),
	row(Tversky[float32], Tversky[float64]),
	row(Contrastive[float32], Contrastive[float64]),
	row(NTXent[float32], NTXent[float64]),
	row(InfoNCE[float32], InfoNCE[float64]),
	row(Triplet[float32], Triplet[float64]),
	row(MarginRanking[float32], MarginRanking[float64]),
	row(CrossModalRanking[float32], CrossModalRanking[float64]),
	row(AttentionRanking[float32], AttentionRanking[float64]),
	row(CrossCorrelation[float32], CrossCorrelation[float64]),
	row(Mahalanobis[float32], Mahalanobis[float64]),
	row(Adversarial[float32], Adversarial[float64]),
	row(GAN[float32], GAN[float64]),
	row(ConditionalAdversarial[float32], ConditionalAdversarial[float64]),
	row(CycleConsistency[float32], CycleConsistency[float64]),
	row(NoisePrediction[float32], NoisePrediction[float64]),
	row(Diffusion[float32], Diffusion[float64]),
	row(VAE[float32], VAE[float64]),
	row(Perceptual[float32], Perceptual[float64]),
	row(Style[float32], Style[float64]),
	row(FeatureMatching[float32], FeatureMatching[float64]),
	row(Context[float32], Context[float64]),
	row(SSIM[float32], SSIM[float64]),
	row(MSSSIM[float32], MSSSIM[float64]),
}

func row[L, M any, P loss.Of[float32, L], Q loss.Of[float64, M]](f func(out []float32, grad, in P, dOut []float32),
	g func(out []float64, grad, in Q, dOut []float64)) Row {
	return Row{loss.Fused[float32](f), loss.Fused[float64](g)}
}
