#!/usr/bin/env python3
"""Evaluates PyTorch on the golden inputs of the losses that it has, in float64, and says how accurate it is.

    python3 scripts/torch_check.py                 print the table and the cases outside class C
    python3 scripts/torch_check.py -write          also write scripts/torch_check.md
    python3 scripts/torch_check.py -run ssim -v    one loss, every case

Losses that torch does not have are a few lines of autograd in their usual textbook form. A case outside class C must match one
of the deviations listed below, which the specification of the loss names; a deviation that no case needs is an error as well.
Exit codes: 0 as expected, 1 an unexpected result, 2 usage. Needs torch, numpy and pyarrow.
"""
import argparse
import json
import math
import pathlib
import sys

import numpy as np
import pyarrow.parquet as pq
import torch
import torch.nn.functional as F

ROOT = pathlib.Path(__file__).resolve().parent.parent
U, ETA = 2.0**-53, 5e-324
CLASSES = [("A", 2, False), ("B", 8, False), ("C", 64, True)]


def smooth_l1(p, x):
    return F.smooth_l1_loss(x["pred"], x["target"], reduction=p["reduction"], beta=p.get("beta", 1.0))


def cross_entropy(p, x):
    target = x["target"] if "target" in x else x["target_prob"]
    return F.cross_entropy(x["logits"], target, weight=x.get("class_weight"), reduction=p["reduction"],
                           ignore_index=p.get("ignore_index") if p.get("ignore_index") is not None else -100,
                           label_smoothing=p.get("label_smoothing", 0.0))


def reduce(items, p, z=None):
    if p["reduction"] == "none":
        return items
    return items.sum() if p["reduction"] == "sum" else items.sum() / (items.numel() if z is None else z)


def focal(p, x):
    logits, t = x["logits"], x["target"]
    alpha, gamma = p.get("alpha", 0.25), p.get("gamma", 2.0)
    prob = torch.sigmoid(logits)
    ce = F.binary_cross_entropy_with_logits(logits, t, reduction="none")
    items = ce * (1 - (prob * t + (1 - prob) * (1 - t))) ** gamma
    if alpha >= 0:
        items = (alpha * t + (1 - alpha) * (1 - t)) * items
    return reduce(items, p, p.get("normalizer"))


def dice(p, x):
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
    num = 2 * inter.sum(axes) + p.get("smooth_nr", 1e-5)
    den = prob.pow(r).sum(axes) + t.pow(r).sum(axes) + p.get("smooth_dr", 1e-5)
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
        items = torch.where(w > 0, items * w, torch.zeros_like(items))
        if p.get("weight_norm") == "sum":
            z = w.sum()
    if axes == (0, 1, 2):
        items = items.reshape(1)
    return reduce(items, p, z)


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


