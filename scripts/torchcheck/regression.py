"""Regression losses."""
import torch
import torch.nn.functional as F

from .common import finite, reduce


def smooth_l1(p, x):
    return F.smooth_l1_loss(x["pred"], x["target"], reduction=p["reduction"], beta=p.get("beta", 1.0))


def l1(p, x):
    return F.l1_loss(x["pred"], x["target"], reduction=p["reduction"])


def mse(p, x):
    value = F.mse_loss(x["pred"], x["target"], reduction=p["reduction"])
    return value / 2 if p.get("half") else value


def huber(p, x):
    return F.huber_loss(x["pred"], x["target"], reduction=p["reduction"], delta=p.get("delta", 1.0))


def log_cosh(p, x):
    e = (x["pred"] - x["target"]).abs()
    return reduce(e + F.softplus(-2 * e) - torch.tensor(2.0, dtype=e.dtype).log(), p)


def charbonnier(p, x):
    eps, alpha = p.get("eps", 1e-3), p.get("alpha", 0.5)
    items = ((x["pred"] - x["target"]).square() + eps * eps).pow(alpha)
    return reduce(items - (eps * eps) ** alpha if p.get("offset") else items, p)


def quantile(p, x):
    taus = torch.tensor(p.get("taus", [0.5]), dtype=torch.float64)
    target = x["target"]
    if len(taus) > 1:
        target = target.unsqueeze(-1)
    u = target - x["pred"]
    return reduce(p.get("scale", 1.0) * torch.maximum(taus * u, (taus - 1) * u), p)


def pixelwise_mean(p, x):
    f = F.mse_loss if p.get("p", 1) == 2 else F.l1_loss
    items = f(x["pred"], x["target"], reduction="none")
    return reduce(items.mean(1) if p.get("channel") == "mean" else items.sum(1), p)


LOSSES = [smooth_l1, l1, mse, huber, log_cosh, charbonnier, quantile, pixelwise_mean]

DEVIATIONS = [
    ("smooth_l1", "square before division", "0.5 e^2/beta overflows and underflows where 0.5 abs(e) (abs(e)/beta) does not",
     lambda r, p: "beta" in r["case_id"] and bool({"overflow", "underflow"} & set(r["tags"]))),
    ("l1", "NaN", "the gradient at a NaN is 0", lambda r, p: not finite(r)),
    ("mse", "half of a square", "half of a square that overflows is infinite", lambda r, p: p.get("half") and "overflow" in r["tags"]),
    ("charbonnier", "power of 0", "the gradient is NaN where the sum of squares is 0", lambda r, p: p.get("eps") == 0 and finite(r)),
    ("charbonnier", "squares out of range", "e^2 and eps^2 overflow and underflow where their power does not",
     lambda r, p: bool({"overflow", "underflow"} & set(r["tags"]))),
    ("charbonnier", "infinite error", "the gradient of an infinite error is NaN", lambda r, p: not finite(r)),
    ("quantile", "NaN", "the gradient at a NaN is finite: maximum takes one side", lambda r, p: "nan" in r["tags"]),
    ("quantile", "coefficient 0", "0 times infinity is NaN", lambda r, p: not finite(r) and bool({0.0, 1.0} & set(p["taus"]))),
    ("pixelwise_mean", "NaN", "a NaN reaches its channel (for p = 1 not even that), not the pixel", lambda r, p: not finite(r)),
]
