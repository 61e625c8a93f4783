"""Bad providers and failing scripts: what Ganeti did, beyond what the traces hold."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pytest

from tests.cluster import recordings, scenes

if TYPE_CHECKING:
    from tests.cluster.recordings import Row
    from tests.cluster.replay import Stage

_IN_TRACES = {row["operation"] for row in recordings.rows()}
_NOT_HERE = {
    "log directory /var/log/ganeti/extstorage missing (fresh install)": "see below",
    "non-ASCII extparam value: --disk 0:size=64,provider=trace,pool=\u00e9\u2603": (
        "Ganeti's configuration daemon corrupts text beyond ASCII; the runtime does not"
    ),
    "create script hangs 1000 s": "a time limit ends the script here",
    "after grow lies (exit 0, does nothing): repair": "see below",
    "search path: same provider in /srv/ganeti/extstorage and /usr/local/lib/ganeti/extstorage": (
        "see tests/ganeti/test_discovery.py"
    ),
}
_NINE = "inst9.example.test"
_OTHER_WORDS = {
    "attach fails with UTF-8 output": "Ganeti's own command ends with a traceback",
}
CASES = [
    recordings.as_row(case)
    for case in recordings.misbehaviour()
    if case["case"] not in _IN_TRACES | set(_NOT_HERE)
]


def _calls(row: Row) -> list[tuple[str, str, int | None]]:
    return [(call["node_role"], call["script"], call["exit"]) for call in row["calls"]]


def _said(output: str, stage: Stage) -> str:
    # Where the first bad byte is depends on the length of the device's path.
    output = re.sub(r"position \d+", "position N", scenes.words(output, stage))
    return recordings.text(output, set())


@pytest.mark.parametrize("row", CASES, ids=[row["operation"] for row in CASES])
def test_case(row: Row, stage: Stage) -> None:
    scenes.prepare(stage, -1, row)

    outcome = stage.run(row["command"])

    assert _calls(outcome.row) == _calls(row)
    assert outcome.status == row["rc"], outcome.output
    if row["instances_after"]:
        assert scenes.instances(stage) == row["instances_after"]
    if row["operation"] not in _OTHER_WORDS:
        assert _said(outcome.output, stage) == _said(row["output"], stage)


def test_missing_log_directory(stage: Stage) -> None:
    (case,) = (case for case in recordings.misbehaviour() if case["case"].startswith("log dir"))
    row = recordings.as_row(case)
    scenes.prepare(stage, -1, row)
    for log in stage.directory.glob("node*/log"):
        log.rmdir()

    outcome = stage.run(row["command"])

    assert outcome.calls == []
    assert outcome.status == 1
    missing = f"Cannot find log directory: {stage.directory}/node2.example.test/log"
    assert outcome.output.rstrip().endswith(missing)


def test_a_lie_about_growth_is_repaired(stage: Stage) -> None:
    (case,) = (case for case in recordings.misbehaviour() if case["case"].endswith(": repair"))
    row = recordings.as_row(case)
    row["pnode_before"] = "node2"
    stage.real_devices = True  # of 32 MiB, as the recorder's was
    scenes.prepare(stage, -1, row, scenes.Scene(up=True, disks_active=True, name=_NINE))
    instance = stage.state.instance(_NINE)
    instance.disks[0].size_mib = 48
    stage.given(instance)

    outcome = stage.run(row["command"])

    assert _calls(outcome.row) == _calls(row)
    assert outcome.status == row["rc"]
    assert _said(outcome.output, stage) == _said(row["output"], stage)
    assert stage.state.instance(_NINE).disks[0].size_mib == 32
    assert scenes.instances(stage) == row["instances_after"]


def test_a_script_that_hangs_is_given_up(stage: Stage) -> None:
    """Ganeti's call gives up after 900 seconds, here the cluster's own time limit is set to one."""
    (case,) = (case for case in recordings.misbehaviour() if "hangs" in case["case"])
    cluster = stage.state.cluster()
    cluster.timeout_s = 1.0
    stage.state.save_cluster(cluster)
    (create, *_) = [path / "create" for path in stage.install("hang")]
    create.write_text("#!/bin/sh\nexec sleep 1000\n")
    options = "-t ext -n node1 --no-install --no-start --no-nics"

    outcome = stage.run(f"gnt-instance add {options} --disk 0:size=32,provider=hang {_NINE}")

    assert outcome.status == case["rc"] == 1
    assert [call["script"] for call in outcome.calls] == ["hang/create"]
    assert "WARNING: Device creation failed" in outcome.output
    assert "did not end within 1.0 seconds" in outcome.output
    assert not stage.state.has_instance(_NINE)
