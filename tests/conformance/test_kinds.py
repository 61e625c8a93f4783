"""Good providers of every kind conform: the plain one, and for each capability one that has it."""

from __future__ import annotations

import os
from itertools import product
from typing import TYPE_CHECKING

import pytest

from tests.nodes.conftest import need_guests
from tests.providers.kinds import KINDS

if TYPE_CHECKING:
    from tests.conformance.conftest import Run, Workbench

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(os.geteuid() != 0, reason="needs root for loop devices"),
]


NEVER_OWED = {
    "works-on-its-device": ("ES-CONC-04", "ES-CONC-06", "ES-CONC-07", "ES-CRASH-12"),
    "refuses-what-is-done": ("ES-CONC-04", "ES-CONC-07", "ES-CRASH-01", "ES-CRASH-05"),
    "extents-and-no-growth-twice": ("ES-GROW-13",),
    "snapshot-keeps-its-origins-size": ("ES-LEAK-01",),
    "takes-io-once-open": ("ES-ATTACH-15", "ES-GROW-06", "ES-SNAP-04"),
}
"""Rules that owe a kind nothing that Ganeti never asks for; CI judges it by these alone."""


@pytest.mark.parametrize(("kind", "rules"), NEVER_OWED.items(), ids=NEVER_OWED)
def test_calls_that_ganeti_never_makes_are_not_owed(
    workbench: Workbench, kind: str, rules: tuple[str, ...]
) -> None:
    KINDS[kind].make(workbench.provider)

    run = workbench.run(*nodes_for(kind), rules=rules)

    assert_conforms(run, kind)


def is_whole(kind: str, profile: str) -> bool:
    return profile == "standard" or kind in NEVER_OWED


@pytest.mark.parametrize(
    ("kind", "profile"),
    [
        pytest.param(kind, profile, marks=[pytest.mark.whole] if is_whole(kind, profile) else [])
        for kind, profile in product(KINDS, ("core", "standard"))
    ],
)
def test_conforms(workbench: Workbench, kind: str, profile: str) -> None:
    KINDS[kind].make(workbench.provider)
    run = workbench.run(f"--extstorage-profile={profile}", *nodes_for(kind))

    assert_conforms(run, kind)


def nodes_for(kind: str) -> list[str]:
    nodes = KINDS[kind].nodes
    if nodes.startswith("guests"):
        need_guests()
    return [f"--extstorage-nodes={nodes}"] if nodes else []


def assert_conforms(run: Run, kind: str) -> None:
    assert run.exit_code == 0, run.output
    assert "CONFORMS" in run.output
    assert "could not be removed" not in run.output
    assert run.report is not None
    blocked = {rule["id"] for rule in run.report["rules"] if rule["outcome"] == "blocked"}
    assert blocked <= set(KINDS[kind].blocks), run.output
