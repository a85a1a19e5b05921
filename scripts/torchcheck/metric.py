"""Losses on embeddings, pairs and scores."""
import math

import torch
import torch.nn.functional as F

from .common import finite, reduce


def contrastive(p, x):
    similar = x["y"] == bool(p.get("similar_label", 0))
    d = F.pairwise_distance(x["x1"], x["x2"], eps=0)
    items = torch.where(similar, (x["x1"] - x["x2"]).square().sum(1), (p.get("margin", 1.0) - d).clamp(min=0).square())
    return reduce(p.get("scale", 0.5) * items, p)


def nt_xent(p, x):
    z = x["z"]
    n = len(z)
    u = F.normalize(z, dim=1, eps=p.get("norm_eps", 1e-12)) if p.get("normalize", True) else z
    s = u @ u.T / p.get("temperature", 0.5)
    s = s.masked_fill(torch.eye(n, dtype=torch.bool), -math.inf)
    i = torch.arange(n)
    return F.cross_entropy(s, i ^ 1 if p.get("pairing") == "interleaved" else (i + n // 2) % n, reduction=p["reduction"])


def info_nce(p, x):
    eps, tau = p.get("norm_eps", 1e-12), p.get("temperature", 0.07)

    def unit(name, wanted):
        return F.normalize(x[name], dim=1, eps=eps) if wanted else x[name]

    q, k = unit("query", p.get("normalize", True)), unit("key", p.get("normalize", True))
    if p.get("negatives") == "in_batch":
        return F.cross_entropy(q @ k.T / tau, torch.arange(len(q)), reduction=p["reduction"])
    queue = unit("queue", p.get("normalize_queue", False))
    logits = torch.cat([(q * k).sum(1, keepdim=True), q @ queue.T], 1) / tau
    return F.cross_entropy(logits, torch.zeros(len(q), dtype=torch.int64), reduction=p["reduction"])


def triplet(p, x):
    return F.triplet_margin_loss(x["anchor"], x["positive"], x["negative"], margin=p.get("margin", 1.0), p=p.get("p", 2.0), eps=p.get("eps", 1e-6),
                                 swap=p.get("swap", False), reduction=p["reduction"])


def margin_ranking(p, x):
    return F.margin_ranking_loss(x["x1"], x["x2"], x["y"], margin=p.get("margin", 0.0), reduction=p["reduction"])


def cross_modal_ranking(p, x):
    margin, mining = p.get("margin", 0.2), p.get("mining", "all")
    if p.get("input") == "scores":
        s = x["scores"]
    else:
        u, v = x["image"], x["text"]
        if p.get("similarity", "cosine") == "cosine":
            u, v = (F.normalize(z, dim=1, eps=p.get("norm_eps", 1e-12)) for z in (u, v))
        s = u @ v.T
    n, i = len(s), torch.arange(len(s))
    own = s.diagonal()
    if mining == "sampled":
        t, m = x["impostor_text"], x["impostor_image"]
        return reduce(F.relu(margin - own + s[i, t]) + F.relu(margin - own + s[m, i]), p)
    match = torch.eye(n, dtype=torch.bool)
    r = F.relu(margin - own[:, None] + s).masked_fill(match, 0)
    k = F.relu(margin - own[None, :] + s).masked_fill(match, 0)
    if mining == "hardest":
        items = r.max(1).values + k.max(0).values
    else:
        items = r.sum(1) + k.sum(0)
    return reduce(items, p, max(1, n * (n - 1)) if p.get("divisor") == "pairs" else None)


def attention_ranking(p, x):
    q, a, theta = x["pred"], x["target"], p.get("theta", 0.2)
    i, j = torch.triu_indices(q.shape[-1], q.shape[-1], 1)
    sign = torch.sign(a[..., i] - a[..., j])
    items = F.relu(theta - (q[..., i] - q[..., j]) * sign)
    if p.get("ties") == "skip":
        items = items * (sign != 0)
    return reduce(items.sum(-1), p)


LOSSES = [contrastive, nt_xent, info_nce, triplet, margin_ranking, cross_modal_ranking, attention_ranking]

def _scaled(r, p):
    return finite(r) and bool({"overflow", "underflow"} & set(r["tags"]))


def _odd(r, p):
    return not finite(r)


DEVIATIONS = [
    ("contrastive", "squares out of range", "squares of coordinates overflow and underflow where the norm does not", _scaled),
    ("contrastive", "infinite difference", "the gradient is NaN where the difference is infinite", _odd),
    ("nt_xent", "squares out of range", "squares of coordinates overflow and underflow where the norm does not", _scaled),
    ("info_nce", "squares out of range", "squares of coordinates overflow and underflow where the norm does not", _scaled),
    ("info_nce", "infinite rows", "similarities with an infinite row may be infinite in place of NaN", _odd),
    ("triplet", "powers out of range", "powers of coordinates overflow and underflow where the norm does not", _scaled),
    ("triplet", "not finite", "the gradient at a NaN is 0, and NaN where a distance is infinite", _odd),
    ("margin_ranking", "not finite", "the gradient at a NaN is 0", _odd),
    ("cross_modal_ranking", "squares out of range", "squares of coordinates overflow and underflow where the norm does not", _scaled),
    ("cross_modal_ranking", "not finite", "the gradient at a NaN is 0, and NaN spreads through a product with 0", _odd),
    ("attention_ranking", "not finite", "the gradient at a NaN is 0, the sign of NaN is 0, and an infinity times a sign of 0 is NaN", _odd),
]
