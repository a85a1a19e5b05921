"""Losses of masks, images and feature maps."""
import numpy as np
import torch
import torch.nn.functional as F

from .common import finite, reduce


def overlap(p, x, ratio):
    """An overlap loss; ratio makes numerator and denominator of p and t, sums of the intersection, of p and of t."""
    pred = x["pred"]
    n, c = pred.shape[:2]
    if "target" in x:
        t = x["target"]
        keep = torch.ones_like(t[:, 0], dtype=torch.bool)
    else:
        label = x["target_label"]
        keep = torch.ones_like(label, dtype=torch.bool)
        if p.get("ignore_index") is not None:
            keep = label != p["ignore_index"]
        t = F.one_hot(torch.where(keep, label, torch.zeros_like(label)), c).movedim(-1, 1).to(pred.dtype)
    if "mask" in x:
        keep = keep & x["mask"]
    act = p.get("activation", "none")
    prob = torch.sigmoid(pred) if act == "sigmoid" else torch.softmax(pred, 1) if act == "softmax" else pred
    if not p.get("include_background", True):
        prob, t = prob[:, 1:], t[:, 1:]
    prob, t = prob.flatten(2) if pred.dim() > 2 else prob[..., None], t.flatten(2) if pred.dim() > 2 else t[..., None]
    keep = keep.reshape(n, 1, -1).expand_as(prob)
    zero = torch.zeros_like(prob)
    prob, t = torch.where(keep, prob, zero), torch.where(keep, t, zero)
    axes = {"per_sample_per_channel": (2,), "per_channel": (0, 2), "per_sample": (1, 2), "global": (0, 1, 2)}
    axes = axes[p.get("omega", "per_sample_per_channel")]
    r = p.get("power", 1)
    inter = torch.minimum(prob, t) if p.get("intersection", "product") == "l1" else prob * t
    num, den = ratio(inter.sum(axes), prob.pow(r).sum(axes), t.pow(r).sum(axes))
    num, den = num + p.get("smooth_nr", 1e-5), den + p.get("smooth_dr", 1e-5)
    if p.get("den_floor", 0):
        den = den.clamp(min=p["den_floor"])
    empty = den == 0
    score = num / torch.where(empty, torch.ones_like(den), den)
    items = -torch.log(score.clamp(min=p.get("log_floor", 1e-7))) if p.get("form") == "log" else 1 - score
    items = torch.where(empty, torch.full_like(items, p.get("empty_value", 0)), items)
    if p.get("absent") == "zero":
        items = torch.where(t.sum(axes) == 0, torch.zeros_like(items), items)
    z = None
    if "class_weight" in x:
        w = x["class_weight"].expand_as(items)
        items = torch.where(w != 0, items * w, torch.zeros_like(items))
        if p.get("weight_norm") == "sum":
            z = w.sum()
    if axes == (0, 1, 2):
        items = items.reshape(1)
    return reduce(items, p, z)


def dice(p, x):
    return overlap(p, x, lambda i, a, b: (2 * i, a + b))


def jaccard(p, x):
    return overlap(p, x, lambda i, a, b: (i, a + b - i))


def tversky(p, x):
    fp, fn = p.get("alpha_fp", 0.5), p.get("beta_fn", 0.5)
    return overlap(p, x, lambda i, a, b: (i, i + fp * (a - i) + fn * (b - i)))


def pad(img, r, mode):
    if mode == "zero" or r == 0:
        return F.pad(img, (r, r, r, r))
    if mode == "reflect":
        return F.pad(img, (r, r, r, r), mode="reflect")
    for dim in (2, 3):
        n = img.shape[dim]
        at = [*range(r - 1, -1, -1), *range(n), *range(n - 1, n - 1 - r, -1)]
        img = img.index_select(dim, torch.tensor(at))
    return img


def similarity(p, a, b):
    """Maps of luminance and contrast-structure of the windows inside the images."""
    k, c = p.get("window_size", 11), a.shape[1]
    i = torch.arange(k, dtype=torch.float64) - (k - 1) // 2
    g = torch.exp(-i * i / (2 * p.get("sigma", 1.5) ** 2)) if p.get("window", "gaussian") == "gaussian" else torch.ones_like(i)
    w = torch.outer(g, g) / g.sum() ** 2
    w = w.expand(c, 1, k, k)
    mean = lambda v: F.conv2d(v, w, groups=c)
    kap = k * k / (k * k - 1) if p.get("covariance") == "sample" else 1.0
    mp, mq = mean(a), mean(b)
    sxx, syy, sxy = kap * (mean(a * a) - mp * mp), kap * (mean(b * b) - mq * mq), kap * (mean(a * b) - mp * mq)
    c1, c2 = (p.get("k1", 0.01) * p.get("data_range", 1.0)) ** 2, (p.get("k2", 0.03) * p.get("data_range", 1.0)) ** 2
    return (2 * mp * mq + c1) / (mp * mp + mq * mq + c1), (2 * sxy + c2) / (sxx + syy + c2)


