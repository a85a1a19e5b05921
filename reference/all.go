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
	loss.Split[float64](MarginRanking, MarginRankingGrad),
	loss.Split[float64](Triplet, TripletGrad),
	loss.Split[float64](Contrastive, ContrastiveGrad),
	loss.Split[float64](InfoNCE, InfoNCEGrad),
	loss.Split[float64](CrossModalRanking, CrossModalRankingGrad),
	loss.Split[float64](AttentionRanking, AttentionRankingGrad),
}
