"""Diffusion, autoencoders and tracking."""
import math

import torch
import torch.nn.functional as F

from .common import finite, reduce


def noise_prediction(p, x):
    kind, weighting = p.get("prediction", "eps"), p.get("weighting", "none")
    a = x.get("alpha_bar")
    shape = (-1,) + (1,) * (x["pred"].dim() - 1)
    target = x["eps"] if kind == "eps" else x["x0"]
    if kind == "v":
        target = a.sqrt().view(shape) * x["eps"] - (1 - a).sqrt().view(shape) * x["x0"]
    mse = F.mse_loss(x["pred"], target, reduction="none").reshape(len(target), -1).mean(1)
    if weighting == "none":
        return reduce(mse, p)
    if weighting == "custom":
        return reduce(x["weight"] * mse, p)
    snr = a / (1 - a)
    w = snr.clamp(max=p.get("gamma", 5.0)) if weighting == "min_snr" else snr
    return reduce((w / snr if kind == "eps" else w / (snr + 1) if kind == "v" else w) * mse, p)


def cdf(p, u):
    if p.get("cdf", "erf") == "erf":
        return 0.5 * (1 + torch.erf(u / math.sqrt(2)))
    return 0.5 * (1 + torch.tanh(math.sqrt(2 / math.pi) * (u + 0.044715 * u**3)))


def diffusion(p, x):
    """The reference code: a schedule of cumulated products, both means, both log-variances."""
    mean, var, x0, eps, t = x["mean_out"], x.get("var_out"), x["x0"], x["eps"], x["t"]
    kind, how, what = p.get("mean_type", "eps"), p.get("var_type", "learned_range"), p.get("loss_type", "simple")
    betas = x["betas"]
    abar = torch.cumprod(1 - betas, 0)
    before = torch.cat([torch.ones(1, dtype=betas.dtype), abar[:-1]])
    variance = betas * (1 - before) / (1 - abar)
    log_variance = torch.cat([variance[1:2], variance[1:]]).log()
    at = lambda c: c[t].view((-1,) + (1,) * (mean.dim() - 1))
    c1, c2 = at(betas * before.sqrt() / (1 - abar)), at((1 - before) * (1 - betas).sqrt() / (1 - abar))
    xt = at(abar).sqrt() * x0 + (1 - at(abar)).sqrt() * eps
    m1 = c1 * x0 + c2 * xt
    flat = lambda y: y.reshape(len(y), -1).mean(1)
    simple = flat((mean - {"eps": eps, "x0": x0, "x_prev": m1}[kind]) ** 2)
    lam = p.get("lambda_vlb", 0.001)
    if what == "simple" or what == "hybrid" and lam == 0:
        return reduce(simple, p)
    m = mean.detach() if what == "hybrid" and p.get("detach_mean", True) else mean
    if kind == "eps":
        m = (xt - (1 - at(abar)).sqrt() * m) / at(abar).sqrt()
    m2 = m if kind == "x_prev" else c1 * m + c2 * xt
    l1 = at(log_variance)
    large = torch.cat([log_variance[:1], betas[1:].log()])
    if how == "learned":
        l2 = var
    elif how == "learned_range":
        l2 = (var + 1) / 2 * at(betas.log()) + (1 - (var + 1) / 2) * l1
    else:
        l2 = (l1 if how == "fixed_small" else at(large)) + 0 * mean.detach()
    kl = 0.5 * (-1 + l2 - l1 + torch.exp(l1 - l2) + (m1 - m2) ** 2 * torch.exp(-l2))
    k = torch.exp(-0.5 * l2)
    high, low = cdf(p, k * (x0 - m2 + 1 / 255)), cdf(p, k * (x0 - m2 - 1 / 255))
    mass = torch.where(x0 < -0.999, high, torch.where(x0 > 0.999, 1 - low, high - low))
    nll = -mass.clamp(min=p.get("prob_floor", 1e-12)).log()
    vb = flat(torch.where((t == 0).view((-1,) + (1,) * (mean.dim() - 1)), nll, kl))
    if p.get("units", "bits") == "bits":
        vb = vb / math.log(2)
    if what == "hybrid":
        return reduce(simple + lam * len(betas) * vb, p)
    return reduce(vb * (len(betas) if p.get("rescale") else 1), p)


