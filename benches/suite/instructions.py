"""Instructions per query, counted by callgrind: the same on every machine and at every load.

A count belongs to a build: another compiler gives another. That is why a budget is a
file of counts with a margin, and not a promise. Caches, branches and the kernel are not
in it; the paired rounds of `benches/run` see those.
"""

import json
import re
import shutil
import subprocess
import tempfile
from pathlib import Path

from .errors import BenchError

MARGIN = 1.05
QUERIES = 2_000
# Only what runs below these functions is counted: the loops over `respond` and over the limiter.
_LOOPS = {"answer": "*measure::answers*", "limit": "*measure::judgements*"}


def valgrind() -> str | None:
    return shutil.which("valgrind")


def count(measure: Path, kind: str) -> float:
    """Instructions of one query of this kind, or of the limiter for its answer: `limit KIND`."""
    mode, query = ("limit", kind.removeprefix("limit ")) if kind.startswith("limit ") else ("answer", kind)
    with tempfile.TemporaryDirectory(prefix="windrose-bench-") as folder:
        out = Path(folder) / "counts"
        done = subprocess.run(
            [valgrind(), "--tool=callgrind", f"--toggle-collect={_LOOPS[mode]}", f"--callgrind-out-file={out}",
             measure, mode, str(QUERIES), query], capture_output=True, text=True, timeout=300)
        if done.returncode:
            raise BenchError(f"callgrind failed on '{kind}':\n{done.stderr[-1500:]}")
        return round(total(out.read_text()) / QUERIES, 1)


def total(report: str) -> int:
    """The sum in a callgrind output file."""
    found = re.search(r"^(?:totals|summary): (\d+)", report, re.MULTILINE)
    if not found or found[1] == "0":
        raise BenchError("callgrind counted nothing", help="the loop in dns/examples/measure.rs has another name, or was inlined")
    return int(found[1])


def read(file: Path) -> dict:
    return json.loads(file.read_text())["instructions"]


def write(file: Path, counts: dict, compiler: str):
    file.write_text(json.dumps({"compiler": compiler, "instructions": counts}, indent=2) + "\n")


def over(budget: dict, counts: dict) -> list:
    """What costs more than the margin allows, or has no budget: one sentence each."""
    told = []
    for kind, now in counts.items():
        if kind not in budget:
            told.append(f"'{kind}' has no budget, it takes {now:.0f} instructions")
        elif now > budget[kind] * MARGIN:
            told.append(f"'{kind}' takes {now:.0f} instructions, {now / budget[kind] - 1:+.1%} over the budget of {budget[kind]:.0f}")
    return told + [f"'{kind}' has a budget and is not measured" for kind in budget if kind not in counts]


def text(budget: dict, counts: dict) -> str:
    lines = [f"{'instructions per query':24}{'budget':>8}{'now':>8}"]
    for kind, now in counts.items():
        was = f"{budget[kind]:8.0f}" if kind in budget else f"{'–':>8}"
        change = f"{now / budget[kind] - 1:+8.1%}" if kind in budget else ""
        lines.append(f"  {kind:22}{was}{now:8.0f}{change}")
    return "\n".join(lines)
