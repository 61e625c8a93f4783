"""The rules ES-CRASH on providers that do it their own way, rightly; and the sweep's options."""

from __future__ import annotations

import json
import os
import re
import shutil
from importlib.resources import files
from typing import TYPE_CHECKING

import jsonschema
import pytest

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.conformance.conftest import Run, Workbench

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(os.geteuid() != 0, reason="needs root for loop devices: run as root"),
]

FAILURES = "ES-CRASH-07"
TERMINATIONS = "ES-CRASH-10"
KILLED_GROW = "ES-CRASH-05"
TOOLS = ("losetup", "blockdev", "truncate", "stat", "flock", "sync", "mktemp")


def edit(path: Path, change: Callable[[str], str]) -> None:
    before = path.read_text()
    after = change(before)
    assert after != before, f"{path.name}: nothing to change"
    path.write_text(after)


def only(*methods: str) -> list[str]:
    return [f"--extstorage-only={method}" for method in methods]


def trials(run: Run) -> list[str]:
    assert run.report is not None, run.output
    return [trial["trial"] for trial in run.report["faults"]["trials"]]


def test_tools_by_absolute_path(workbench: Workbench) -> None:
    def absolute(text: str) -> str:
        for tool in TOOLS:
            text = re.sub(rf"(?<![-\w/]){tool} (?=-|\")", f"{shutil.which(tool)} ", text)
        return text

    for name in ("common.sh", "attach", "grow"):
        edit(workbench.provider / name, absolute)
    run = workbench.run(*only("attach", "grow"), rules=(FAILURES,))
    assert run.outcome(FAILURES) == "passed", run.output
    assert "attach fail losetup#1" in trials(run)


def test_a_failed_command_that_is_tried_again(workbench: Workbench) -> None:
    edit(
        workbench.provider / "common.sh",
        lambda text: text.replace(
            "\nfail() {",
            '\nagain() {\n    "$@" || { sleep 0.05 && "$@"; }\n}\n\nfail() {',
            1,
        ).replace("devices=$(losetup", "devices=$(again losetup"),
    )
    edit(
        workbench.provider / "grow",
        lambda text: text.replace(
            'losetup --set-capacity "$device" ||', 'again losetup --set-capacity "$device" ||'
        ),
    )
    run = workbench.run(*only("grow", "detach"), rules=(FAILURES,))
    assert run.outcome(FAILURES) == "passed", run.output


def test_traps_that_clean_up(workbench: Workbench) -> None:
    edit(
        workbench.provider / "grow",
        lambda text: (
            text.replace(
                "\nif ! extend",
                '\ntrap \'truncate --size="$old" -- "$image"\' EXIT\n'
                "trap 'exit 1' HUP INT TERM\nif ! extend",
            )
            + "trap - EXIT\n"
        ),
    )
    rules = (FAILURES, KILLED_GROW, TERMINATIONS)
    run = workbench.run(*only("grow"), rules=rules)
    assert [run.outcome(rule) for rule in rules] == ["passed"] * 3, run.output


def test_a_method_that_fails_hides_nothing_of_the_others(workbench: Workbench) -> None:
    edit(
        workbench.provider / "common.sh",
        lambda text: text.replace(
            'truncate --size=">$2M" -- "$1"', '{ truncate -s ">$2M" "$1" || :; }'
        ),
    )
    workbench.replace_script("snapshot", "#!/bin/sh\nexit 1\n")

    run = workbench.run(*only("create", "snapshot"), rules=(FAILURES,))

    assert run.outcome(FAILURES) == "failed", run.output
    assert "create fail truncate#1" in run.rule(FAILURES)["message"]


def test_a_broken_trial_is_told_with_its_replay(workbench: Workbench) -> None:
    edit(
        workbench.provider / "grow",
        lambda text: text.replace(
            'losetup --set-capacity "$device" || fail "$device keeps its old size"',
            'losetup --set-capacity "$device" || echo "$device keeps its old size" >&2',
        ),
    )
    # Attach would mend it.
    edit(workbench.provider / "attach", lambda text: text.replace("elif [", "elif false && ["))
    run = workbench.run(*only("grow"), rules=(FAILURES,))
    entry = run.rule(FAILURES)
    assert run.report is not None
    assert entry["outcome"] == "failed"
    assert (
        "from grow fail losetup#2" in entry["message"]
        or "after grow fail losetup#2" in entry["message"]
    )
    assert '"do": "fail"' in entry["replay"]
    broken = [trial for trial in run.report["faults"]["trials"] if trial["broken"]]
    assert [trial["trial"] for trial in broken] == ["grow fail losetup#2"]


def test_the_report_keeps_its_schema_and_counts_its_reach(workbench: Workbench) -> None:
    run = workbench.run(*only("setinfo"), rules=(FAILURES,))
    assert run.report is not None
    schema = files("extstorage_conformance.reports").joinpath("report.schema.json")
    jsonschema.validate(run.report, json.loads(schema.read_text()))
    counts = run.report["faults"]["counts"]
    assert counts["boundaries"] == counts["commands"] + counts["system_calls"]
    assert counts["boundaries_tried"] == counts["failures"] == len(trials(run))
    assert counts["not_reached"] == 0
    assert "faults: " in run.output


def test_a_resumed_sweep_leaves_out_what_passed(workbench: Workbench) -> None:
    first = workbench.run(*only("setinfo"), rules=(FAILURES,))
    again = workbench.run(*only("setinfo"), "--extstorage-resume", rules=(FAILURES,))
    assert trials(again) == []
    assert again.outcome(FAILURES) == "passed"
    assert again.report is not None
    assert again.report["faults"]["skipped"] == len(trials(first))
    full = ("--extstorage-parameter=layout=full", "--extstorage-resume")
    otherwise = workbench.run(*only("setinfo"), *full, rules=(FAILURES,))
    assert trials(otherwise) == trials(first)
    edit(workbench.provider / "setinfo", lambda text: text + "# another provider\n")
    other = workbench.run(*only("setinfo"), "--extstorage-resume", rules=(FAILURES,))
    assert trials(other) == trials(first)


def test_a_group_of_rules_can_be_named(workbench: Workbench) -> None:
    run = workbench.run(*only("setinfo"), rules=("ES-CRASH",))
    assert run.report is not None
    assert {rule["id"].rpartition("-")[0] for rule in run.report["rules"]} == {"ES-CRASH"}
