"""Guests have a processor each, and runs share the processors evenly."""

from __future__ import annotations

import os
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from extstorage.nodes.guest_processor import claimed
from extstorage.nodes.guests import GuestNodes
from tests.nodes.conftest import need_guests

if TYPE_CHECKING:
    from collections.abc import Iterator

PROCESSORS = sorted(os.sched_getaffinity(0))
FAR = 10_000 * len(PROCESSORS)
"""No run has so many guests: what others have claimed does not matter; 1 after it is as 1."""


@pytest.fixture
def two_processors() -> Iterator[list[int]]:
    if len(PROCESSORS) < 2:
        pytest.skip("needs two processors")
    os.sched_setaffinity(0, set(PROCESSORS[:2]))
    yield PROCESSORS[:2]
    os.sched_setaffinity(0, set(PROCESSORS))


def claim(stack: ExitStack, guest: int) -> int:
    return stack.enter_context(claimed(FAR + guest))


def test_first_guests_of_runs_are_spread_evenly(two_processors: list[int]) -> None:
    with ExitStack() as stack:
        assert [claim(stack, 1) for _ in range(4)] == two_processors * 2


def test_guests_of_a_run_are_spread(two_processors: list[int]) -> None:
    with ExitStack() as stack:
        assert [claim(stack, guest) for guest in (1, 2, 3)] == (two_processors * 2)[:3]


def test_a_claim_ends_with_its_holder() -> None:
    with claimed(FAR + 1) as first:
        pass
    with claimed(FAR + 1) as second:
        assert second == first


def test_a_guest_runs_on_one_processor(tmp_path: Path) -> None:
    need_guests()
    guests = GuestNodes(1, str(tmp_path), (1 << 20,))
    with guests:
        state = Path(guests.disks[0].file).parent / "guest1"
        kernel = int((state / "uml/guest/pid").read_text())
        (processor,) = os.sched_getaffinity(kernel)
        assert processor in PROCESSORS
        threads = os.listdir(f"/proc/{kernel}/task")  # noqa: PTH208 - names are what is wanted
        assert {frozenset(os.sched_getaffinity(int(thread))) for thread in threads} == {
            frozenset({processor})
        }
