package loss

// Def describes a loss: what the documentation, the catalogue and the reports print of it.
type Def struct {
	ID      string // snake_case, the name in files, flags and benchmark keys
	Name    string // the Go identifier
	Title   string
	Summary string // one clause
	Aliases []string
	Tasks   []Task
	Sources []Source
}

// Source is a publication that defines a loss.
type Source struct {
	Text string // authors, year, title or venue
	ID   string // arXiv number or other identifier, may be empty
	Eq   string // equation or section, may be empty
}

// Task is one of the tasks of the survey of losses in computer vision, or of the regression tasks beside it.
type Task string

const (
	ImageClassification  Task = "image classification"
	ObjectDetection      Task = "object detection"
	ActionRecognition    Task = "action recognition"
	ObjectTracking       Task = "object tracking"
	SemanticSegmentation Task = "semantic segmentation"
	ImageToImage         Task = "image-to-image"
	TextToImage          Task = "text-to-image"
	AudioToImage         Task = "audio-to-image"
	Inpainting           Task = "inpainting"
	Dehazing             Task = "dehazing"
	Tabular              Task = "tabular"
	TimeSeries           Task = "time series"
)

// Models are typical models of a task whose training evaluates its losses: convolutional and transformer.
type Models struct {
	Task     Task
	CNN, ViT string
}

// Tasks lists the tasks in the order of the survey.
var Tasks = []Models{
	{ImageClassification, "ResNet-50", "DeiT, Swin"},
	{ObjectDetection, "RetinaNet, Faster R-CNN", "DETR, Deformable DETR"},
	{ActionRecognition, "SlowFast", "MViTv2, VideoMAE"},
	{ObjectTracking, "SiamFC, SiamRPN++", "OSTrack, TransTrack"},
	{SemanticSegmentation, "DeepLabV3+, U-Net", "SegFormer, Mask2Former"},
	{ImageToImage, "CycleGAN, pix2pixHD", "UVCGAN"},
	{TextToImage, "Stable Diffusion (U-Net)", "DiT"},
	{AudioToImage, "S2IGAN", "AudioToken"},
	{Inpainting, "LaMa", "MAT, MAE"},
	{Dehazing, "FFA-Net", "DehazeFormer"},
	{Tabular, "ResNet (tabular)", "FT-Transformer"},
	{TimeSeries, "TCN", "PatchTST, Informer"},
}

// All lists the definition of every loss, in the order of the catalogue.
var All = []*Def{
	l1,
	mse,
	smoothL1,
	huber,
	logCosh,
	charbonnier,
	quantile,
	pixelwiseMean,
	reconstruction,
	crossEntropy,
	weightedCrossEntropy,
	softmaxCrossEntropy,
	categoricalCrossEntropy,
	binaryCrossEntropy,
	binaryCrossEntropyWithLogits,
	pixelwiseCrossEntropy,
	logistic,
	focal,
	focalSoftmax,
	klDivergence,
	attentionTarget,
	iou,
	giou,
	diou,
	ciou,
	eiou,
	focalEIoU,
	gwd,
	dice,
	jaccard,
	tversky,
	contrastive,
	ntXent,
	infoNCE,
	triplet,
	marginRanking,
	crossModalRanking,
	attentionRanking,
	crossCorrelation,
	mahalanobis,
	adversarial,
	gan,
	conditionalAdversarial,
	cycleConsistency,
	noisePrediction,
	diffusion,
	vae,
	perceptual,
	style,
	featureMatching,
	context,
	ssim,
	msSSIM,
}

// Lookup returns the definition of a loss id, nil where there is none.
func Lookup(id string) *Def {
	for _, d := range All {
		if d.ID == id {
			return d
		}
	}
	return nil
}