def ssim(p, x):
    r, mode = (p.get("window_size", 11) - 1) // 2, p.get("padding", "valid")
    a, b = x["pred"], x["target"]
    if mode != "valid":
        a, b = pad(a, r, mode), pad(b, r, mode)
    l, cs = similarity(p, a, b)
    s = (l * cs).mean((1, 2, 3))
    return reduce((1 - s) / 2 if p.get("form") == "half" else 1 - s, p)


def halve(v, mode):
    for dim in (2, 3):
        n = v.shape[dim]
        if n % 2:
            first, last = v.narrow(dim, 0, 1), v.narrow(dim, n - 1, 1)
            v = {"replicate_end": lambda: torch.cat([v, last], dim), "replicate_start": lambda: torch.cat([first, v], dim),
                 "zero_start": lambda: torch.cat([torch.zeros_like(first), v], dim), "floor": lambda: v.narrow(dim, 0, n - 1)}[mode]()
    return F.avg_pool2d(v, 2)


def ms_ssim(p, x):
    a, b = x["pred"], x["target"]
    weights = x.get("scale_weights", torch.tensor([0.0448, 0.2856, 0.3001, 0.2363, 0.1333], dtype=torch.float64))
    product = torch.ones(a.shape[:2], dtype=torch.float64)
    for s, w in enumerate(weights):
        l, cs = similarity(p, a, b)
        v = (l * cs if s == len(weights) - 1 else cs).mean((2, 3))
        mode = p.get("negative", "relu")
        v = torch.relu(v) if mode == "relu" else (v + 1) / 2 if mode == "shift" else v
        product = product * v ** w
        if s < len(weights) - 1:
            a, b = halve(a, p.get("odd_pad", "replicate_end")), halve(b, p.get("odd_pad", "replicate_end"))
    return reduce(1 - product.mean(1), p)


def layers(x, *more):
    """Layers that participate: weight, features, target, and further lists, None where absent."""
    count = sum(k.startswith("features_") for k in x)
    w = x.get("layer_weights", torch.ones(count, dtype=torch.float64))
    return [(w[l], x[f"features_{l}"], x[f"target_{l}"], *(x.get(f"{m}_{l}") for m in more)) for l in range(count) if w[l] != 0]


def perceptual(p, x):
    variant, eps = p.get("variant", "johnson"), p.get("eps", 1e-10)
    items = torch.zeros(x["features_0"].shape[0], dtype=torch.float64)

    def unit(v):
        if p.get("eps_mode", "outside") == "inside":
            return v / (v.square().sum(1, keepdim=True) + eps).sqrt()
        return v / (v.norm(dim=1, keepdim=True) + eps)
    for w, a, b, c in layers(x, "channel_weights"):
        if variant == "lpips":
            d = (unit(a) - unit(b)).square()
            if c is not None:
                d = d * c.reshape([1, -1] + [1] * (a.dim() - 2))
            items = items + w * (d.sum(1).flatten(1).mean(1) if a.dim() > 2 else d.sum(1))
        elif variant == "content":
            items = items + w * 0.5 * (a - b).square().flatten(1).sum(1)
        else:
            items = items + w * ((a - b).abs() if variant == "l1" else (a - b).square()).flatten(1).mean(1)
    return reduce(items, p)


def feature_matching(p, x):
    scale, l1 = p.get("scale", 1.0), lambda a, b: (a - b).abs()
    l2 = lambda a, b: (a - b).square()
    if p.get("variant") == "moment":
        norm = p.get("moment_norm", "sum_sq")
        value = torch.zeros((), dtype=torch.float64)
        for w, a, b in layers(x) if scale else []:
            e = (l1 if norm == "mean_abs" else l2)(a.mean(0), b.mean(0))
            value = value + w * (e.sum() if norm == "sum_sq" else e.mean())
        return scale * value
    items = torch.zeros(x["features_0"].shape[0], dtype=torch.float64)
    for w, a, b in layers(x) if scale else []:
        items = items + w * (l2 if p.get("variant") == "layerwise_l2" else l1)(a, b).flatten(1).mean(1)
    return reduce(scale * items, p)


