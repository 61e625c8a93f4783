"""A run of the suite on a mutant, of which nothing is left."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from typing import TYPE_CHECKING, Any

from tests import children

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

Report = dict[str, Any]


def conform(
    provider: Path,
    directory: Path,
    rule_ids: set[str],
    faults_of: Iterable[str] = (),
    options: Iterable[str] = (),
) -> Report:
    """Judge ``provider`` by the rules named, or by the standard profile if none is.

    Rules of the group CRASH try every fault of the methods ``faults_of``, or a sample of all.
    ``options`` are pytest's.
    """
    path = directory / "report.json"
    command = (
        *(sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-p", "no:xdist"),
        *("-c", os.devnull, f"--rootdir={directory}", "--assert=plain"),
        *children.WITHOUT_PLUGINS,
        f"--extstorage-provider={provider}",
        f"--extstorage-json={path}",
        *(f"--extstorage-rule={rule_id}" for rule_id in sorted(rule_ids)),
        *(f"--extstorage-only={method}" for method in sorted(faults_of)),
        *options,
    )
    try:
        environment = os.environ | {"XDG_STATE_HOME": str(directory / "state")}
        output = children.run(command, directory, environment, stderr=subprocess.STDOUT).stdout
    finally:
        forget_runs(directory / "state")
    assert path.exists(), output
    report: Report = json.loads(path.read_text(encoding="utf-8"))
    return report


def forget_runs(state: Path) -> None:
    """Delete what a run keeps for --reap when a mutant did not remove its volumes."""
    for journal in state.rglob("*.jsonl"):
        first = json.loads(journal.read_text(encoding="utf-8").splitlines()[0])
        _free_loop_devices(first["run_directory"])
        shutil.rmtree(first["run_directory"], ignore_errors=True)


def _free_loop_devices(directory: str) -> None:
    listed = subprocess.run(
        ["losetup", "--list", "--noheadings", "--raw", "--output", "NAME,BACK-FILE"],
        capture_output=True,
        text=True,
        check=True,
    )
    for line in listed.stdout.splitlines():
        device, _, file = line.partition(" ")
        # A node in a namespace has the directory below a root of its own.
        if f"{directory}/" in file:
            subprocess.run(["losetup", "--detach", device], check=False)
