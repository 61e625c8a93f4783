"""Takes away from a sequence what its failure does not need, call by call.

Hypothesis would take away draws: one of Ganeti's operations is one draw, and many calls.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from extstorage_conformance.model.machine import Failure
from extstorage_conformance.model.play import failure_of

if TYPE_CHECKING:
    from collections.abc import Callable

    from extstorage_conformance.subject import Subject

_MOST_TRIES = 200


def shorten(make_subject: Callable[[], Subject], failure: Failure) -> Failure:
    """Return a failure of which no step can be left out, or the best after 200 plays."""
    tries = 0
    shorter = True
    while shorter:
        shorter = False
        size = len(failure.play.steps) // 2
        while size:
            start = len(failure.play.steps) - size
            while start >= 0:
                tries += 1
                if tries > _MOST_TRIES:
                    return failure
                steps = failure.play.steps
                found, play = failure_of(make_subject(), steps[:start] + steps[start + size :])
                if found is not None and len(play.steps) < len(steps):
                    failure, shorter = Failure(found, play), True
                start = min(start, len(failure.play.steps)) - size
            size //= 2
    return failure


def seen_again(make_subject: Callable[[], Subject], failure: Failure, times: int) -> int:
    """Return how often the failure comes when its steps are played that many times more."""
    steps = failure.play.steps
    return sum(failure_of(make_subject(), steps)[0] is not None for _ in range(times))
