"""``gnt-node modify --offline``: what changes nothing (LUNodeSetParams)."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from tests.cluster.replay import Stage

_IGNORED = " - INFO: Ignoring request to unset flag offline, already unset\n"


@pytest.mark.parametrize(("before", "wanted", "said"), [("no", "no", _IGNORED), ("yes", "yes", "")])
def test_what_is_so_already(stage: Stage, before: str, wanted: str, said: str) -> None:
    stage.run(f"gnt-node modify -f --offline={before} node2")
    records = stage.state.cluster()

    outcome = stage.run(f"gnt-node modify -f --offline={wanted} node2")

    assert outcome.status == 0
    assert outcome.output.endswith(said)
    assert outcome.output.count("\n") == bool(said)
    assert stage.state.cluster() == records


def test_the_master_stays_what_it_is(stage: Stage) -> None:
    outcome = stage.run("gnt-node modify -f --offline=yes node1")

    assert outcome.status == 1
    assert outcome.output.endswith(
        "error type: wrong_input, error details:\n"
        "The master role can be changed only via master-failover\n"
    )
