"""Regression losses."""
import torch.nn.functional as F


def smooth_l1(p, x):
    return F.smooth_l1_loss(x["pred"], x["target"], reduction=p["reduction"], beta=p.get("beta", 1.0))


LOSSES = [smooth_l1]

DEVIATIONS = [
    ("smooth_l1", "square before division", "0.5 e^2/beta overflows and underflows where 0.5 abs(e) (abs(e)/beta) does not",
     lambda r, p: "beta" in r["case_id"] and bool({"overflow", "underflow"} & set(r["tags"]))),
]