def guarded(p, x, y):
    guard, floor, eps = p.get("guard", "log_floor"), p.get("log_floor", -100.0), p.get("grad_eps", 1e-12)
    torch_mode = guard == "log_floor" and p.get("grad_mode", "torch") == "torch"
    if torch_mode and floor == -100 and eps == 1e-12 and not torch.isnan(x).any() and not torch.isnan(y).any():  # which raises an error
        return F.binary_cross_entropy(x, y, reduction="none")
    q = x.clamp(p.get("clip_eps", 1e-7), 1 - p.get("clip_eps", 1e-7)) if guard == "clip" else x
    logs = q.log(), torch.log1p(-q)
    if guard == "log_floor":
        logs = [torch.where(v < floor, torch.full_like(v, floor), v) for v in logs]
    items = -(y * logs[0] + (1 - y) * logs[1])
    if not torch_mode:
        return items
    slope = ((x - y) / (x * (1 - x)).clamp(min=eps)).detach()
    return items.detach() + slope * (x - x.detach())


def vae(p, x):
    mu, lv, m, target = x["mu"], x["logvar"], x["recon"], x["target"]
    kind, beta, mode = p.get("recon_kind", "bernoulli_logits"), p.get("beta", 1.0), p.get("free_bits_mode", "none")
    inner = (lambda y: y.flatten(1).mean(1)) if p.get("inner") == "mean" else (lambda y: y.flatten(1).sum(1))
    wide = lambda y: y.reshape(len(y), -1)
    if kind == "bernoulli_logits":
        r = F.binary_cross_entropy_with_logits(m, target, reduction="none")
    elif kind == "bernoulli_probs":
        r = guarded(p, m, target)
    elif kind == "gaussian_unit":
        r = 0.5 * (target - m) ** 2
    elif kind == "gaussian_logvar":
        s = x["recon_logvar"]
        r = 0.5 * (s + (target - m) ** 2 * torch.exp(-s))
    else:
        r = F.l1_loss(m, target, reduction="none")
    if p.get("with_const") and kind.startswith("gaussian"):
        r = r + 0.5 * math.log(2 * math.pi)
    items = inner(wide(r))
    if beta == 0:
        return reduce(items, p)
    if p.get("logvar_clamp"):
        lv = lv.clamp(p.get("logvar_min", -30.0), p.get("logvar_max", 20.0))
    kl = 0.5 * (mu**2 + lv.exp() - 1 - lv)
    if mode != "none":
        group = p.get("group", "element")
        kl = kl.flatten(2).sum(2) if group == "channel" and kl.dim() > 2 else kl
        kl = wide(kl).sum(1, keepdim=True) if group == "all" else wide(kl)
        if mode == "batch_mean":
            kl = kl.mean(0, keepdim=True).expand_as(kl)
        kl = kl.clamp(min=p.get("free_bits", 0.0)).sum(1) / (mu[0].numel() if p.get("inner") == "mean" else 1)
    else:
        kl = inner(wide(kl))
    return reduce(items + beta * kl, p)


def mahalanobis(p, x):
    form, variant = p.get("form", "cov"), p.get("variant", "squared")
    mean, matrix = x["mean"], x["matrix"]
    if "index" in x:
        mean, matrix = mean[x["index"]], matrix[x["index"]]
    delta = x["x"] - mean
    k = delta.shape[-1]
    if form == "diag":
        d2, log_det = (delta**2 / matrix).sum(-1), matrix.log().sum(-1)
    else:
        tril = torch.ones(k, k, dtype=torch.bool).tril()
        if form == "chol":
            l = torch.where(tril, matrix, torch.zeros_like(matrix))
        else:
            s, low = 0.5 * (matrix + matrix.mT), matrix.tril() + matrix.tril(-1).mT
            s = s + (low - s).detach()  # the lower triangle, half of the gradient to each
            l = torch.linalg.cholesky_ex(s + p.get("jitter", 0.0) * torch.eye(k, dtype=s.dtype)).L
        log_det = 2 * l.diagonal(dim1=-2, dim2=-1).log().sum(-1)
        if form == "precision":
            w, log_det = (l.mT @ delta.unsqueeze(-1)).squeeze(-1), -log_det
        else:
            w = torch.linalg.solve_triangular(l.expand(len(delta), k, k), delta.unsqueeze(-1), upper=False).squeeze(-1)
        d2 = (w**2).sum(-1)
    if variant == "nll":
        return reduce(0.5 * (d2 + log_det + k * math.log(2 * math.pi)), p)
    return reduce(d2.sqrt() if variant == "root" else d2, p)


