package reference

import "github.com/goldenloss/goldenloss/reference/loss"

// All lists the reference implementation of every loss.
var All = []loss.Impl[float64]{
	loss.Split[float64](SmoothL1, SmoothL1Grad),
	loss.Split[float64](CrossEntropy, CrossEntropyGrad),
	loss.Split[float64](Focal, FocalGrad),
	loss.Split[float64](IoU, IoUGrad),
	loss.Split[float64](Dice, DiceGrad),
	loss.Split[float64](NTXent, NTXentGrad),
	loss.Split[float64](Perceptual, PerceptualGrad),
	loss.Split[float64](SSIM, SSIMGrad),
	loss.Split[float64](BinaryCrossEntropyWithLogits, BinaryCrossEntropyWithLogitsGrad),
	loss.Split[float64](BinaryCrossEntropy, BinaryCrossEntropyGrad),
	loss.Split[float64](Logistic, LogisticGrad),
	loss.Split[float64](KLDivergence, KLDivergenceGrad),
	loss.Split[float64](AttentionTarget, AttentionTargetGrad),
	loss.Split[float64](GIoU, GIoUGrad),
	loss.Split[float64](DIoU, DIoUGrad),
	loss.Split[float64](CIoU, CIoUGrad),
	loss.Split[float64](EIoU, EIoUGrad),
	loss.Split[float64](FocalEIoU, FocalEIoUGrad),
	loss.Split[float64](SoftmaxCrossEntropy, SoftmaxCrossEntropyGrad),
	loss.Split[float64](WeightedCrossEntropy, WeightedCrossEntropyGrad),
	loss.Split[float64](PixelwiseCrossEntropy, PixelwiseCrossEntropyGrad),
	loss.Split[float64](Jaccard, JaccardGrad),
	loss.Split[float64](Tversky, TverskyGrad),
	loss.Split[float64](NoisePrediction, NoisePredictionGrad),
	loss.Split[float64](VAE, VAEGrad),
}
