"""The reports that go to files, from one made-up run and from a real one."""

from __future__ import annotations

import json
import re
from html.parser import HTMLParser
from importlib.resources import files
from typing import TYPE_CHECKING, Any
from xml.etree import ElementTree as ET

import jsonschema
import pytest

from extstorage_conformance.catalogue import rules
from extstorage_conformance.faults.reach import Reach
from extstorage_conformance.outcome import Outcome, Result
from extstorage_conformance.reports import badge, comparison, html, json_report, sarif
from extstorage_conformance.reports.verdict import Verdict
from tests.sarif_schema import SCHEMA

if TYPE_CHECKING:
    from pathlib import Path

    from tests.conformance.conftest import Workbench

HOSTILE = 'ES-ATTACH-02 (MUST) ...\n  got: <script>alert("x")</script> & \x1b[31m'
VOID = {"meta", "input", "br"}


def document(*results: Result) -> dict[str, Any]:
    rules()  # registers them
    return json_report.document(
        Verdict.of(results),
        seconds={"wall": 3.0, "scripts": 2.0, "devices": 0.5},
        times={"attach": [0.1] * 19 + [0.9]},
        figures={"attach_of_the_only_volume_ms": 20.04},
        provider="pr<b>",
        release="3.0",
        profile="standard",
        seed=1,
    )


EVERY_OUTCOME = [
    Result(rule_id, level, outcome, HOSTILE if outcome is Outcome.FAILED else "why")
    for rule_id, level, outcome in (
        ("ES-ATTACH-01", "MUST", Outcome.PASSED),
        ("ES-ATTACH-02", "MUST", Outcome.FAILED),
        ("ES-ENV-15", "SHOULD", Outcome.FAILED),
        ("ES-ATTACH-03", "MUST", Outcome.WAIVED),
        ("ES-ATTACH-04", "MUST", Outcome.UNEXPECTED_PASS),
        ("ES-ATTACH-05", "MUST", Outcome.NOT_APPLICABLE),
        ("ES-ATTACH-06", "MUST", Outcome.SKIPPED),
        ("ES-ATTACH-07", "MUST", Outcome.BLOCKED),
        ("ES-OWN-01", "MUST", Outcome.ERROR),  # a vendor's own rule, not in our registry
    )
]


