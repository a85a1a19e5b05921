#!/usr/bin/env python3
"""Reads the golden files with pyarrow, pandas, Polars and DuckDB and requires the digest of every row.

    python3 scripts/readers.py [file.parquet ...]      default: fixtures/golden/*.parquet

Each row carries the SHA-256 of its content (fixtures/digest.go says of which bytes), so a reader that loses a NaN, a -0, a
subnormal, an empty list or a null is caught whatever the value was. DuckDB is also asked for rows by conditions on columns that
hold NaN, where wrong statistics in a file would drop rows. Exit codes: 0 all equal, 1 a difference.
"""
import glob
import hashlib
import math
import pathlib
import struct
import sys

import numpy as np

ROOT = pathlib.Path(__file__).resolve().parent.parent
NAN = bytes.fromhex("000000000000f87f")


def text(s):
    b = s.encode()
    return struct.pack("<I", len(b)) + b


def integers(xs):
    return struct.pack("<I", len(xs)) + b"".join(struct.pack("<q", int(x)) for x in xs)


def doubles(xs):
    return struct.pack("<I", len(xs)) + b"".join(NAN if math.isnan(x) else struct.pack("<d", x) for x in xs)


def digest(r):
    out = [text(r["case_id"]), struct.pack("<q", r["revision"]), text(r["loss"]), text(r["tier"]), text(r["kind"]), text(r["params"])]
    out.append(struct.pack("<I", len(r["inputs"])))
    for t in r["inputs"]:
        out += [text(t["name"]), text(t["role"]), text(t["dtype"]), integers(t["shape"]), doubles(t["data"])]
    out.append(struct.pack("<I", len(r["expected"])))
    for o in r["expected"]:
        out += [text(o["output"]), integers(o["shape"])]
        out += [doubles(o[k]) for k in ("data", "scale", "scale_usual", "lower", "upper")]
    out.append(b"\0" if r["error"] is None else b"\1" + text(r["error"]))
    for k in ("dtypes", "tags"):
        out.append(struct.pack("<I", len(r[k])) + b"".join(text(s) for s in r[k]))
    out += [text(r["method"]), text(r["source"]), struct.pack("<q", r["precision_bits"]), text(r["comment"])]
    return hashlib.sha256(b"".join(out)).hexdigest()


def by_pyarrow(path):
    import pyarrow.parquet as pq
    return pq.read_table(path).to_pylist()


def by_pandas(path):
    import pandas as pd
    rows = pd.read_parquet(path, engine="pyarrow").to_dict("records")
    for r in rows:
        r["error"] = r["error"] if isinstance(r["error"], str) else None
    return rows


def by_polars(path):
    import polars as pl
    return pl.read_parquet(path).to_dicts()


def by_duckdb(path):
    import duckdb
    table = duckdb.connect().execute(f"SELECT * FROM read_parquet('{path}')")
    names = [d[0] for d in table.description]
    return [dict(zip(names, row)) for row in table.fetchall()]


READERS = {"pyarrow": by_pyarrow, "pandas": by_pandas, "polars": by_polars, "duckdb": by_duckdb}

# Conditions on the first element of an output, where a reader that prunes by statistics drops or adds NaN rows. DuckDB orders NaN
# above every number.
FILTERS = [("x > 1", lambda x: x > 1 or math.isnan(x)), ("x <= 1", lambda x: x <= 1), ("isnan(x)", math.isnan),
           ("x = 0", lambda x: x == 0), ("x != 0", lambda x: x != 0)]


def filtered(path, rows):
    import duckdb
    bad = 0
    for condition, accept in FILTERS:
        query = f"""SELECT case_id FROM (SELECT case_id, o.output AS output, o.data[1] AS x
                    FROM (SELECT case_id, unnest(expected) AS o FROM read_parquet('{path}')) WHERE len(o.data) > 0)
                    WHERE {condition} ORDER BY case_id, output"""
        got = [r[0] for r in duckdb.connect().execute(query).fetchall()]
        want = sorted((r["case_id"], o["output"]) for r in rows for o in r["expected"] if len(o["data"]) and accept(o["data"][0]))
        if got != [w[0] for w in want]:
            print(f"FAIL duckdb {path} WHERE {condition}: want {len(want)} rows, got {len(got)}")
            bad += 1
    return bad


def main():
    paths = sys.argv[1:] or sorted(glob.glob(str(ROOT / "fixtures" / "golden" / "*.parquet")))
    passed = failed = 0
    for path in paths:
        base = by_pyarrow(path)
        special = {"NaN": 0, "-0": 0, "subnormal": 0, "infinite": 0, "empty list": 0}
        for r in base:
            for d in [t["data"] for t in r["inputs"]] + [o["data"] for o in r["expected"]]:
                x = np.array(d, dtype=np.float64)
                special["NaN"] += int(np.isnan(x).sum())
                special["-0"] += int(((x == 0) & np.signbit(x)).sum())
                special["subnormal"] += int(((x != 0) & (np.abs(x) < 2.0**-1022)).sum())
                special["infinite"] += int(np.isinf(x).sum())
                special["empty list"] += x.size == 0
        for name, read in READERS.items():
            rows = read(path)
            bad = [r["case_id"] for r in rows if digest(r) != r["sha256"]]
            if len(rows) != len(base):
                bad.append(f"{len(rows)} rows, want {len(base)}")
            passed, failed = passed + len(rows) - len(bad), failed + len(bad)
            for b in bad[:5]:
                print(f"FAIL {name} {path}: {b}")
            print(f"{name:8s} {pathlib.Path(path).name:28s} {len(rows):4d} rows, {len(bad)} wrong")
        wrong = filtered(path, base)
        passed, failed = passed + len(FILTERS) - wrong, failed + wrong
        print("holds    " + ", ".join(f"{n} {k}" for k, n in special.items()))
    print(f"{passed} passed, {failed} failed")
    return 1 if failed or not passed else 0


if __name__ == "__main__":
    sys.exit(main())
