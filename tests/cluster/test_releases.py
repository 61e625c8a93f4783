"""What releases do otherwise than 3.0, which is the one that was recorded.

Expected are the facts of Ganeti's source, tags v2.7.0 to v3.1.1.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from extstorage.cluster.guest import RecordedGuests
from tests.cluster.replay import NAME, NODES

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.cluster.replay import Outcome, Stage

OLD = ("2.7", "2.10", "2.12", "2.13")
NEW = ("2.14", "2.16", "3.0", "3.1")
Calls = list[tuple[str, str]]


def _calls(outcome: Outcome) -> Calls:
    return [
        (call["node"].partition(".")[0], call["script"].partition("/")[2]) for call in outcome.calls
    ]


@pytest.mark.parametrize("release", OLD)
def test_up_to_2_13_the_target_attaches_when_it_accepts(
    acting: Callable[..., Stage], release: str
) -> None:
    outcome = acting(release, disks=2).run(f"gnt-instance migrate -f -n node2 {NAME}")

    assert outcome.status == 0, outcome.output
    source = [("node1", "attach"), ("node1", "detach")]
    assert _calls(outcome) == [("node2", "attach")] * 2 + source * 2
    assert "* unmapping instance's disks from node1.example.test" in outcome.output


@pytest.mark.parametrize("release", NEW)
def test_since_2_14_volumes_are_opened_and_closed(
    acting: Callable[..., Stage], release: str
) -> None:
    outcome = acting(release).run(f"gnt-instance migrate -f -n node2 {NAME}")

    expected = "2 close, 1 open, 2 open, 1 close, 2 open, 1 detach"
    found = [f"{node[-1]} {script}" for node, script in _calls(outcome) if script != "attach"]
    assert ", ".join(found) == expected


@pytest.mark.parametrize("release", OLD)
def test_up_to_2_13_a_failover_does_not_close(acting: Callable[..., Stage], release: str) -> None:
    outcome = acting(release).run(f"gnt-instance failover -f -n node2 {NAME}")

    assert outcome.status == 0, outcome.output
    source = [("node1", "attach"), ("node1", "detach")]
    assert _calls(outcome) == [*source, ("node2", "attach"), ("node2", "attach")]


@pytest.mark.parametrize("release", OLD)
def test_up_to_2_13_a_clean_up_leaves_volumes_alone(
    acting: Callable[..., Stage], release: str
) -> None:
    outcome = acting(release).run(f"gnt-instance migrate -f --cleanup -n node2 {NAME}")

    assert outcome.status == 0, outcome.output
    assert _calls(outcome) == []


def test_up_to_2_13_a_migration_that_is_refused_leaves_the_target_attached(
    acting: Callable[..., Stage],
) -> None:
    stage = acting("2.13")
    RecordedGuests(stage.state.directory / "guests").start(NODES[1], NAME, [])

    outcome = stage.run(f"gnt-instance migrate -f -n node2 {NAME}")

    assert outcome.status == 1
    assert "Could not pre-migrate instance" in outcome.output
    assert _calls(outcome) == [("node2", "attach")]


@pytest.mark.parametrize(
    ("release", "known"),
    [
        ("2.7", {"EXTP_PROVIDER", "EXTP_POOL", "VOL_NAME"}),
        ("2.11", {"EXTP_PROVIDER", "EXTP_POOL", "VOL_NAME", "VOL_CNAME", "VOL_UUID"}),
        (
            "2.13",
            {"EXTP_PROVIDER", "EXTP_POOL", "EXTP_ACCESS", "VOL_NAME", "VOL_CNAME", "VOL_UUID"},
        ),
    ],
)
def test_variables_by_release(acting: Callable[..., Stage], release: str, known: set[str]) -> None:
    stage = acting(release, up=False)
    instance = stage.state.instance(NAME)
    instance.disks[0].name = "data"
    stage.given(instance)

    outcome = stage.run(f"gnt-instance activate-disks {NAME}")

    assert set(outcome.calls[0]["env"]) == known


@pytest.mark.parametrize("release", ["2.7", "2.12"])
def test_up_to_2_12_a_newline_after_the_device_breaks_attach(
    acting: Callable[..., Stage], release: str
) -> None:
    stage = acting(release, up=False)
    for node in NODES:
        script = stage.search_path(node) / "trace" / "attach"
        script.write_text(script.read_text().replace("printf %s", "echo"))

    assert stage.run(f"gnt-instance startup {NAME}").status == 1


@pytest.mark.parametrize(
    ("release", "said"),
    [
        ("2.12", "Cannot snapshot non-lvm block device"),
        ("2.13", "Could not snapshot disk/0"),
    ],
)
def test_up_to_2_13_an_export_says_that_there_is_no_snapshot(
    acting: Callable[..., Stage], release: str, said: str
) -> None:
    stage = acting(release, lacking="snapshot")

    outcome = stage.run(f"gnt-backup export -n node2 --noshutdown {NAME}")

    assert outcome.status == 1
    assert said in outcome.output
    assert "snapshot" not in [script for _node, script in _calls(outcome)]


@pytest.mark.parametrize(("release", "status"), [("2.13", 0), ("2.14", 1)])
def test_an_invalid_optional_script_invalidates_since_2_14(
    acting: Callable[..., Stage], release: str, status: int
) -> None:
    stage = acting(release, up=False)
    for node in NODES:
        (stage.search_path(node) / "trace" / "snapshot").chmod(0o644)

    outcome = stage.run(f"gnt-instance startup {NAME}")

    assert outcome.status == status, outcome.output
    said = stage.run("gnt-storage diagnose").output
    assert ("File 'snapshot' under path" in said) is (status == 1)


@pytest.mark.parametrize(("release", "status"), [("2.9", 1), ("2.10", 0)])
def test_ext_params_in_modify_since_2_10(
    acting: Callable[..., Stage], release: str, status: int
) -> None:
    command = f"gnt-instance modify --disk 0:modify,pool=p2 {NAME}"

    outcome = acting(release).run(command)

    assert outcome.status == status, outcome.output
    assert ("takes no ext-params" in outcome.output) is (status == 1)


@pytest.mark.parametrize(("release", "status"), [("2.12", 1), ("2.13", 1)])
def test_conversion_since_2_13(acting: Callable[..., Stage], release: str, status: int) -> None:
    command = f"gnt-instance modify -t ext -e provider=trace {NAME}"

    outcome = acting(release, up=False).run(command)

    assert outcome.status == status
    said = "converts no disk" if release == "2.12" else "already using provider"
    assert said in outcome.output


@pytest.mark.parametrize(("release", "status"), [("3.0", 1), ("3.1", 0)])
def test_a_detached_disk_comes_back_since_3_1(
    acting: Callable[..., Stage], release: str, status: int
) -> None:
    stage = acting(release, disks=2, up=False)
    instance = stage.state.instance(NAME)
    instance.disks[1].name = "data"
    stage.given(instance)
    assert stage.run(f"gnt-instance modify --disk 1:detach {NAME}").status == 0

    outcome = stage.run(f"gnt-instance modify --disk 1:attach,name=data {NAME}")

    assert outcome.status == status, outcome.output
    assert len(stage.state.instance(NAME).disks) == 1 + (status == 0)
    if status:
        assert "Missing provider for template 'ext'" in outcome.output
    else:
        assert _calls(outcome)[:2] == [("node1", "attach"), ("node1", "open")]


@pytest.mark.parametrize(
    ("release", "option", "status", "tried"),
    [("3.0", "", 0, False), ("3.1", "", 0, True), ("3.1", "--no-hotplug", 0, False)],
)
def test_hot_plugging_is_tried_unasked_since_3_1(
    acting: Callable[..., Stage], release: str, option: str, status: int, *, tried: bool
) -> None:
    disk = "1:add,size=8,provider=trace"

    outcome = acting(release).run(f"gnt-instance modify {option} --disk {disk} {NAME}")

    assert outcome.status == status, outcome.output
    assert ("Modification will take place without hotplugging" in outcome.output) is tried
