"""How much wall time the suite adds to the time spent inside the provider's scripts."""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from benchmarks.common import LOOPBACK, report


def main() -> None:
    """Run the standard profile on loopback and print wall time over script time."""
    with tempfile.TemporaryDirectory() as directory:
        path = Path(directory, "report.json")
        started = time.monotonic()
        subprocess.run(
            [
                *(sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider"),
                f"--extstorage-provider={LOOPBACK}",
                f"--extstorage-json={path}",
            ],
            check=True,
            stdout=subprocess.DEVNULL,
        )
        wall = time.monotonic() - started
        rules = json.loads(path.read_text(encoding="utf-8"))["rules"]
    inside = sum(rule["script_s"] for rule in rules)
    report(
        "conform loopback, profile standard: wall time / time inside scripts",
        wall / inside,
        limit=1.5,
        detail=f"{wall:.1f} s / {inside:.1f} s, {len(rules)} rules",
    )


if __name__ == "__main__":
    main()
