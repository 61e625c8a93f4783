"""Mutant x rule: each mutant fails the rule that it is for, and no rule that it does not name.

By default a mutant is judged by the rules that it breaks. ``--whole-matrix`` judges it by all that
can see it: all that it breaks must fail, what it names beside them may, and nothing else. A rule
whose check runs none of the scripts that a mutant changes cannot tell the mutant from its good
base, so it is left out there; a good base's own run says which scripts each rule runs.
``--matrix-rule=ES-GROW-13`` does so for some rules only: what a new rule needs, in minutes.
"""

from __future__ import annotations

import fcntl
import json
import os
import shutil
import subprocess
import sys
from functools import cache
from typing import TYPE_CHECKING, Any

import pytest

from extstorage.contract.methods import METHOD_NAMES
from tests.mutants.build import Mutant, all_mutants, build

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

Report = dict[str, Any]


@pytest.mark.parametrize("mutant", all_mutants(), ids=lambda mutant: mutant.name)
def test_mutant_is_caught_by_its_rule_and_by_no_other(
    mutant: Mutant,
    tmp_path: Path,
    tmp_path_factory: pytest.TempPathFactory,
    pytestconfig: pytest.Config,
) -> None:
    prefixes = tuple(pytestconfig.getoption("--matrix-rule"))
    whole = pytestconfig.getoption("--whole-matrix") or bool(prefixes)
    judged = set(mutant.breaks)
    if whole:
        judged |= affected_rules(mutant, shared_directory(tmp_path_factory))
    if prefixes:
        judged = {rule_id for rule_id in judged if rule_id.startswith(prefixes)}
    if not judged:
        pytest.skip("no such rule can see this mutant")

    report = conform(build(mutant, tmp_path), tmp_path, judged, faults_of(mutant))

    failed = {rule["id"] for rule in report["rules"] if rule["outcome"] == "failed"}
    assert not [rule["message"] for rule in report["rules"] if rule["outcome"] == "error"]
    innocent = failed.difference(mutant.breaks, mutant.also)
    assert not innocent, messages(report, innocent)
    missed = judged.intersection(mutant.breaks if whole else mutant.breaks[:1]) - failed
    assert not missed, messages(report, missed)


def shared_directory(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a directory that all workers of this run share."""
    directory = tmp_path_factory.getbasetemp()
    return directory.parent if "PYTEST_XDIST_WORKER" in os.environ else directory


def faults_of(mutant: Mutant) -> set[str]:
    """Return the methods whose faults are all tried: those that ``mutant`` changes.

    When it changes what all scripts share, or a rule asks for faults but no script is changed,
    the sample of the profile has to do.
    """
    changed = changed_files(mutant)
    return changed if changed <= set(METHOD_NAMES) else set()


def conform(
    provider: Path, directory: Path, rule_ids: set[str], faults_of: Iterable[str] = ()
) -> Report:
    """Judge ``provider`` by the rules named, or by the standard profile if none is.

    Rules of the group CRASH try every fault of the methods ``faults_of``, or a sample of all.
    """
    path = directory / "report.json"
    command = (
        *(sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-p", "no:xdist"),
        *("-c", os.devnull, f"--rootdir={directory}", "--assert=plain"),
        f"--extstorage-provider={provider}",
        f"--extstorage-json={path}",
        *(f"--extstorage-rule={rule_id}" for rule_id in sorted(rule_ids)),
        *(f"--extstorage-only={method}" for method in sorted(faults_of)),
    )
    try:
        output = _output(command, directory)
    finally:
        forget_runs(directory / "state")
    assert path.exists(), output
    report: Report = json.loads(path.read_text(encoding="utf-8"))
    return report


def _output(command: tuple[str, ...], directory: Path) -> str:
    """Run pytest; interrupted, wait for it to clean up, for it is interrupted too."""
    environment = os.environ | {"XDG_STATE_HOME": str(directory / "state")}
    with subprocess.Popen(
        command,
        cwd=directory,
        env=environment,
        text=True,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
    ) as process:
        try:
            return process.communicate()[0]
        except KeyboardInterrupt:
            process.communicate()
            raise


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
        if file.startswith(f"{directory}/"):
            subprocess.run(["losetup", "--detach", device], check=False)


def affected_rules(mutant: Mutant, shared: Path) -> set[str]:
    """Return the rules that can see what ``mutant`` changes."""
    changed = changed_files(mutant)
    rules = report_of_base(mutant.base, shared)["rules"]
    seen = {
        rule["id"]
        for rule in rules
        if not changed <= set(METHOD_NAMES) or not rule["methods"] or changed & set(rule["methods"])
    }
    return seen.union(mutant.also)


def changed_files(mutant: Mutant) -> set[str]:
    """Return the files of the base that ``mutant`` changes or takes away."""
    overlay = mutant.path / "overlay"
    overlaid = {str(path.relative_to(overlay)) for path in overlay.rglob("*") if path.is_file()}
    edited = {edit.file for edit in mutant.edits}
    changed = {*mutant.remove, *mutant.directories, *mutant.links, *mutant.mode, *edited}
    in_base = {name for name in overlaid if (mutant.base / name).exists()}
    return changed | in_base | ({"the name"} if mutant.rename != mutant.name else set())


@cache
def report_of_base(base: Path, shared: Path) -> Report:
    """Return the report on a good provider, which one worker makes for all."""
    directory = shared / f"base-{base.name}"
    directory.mkdir(exist_ok=True)
    report = directory / "report.json"
    with (directory / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not report.exists():
            return conform(base, directory, set())
    found: Report = json.loads(report.read_text(encoding="utf-8"))
    return found


def messages(report: Report, rule_ids: set[str]) -> str:
    """Return what the report says of these rules."""
    return "\n".join(
        f"{rule['id']} {rule['outcome']}: {rule['message']}"
        for rule in report["rules"]
        if rule["id"] in rule_ids
    )
