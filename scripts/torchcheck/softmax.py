"""Softmax and focal cross-entropy."""
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


LOSSES = [cross_entropy, focal]

DEVIATIONS = [
    ("cross_entropy", "not-finite logits", "+Inf gives NaN; -Inf with q = 0 gives NaN; ignored rows with NaN or Inf get NaN",
     lambda r, p: not finite(r, "logits")),
    ("cross_entropy", "class weight 0", "all weights 0 gives a NaN gradient",
     lambda r, p: any(t["name"] == "class_weight" and 0 in t["data"] for t in r["inputs"])),
    ("focal", "gamma below 1", "the gradient is NaN once p_t rounds to 1", lambda r, p: 0 < p.get("gamma", 2) < 1),
    ("focal", "saturation", "0 in place of tiny values and gradients", lambda r, p: "saturated" in r["tags"]),
    ("focal", "infinite logits", "NaN at the limits", lambda r, p: not finite(r, "logits")),
]
