"""How long the standard profile takes on the loopback provider."""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from pathlib import Path

from benchmarks.common import LOOPBACK, report


def main() -> None:
    """Run the standard profile on loopback and print its wall time."""
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
        "conform loopback, profile standard: wall time, s",
        wall,
        limit=90.0,
        # Rules on calls that overlap spend more time in scripts than passes meanwhile.
        detail=f"{inside:.1f} s in scripts and device I/O, {len(run['rules'])} rules",
    )


if __name__ == "__main__":
    main()
