package optimized

import "github.com/goldenloss/goldenloss/reference/loss"

// Row is a loss in both element types.
type Row struct {
	Float32 loss.Impl[float32]
	Float64 loss.Impl[float64]
}

// CPU lists the optimized implementation of every loss.
var CPU = []Row{
	{loss.Fused[float32](SmoothL1[float32]), loss.Fused[float64](SmoothL1[float64])},
	{loss.Fused[float32](CrossEntropy[float32]), loss.Fused[float64](CrossEntropy[float64])},
	{loss.Fused[float32](Focal[float32]), loss.Fused[float64](Focal[float64])},
	{loss.Fused[float32](IoU[float32]), loss.Fused[float64](IoU[float64])},
	{loss.Fused[float32](Dice[float32]), loss.Fused[float64](Dice[float64])},
	{loss.Fused[float32](NTXent[float32]), loss.Fused[float64](NTXent[float64])},
	{loss.Fused[float32](Perceptual[float32]), loss.Fused[float64](Perceptual[float64])},
	{loss.Fused[float32](SSIM[float32]), loss.Fused[float64](SSIM[float64])},
}
