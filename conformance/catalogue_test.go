package main

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/goldenloss/goldenloss/reference/loss"
)

// survey is the table that the catalogue stands for: the losses that the survey of vision tasks, and the regression tasks beside it,
// name for each task. A loss may serve further tasks, and relatives that no task names are in the catalogue as well.
var survey = map[loss.Task]string{
	loss.ImageClassification:  "mse cross_entropy focal kl_divergence attention_target attention_ranking margin_ranking iou jaccard",
	loss.ObjectDetection:      "mse smooth_l1 cross_entropy focal iou eiou focal_eiou gwd",
	loss.ActionRecognition:    "cross_entropy contrastive nt_xent",
	loss.ObjectTracking:       "smooth_l1 cross_entropy softmax_cross_entropy logistic focal iou triplet cross_correlation mahalanobis",
	loss.SemanticSegmentation: "l1 cross_entropy softmax_cross_entropy weighted_cross_entropy binary_cross_entropy pixelwise_cross_entropy focal dice jaccard",
	loss.ImageToImage:         "l1 contrastive adversarial gan conditional_adversarial cycle_consistency perceptual context",
	loss.TextToImage:          "l1 categorical_cross_entropy contrastive adversarial noise_prediction diffusion vae perceptual",
	loss.AudioToImage:         "mse reconstruction kl_divergence contrastive cross_modal_ranking margin_ranking adversarial noise_prediction perceptual",
	loss.Inpainting:           "l1 reconstruction adversarial perceptual style feature_matching",
	loss.Dehazing:             "l1 mse smooth_l1 pixelwise_mean adversarial cycle_consistency perceptual ssim ms_ssim",
	loss.Tabular:              "mse cross_entropy softmax_cross_entropy binary_cross_entropy",
	loss.TimeSeries:           "l1 mse huber quantile cross_entropy weighted_cross_entropy",
}

// relatives belong to the catalogue though no task of the survey names them.
var relatives = "log_cosh charbonnier binary_cross_entropy_with_logits focal_softmax giou diou ciou tversky info_nce"

// TestCatalogueHoldsTheSurvey: every task of the survey has its losses, each with a source, a summary and documentation, and no loss is
// there that neither the survey nor the list of relatives names.
func TestCatalogueHoldsTheSurvey(t *testing.T) {
	require.Len(t, survey, len(loss.Tasks))
	known := map[string]bool{}
	for _, id := range strings.Fields(relatives) {
		known[id] = true
	}
	entries := map[loss.Task]map[string]catalogueLoss{}
	for _, e := range catalogue() {
		entries[e.Task] = map[string]catalogueLoss{}
		require.NotEmpty(t, e.CNN, e.Task)
		require.NotEmpty(t, e.ViT, e.Task)
		for _, l := range e.Losses {
			entries[e.Task][l.ID] = l
			require.NotEmpty(t, l.Sources, l.ID)
			require.NotEmpty(t, l.Summary, l.ID)
			require.NotEmpty(t, l.Params, l.ID)
			require.Equal(t, docs+loss.Lookup(l.ID).Name, l.Docs)
		}
	}
	for task, ids := range survey {
		for _, id := range strings.Fields(ids) {
			known[id] = true
			require.Contains(t, entries[task], id, task)
		}
	}
	for _, d := range loss.All {
		require.True(t, known[d.ID], "%s is in the catalogue and not in the survey", d.ID)
		delete(known, d.ID)
	}
	require.Empty(t, known, "losses that the catalogue lacks")
}
