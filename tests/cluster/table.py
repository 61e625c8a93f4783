"""The page that says which recorded operations the runtime repeats.

Run ``python -m tests.cluster.table`` to write it; a test holds it equal to what this writes.
"""

from __future__ import annotations

from collections import Counter
from pathlib import Path

from tests.cluster import recordings, scenes

PAGE = Path(__file__).parents[2] / "docs" / "reference" / "cluster-traces.md"

_HEAD = """\
# Recorded operations of a real cluster

Generated from `tests/cluster/data/traces.jsonl.xz` by `python -m tests.cluster.table`.

A real three-node cluster (Ganeti 3.0.2, hypervisor `fake`) was recorded while its commands were
typed. `tests/cluster/test_traces.py` types the same commands at the runtime, with scripts that
answer as they did, and compares for each call the node's role, script, order, `VOL_*` and `EXTP_*`
variables and exit code; then exit status, the instance's place, and the words that were printed.

- **same**: all of that is the same.
- **same calls**: so are the calls and the exit status; the words differ, for the reason given.
- **not claimed**: the runtime does not do this, or not this way, for the reason given.

"""


def page() -> str:
    """Return the page's text."""
    lines = []
    counts: Counter[str] = Counter()
    for number, row in enumerate(recordings.rows()):
        verdict, reason = _verdict(number, row)
        counts[verdict] += 1
        operation = row["operation"].replace("|", "\\|")
        lines.append(f"| {number} | {operation} | {len(row['calls'])} | {verdict} | {reason} |")
    total = ", ".join(f"{counts[name]} {name}" for name in ("same", "same calls", "not claimed"))
    table = ["| | operation | calls | | reason |", "|---|---|---|---|---|", *lines]
    return f"{_HEAD}Of {sum(counts.values())}: {total}.\n\n" + "\n".join(table) + "\n"


def _verdict(number: int, row: recordings.Row) -> tuple[str, str]:
    reason = scenes.why_not(number, row)
    if reason:
        return "not claimed", reason
    if number in scenes.OTHER_WORDS:
        return "same calls", scenes.OTHER_WORDS[number]
    return "same", ""


if __name__ == "__main__":
    PAGE.parent.mkdir(parents=True, exist_ok=True)
    PAGE.write_text(page(), encoding="utf-8")
