"""How often a check tries what is left to chance: by profile, and by how long one turn takes.

In profile full a turn that takes milliseconds is tried a hundred times. Where a script takes a
second, as in a guest, as many would take hours: there it is tried for as long as is said here.
"""

from __future__ import annotations

import random
import time
from typing import TYPE_CHECKING

from extstorage_conformance.rules import Profile
from extstorage_conformance.together import points

if TYPE_CHECKING:
    from collections.abc import Iterator

    from extstorage.host.call import Call
    from extstorage_conformance.subject import Subject

LONGEST_S = 30.0
"""How long what profile full adds to standard may take, for each ``turns`` and ``held_at``."""


def generator_of(subject: Subject, what: str) -> random.Random:
    """Return what draws for ``what``, the same each time that the run's seed is the same."""
    return random.Random(f"{subject.suite.seed} {what}")  # noqa: S311 - to be repeated


def turns(subject: Subject, standard: int, full: int) -> Iterator[int]:
    """Yield the numbers of a loop's turns: ``standard`` of them; up to ``full`` in that profile."""
    give_up = time.monotonic() + LONGEST_S
    for number in range(full if subject.suite.profile is Profile.FULL else standard):
        if number >= standard and time.monotonic() > give_up:
            return
        yield number


def number_of(
    subject: Subject, standard: int, full: int, turn_s: float, longest_s: float = LONGEST_S
) -> int:
    """Return how many turns there are, likewise, if each takes about ``turn_s`` seconds."""
    if subject.suite.profile is not Profile.FULL:
        return standard
    return max(standard, min(full, int(longest_s / turn_s)))


def held_at(
    subject: Subject,
    call: Call,
    standard: int,
    full: int,
    *,
    longest_s: float = LONGEST_S,
) -> Iterator[float]:
    """Yield the points, in seconds, at which a script like that of ``call`` is held."""
    calls = 6  # that one, those that overlap, and what makes and undoes the volume
    number = number_of(subject, standard, full, calls * call.seconds, longest_s)
    return points(generator_of(subject, call.invocation.method), number, call.seconds)
