"""How often rules try what is left to chance."""

from __future__ import annotations

from types import SimpleNamespace
from typing import TYPE_CHECKING, cast

import pytest

from extstorage_conformance import sampling
from extstorage_conformance.rules import Profile
from extstorage_conformance.sampling import held_at, number_of, turns

if TYPE_CHECKING:
    from extstorage.host.call import Call
    from extstorage_conformance.subject import Subject


def a_subject(profile: Profile) -> Subject:
    return cast("Subject", SimpleNamespace(suite=SimpleNamespace(profile=profile, seed=7)))


def a_call(seconds: float) -> Call:
    invocation = SimpleNamespace(method="attach")
    return cast("Call", SimpleNamespace(seconds=seconds, invocation=invocation))


STANDARD, FULL = a_subject(Profile.STANDARD), a_subject(Profile.FULL)


@pytest.mark.parametrize(
    ("subject", "turn_s", "number"),
    [(STANDARD, 0.001, 2), (STANDARD, 60, 2), (FULL, 0.001, 100), (FULL, 1, 30), (FULL, 60, 2)],
)
def test_number_of_turns(subject: Subject, turn_s: float, number: int) -> None:
    assert number_of(subject, 2, 100, turn_s) == number


def test_full_takes_all_turns_while_there_is_time(monkeypatch: pytest.MonkeyPatch) -> None:
    assert len(list(turns(STANDARD, 2, 20))) == 2
    assert len(list(turns(FULL, 2, 20))) == 20
    monkeypatch.setattr(sampling, "LONGEST_S", -1)
    assert len(list(turns(FULL, 2, 20))) == 2


def test_points_are_drawn_anew_from_the_same_seed() -> None:
    points = list(held_at(FULL, a_call(0.02), 6, 50))
    assert len(points) == 50
    assert points == list(held_at(FULL, a_call(0.02), 6, 50))
    assert len(list(held_at(FULL, a_call(5), 6, 50))) == 6