def style(p, x):
    variant = p.get("variant", "gatys")
    norm = p.get("gram_norm", "auto")
    if norm == "auto":
        norm = "none" if variant == "gatys" else "chw"
    items = torch.zeros(x["features_0"].shape[0], dtype=torch.float64)
    for w, a, b in layers(x):
        c, n = a.shape[1], a.shape[2] * a.shape[3]

        def gram(v):
            v = v.flatten(2)
            return v @ v.transpose(1, 2) / {"none": 1, "hw": v.shape[2], "chw": c * v.shape[2]}[norm]
        e = gram(a) - gram(b)
        e = (e.abs() if variant == "l1" else e.square()).sum((1, 2))
        items = items + w * e / {"gatys": 4 * c * c * n * n, "johnson": 1, "mse": c * c, "l1": c * c}[variant]
    return reduce(items, p)


def context(p, x):
    a, b = x["pred"].flatten(2), x["target"].flatten(2)
    center, tiny = p.get("center", "sample"), p.get("norm_eps", 1e-12)
    mu = {"sample": lambda: b.mean(2, keepdim=True), "batch": lambda: b.mean((0, 2), keepdim=True), "none": lambda: 0}[center]()
    a, b = F.normalize(a - mu, dim=1, eps=tiny), F.normalize(b - mu, dim=1, eps=tiny)
    d = p.get("dist_scale", 1.0) * (1 - a.transpose(1, 2) @ b)
    low = d.min(2, keepdim=True)[0]
    cx = torch.softmax((1 - d / (low + p.get("eps", 1e-5))) / p.get("h", 0.5), 2)
    cx = cx.max(2 if p.get("max_axis") == "row" else 1)[0].mean(1)
    return reduce(-torch.log(cx + p.get("log_eps", 0.0)), p)


LOSSES = [dice, jaccard, tversky, ssim, ms_ssim, feature_matching, style, context, perceptual]

DEVIATIONS = [
    ("dice", "saturated sigmoid", "the derivative p (1-p) of a sigmoid loses the digits of 1-p",
     lambda r, p: "saturated" in r["tags"] and p.get("activation") == "sigmoid"),
    ("dice", "selection", "masking a NaN by a selection leaves a NaN gradient behind it", lambda r, p: not finite(r, "pred")),
    ("jaccard", "saturated sigmoid", "the derivative p (1-p) of a sigmoid loses the digits of 1-p",
     lambda r, p: "saturated" in r["tags"] and p.get("activation") == "sigmoid"),
    ("jaccard", "NaN weight", "a NaN weight does not reach the gradient of an item that counts as 0",
     lambda r, p: p.get("absent") == "zero" and any(t["name"] == "class_weight" and np.isnan(t["data"]).any() for t in r["inputs"])),
    ("tversky", "NaN weight", "a NaN weight does not reach the gradient of an item that counts as 0",
     lambda r, p: p.get("absent") == "zero" and any(t["name"] == "class_weight" and np.isnan(t["data"]).any() for t in r["inputs"])),
    ("jaccard", "selection", "masking a NaN by a selection leaves a NaN gradient behind it", lambda r, p: not finite(r, "pred")),
    ("tversky", "saturated sigmoid", "the derivative p (1-p) of a sigmoid loses the digits of 1-p",
     lambda r, p: "saturated" in r["tags"] and p.get("activation") == "sigmoid"),
    ("tversky", "selection", "masking a NaN by a selection leaves a NaN gradient behind it", lambda r, p: not finite(r, "pred")),
    ("perceptual", "NaN", "a NaN reaches the elements that it meets, not the whole sample", lambda r, p: "nan" in r["tags"]),
    ("perceptual", "norms out of range", "the square of an entry of 1e200 overflows in the norm of a vector",
     lambda r, p: "lpips-1e200" in r["case_id"]),
    ("feature_matching", "NaN", "a NaN reaches the elements that it meets, not the whole sample or batch", lambda r, p: not finite(r)),
    ("style", "NaN", "a NaN reaches what it is multiplied with, not the other layers; abs has gradient 0 at NaN", lambda r, p: not finite(r)),
    ("context", "NaN", "a NaN reaches what it meets; a maximum of NaN has the gradient of one entry", lambda r, p: not finite(r)),
    ("context", "overflow", "a norm squares entries of 1e200", lambda r, p: "overflow" in r["tags"]),
    ("ms_ssim", "NaN", "a NaN reaches the pixels of the windows that see it, not the whole sample", lambda r, p: not finite(r)),
    ("ms_ssim", "negative term", "a power of 0 has an infinite or undefined slope, which is multiplied by 0",
     lambda r, p: "negative-" in r["case_id"] or "mixed-" in r["case_id"]),
    ("ssim", "NaN", "a NaN reaches the pixels of the windows that see it, not the whole sample", lambda r, p: not finite(r)),
]
