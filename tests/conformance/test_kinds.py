"""Good providers of every kind conform: the plain one, and for each capability one that has it."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest

from tests.providers.kinds import KINDS

if TYPE_CHECKING:
    from tests.conformance.conftest import Workbench

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(os.geteuid() != 0, reason="needs root for loop devices"),
]


@pytest.mark.parametrize("profile", ["core", pytest.param("standard", marks=pytest.mark.whole)])
@pytest.mark.parametrize("kind", KINDS)
def test_conforms(workbench: Workbench, kind: str, profile: str) -> None:
    KINDS[kind].make(workbench.provider)
    nodes = ("--extstorage-nodes=local",) if KINDS[kind].is_local else ()

    run = workbench.run(f"--extstorage-profile={profile}", *nodes)

    assert run.exit_code == 0, run.output
    assert "CONFORMS" in run.output
    assert "blocked, since" not in run.output
