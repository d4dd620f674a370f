"""The part of tools/bench that measures the data tree alone, beside plain maps and the machine (src/measure.rs)."""
import json
import os
import pathlib
import subprocess

from bench_members import ROOT
from bench_rows import Rows

# What the design's prototype reached with 1 000 000 rows of 58 bytes: sought here, not asked of other sizes.
PROTOTYPE_ENTRIES = 1_000_000
PROTOTYPE = {
    "build in order": 0.25,
    "memory of an entry": 76,
    "get": 1.0,
    "new version with one entry replaced": 2.3,
    "digest after one edit": 4.2,
    "diff of one edit": 1.4,
    "digest of the whole tree": 50,
    "XML into a buffer": 2400,
    "ordered by user: memory of an entry": 126,
    "ordered by user: get": 1.0,
    "ordered by user: new version, one inserted before another": 3.7,
}


TREE_ENTRIES = [1000, 100_000, PROTOTYPE_ENTRIES]


def build_tree():
    """Builds the program that measures, and says where it is."""
    command = ["cargo", "build", "--release", "--features", "measure", "--example", "tree", "--quiet"]
    subprocess.run(command, cwd=ROOT, check=True, timeout=3600)
    return pathlib.Path(os.environ.get("CARGO_TARGET_DIR", ROOT / "target")).resolve() / "release/examples/tree"


class TreeBench(Rows):
    """The rows of each size; each part of them is measured by a process of its own."""

    def floor(self):
        """The disk has no part in it; what has stands among the rows."""

    def run(self):
        for entries in self.options.entries:
            for part in ("plain-maps", "by-key", "by-user"):
                self.attempt(entries, part, lambda entries=entries, part=part: self.part(entries, part))

    def part(self, entries, part):
        done = subprocess.run([str(self.options.tree), str(entries), part], check=True, stdout=subprocess.PIPE,
                              text=True, timeout=600)
        for figure in json.loads(done.stdout):
            what, measured, unit = figure["what"], figure["measured"], figure["unit"]
            budget = PROTOTYPE.get(what) if entries == PROTOTYPE_ENTRIES else None
            name = what if figure["is_floor"] else f"tree: {what}"
            self.row(entries, name, measured, unit, budget, rate=unit == "MB/s")