def ssim(p, x):
    k, c = p.get("window_size", 11), x["pred"].shape[1]
    i = torch.arange(k, dtype=torch.float64) - (k - 1) // 2
    g = torch.exp(-i * i / (2 * p.get("sigma", 1.5) ** 2)) if p.get("window", "gaussian") == "gaussian" else torch.ones_like(i)
    w = torch.outer(g, g) / g.sum() ** 2
    w = w.expand(c, 1, k, k)
    mode = p.get("padding", "valid")
    a, b = x["pred"], x["target"]
    if mode != "valid":
        a, b = pad(a, (k - 1) // 2, mode), pad(b, (k - 1) // 2, mode)
    mean = lambda v: F.conv2d(v, w, groups=c)
    kap = k * k / (k * k - 1) if p.get("covariance") == "sample" else 1.0
    mp, mq = mean(a), mean(b)
    sxx, syy, sxy = kap * (mean(a * a) - mp * mp), kap * (mean(b * b) - mq * mq), kap * (mean(a * b) - mp * mq)
    c1, c2 = (p.get("k1", 0.01) * p.get("data_range", 1.0)) ** 2, (p.get("k2", 0.03) * p.get("data_range", 1.0)) ** 2
    s = ((2 * mp * mq + c1) * (2 * sxy + c2) / ((mp * mp + mq * mq + c1) * (sxx + syy + c2))).mean((1, 2, 3))
    return reduce((1 - s) / 2 if p.get("form") == "half" else 1 - s, p)


LOSSES = {f.__name__: f for f in (smooth_l1, cross_entropy, focal, dice, ssim)}


def finite(row, *names):
    return all(np.isfinite(t["data"]).all() for t in row["inputs"] if not names or t["name"] in names)


# (loss, what deviates, what PyTorch does, which rows may show it)
DEVIATIONS = [
    ("smooth_l1", "square before division", "0.5 e^2/beta overflows and underflows where 0.5 abs(e) (abs(e)/beta) does not",
     lambda r, p: "beta" in r["case_id"] and bool({"overflow", "underflow"} & set(r["tags"]))),
    ("cross_entropy", "not-finite logits", "+Inf gives NaN; -Inf with q = 0 gives NaN; ignored rows with NaN or Inf get NaN",
     lambda r, p: not finite(r, "logits")),
    ("cross_entropy", "class weight 0", "all weights 0 gives a NaN gradient",
     lambda r, p: any(t["name"] == "class_weight" and 0 in t["data"] for t in r["inputs"])),
    ("focal", "gamma below 1", "the gradient is NaN once p_t rounds to 1", lambda r, p: 0 < p.get("gamma", 2) < 1),
    ("focal", "saturation", "0 in place of tiny values and gradients", lambda r, p: "saturated" in r["tags"]),
    ("focal", "infinite logits", "NaN at the limits", lambda r, p: not finite(r, "logits")),
    ("dice", "saturated sigmoid", "the derivative p (1-p) of a sigmoid loses the digits of 1-p",
     lambda r, p: "saturated" in r["tags"] and p.get("activation") == "sigmoid"),
    ("dice", "selection", "masking a NaN by a selection leaves a NaN gradient behind it", lambda r, p: not finite(r, "pred")),
    ("ssim", "NaN", "a NaN reaches the pixels of the windows that see it, not the whole sample", lambda r, p: not finite(r)),
]


def bound(data, scale, usual, c, both):
    s = np.maximum(scale, usual) if both else scale
    with np.errstate(over="ignore", invalid="ignore"):
        return c * U * s + U * np.abs(data) + ETA


def worst(out, got, c, both):
    """Largest error in units of the bound; inf for a NaN, an infinity or a shape that is wrong."""
    want = np.array(out["data"], dtype=np.float64)
    got = np.asarray(got, dtype=np.float64).reshape(-1)
    if got.shape != want.shape:
        return math.inf
    if want.size == 0:
        return 0.0
    lower = np.array(out["lower"] if len(out["lower"]) else out["data"], dtype=np.float64)
    upper = np.array(out["upper"] if len(out["upper"]) else out["data"], dtype=np.float64)
    tol = bound(want, np.array(out["scale"]), np.array(out["scale_usual"]), c, both)
    with np.errstate(invalid="ignore", divide="ignore", over="ignore"):
        err = np.maximum(np.maximum(lower - got, got - upper), 0) / tol
        same = (np.isnan(want) & np.isnan(got)) | (got == want)
    err = np.where(same, 0.0, np.where(np.isfinite(want) & np.isfinite(got), err, math.inf))
    return float(err.max())


def tensor(t):
    data = np.array(t["data"], dtype=np.float64).reshape([int(d) for d in t["shape"]])
    if t["role"] == "index":
        return torch.from_numpy(data.astype(np.int64))
    if t["role"] == "mask":
        return torch.from_numpy(data.astype(bool))
    return torch.from_numpy(data).requires_grad_(t["role"] == "var")


def evaluate(row, f):
    p = {k: float(v) if v in ("NaN", "Infinity", "-Infinity") else v for k, v in json.loads(row["params"]).items()}
    x = {t["name"]: tensor(t) for t in row["inputs"] if t["role"] != "cotangent"}
    value = f(p, x)
    cotangent = [tensor(t) for t in row["inputs"] if t["role"] == "cotangent"]
    dout = cotangent[0] if cotangent else torch.ones_like(value)
    if value.requires_grad:
        value.backward(dout.reshape(value.shape))
    got = {"value": value.detach().numpy()}
    for name, v in x.items():
        if v.is_floating_point() and v.requires_grad:
            got["grad:" + name] = np.zeros(v.shape) if v.grad is None else v.grad.numpy()
    return p, got


def main():
    ap = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    ap.add_argument("-run", default="", help="one loss id")
    ap.add_argument("-write", action="store_true")
    ap.add_argument("-v", action="store_true")
    args = ap.parse_args()
    if args.run and args.run not in LOSSES:
        print(f"torch_check: want one of {', '.join(LOSSES)}, got {args.run}", file=sys.stderr)
        return 2
    table, unexpected, used, notes = [], [], set(), []
    for name, f in LOSSES.items():
        if args.run and name != args.run:
            continue
        rows = pq.read_table(ROOT / "fixtures" / "golden" / f"{name}.parquet").to_pylist()
        count = {"cases": 0, "A": 0, "B": 0, "C": 0, "deviates": 0, "values": 0}
        for row in rows:
            if row["kind"] != "value" or "float64" not in row["dtypes"]:
                continue
            count["cases"] += 1
            p, got = evaluate(row, f)
            ratios = {}
            for label, c, both in CLASSES:
                ratios[label] = max(worst(o, got[o["output"]], c, both) for o in row["expected"])
            count["values"] += sum(len(o["data"]) for o in row["expected"])
            best = next((label for label, _, _ in CLASSES if ratios[label] <= 1), None)
            if best:
                for label in "ABC"["ABC".index(best):]:
                    count[label] += 1
            if args.v:
                print(f"  {row['case_id']:60s} {best or '-'}  {ratios['C']:.3g} of class C")
            if best is None:
                why = [i for i, d in enumerate(DEVIATIONS) if d[0] == name and d[3](row, p)]
                if why:
                    used.add(why[0])
                    count["deviates"] += 1
                    notes.append((row["case_id"], DEVIATIONS[why[0]][1]))
                else:
                    bad = [f"{o['output']} {worst(o, got[o['output']], 64, True):.3g}" for o in row["expected"]]
                    unexpected.append(f"{row['case_id']}: error in units of class C: {', '.join(bad)}")
        table.append((name, count))
    lines = [f"PyTorch {torch.__version__} in float64 on the golden inputs. Cases within each accuracy class; a case is in a class when",
             "its value and all its gradients are. The rest deviates as the specification of the loss says.", "",
             "| loss | cases | values compared | A | B | C | deviates |", "| --- | ---: | ---: | ---: | ---: | ---: | ---: |"]
    for name, c in table:
        lines.append(f"| {name} | {c['cases']} | {c['values']} | {c['A']} | {c['B']} | {c['C']} | {c['deviates']} |")
    lines += ["", "| loss | deviation | what PyTorch does | cases |", "| --- | --- | --- | ---: |"]
    for i in sorted(used):
        d = DEVIATIONS[i]
        n = sum(1 for case, why in notes if case.startswith(d[0] + "/") and why == d[1])
        lines.append(f"| {d[0]} | {d[1]} | {d[2]} | {n} |")
    text = "\n".join(lines) + "\n"
    print(text)
    for u in unexpected:
        print("UNEXPECTED", u)
    idle = [d for i, d in enumerate(DEVIATIONS) if i not in used and (not args.run or d[0] == args.run)]
    for d in idle:
        print(f"IDLE {d[0]}: {d[1]}: no case shows it; remove it from the list")
    if args.write and not args.run:
        path = ROOT / "scripts" / "torch_check.md"
        path.with_suffix(".tmp").write_text("# PyTorch on the golden inputs\n\nMade by `python3 scripts/torch_check.py -write`.\n\n" + text)
        path.with_suffix(".tmp").replace(path)
    total = sum(c["cases"] for _, c in table)
    print(f"{total - len(unexpected)} passed, {len(unexpected)} failed")
    if total == 0:
        print("torch_check: no case was checked", file=sys.stderr)
        return 1
    return 1 if unexpected or idle else 0


if __name__ == "__main__":
    sys.exit(main())