def cross_correlation(p, x):
    z, region = x["template"], x["search"]
    n, c = z.shape[:2]
    r = torch.cat([F.conv2d(region[i : i + 1], z[i : i + 1]) for i in range(n)])[:, 0] * p.get("scale", 1e-3)
    if "bias" in x:
        r = r + x["bias"]
    h, w = r.shape[1:]
    if "labels" in x:
        y = x["labels"].expand(n, h, w)
    else:
        di, dj = torch.arange(h).double() - (h - 1) / 2, torch.arange(w).double() - (w - 1) / 2
        stride, pos, neg = p.get("stride", 8.0), p.get("r_pos", 16.0), p.get("r_neg", 0.0)
        d = stride * (di.abs()[:, None] + dj.abs())
        if p.get("metric") != "l1":
            d, pos, neg = stride**2 * (di[:, None] ** 2 + dj**2), pos**2, neg**2
        y = torch.where(d <= pos, 1, torch.where(d <= neg, 0, -1)).expand(n, h, w)
    ups, downs = ((y > 0).double().sum((1, 2), keepdim=True), (y < 0).double().sum((1, 2), keepdim=True))
    if p.get("weighting") == "uniform":
        weight = (y != 0).double() / (ups + downs)
    else:
        weight = torch.where(y > 0, 0.5 / ups, torch.where(y < 0, 0.5 / downs, torch.zeros_like(downs)))
    items = F.binary_cross_entropy_with_logits(r, (y.to(r.dtype) + 1) / 2, weight=weight.to(r.dtype), reduction="none")
    return reduce(items.sum((1, 2)), p)


LOSSES = [noise_prediction, diffusion, vae, mahalanobis, cross_correlation]


def far(r, name):
    return any(abs(v) > 8 for t in r["inputs"] if t["name"] == name for v in t["data"])


NAN = "NaN, infinities", "a NaN reaches its own element of the gradient, not the sample, and what is left out is multiplied by 0"

DEVIATIONS = [
    ("noise_prediction", *NAN, lambda r, p: not finite(r)),
    ("noise_prediction", "SNR 0 and infinite", "min(SNR, gamma)/SNR is 0/0 at alpha_bar 0, and SNR/(SNR+1) at 1",
     lambda r, p: "saturated" in r["tags"]),
    ("vae", *NAN, lambda r, p: not finite(r)),
    ("vae", "sure hits", "the gradient is sigmoid(z) - x by subtraction, which is 0 from z = 37 on",
     lambda r, p: p.get("recon_kind", "bernoulli_logits") == "bernoulli_logits" and far(r, "recon")),
    ("vae", "probabilities 0 and 1", "0 times log 0 is NaN; the floor of the gradient is the float32 next to 1e-12",
     lambda r, p: p.get("recon_kind") == "bernoulli_probs" and "saturated" in r["tags"]),
    ("vae", "halves", "exp(lv) and squares overflow where their halves do not",
     lambda r, p: "/extreme/logvar-710" in r["case_id"] or "/extreme/mu-half-" in r["case_id"] or "/extreme/half-" in r["case_id"]),
    ("vae", "tiny variances", "exp(-s) overflows beside a residual of 0, and squares of residuals leave the range",
     lambda r, p: p.get("recon_kind") == "gaussian_logvar" and "overflow" in r["tags"]),
    ("mahalanobis", *NAN, lambda r, p: not finite(r)),
    ("mahalanobis", "x = mean", "the square root has an infinite derivative at 0", lambda r, p: "kink" in r["tags"]),
    ("mahalanobis", "range", "the square of the distance overflows or vanishes, so does the derivative of a quotient", lambda r, p: "overflow" in r["tags"]),
    ("cross_correlation", *NAN, lambda r, p: not finite(r)),
    ("cross_correlation", "sure hits", "the gradient is sigmoid(R) - (Y+1)/2 by subtraction, which is 0 from R = 37 on",
     lambda r, p: "saturated" in r["tags"] or far(r, "bias")),
    ("diffusion", *NAN, lambda r, p: not finite(r)),
    ("diffusion", "sure pixels", "the derivative 1 - tanh^2 by subtraction, which is 0 from 19 on", lambda r, p: p.get("cdf") == "tanh"),
    ("diffusion", "tiny variances", "exp(-l2) overflows beside a residual of 0", lambda r, p: "overflow" in r["tags"]),
]
