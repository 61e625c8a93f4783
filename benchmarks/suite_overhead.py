"""How much wall time the suite adds to the time spent in the provider's scripts and device I/O."""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from pathlib import Path

from benchmarks.common import LOOPBACK, report


def main() -> None:
    """Run the standard profile on loopback and print wall time over script time."""
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


if __name__ == "__main__":
    main()
