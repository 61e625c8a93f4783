"""Mutant x rule: each mutant fails the rule that it is for, and no rule that it does not name.

By default a mutant is judged by the rules that it breaks. ``--whole-matrix`` judges it by all of
profile standard that can see it, and the rules that it names must be all that fail, but for those
that fail by chance. A rule whose check runs none of the scripts that a mutant changes cannot tell
the mutant from its good base, so it is left out there; a good base's own run says which scripts
each rule runs.
``--matrix-rule=ES-GROW-13`` does so for some rules only: what a new rule needs, in minutes.
"""

from __future__ import annotations

import fcntl
import json
import os
from functools import cache
from typing import TYPE_CHECKING

import pytest

from extstorage.contract.methods import METHOD_NAMES
from tests.mutants.build import Mutant, all_mutants, build
from tests.mutants.judging import Report, conform

if TYPE_CHECKING:
    from pathlib import Path


@pytest.mark.parametrize("mutant", all_mutants(), ids=lambda mutant: mutant.name)
def test_mutant_is_caught_by_its_rule_and_by_no_other(
    mutant: Mutant,
    tmp_path: Path,
    tmp_path_factory: pytest.TempPathFactory,
    pytestconfig: pytest.Config,
) -> None:
    prefixes = tuple(pytestconfig.getoption("--matrix-rule"))
    whole = pytestconfig.getoption("--whole-matrix") or bool(prefixes)
    named = {*mutant.breaks, *(mutant.also if whole else ())}
    judged = affected_rules(mutant, shared_directory(tmp_path_factory)) if whole else named
    if prefixes:
        judged = {rule_id for rule_id in judged if rule_id.startswith(prefixes)}
    if not judged:
        pytest.skip("no such rule can see this mutant")

    report = conform(build(mutant, tmp_path), tmp_path, judged, faults_of(mutant))

    failed = {rule["id"] for rule in report["rules"] if rule["outcome"] == "failed"}
    assert not [rule["message"] for rule in report["rules"] if rule["outcome"] == "error"]
    innocent = failed.difference(named, mutant.sometimes)
    assert not innocent, messages(report, innocent)
    missed = judged.intersection(named if whole else mutant.breaks[:1]) - failed
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


def affected_rules(mutant: Mutant, shared: Path) -> set[str]:
    """Return the rules that can see what ``mutant`` changes."""
    changed = changed_files(mutant)
    rules = report_of_base(mutant.base, shared)["rules"]
    seen = {
        rule["id"]
        for rule in rules
        if not changed <= set(METHOD_NAMES) or not rule["methods"] or changed & set(rule["methods"])
    }
    return seen.union(mutant.breaks, mutant.also)


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
