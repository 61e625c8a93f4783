"""What the sweep of ES-CRASH costs, on loopback, and how that grows with a script's commands."""

from __future__ import annotations

import json
import resource
import shutil
import sys
import tempfile
from pathlib import Path
from typing import Any

from benchmarks.common import LOOPBACK, report
from tests import children

_PLAIN = Path(__file__).parents[1] / "tests" / "providers" / "plain"
_SWEEP_S = 300
_SAMPLE_S = 25
_COMMANDS = (0, 10, 20)
_TOLERANCE = 1.5
_WORKERS = 2


def _run(provider: Path, *arguments: str) -> dict[str, Any]:
    """Return the report of a run on ``provider``; ends the benchmark if that does not conform."""
    with tempfile.TemporaryDirectory() as directory:
        path = Path(directory, "report.json")
        completed = children.run(
            [
                *(sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider"),
                f"--extstorage-provider={provider}",
                f"--extstorage-json={path}",
                *arguments,
            ],
            stderr=None,
        )
        if completed.returncode != 0:
            sys.exit(completed.stdout)
        found: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    return found


def _cpu_seconds() -> float:
    """Return the processors' time of all that has been run and waited for."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def _sweep(profile: str, limit_s: float) -> None:
    used = _cpu_seconds()
    run = _run(
        LOOPBACK,
        "--extstorage-rule=ES-CRASH",
        f"--extstorage-profile={profile}",
        f"--numprocesses={_WORKERS}",
    )
    used = _cpu_seconds() - used
    counts = run["faults"]["counts"]
    wall = run["seconds"]["wall"]
    report(
        f"ES-CRASH on loopback, profile {profile}, {_WORKERS} processes: seconds / {limit_s:g}",
        wall / limit_s,
        limit=1.0,
        detail=f"{wall:.0f} s, {used:.0f} s of processors' time; "
        + ", ".join(f"{name} {number}" for name, number in counts.items()),
    )


def _seconds_per_command() -> None:
    """Print what a trial costs in an attach of more and more external commands."""
    costs = {}
    for extra in _COMMANDS:
        with tempfile.TemporaryDirectory() as directory:
            provider = Path(directory, "plain")
            shutil.copytree(_PLAIN, provider)
            with (provider / "common.sh").open("a", encoding="utf-8") as script:
                script.write("uname >/dev/null\n" * extra)
            run = _run(provider, "--extstorage-rule=ES-CRASH-07", "--extstorage-only=attach")
        counts, seconds = run["faults"]["counts"], run["faults"]["seconds"]
        costs[extra] = seconds / counts["trials"]
        print(
            f"attach with {counts['commands']} commands: {counts['trials']} trials,"
            f" {seconds:.1f} s, {costs[extra]:.2f} s each"
        )
    report(
        f"a trial of an attach with {_COMMANDS[-1]} more commands / with none",
        costs[_COMMANDS[-1]] / costs[0],
        limit=_TOLERANCE,
        detail="trials grow with the commands; what one costs, with their run time",
    )


def main() -> None:
    """Run the sweeps and print their figures."""
    _sweep("full", _SWEEP_S)
    _sweep("standard", _SAMPLE_S)
    _seconds_per_command()


if __name__ == "__main__":
    main()
