"""Softmax and focal cross-entropy."""
import numpy as np
import torch
import torch.nn.functional as F

from .common import finite, reduce


def cross_entropy(p, x):
    target = x["target"] if "target" in x else x["target_prob"]
    return F.cross_entropy(x["logits"], target, weight=x.get("class_weight"), reduction=p["reduction"],
                           ignore_index=p.get("ignore_index") if p.get("ignore_index") is not None else -100,
                           label_smoothing=p.get("label_smoothing", 0.0))


def focal(p, x):
    logits, t = x["logits"], x["target"]
    alpha, gamma = p.get("alpha", 0.25), p.get("gamma", 2.0)
    prob = torch.sigmoid(logits)
    ce = F.binary_cross_entropy_with_logits(logits, t, reduction="none")
    items = ce * (1 - (prob * t + (1 - prob) * (1 - t))) ** gamma
    if alpha >= 0:
        items = (alpha * t + (1 - alpha) * (1 - t)) * items
    return reduce(items, p, p.get("normalizer"))


def softmax_cross_entropy(p, x):
    axis = p.get("axis", -1)
    logp = F.log_softmax(x["logits"] / p.get("temperature", 1.0), axis)
    return reduce(-(x["target_prob"] * logp).sum(axis), p)


def ignored(p):
    return p.get("ignore_index") if p.get("ignore_index") is not None else -100


def weighted_cross_entropy(p, x):
    mode = p.get("mode", "class")
    if mode == "binary_pos":
        return F.binary_cross_entropy_with_logits(x["logits"], x["target"], reduction=p["reduction"],
                                                  pos_weight=torch.tensor(p.get("pos_weight", 1.0), dtype=torch.float64))
    keep = x["target"] != ignored(p)
    items = F.cross_entropy(x["logits"], x["target"], weight=x.get("class_weight"), ignore_index=ignored(p), reduction="none")
    if mode == "pixel":
        items = items * x["pixel_weight"]
    by_weight = p.get("normalize", "weight" if mode == "class" else "count") == "weight"
    if not by_weight:
        return reduce(items, p, keep.sum())
    if mode == "pixel":
        return reduce(items, p, (x["pixel_weight"] * keep).sum())
    return reduce(items, p, x["class_weight"][x["target"][keep]].sum())


def pixelwise_cross_entropy(p, x):
    normalize = p.get("normalize", "weight")
    by_weight = normalize == "weight"
    items = F.cross_entropy(x["logits"], x["target"], weight=x.get("class_weight"), ignore_index=ignored(p),
                            reduction=p["reduction"] if by_weight else "none")
    if by_weight:
        return items
    return reduce(items, p, (x["target"] != ignored(p)).sum() if normalize == "count" else None)


def categorical_cross_entropy(p, x):
    """As Keras has it."""
    axis, eps, a = p.get("axis", -1), p.get("eps", 1e-7), p.get("label_smoothing", 0.0)
    prob, y = x["prob"], x["target_prob"]
    if p.get("normalize", True):
        prob = prob / prob.sum(axis, keepdim=True)
    if eps > 0:
        prob = prob.clamp(eps, 1 - eps)
    if a > 0:
        y = y * (1 - a) + a / y.shape[axis]
    return reduce(-(y * prob.log()).sum(axis), p)


def focal_softmax(p, x):
    logits, target = x["logits"], x["target"]
    keep = target != ignored(p)
    index = torch.where(keep, target, 0)
    logp = F.log_softmax(logits, 1).gather(1, index.unsqueeze(1)).squeeze(1) if logits.shape[1] else logits.sum(1)
    alpha = x["alpha"][index] if "alpha" in x else torch.ones_like(logp)
    items = torch.where(keep, alpha * (1 - logp.exp()) ** p.get("gamma", 2.0) * -logp, 0.0)
    return reduce(items, p, (alpha * keep).sum() if p.get("normalize", "count") == "weight" else keep.sum())


LOSSES = [cross_entropy, focal, softmax_cross_entropy, weighted_cross_entropy, pixelwise_cross_entropy, categorical_cross_entropy,
          focal_softmax]

DEVIATIONS = [
    ("cross_entropy", "not-finite logits", "+Inf gives NaN; -Inf with q = 0 gives NaN; ignored rows with NaN or Inf get NaN",
     lambda r, p: not finite(r, "logits")),
    ("cross_entropy", "NaN weight", "with smoothing the gradient of an ignored position is 0 times NaN",
     lambda r, p: p.get("label_smoothing", 0) > 0 and any(t["name"] == "class_weight" and np.isnan(t["data"]).any() for t in r["inputs"])),
    ("cross_entropy", "class weight 0", "all weights 0 gives a NaN gradient",
     lambda r, p: any(t["name"] == "class_weight" and 0 in t["data"] for t in r["inputs"])),
    ("focal", "gamma below 1", "the gradient is NaN once p_t rounds to 1", lambda r, p: 0 < p.get("gamma", 2) < 1),
    ("focal", "saturation", "0 in place of tiny values and gradients", lambda r, p: "saturated" in r["tags"]),
    ("focal", "infinite logits", "NaN at the limits", lambda r, p: not finite(r, "logits")),
    ("softmax_cross_entropy", "infinite logits", "+Inf gives NaN; -Inf with q = 0 gives NaN", lambda r, p: not finite(r, "logits")),
    ("softmax_cross_entropy", "the largest logits", "0 times a logarithm that overflows gives NaN",
     lambda r, p: any(t["name"] == "logits" and -1e308 in t["data"] for t in r["inputs"])),
    ("weighted_cross_entropy", "not-finite inputs", "NaN at the limits; ignored positions and those of weight 0 that hold NaN make others NaN",
     lambda r, p: not finite(r)),
    ("weighted_cross_entropy", "all weights 0", "the gradient of the mean is NaN", lambda r, p: "empty" in r["tags"]),
    ("weighted_cross_entropy", "saturation", "the gradient of a sure hit of binary_pos is 0 or noise",
     lambda r, p: p.get("mode") == "binary_pos" and "saturated" in r["tags"]),
    ("pixelwise_cross_entropy", "not-finite logits", "NaN at the limits; ignored pixels and those of weight 0 that hold NaN get NaN",
     lambda r, p: not finite(r, "logits")),
    ("pixelwise_cross_entropy", "all weights 0", "the gradient of the mean is NaN", lambda r, p: "empty" in r["tags"]),
    ("categorical_cross_entropy", "0 log 0", "without a clip a probability of 0 gives NaN, also where the target is 0",
     lambda r, p: p.get("eps", 1e-7) == 0 and any(t["name"] == "prob" and 0 in t["data"] for t in r["inputs"])),
    ("categorical_cross_entropy", "shares below all numbers", "without a clip p/s underflows to 0", lambda r, p: "underflow" in r["tags"]),
    ("categorical_cross_entropy", "not-finite inputs", "the other gradients of the row stay finite; without normalization Inf is clipped",
     lambda r, p: not finite(r)),
    ("focal_softmax", "gamma below 1", "the gradient is NaN once p rounds to 1", lambda r, p: 0 < p.get("gamma", 2) < 1),
    ("focal_softmax", "not-finite logits", "NaN at the limits; ignored rows and those of alpha 0 that hold NaN get NaN",
     lambda r, p: not finite(r, "logits")),
    ("focal_softmax", "all alpha 0", "the gradient of the mean is NaN", lambda r, p: "empty" in r["tags"]),
]
