"""Adversarial losses, cycle consistency and pixel reconstruction."""
import torch
import torch.nn.functional as F

from .common import finite, reduce


def towards(logits, label):
    return F.binary_cross_entropy_with_logits(logits, torch.full_like(logits, label), reduction="none")


def adversarial(p, x):
    role, z = p.get("role", "g_ns"), x["logits"]
    if role == "g_sat":
        return reduce(-towards(z, 0.0), p)
    return reduce(towards(z, 0.0 if role == "d_fake" else 1 - p.get("label_smoothing", 0.0)), p)


def guarded(p, x, label):
    guard, floor, eps = p.get("guard", "log_floor"), p.get("log_floor", -100.0), p.get("grad_eps", 1e-12)
    torch_mode = guard == "log_floor" and p.get("grad_mode", "torch") == "torch"
    if torch_mode and floor == -100 and eps == 1e-12 and not torch.isnan(x).any():  # which raises an error
        return F.binary_cross_entropy(x, torch.full_like(x, label), reduction="none")
    y = x.clamp(p.get("clip_eps", 1e-7), 1 - p.get("clip_eps", 1e-7)) if guard == "clip" else x
    log = y.log() if label else torch.log1p(-y)
    if guard == "log_floor":
        log = torch.where(log < floor, torch.full_like(log, floor), log)
    if not torch_mode:
        return -log
    slope = ((x - label) / (x * (1 - x)).clamp(min=eps)).detach()
    return -log.detach() + slope * (x - x.detach())


def gan(p, x):
    term = (lambda v, y: towards(v, y)) if p.get("input") == "logits" else (lambda v, y: guarded(p, v, y))
    if p.get("player") == "generator":
        return reduce(-term(x["fake"], 0.0) if p.get("g_mode") == "sat" else term(x["fake"], 1.0), p)
    s = p.get("d_scale", 1.0)
    real, fake = s * term(x["real"], 1.0), s * term(x["fake"], 0.0)
    if p["reduction"] == "mean":
        return real.mean() + fake.mean()
    return reduce(torch.cat([real.flatten(), fake.flatten()]), p)


def cycle_consistency(p, x):
    def items(side):
        weight, idt = p.get("lambda_" + side, 10.0), p.get("lambda_idt", 0.0)
        real = x["real_" + side]
        if weight == 0:
            return 0 * torch.nan_to_num(x["rec_" + side]).flatten(1).sum(1)
        f = F.mse_loss if p.get("norm") == "l2" else F.l1_loss
        d = lambda y: f(y, real, reduction="none").flatten(1).mean(1)
        return weight * (d(x["rec_" + side]) + idt * d(x["idt_" + side]) if idt else d(x["rec_" + side]))
    a, b = items("a"), items("b")
    return a.mean() + b.mean() if p["reduction"] == "mean" else reduce(torch.cat([a, b]), p)


def reconstruction(p, x):
    variant = p.get("variant", "full")
    power = p.get("p") or (2 if variant in ("context_encoder", "mae") else 1)
    f = F.mse_loss if power == 2 else F.l1_loss
    pred, target = x["pred"], x["target"]
    if variant == "mae":
        if p.get("norm_pix"):
            mean, var = target.mean(-1, keepdim=True), target.var(-1, keepdim=True)
            target = (target - mean) / (var + p.get("norm_eps", 1e-6)) ** 0.5
        m = x["mask"].to(pred.dtype)
        return reduce(f(pred, target, reduction="none").mean(-1) * m, p, m.sum())
    r = f(pred, target, reduction="none")
    if variant == "full":
        return reduce(r, p)
    w = x.get("weight", x.get("mask")).to(pred.dtype).expand_as(pred)
    if variant == "hole_valid":
        return reduce((p.get("lambda_valid", 1.0) * w + p.get("lambda_hole", 6.0) * (1 - w)) * r, p)
    if variant == "context_encoder":
        return reduce((w * r).flatten(1).sum(1), p)
    return reduce(w * r, p, w.sum())


def conditional_adversarial(p, x):
    mode = p.get("gan_mode", "bce")

    def term(z, part):
        label = 0.0 if part == "fake" else 1.0
        if mode == "bce":
            items = towards(z, label)
        elif mode == "lsgan":
            items = F.mse_loss(z, torch.full_like(z, label), reduction="none")
        elif mode == "hinge" and part != "generator":
            items = F.relu(1 - z if part == "real" else 1 + z)
        else:
            items = z if part == "fake" else -z
        return items.flatten(1).mean(1) if z.dim() > 1 else items

    fake = x["logits_fake"]
    if p.get("player", "generator") == "discriminator":
        lie = term(fake, "fake")
        if "logits_mismatch" in x:
            lie = 0.5 * (term(x["logits_mismatch"], "fake") + lie)
        return reduce(p.get("d_scale", 0.5) * (term(x["logits_real"], "real") + lie), p)
    items = term(fake, "generator")
    if p.get("lambda_l1", 100.0) > 0:
        d = F.l1_loss(x["fake"], x["target"], reduction="none").flatten(1)
        items = items + p.get("lambda_l1", 100.0) * (d.sum(1) if p.get("l1_norm") == "sum" else d.mean(1))
    return reduce(items, p)


LOSSES = [adversarial, gan, cycle_consistency, reconstruction, conditional_adversarial]


def certain(r, *names):
    return any(abs(v) > 8 for t in r["inputs"] if t["name"] in names for v in t["data"])


HIT = ("certain hit", "sigmoid(z) - 1 loses the digits of the gradient of a real label")
NAN = "NaN, equal infinities", "a NaN reaches its own element of the gradient, not the sample"
INF = "infinite logits", "binary_cross_entropy_with_logits is NaN at its limits"

DEVIATIONS = [
    ("adversarial", *INF, lambda r, p: not finite(r)),
    ("adversarial", *HIT, lambda r, p: p.get("role", "g_ns") in ("d_real", "g_ns") and certain(r, "logits")),
    ("adversarial", "underflow", "gradients below the normal numbers", lambda r, p: "underflow" in r["tags"]),
    ("gan", *INF, lambda r, p: p.get("input") == "logits" and not finite(r)),
    ("gan", *HIT, lambda r, p: p.get("input") == "logits" and certain(r, "real", "fake")),
    ("gan", "p near 0 and 1", "log(1-p) in place of log1p(-p), 1 - clip_eps rounded, and a grad_eps that is 1e-12 in float32",
     lambda r, p: r["case_id"].startswith("gan/edge/")),
    ("gan", "NaN", "clamp has the gradient 0 at NaN", lambda r, p: p.get("guard") == "clip" and not finite(r)),
    ("cycle_consistency", *NAN, lambda r, p: not finite(r)),
    ("reconstruction", "NaN, infinities", "a mask or weight of 0 times NaN is NaN, and a NaN reaches its own element, not the sample or patch",
     lambda r, p: not finite(r)),
    ("reconstruction", "nothing counts", "the gradient of 0/0 is NaN, and 0/0 of an empty patch times a mask of 0",
     lambda r, p: "empty" in r["tags"] and (p["reduction"] == "mean" or p.get("variant") == "mae")),
    ("conditional_adversarial", "infinite logits, NaN", "NaN at the limits of bce; a NaN reaches its own stream, not the sample", lambda r, p: not finite(r)),
    ("conditional_adversarial", *HIT, lambda r, p: p.get("gan_mode", "bce") == "bce" and certain(r, "logits_real", "logits_fake")),
]
