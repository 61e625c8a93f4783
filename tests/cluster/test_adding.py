"""``gnt-instance add``: what its options mean (CheckArguments of LUInstanceCreate)."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

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
