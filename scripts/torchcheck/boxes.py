"""Losses of boxes."""
import math

import torch

from .common import finite, reduce


class Pair:
    """A pair of boxes and what the losses measure of it, as torchvision does."""

    def __init__(self, p, x):
        self.eps = p.get("eps", 1e-7)
        self.x1, self.y1, self.x2, self.y2, self.w, self.h = corners(x["pred"], p)
        self.a1, self.b1, self.a2, self.b2, self.W, self.H = corners(x["target"], p)
        wi = torch.minimum(self.x2, self.a2) - torch.maximum(self.x1, self.a1)
        hi = torch.minimum(self.y2, self.b2) - torch.maximum(self.y1, self.b1)
        self.meets = (wi > 0) & (hi > 0)
        inter = torch.where(self.meets, wi * hi, torch.zeros_like(wi))
        self.union = self.w * self.h + self.W * self.H - inter
        self.iou = self.over(inter, self.union)
        self.cw = torch.maximum(self.x2, self.a2) - torch.minimum(self.x1, self.a1)
        self.ch = torch.maximum(self.y2, self.b2) - torch.minimum(self.y1, self.b1)
        self.dx, self.dy = (self.x1 + self.x2 - self.a1 - self.a2) / 2, (self.y1 + self.y2 - self.b1 - self.b2) / 2

    def over(self, num, den):
        den = den + self.eps
        zero = den == 0
        return torch.where(zero, torch.zeros_like(num), num / torch.where(zero, torch.ones_like(den), den))

    def distance(self):
        return self.over(self.dx ** 2 + self.dy ** 2, self.cw ** 2 + self.ch ** 2)


def corners(b, p):
    b0, b1, b2, b3 = b.unbind(1)
    form = p.get("format", "xyxy")
    if form == "cxcywh":
        return b0 - b2 / 2, b1 - b3 / 2, b0 + b2 / 2, b1 + b3 / 2, b2, b3
    if form == "xywh":
        return b0, b1, b0 + b2, b1 + b3, b2, b3
    return b0, b1, b2, b3, b2 - b0, b3 - b1


def iou(p, x):
    o = Pair(p, x)
    if p.get("variant") == "log":
        score = o.iou.clamp(min=p.get("iou_floor", 1e-6))
        none = score == 0
        l = -torch.log(torch.where(none, torch.ones_like(score), score))
        return reduce(torch.where(none, torch.full_like(l, math.inf), l), p)
    return reduce(1 - o.iou, p)


def giou(p, x):
    o = Pair(p, x)
    return reduce(1 - o.iou + o.over(o.cw * o.ch - o.union, o.cw * o.ch), p)


def diou(p, x):
    o = Pair(p, x)
    return reduce(1 - o.iou + o.distance(), p)


def ciou(p, x):
    o = Pair(p, x)
    point = ((o.w == 0) & (o.h == 0)) | ((o.W == 0) & (o.H == 0))
    angle = torch.atan2(torch.where(point, torch.ones_like(o.W), o.W), torch.where(point, torch.ones_like(o.H), o.H))
    angle = angle - torch.atan2(torch.where(point, torch.ones_like(o.w), o.w), torch.where(point, torch.ones_like(o.h), o.h))
    v = 4 / math.pi ** 2 * angle ** 2
    den = 1 - o.iou + v + o.eps
    alpha = v / torch.where(v == 0, torch.ones_like(den), den)
    if p.get("gate") == "iou_above_half":
        alpha = torch.where(o.iou > 0.5, alpha, torch.zeros_like(alpha))
    if p.get("detach_alpha", True):
        alpha = alpha.detach()
    return reduce(1 - o.iou + o.distance() + alpha * v, p)


def penalized(p, o):
    return 1 - o.iou + o.distance() + o.over((o.w - o.W) ** 2, o.cw ** 2) + o.over((o.h - o.H) ** 2, o.ch ** 2)


def eiou(p, x):
    return reduce(penalized(p, Pair(p, x)), p)


def focal_eiou(p, x):
    o = Pair(p, x)
    gamma = p.get("gamma", 0.5)
    bare = ~o.meets & (o.iou == 0)
    weight = torch.where(bare, torch.ones_like(o.iou), o.iou) ** gamma
    if gamma > 0:
        weight = torch.where(bare, torch.zeros_like(weight), weight)
    if p.get("detach_weight", True):
        weight = weight.detach()
    return reduce(weight * penalized(p, o), p)


def root(v):
    zero = v == 0
    return torch.where(zero, torch.zeros_like(v), torch.sqrt(torch.where(zero, torch.ones_like(v), v)))


def gwd(p, x):
    """Through covariance matrices; the trace of the root of a product of two is that of the printed form."""
    form = p.get("format", "cxcywhr")

    def gauss(b):
        if form == "cxcywhr":
            cx, cy, w, h, t = b.unbind(1)
        else:
            x1, y1, x2, y2, w, h = corners(b, p)
            cx, cy, t = (x1 + x2) / 2, (y1 + y2) / 2, torch.zeros_like(w)
        a, b, c, s = w * w / 4, h * h / 4, torch.cos(t), torch.sin(t)
        return cx, cy, w, h, a * c * c + b * s * s, (a - b) * s * c, a * s * s + b * c * c

    cx, cy, w, h, xx, xy, yy = gauss(x["pred"])
    mx, my, W, H, ss, st, tt = gauss(x["target"])
    inner = root(xx * ss + 2 * xy * st + yy * tt + w * h * W * H / 8)
    d2 = (cx - mx) ** 2 + (cy - my) ** 2 + p.get("alpha", 1.0) ** 2 * (xx + yy + ss + tt - 2 * inner)
    floor, fun = p.get("d2_floor", 0.0), p.get("fun", "sqrt")
    y = d2.clamp(min=floor)
    if p.get("variant") == "mmrotate":
        y = root(y)
        if p.get("normalize"):
            y = y / root(root(w * h * W * H)).clamp(min=p.get("scale_floor", 1e-7))
        if fun == "sqrt":
            y = y.clamp(min=floor)
    y = root(y) if fun == "sqrt" else torch.log1p(y) if fun == "log1p" else y
    tau = p.get("tau", 2.0)
    return reduce(y if tau == 0 else 1 - 1 / (tau + y), p)


LOSSES = [iou, giou, diou, ciou, eiou, focal_eiou, gwd]

DEVIATIONS = [d for f in LOSSES[:-1] for d in [
    (f.__name__, "infinite coordinates", "an infinite coordinate leaves some numbers of the pair finite", lambda r, p: not finite(r)),
    (f.__name__, "unit of length", "areas of boxes of 1e198 and 1e-168 leave the range of float64",
     lambda r, p: bool({"overflow", "underflow"} & set(r["tags"]))),
]] + [
    ("gwd", "NaN and infinities", "a NaN or an infinity does not reach every derivative of its pair", lambda r, p: not finite(r)),
    ("gwd", "centers", "centers of corners are sums that round, not differences of edges", lambda r, p: "integers" in r["case_id"]),
    ("gwd", "point", "the root of a product of covariances has no slope where a box is a point, though that of a sum of products has",
     lambda r, p: "boundary" in r["tags"] and p.get("format", "cxcywhr") != "cxcywhr"),
    ("gwd", "overflow", "covariances beyond the range of float64", lambda r, p: "overflow" in r["tags"]),
]
