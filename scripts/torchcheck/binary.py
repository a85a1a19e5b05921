"""Losses of logits, probabilities and scores one by one, divergences, and attention."""
import numpy as np
import torch
import torch.nn.functional as F

from .common import finite, reduce


def given(x, name):
    """Weights have no gradient."""
    return x[name].detach() if name in x else None


def binary_cross_entropy_with_logits(p, x):
    return F.binary_cross_entropy_with_logits(x["logits"], x["target"], weight=given(x, "weight"), reduction=p["reduction"],
                                              pos_weight=given(x, "pos_weight"))


def binary_cross_entropy(p, x):
    prob, y = x["prob"], x["target"].detach()
    guard, torch_mode = p.get("guard", "log_floor"), p.get("grad_mode", "torch") == "torch"
    if guard == "log_floor" and torch_mode and p.get("log_floor", -100) == -100 and "grad_eps" not in p and not prob.isnan().any():
        return F.binary_cross_entropy(prob, y, weight=given(x, "weight"), reduction=p["reduction"])
    if guard == "clip":
        eps = p.get("clip_eps", 1e-7)
        prob = prob.clamp(eps, 1 - eps)
    hit, miss = torch.log(prob), torch.log1p(-prob)
    if guard == "log_floor":
        hit, miss = hit.clamp(min=p.get("log_floor", -100.0)), miss.clamp(min=p.get("log_floor", -100.0))
    items = -(torch.where(y == 0, y, y * hit) + torch.where(y == 1, 1 - y, (1 - y) * miss))
    if guard == "log_floor" and torch_mode:  # the gradient of torch.nn.functional.binary_cross_entropy
        q = prob.detach()
        slope = (q - y) / torch.clamp(q * (1 - q), min=p.get("grad_eps", 1e-12))
        items = items.detach() + slope * (prob - q)
    return reduce(items if "weight" not in x else items * given(x, "weight"), p)


def logistic(p, x):
    return reduce(-F.logsigmoid(x["target"] * x["score"]), p)


def kl_divergence(p, x):
    return F.kl_div(x["log_q"], x["target"], reduction=p["reduction"], log_target=p.get("log_target", False))


def attention_target(p, x):
    items = F.cross_entropy(x["logits"], x["class"], reduction="none")
    lam, attn = p.get("lambda", 1.0), x["attn"]
    layers = [int(i) for i in p.get("layers") or range(attn.shape[0])]
    if lam == 0 or not layers:
        return reduce(items, p)
    attn = attn[layers]
    if p.get("from_scores"):
        attn = attn.softmax(-1)
    if p.get("variant", "paper") == "per_query":
        at = x["target_index"].view(1, -1, 1, 1, 1).expand(*attn.shape[:4], 1)
        mean = attn.gather(4, at).squeeze(4).mean(2)
        return reduce(items - lam * mean.log().mean(2).sum(0), p)
    mask = x["target_mask"][None, :, None, None]
    return reduce(items - lam * torch.where(mask, attn, torch.zeros_like(attn)).sum((2, 3, 4)).log().sum(0), p)


LOSSES = [binary_cross_entropy_with_logits, binary_cross_entropy, logistic, kl_divergence, attention_target]

def holds(row, name, *values):
    return any(t["name"] == name and np.isin(t["data"], values).any() for t in row["inputs"])


DEVIATIONS = [
    ("binary_cross_entropy_with_logits", "sure hits", "the gradient is sigmoid(x) - y by subtraction, 0 from x = 37 on",
     lambda r, p: finite(r)),
    ("binary_cross_entropy_with_logits", "infinite or NaN inputs", "NaN values at the limits; a weight of 0 times NaN is NaN",
     lambda r, p: not finite(r)),
    ("binary_cross_entropy", "infinite or NaN inputs", "an error; autograd gives 0 times NaN, or misses entries of a NaN item",
     lambda r, p: not finite(r)),
    ("binary_cross_entropy", "defaults at the ends", "log(1-p) is 0 for small p; the floor of the gradient is the float32 next to 1e-12",
     lambda r, p: p.keys() <= {"reduction"} and "saturated" in r["tags"]),
    ("binary_cross_entropy", "probabilities 0 and 1", "the derivative of a clamped or dropped logarithm of 0 is NaN",
     lambda r, p: holds(r, "prob", 0, 1)),
    ("kl_divergence", "infinite or NaN inputs", "NaN for p = 0 or lp = -Inf; the gradient -p where log q is NaN",
     lambda r, p: not finite(r)),
    ("kl_divergence", "targets of 0", "the gradient of the target is NaN", lambda r, p: not p.get("log_target") and holds(r, "target", 0)),
    ("kl_divergence", "subnormal targets", "the gradient of the target loses digits", lambda r, p: "underflow" in r["tags"]),
    ("kl_divergence", "overflow", "0 times an exponential that overflows", lambda r, p: "overflow" in r["tags"]),
    ("attention_target", "infinite or NaN inputs", "NaN from infinite scores and logits; entries of an item that is NaN without NaN",
     lambda r, p: not finite(r)),
    ("attention_target", "saturated scores", "the logarithm of attention that underflows is -Inf",
     lambda r, p: p.get("from_scores") and "saturated" in r["tags"]),
]
