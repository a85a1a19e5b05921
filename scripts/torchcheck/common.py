"""What the families share."""
import numpy as np


def reduce(items, p, z=None):
    if p["reduction"] == "none":
        return items
    return items.sum() if p["reduction"] == "sum" else items.sum() / (items.numel() if z is None else z)


def finite(row, *names):
    return all(np.isfinite(t["data"]).all() for t in row["inputs"] if not names or t["name"] in names)
