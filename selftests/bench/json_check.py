#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0
#
# json_check.py FILE KERNEL COMMIT NAME TCP XTCP: does FILE, which report.awk has
# written, have the benchmark NAME with these values, and all that follows from them?
import json
import sys

path, kernel, commit, name = sys.argv[1:5]
tcp, xtcp = map(float, sys.argv[5:7])
with open(path) as f:
    doc = json.load(f)
assert (doc["schema"], doc["kernel"], doc["commit"]) == (1, kernel, commit), doc
row, = [b for b in doc["benchmarks"] if b["name"] == name]
assert (row["tcp"]["value"], row["xtcp"]["value"]) == (tcp, xtcp), row
assert abs(row["ratio"] - xtcp / tcp) < 1e-4 and row["boots"] == [row["ratio"]], row
assert row["met"] is (round(row["ratio"], 3) <= row["bar"]), row
for side in row["tcp"], row["xtcp"]:
    assert side["n"] > 100 and 0 < side["p10"] <= side["p90"], side
