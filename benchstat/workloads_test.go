package main

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
	{"l1", "deh_cnn", l1(16, 3, 240, 240), false},
	{"l1", "deh_vit", l1(16, 3, 256, 256), false},
	{"l1", "i2i_cnn_latency", l1(1, 1, 30, 30), false},
	{"mse", "t2i_cnn", mse(64, 4, 64, 64), false},
	{"mse", "t2i_vit", mse(256, 4, 32, 32), false},
	{"mse", "tab_mlp_latency", mse(256), false},
	{"huber", "ts_cnn", huber(32, 720, 7), false},
	{"huber", "ts_tr", huber(32, 192, 321), false},
	{"huber", "tab_mlp_latency", huber(256), false},
	{"log_cosh", "ts_cnn", logCosh(32, 720, 7), false},
	{"log_cosh", "ts_tr", logCosh(32, 192, 321), false},
	{"log_cosh", "tab_mlp_latency", logCosh(256), false},
	{"charbonnier", "deh_cnn", charbonnier(0.5, 16, 3, 240, 240), false},
	{"charbonnier", "deh_vit", charbonnier(0.5, 16, 3, 256, 256), false},
	{"charbonnier", "deh_cnn_power", charbonnier(0.45, 4, 3, 240, 240), false},
	{"charbonnier", "i2i_cnn_latency", charbonnier(0.5, 1, 3, 32, 32), false},
	{"quantile", "ts_cnn", quantile(3, 32, 720, 7), false},
	{"quantile", "ts_tr", quantile(9, 32, 96, 321), false},
	{"quantile", "ts_cnn_latency", quantile(9, 32, 24), false},
	{"pixelwise_mean", "deh_cnn", pixelwiseMean(16, 3, 240, 240), false},
	{"pixelwise_mean", "deh_vit", pixelwiseMean(16, 3, 256, 256), false},
	{"pixelwise_mean", "deh_cnn_latency", pixelwiseMean(1, 3, 32, 32), false},
	{"cross_entropy", "cls_cnn", crossEntropy(0, 256, 1000), false},
	{"cross_entropy", "cls_vit_soft", softCrossEntropy(1024, 1000), false},
	{"cross_entropy", "seg_cnn", crossEntropy(0.1, 1, 19, 512, 1024), true},
	{"cross_entropy", "seg_vit", crossEntropy(0.1, 1, 150, 160, 160), false},
	{"cross_entropy", "act_cnn_latency", crossEntropy(0, 64, 400), false},
	{"softmax_cross_entropy", "cls_cnn_kd", distillation(1, 256, 1000), false},
	{"softmax_cross_entropy", "cls_vit", softmaxCrossEntropy(1024, 1000), false},
	{"softmax_cross_entropy", "seg_vit_kd", distillation(1, 1, 150, 80, 80), false},
	{"softmax_cross_entropy", "act_vit_latency", softmaxCrossEntropy(32, 400), false},
	{"weighted_cross_entropy", "seg_cnn", classWeighted(1, 19, 512, 1024), true},
	{"weighted_cross_entropy", "seg_vit_pixel", pixelWeighted(1, 150, 160, 160), false},
	{"weighted_cross_entropy", "ts_tr_event", posWeighted(32, 720, 7), false},
	{"weighted_cross_entropy", "seg_cnn_latency", pixelWeighted(1, 2, 64, 64), false},
	{"pixelwise_cross_entropy", "seg_cnn", pixelwiseCrossEntropy(1, 19, 512, 1024), true},
	{"pixelwise_cross_entropy", "seg_vit", pixelwiseCrossEntropy(1, 150, 160, 160), false},
	{"pixelwise_cross_entropy", "seg_cnn_latency", pixelwiseCrossEntropy(1, 19, 64, 64), false},
	{"categorical_cross_entropy", "cls_cnn", categoricalCrossEntropy(0.1, 256, 1000), false},
	{"categorical_cross_entropy", "t2i_vit_ar", categoricalCrossEntropy(0, 512, 8192), false},
	{"categorical_cross_entropy", "act_cnn_latency", categoricalCrossEntropy(0, 64, 400), false},
	{"binary_cross_entropy", "det_cnn_mask", binaryCrossEntropy(128, 28, 28), false},
	{"binary_cross_entropy", "seg_vit_mask", binaryCrossEntropy(400, 12544), false},
	{"binary_cross_entropy", "tab_mlp_latency", binaryCrossEntropy(256), false},
	{"binary_cross_entropy_with_logits", "det_cnn_dense", binaryCrossEntropyWithLogits(0.01, 8, 8400, 80), true},
	{"binary_cross_entropy_with_logits", "seg_vit_mask", binaryCrossEntropyWithLogits(0.3, 400, 12544), false},
	{"binary_cross_entropy_with_logits", "seg_cnn_pos_weight", posWeightedBinary(2, 19, 256, 256), false},
	{"binary_cross_entropy_with_logits", "tab_ft_latency", binaryCrossEntropyWithLogits(0.3, 512), false},
	{"logistic", "trk_cnn_map", logistic(180, 1, 19, 19), false},
	{"logistic", "trk_vit_map", logistic(32, 1, 24, 24), false},
	{"logistic", "trk_cnn_latency", logistic(8, 1, 15, 15), false},
	{"kl_divergence", "cls_cnn_kd", klDivergence(false, 256, 1000), false},
	{"kl_divergence", "kd_vit", klDivergence(true, 1024, 1000), false},
	{"kl_divergence", "act_vit_latency", klDivergence(true, 32, 400), false},
	{"attention_target", "attn_vit", attentionTarget(false, false, 12, 2, 12, 197), true},
	{"attention_target", "attn_vit_scores", attentionTarget(true, true, 12, 1, 3, 197), true},
	{"attention_target", "attn_vit_latency", attentionTarget(false, true, 1, 1, 3, 50), false},
	{"focal_softmax", "cls_cnn", focalSoftmax(256, 1000), false},
	{"focal_softmax", "seg_vit", focalSoftmax(1, 150, 160, 160), false},
	{"focal_softmax", "det_vit", focalSoftmax(6*32*100, 92), false},
	{"focal_softmax", "act_cnn_latency", focalSoftmax(64, 400), false},
	{"focal", "det_cnn_anchor", focal(0.0005, 1, 201600, 80), true},
	{"focal", "det_vit_focal", focal(0.005, 6, 4, 900, 91), false},
	{"focal", "trk_vit_latency", focal(0.01, 32, 1, 24, 24), false},
	{"iou", "det_cnn_box", iou(65536), false},
	{"iou", "det_vit_latency", iou(512), false},
	{"giou", "det_cnn_box", giou(65536), false},
	{"giou", "det_vit_matched", giou(6 * 16 * 7), false},
	{"giou", "det_vit_latency", giou(512), false},
	{"diou", "det_cnn_box", diou(65536), false},
	{"diou", "det_vit_matched", diou(6 * 16 * 7), false},
	{"diou", "det_vit_latency", diou(512), false},
	{"ciou", "det_cnn_box", ciou(65536), false},
	{"ciou", "det_vit_matched", ciou(6 * 16 * 7), false},
	{"ciou", "det_vit_latency", ciou(512), false},
	{"eiou", "det_cnn_box", eiou(65536), false},
	{"eiou", "det_vit_matched", eiou(6 * 16 * 7), false},
	{"eiou", "det_vit_latency", eiou(512), false},
	{"focal_eiou", "det_cnn_box", focalEIoU(65536), false},
	{"focal_eiou", "det_vit_matched", focalEIoU(6 * 16 * 7), false},
	{"focal_eiou", "det_vit_latency", focalEIoU(512), false},
	{"gwd", "det_cnn_rotated", gwd(65536), false},
	{"gwd", "det_vit_matched", gwd(6 * 16 * 7), false},
	{"gwd", "det_vit_latency", gwd(512), false},
	{"dice", "seg_vit_mask", dice("sigmoid", 400, 1, 12544), false},
	{"dice", "med_seg", dice("softmax", 1, 4, 96, 96, 96), false},
	{"dice", "seg_vit_latency", dice("sigmoid", 1, 1, 64, 64), false},
	{"jaccard", "seg_cnn", jaccard("softmax", 1, 19, 256, 512), false},
	{"jaccard", "seg_vit_mask", jaccard("sigmoid", 400, 1, 12544), false},
	{"jaccard", "cls_cnn_latency", jaccard("softmax", 64, 400), false},
	{"tversky", "med_seg", tversky("softmax", 1, 4, 96, 96, 96), false},
	{"tversky", "seg_vit_mask", tversky("sigmoid", 400, 1, 12544), false},
	{"tversky", "seg_vit_latency", tversky("sigmoid", 1, 1, 64, 64), false},
	{"contrastive", "act_cnn", contrastive(8192, 128), false},
	{"contrastive", "t2i_vit", contrastive(4096, 768), false},
	{"contrastive", "act_cnn_latency", contrastive(32, 128), false},
	{"nt_xent", "simclr_cnn", ntXent(1024, 128), false},
	{"nt_xent", "act_vit_latency", ntXent(64, 128), false},
	{"info_nce", "moco_cnn", infoNCE(256, 8192, 128), true},
	{"info_nce", "i2i_cnn_nce", infoNCE(256, 256, 256), false},
	{"info_nce", "clip_vit", infoNCE(512, 0, 512), true},
	{"info_nce", "act_vit_latency", infoNCE(32, 0, 64), false},
	{"triplet", "reid_cnn", triplet(512, 2048), false},
	{"triplet", "trk_vit", triplet(512, 768), false},
	{"triplet", "reid_cnn_latency", triplet(16, 256), false},
	{"margin_ranking", "a2i_rank", marginRanking(1 << 20), false},
	{"margin_ranking", "cls_vit", marginRanking(256 * 1000), false},
	{"margin_ranking", "a2i_rank_latency", marginRanking(1024), false},
	{"cross_modal_ranking", "a2i_cnn", crossModalRanking("all", 128, 1024), false},
	{"cross_modal_ranking", "t2i_vit", crossModalRanking("hardest", 512, 512), true},
	{"cross_modal_ranking", "a2i_rank", crossModalRanking("all", 1024, 0), false},
	{"cross_modal_ranking", "a2i_cnn_latency", crossModalRanking("all", 32, 64), false},
	{"attention_ranking", "attn_vit", attentionRanking(1, 12, 197, 197), true},
	{"attention_ranking", "attn_vit_577", attentionRanking(1, 1, 577, 577), true},
	{"attention_ranking", "attn_cnn", attentionRanking(4, 1, 196, 49), false},
	{"attention_ranking", "attn_vit_latency", attentionRanking(1, 3, 17, 17), false},
	{"perceptual", "i2i_cnn_vgg", perceptual("l1", []int{1, 64, 128, 128}, []int{1, 128, 64, 64}, []int{1, 256, 32, 32}, []int{1, 512, 16, 16}), false},
	{"perceptual", "inp_vit_lpips", perceptual("lpips", []int{1, 64, 128, 128}, []int{1, 128, 64, 64}, []int{1, 256, 32, 32}), false},
	{"perceptual", "inp_cnn_small", perceptual("johnson", []int{1, 64, 16, 16}, []int{1, 128, 8, 8}), false},
	{"feature_matching", "i2i_cnn_hd", featureMatching("layerwise_l1", []int{1, 64, 129, 257}, []int{1, 128, 65, 129}, []int{1, 256, 33, 65}), false},
	{"feature_matching", "a2i_vit_moment", featureMatching("moment", []int{64, 768, 14, 14}), false},
	{"feature_matching", "i2i_cnn_latency", featureMatching("layerwise_l1", []int{1, 64, 16, 16}, []int{1, 128, 8, 8}), false},
	{"style", "style_cnn", style("gatys", []int{1, 64, 256, 256}, []int{1, 128, 128, 128}), true},
	{"style", "inp_vit", style("mse", []int{4, 768, 14, 14}), true},
	{"style", "style_cnn_latency", style("l1", []int{1, 32, 16, 16}), false},
	{"context", "i2i_cnn_cx", contextual(1, 256, 32, 32), true},
	{"context", "i2i_vit_cx", contextual(1, 768, 14, 14), false},
	{"context", "i2i_latency", contextual(1, 64, 8, 8), false},
	{"ssim", "deh_ssim", ssim(4, 3, 256, 256), true},
	{"ssim", "deh_ssim_small", ssim(1, 3, 64, 64), false},
	{"ms_ssim", "deh_cnn_ms_ssim", msSSIM(5, 4, 3, 256, 256), true},
	{"ms_ssim", "deh_vit_ms_ssim", msSSIM(5, 1, 3, 256, 256), true},
	{"ms_ssim", "deh_latency", msSSIM(3, 1, 3, 64, 64), false},
	{"adversarial", "i2i_cnn_hd", adversarial("g_ns", 8, 1, 66, 130), false},
	{"adversarial", "i2i_vit", adversarial("d_fake", 64, 1, 30, 30), false},
	{"adversarial", "inp_vit_latency", adversarial("g_ns", 32, 1), false},
	{"gan", "i2i_cnn_hd", gan("logits", 8, 1, 66, 130), false},
	{"gan", "i2i_vit", gan("probs", 64, 1, 30, 30), false},
	{"gan", "i2i_cnn_latency", gan("logits", 1, 1, 30, 30), false},
	{"cycle_consistency", "i2i_cnn", cycleConsistency(0.5, 8, 3, 256, 256), false},
	{"cycle_consistency", "i2i_vit", cycleConsistency(0, 16, 3, 256, 256), false},
	{"cycle_consistency", "i2i_cnn_latency", cycleConsistency(0, 1, 3, 32, 32), false},
	{"reconstruction", "inp_cnn", holes("hole_valid", 10, 3, 256, 256), false},
	{"reconstruction", "inp_vit_mae", patches(true, 64, 196, 768), true},
	{"reconstruction", "inp_cnn_latency", holes("full", 1, 3, 32, 32), false},
	{"conditional_adversarial", "i2i_cnn", conditionalAdversarial("generator", "bce", 8, 30, 256), false},
	{"conditional_adversarial", "i2i_vit", conditionalAdversarial("discriminator", "hinge", 64, 30, 256), false},
	{"conditional_adversarial", "i2i_cnn_latency", conditionalAdversarial("generator", "lsgan", 1, 6, 32), false},
}
