"""How long the standard profile takes on loopback, and how much of it is the suite's own."""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

from benchmarks.common import LOOPBACK, report
from tests import children


def main() -> None:
    """Run the standard profile on loopback in one process, then in two; print what it takes."""
    run = judged()
    inside = run["seconds"]["scripts"] + run["seconds"]["devices"]
    wall = run["seconds"]["wall"]
    report(
        "conform loopback, profile standard: wall time / scripts and device I/O",
        wall / inside,
        limit=1.5,
        detail=f"{wall:.1f} s / {inside:.1f} s, {len(run['rules'])} rules",
    )
    # Calls that overlap spend more time in scripts than passes: the ratio hides their cost.
    report_wall("in one process", run)
    report_wall("in two (-n 2)", judged("--numprocesses=2"))


def judged(*arguments: str) -> dict[str, Any]:
    """Return the report on a run of the standard profile; raises CalledProcessError."""
    with tempfile.TemporaryDirectory() as directory:
        path = Path(directory, "report.json")
        children.run(
            [
                *(sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider"),
                f"--extstorage-provider={LOOPBACK}",
                f"--extstorage-json={path}",
                *arguments,
            ],
            stdout=subprocess.DEVNULL,
            stderr=None,
        ).check_returncode()
        found: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    return found


def report_wall(how: str, run: dict[str, Any]) -> None:
    """Print how long a run took."""
    report(
        f"conform loopback, profile standard, {how}: wall time, s",
        run["seconds"]["wall"],
        limit=90.0,
        detail=f"{len(run['rules'])} rules",
    )


if __name__ == "__main__":
    main()
