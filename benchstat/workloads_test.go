package benchstat

import (
	"math/rand/v2"

	"github.com/goldenloss/goldenloss/reference/loss"
)

// workload is a loss at the shape of a training configuration.
type workload struct {
	loss, name string
	make       func(r *rand.Rand) loss.Problem[float64]
	big        bool // too slow for the reference
}

func tensor(r *rand.Rand, draw func() float64, shape ...int) loss.Tensor[float64] {
	t := loss.Make[float64](shape...)
	for i := range t.Data {
		t.Data[i] = draw()
	}
	return t
}

func normal(r *rand.Rand, mean, sigma float64) func() float64 {
	return func() float64 { return mean + sigma*r.NormFloat64() }
}

func coin(r *rand.Rand, p float64) func() float64 {
	return func() float64 {
		if r.Float64() < p {
			return 1
		}
		return 0
	}
}

// workloads: a convolutional and a transformer configuration and a size where latency counts, for every loss.
var workloads = []workload{
	{"smooth_l1", "det_cnn_box", smoothL1(65536), false},
	{"smooth_l1", "det_vit_latency", smoothL1(512), false},
	{"cross_entropy", "cls_cnn", crossEntropy(0, 256, 1000), false},
	{"cross_entropy", "cls_vit_soft", softCrossEntropy(1024, 1000), false},
	{"cross_entropy", "seg_cnn", crossEntropy(0.1, 1, 19, 512, 1024), true},
	{"cross_entropy", "seg_vit", crossEntropy(0.1, 1, 150, 160, 160), false},
	{"cross_entropy", "act_cnn_latency", crossEntropy(0, 64, 400), false},
	{"focal", "det_cnn_anchor", focal(0.0005, 1, 201600, 80), true},
	{"focal", "det_vit_focal", focal(0.005, 6, 4, 900, 91), false},
	{"focal", "trk_vit_latency", focal(0.01, 32, 1, 24, 24), false},
	{"iou", "det_cnn_box", iou(65536), false},
	{"iou", "det_vit_latency", iou(512), false},
	{"dice", "seg_vit_mask", dice("sigmoid", 400, 1, 12544), false},
	{"dice", "med_seg", dice("softmax", 1, 4, 96, 96, 96), false},
	{"jaccard", "seg_cnn", jaccard("softmax", 1, 19, 256, 512), false},
	{"jaccard", "seg_vit_mask", jaccard("sigmoid", 400, 1, 12544), false},
	{"jaccard", "cls_cnn_latency", jaccard("softmax", 64, 400), false},
	{"tversky", "med_seg", tversky("softmax", 1, 4, 96, 96, 96), false},
	{"tversky", "seg_vit_mask", tversky("sigmoid", 400, 1, 12544), false},
	{"tversky", "seg_vit_latency", tversky("sigmoid", 1, 1, 64, 64), false},
	{"nt_xent", "simclr_cnn", ntXent(1024, 128), false},
	{"nt_xent", "act_vit_latency", ntXent(64, 128), false},
	{"perceptual", "i2i_cnn_vgg", perceptual("l1", []int{1, 64, 128, 128}, []int{1, 128, 64, 64}, []int{1, 256, 32, 32}, []int{1, 512, 16, 16}), false},
	{"perceptual", "inp_vit_lpips", perceptual("lpips", []int{1, 64, 128, 128}, []int{1, 128, 64, 64}, []int{1, 256, 32, 32}), false},
	{"feature_matching", "i2i_cnn_hd", featureMatching("layerwise_l1", []int{1, 64, 129, 257}, []int{1, 128, 65, 129}, []int{1, 256, 33, 65}), false},
	{"feature_matching", "a2i_vit_moment", featureMatching("moment", []int{64, 768, 14, 14}), false},
	{"feature_matching", "i2i_cnn_latency", featureMatching("layerwise_l1", []int{1, 64, 16, 16}, []int{1, 128, 8, 8}), false},
	{"style", "style_cnn", style("gatys", []int{1, 64, 256, 256}, []int{1, 128, 128, 128}), true},
	{"style", "inp_vit", style("mse", []int{4, 768, 14, 14}), true},
	{"style", "style_cnn_latency", style("l1", []int{1, 32, 16, 16}), false},
	{"ssim", "deh_ssim", ssim(4, 3, 256, 256), true},
	{"ssim", "deh_ssim_small", ssim(1, 3, 64, 64), false},
	{"ms_ssim", "deh_cnn_ms_ssim", msSSIM(5, 4, 3, 256, 256), true},
	{"ms_ssim", "deh_vit_ms_ssim", msSSIM(5, 1, 3, 256, 256), true},
	{"ms_ssim", "deh_latency", msSSIM(3, 1, 3, 64, 64), false},
}
