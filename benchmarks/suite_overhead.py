"""How long the standard profile takes on loopback, and how much of it is the suite's own."""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from pathlib import Path

from benchmarks.common import LOOPBACK, report


def main() -> None:
    """Run the standard profile on loopback and print wall time over script time, and wall time."""
    with tempfile.TemporaryDirectory() as directory:
        path = Path(directory, "report.json")
        subprocess.run(
            [
                *(sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider"),
                f"--extstorage-provider={LOOPBACK}",
                f"--extstorage-json={path}",
            ],
            check=True,
            stdout=subprocess.DEVNULL,
        )
        run = json.loads(path.read_text(encoding="utf-8"))
    wall = run["seconds"]["wall"]
    inside = run["seconds"]["scripts"] + run["seconds"]["devices"]
    report(
        "conform loopback, profile standard: wall time / scripts and device I/O",
        wall / inside,
        limit=1.5,
        detail=f"{wall:.1f} s / {inside:.1f} s, {len(run['rules'])} rules",
    )
    # Calls that overlap spend more time in scripts than passes: the ratio hides their cost.
    report(
        "conform loopback, profile standard: wall time, s",
        wall,
        limit=90.0,
        detail=f"{len(run['rules'])} rules",
    )


if __name__ == "__main__":
    main()
