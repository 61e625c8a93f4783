"""What instances may be called: as Ganeti, and never a way out of the cluster's directory."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.cluster.replay import NAME

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.cluster.replay import Outcome, Stage

_DISK = "--disk 0:size=4M,provider=trace,pool=p1"
_WRONG = (
    "Failure: prerequisites not met for this operation:\nerror type: wrong_input, error details:\n"
)
_BAD = ["../x", "../../x", "a/b", "", ".", "a..b", ".a", "a b", "a" * 300, "\u00e9"]


@pytest.fixture
def stage(acting: Callable[..., Stage]) -> Stage:
    return acting("3.0", up=False)


def _add(stage: Stage, name: str) -> Outcome:
    return stage.run(f"gnt-instance add -t ext -n node1 {_DISK} --no-start '{name}'")


def _records(stage: Stage) -> list[str]:
    files = [path for path in stage.directory.rglob("*.json") if path.is_file()]
    return sorted(str(path.relative_to(stage.directory)) for path in files)


@pytest.mark.parametrize("name", _BAD)
@pytest.mark.parametrize(
    "command",
    [
        f"gnt-instance add -t ext -n node1 {_DISK} --no-start",
        f"gnt-backup import -t ext -n node1 {_DISK} --src-node node2",
        f"gnt-instance rename -f --no-name-check {NAME}",
    ],
)
def test_a_bad_name_is_refused_before_any_script(stage: Stage, command: str, name: str) -> None:
    before = _records(stage)

    outcome = stage.run(f"{command} '{name}'")

    assert (outcome.status, outcome.output) == (1, f"{_WRONG}Invalid hostname '{name}'\n")
    assert outcome.calls == []
    assert _records(stage) == before


@pytest.mark.parametrize("name", ["../cluster", "../instances/inst1.example.test", "", "a" * 300])
def test_a_path_is_no_instance(stage: Stage, name: str) -> None:
    outcome = stage.run(f"gnt-instance info -s '{name}'")

    assert outcome.status == 1
    assert f"Instance '{name}' not known" in outcome.output


@pytest.mark.parametrize("length", [241, 255])
def test_a_name_that_no_record_can_have(stage: Stage, length: int) -> None:
    assert "use at most 240" in _add(stage, "a" * length).output


def test_a_name_as_long_as_a_record_can_have(stage: Stage) -> None:
    assert _add(stage, "a" * 240).status == 0
    assert stage.run(f"gnt-instance startup {'a' * 240}").status == 0


def test_names_are_kept_in_small_letters(stage: Stage) -> None:
    added = _add(stage, "UPPER.example.test.")
    renamed = stage.run("gnt-instance rename Upper Other.Example.Test")
    found = stage.run("gnt-instance list --no-headers -o name OTHER")

    assert added.status == 0, added.output
    assert renamed.output == "Instance 'Upper' renamed to 'other.example.test'\n"
    assert found.output == "other.example.test\n"


def test_a_name_that_is_taken_in_other_letters(stage: Stage) -> None:
    outcome = _add(stage, NAME.upper())

    assert outcome.status == 1
    assert f"Instance '{NAME}' is already in the cluster" in outcome.output
    assert outcome.calls == []


def test_a_node_in_other_letters(stage: Stage) -> None:
    outcome = stage.run(f"gnt-instance add -t ext -n NODE2 {_DISK} --no-start new.example.test")

    assert outcome.status == 0, outcome.output
    assert stage.state.instance("new.example.test").primary_node == "node2.example.test"