class Page(HTMLParser):
    """What a page shows, whether its elements are balanced, and what it loads."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.shown: list[str] = []
        self.loaded: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag not in VOID:
            self.open.append(tag)
        self.loaded += [value or "" for name, value in attrs if name in {"src", "href"}]

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        if self.open and self.open[-1] not in {"script", "style"}:
            self.shown.append(data)


def test_page_shows_every_rule_once_and_needs_nothing_else() -> None:
    page = Page(html.text(document(*EVERY_OUTCOME)))
    shown = " ".join(page.shown)

    assert not page.open
    assert not page.loaded
    assert all(page.shown.count(result.id) == 1 for result in EVERY_OUTCOME)
    assert '<script>alert("x")</script> &' in shown  # as text
    assert "pr<b>" in shown
    assert "does not conform" in shown


def test_page_of_an_empty_run() -> None:
    assert "could not be judged" in html.text(document())


def test_sarif_has_what_a_scanner_shows(tmp_path: Path) -> None:
    whole = json.loads(sarif.text(document(*EVERY_OUTCOME), tmp_path))
    jsonschema.validate(whole, SCHEMA)
    run = whole["runs"][0]
    ids = [rule["id"] for rule in run["tool"]["driver"]["rules"]]

    assert [(one["ruleId"], one["level"]) for one in run["results"]] == [
        ("ES-ATTACH-02", "error"),
        ("ES-ATTACH-03", "error"),
        ("ES-ATTACH-07", "error"),
        ("ES-ENV-15", "warning"),
    ]
    assert all(ids[one["ruleIndex"]] == one["ruleId"] for one in run["results"])
    assert [one["ruleId"] for one in run["results"] if "suppressions" in one] == ["ES-ATTACH-03"]


def test_sarif_names_the_script_that_decided(tmp_path: Path) -> None:
    replay = "(cd /p && exec env -i VOL_NAME=attach '/p/my grow' x /p/detach </dev/null)"
    result = Result("ES-DETACH-01", "MUST", Outcome.FAILED, "m", replay)

    run = json.loads(sarif.text(document(result), tmp_path))["runs"][0]

    place = run["results"][0]["locations"][0]["physicalLocation"]
    assert place == {"artifactLocation": {"uri": "detach", "uriBaseId": "PROVIDER"}}
    assert run["originalUriBaseIds"] == {"PROVIDER": {"uri": f"{tmp_path.as_uri()}/"}}


@pytest.mark.parametrize(
    ("results", "words"),
    [
        ([Result("ES-ATTACH-01", "MUST", Outcome.PASSED)], "conforms: Ganeti 3.0, standard"),
        ([Result("ES-ATTACH-01", "MUST", Outcome.FAILED)], "does not conform: Ganeti 3.0"),
        ([Result("ES-ATTACH-01", "MUST", Outcome.WAIVED)], "conforms: .*, 1 waived"),
        ([], "not judged: "),
    ],
)
def test_badge_says_the_verdict(results: list[Result], words: str) -> None:
    picture = ET.fromstring(badge.text(document(*results)))  # noqa: S314 - our own text

    shown = [element.text or "" for element in picture.iter() if element.tag.endswith("text")]
    assert shown[0] == "ExtStorage"
    assert re.match(words, shown[1])


def test_run_writes_all_of_them(workbench: Workbench) -> None:
    (workbench.provider / "setinfo").write_text('#!/bin/sh\necho "$EXTP_CACHE"\n')
    files = {name: workbench.directory / name for name in ("html", "sarif", "badge", "junit")}

    run = workbench.run(
        *(f"--extstorage-{name}={files[name]}" for name in ("html", "sarif", "badge")),
        f"--junitxml={files['junit']}",
        rules=("ES-LINT-05", "ES-DISC-02", "ES-VERIFY-02"),
    )

    assert run.exit_code == 0, run.output
    assert "EXTP_CACHE" in files["html"].read_text()
    finding = json.loads(files["sarif"].read_text())["runs"][0]["results"][0]
    assert finding["message"]["text"].startswith("EXTP_CACHE is read, but")
    assert finding["locations"][0]["physicalLocation"]["region"] == {"startLine": 2}
    assert "conforms" in files["badge"].read_text()
    assert _junit(files["junit"]) == {
        "ES-DISC-02": ("passed", set()),
        "ES-LINT-05": ("failed", {"skipped"}),
        "ES-VERIFY-02": ("passed", set()),
    }


def _junit(path: Path) -> dict[str, tuple[str, set[str]]]:
    """Return each rule's outcome and what JUnit's readers make of its test."""
    found = {}
    for case in ET.parse(path).iter("testcase"):  # noqa: S314 - pytest's own file
        properties = {one.get("name"): one.get("value") for one in case.iter("property")}
        marks = {element.tag for element in case} & {"failure", "error", "skipped"}
        found[str(properties["extstorage-rule"])] = (
            str(properties["extstorage-outcome"]),
            marks,
        )
    return found


def test_junit_of_a_broken_must_is_a_failure(workbench: Workbench) -> None:
    (workbench.provider / "grow").unlink()
    file = workbench.directory / "junit"

    workbench.run(f"--junitxml={file}", rules=("ES-DISC-02",))

    assert _junit(file) == {"ES-DISC-02": ("failed", {"failure"})}


@pytest.mark.parametrize("name", ["html", "sarif", "badge"])
def test_file_that_cannot_be_written_is_told_before_the_run(
    workbench: Workbench, name: str
) -> None:
    run = workbench.run(f"--extstorage-{name}=/no/such/place")

    assert run.exit_code == 4
    assert f"--extstorage-{name}=/no/such/place: expected a file to write" in run.output
    assert "collected" not in run.output


def test_timings_are_median_and_95th_percentile() -> None:
    assert document()["timings"] == {"attach": {"calls": 20, "median_ms": 100.0, "p95_ms": 100.0}}


def boundary(name: str, kind: str, text: str) -> dict[str, Any]:
    return {"name": name, "kind": kind, "text": text, "changes": True, "outcome": 0}


def test_page_shows_the_call_map_of_each_method_and_what_was_tried() -> None:
    reach = Reach(
        methods={
            "grow": [
                boundary("losetup#1", "command", "losetup --set-capacity /dev/<loop0>"),
                boundary("openat /sys/loopN#1", "read", "openat(/sys/loop0)"),
                boundary("openat /sys/loopN#2", "read", "openat(/sys/loop1)"),
            ]
        },
        trials=[
            {
                "trial": f"grow {kind} losetup#1",
                "method": "grow",
                "kind": kind,
                "boundary": "losetup#1",
                "fired": True,
                "broken": "",
                "replay": "",
            }
            for kind in ("fail", "kill", "kill")
        ],
    )
    report = document(*EVERY_OUTCOME) | {"faults": reach.document()}

    page = Page(html.text(report))

    shown = " ".join(" ".join(page.shown).split())
    assert not page.open
    assert "3 boundaries: 1 external commands and 2 system calls" in shown
    assert "1 were broken; 1 more only read again" in shown
    assert "losetup --set-capacity /dev/<loop0> 0 fail kill x2" in shown
    assert "openat(/sys/loop0) and 1 alike" in shown


def test_times_are_compared_with_an_earlier_run(tmp_path: Path) -> None:
    before = document() | {
        "timings": {"attach": {"calls": 2, "median_ms": 80.0, "p95_ms": 200.0}},
        "figures": {"attach_of_the_only_volume_ms": 10.0, "of_an_old_rule_ms": 1.0},
    }
    file = tmp_path / "before.json"
    file.write_text(json.dumps(before))

    found = comparison.compare(document(), comparison.load(str(file)), "before.json")

    median = {"now": 100.0, "before": 80.0, "times": 1.25}
    assert found["timings"]["attach"]["median_ms"] == median
    assert list(found["figures"]) == ["attach_of_the_only_volume_ms"]
    assert list(comparison.lines(found, document())) == [
        "times in ms, and in the run of before.json:",
        "  attach   median 100.0 (was 80.0, +25 %), 95th percentile 100.0 (was 200.0, -50 %)",
        "  attach of the only volume: 20.0 (was 10.0, +100 %)",
    ]
    assert "before.json" in html.text(document() | {"comparison": found})


def test_comparison_names_what_makes_it_doubtful() -> None:
    found = comparison.compare(document(), document() | {"profile": "full"}, "x")
    assert next(comparison.lines(found, document())).endswith("x: (profile full)")


@pytest.mark.parametrize("text", [None, "{", "[]", '{"schema": "another"}'])
def test_what_is_no_report_is_not_compared_with(workbench: Workbench, text: str | None) -> None:
    file = workbench.directory / "before.json"
    if text is not None:
        file.write_text(text)

    run = workbench.run(f"--extstorage-compare={file}")

    assert run.exit_code == 4
    assert f"--extstorage-compare={file}: expected " in run.output
    assert "Traceback" not in run.output


def test_run_tells_the_difference(workbench: Workbench) -> None:
    rules = ("ES-CREATE-01", "ES-ATTACH-01")
    first = workbench.run(rules=rules)
    file = workbench.directory / "before.json"
    file.write_text(json.dumps(first.report))

    again = workbench.run(f"--extstorage-compare={file}", rules=rules)

    assert again.report is not None
    schema = files("extstorage_conformance.reports").joinpath("report.schema.json")
    jsonschema.validate(again.report, json.loads(schema.read_text()))
    assert set(again.report["comparison"]["timings"]) == set(again.report["timings"]) != set()
    assert f"times in ms, and in the run of {file}:" in again.output
    assert "median " in again.output
