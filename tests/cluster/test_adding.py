"""``gnt-instance add``: what its options mean (CheckArguments of LUInstanceCreate)."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.cluster.replay import NAME, NODES

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.cluster.replay import Outcome, Stage

_NEW = "new.example.test"
_DISK = "--disk 0:size=4M,provider=trace,pool=p1"


@pytest.fixture
def stage(acting: Callable[..., Stage]) -> Stage:
    return acting("3.0", up=False)


def _add(stage: Stage, options: str) -> Outcome:
    return stage.run(f"gnt-instance add -t ext {_DISK} {options} {_NEW}")


_DISABLED = " - INFO: No-installation mode selected, disabling startup\n"


@pytest.mark.parametrize(
    ("options", "state", "times_told"),
    [
        ("", "up", 0),
        ("--no-install", "down", 1),
        ("--no-start", "down", 0),
        # Nothing is left to be disabled.
        ("--no-install --no-start", "down", 0),
    ],
)
def test_what_is_not_installed_is_not_started(
    stage: Stage, options: str, state: str, times_told: int
) -> None:
    outcome = _add(stage, f"-n node1 -o noop+default {options}")

    assert outcome.status == 0, outcome.output
    assert stage.state.instance(_NEW).admin_state == state
    assert outcome.output.count(_DISABLED) == times_told
    assert ("* starting instance" in outcome.output) == (state == "up")


@pytest.mark.parametrize(
    ("node", "times_told"), [("node2:node1", 1), ("node2:nosuch", 1), ("node2:", 0)]
)
def test_a_secondary_node_is_ignored(stage: Stage, node: str, times_told: int) -> None:
    outcome = _add(stage, f"-n {node} --no-start")

    assert outcome.status == 0, outcome.output
    warning = " - WARNING: Secondary node will be ignored on non-mirrored disk template\n"
    assert outcome.output.count(warning) == times_told
    assert stage.state.instance(_NEW).primary_node == NODES[1]


def test_disks_are_not_made_again_on_two_nodes(stage: Stage) -> None:
    outcome = stage.run(f"gnt-instance recreate-disks -n node2:node1 {NAME}")

    assert outcome.status == 1
    assert f"Instance {NAME} currently has 1 nodes, but 2 replacement" in outcome.output
    assert stage.state.instance(NAME).primary_node == NODES[0]
