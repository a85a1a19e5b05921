#!/usr/bin/env python3
"""Evaluates PyTorch on the golden inputs of the losses that it has, in float64, and says how accurate it is.

    python3 scripts/torch_check.py                 print the table and the cases outside class C
    python3 scripts/torch_check.py -write          also write scripts/torch_check.md
    python3 scripts/torch_check.py -run ssim -v    one loss, every case

The losses are in torchcheck/: those that torch does not have are a few lines of autograd in their textbook form. A case
outside class C must match one of the deviations listed there, which the specification of the loss names; a deviation that no
case needs is an error as well.
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

from torchcheck import DEVIATIONS, LOSSES

ROOT = pathlib.Path(__file__).resolve().parent.parent
U, ETA = 2.0**-53, 5e-324
CLASSES = [("A", 2, False), ("B", 8, False), ("C", 64, True)]


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
