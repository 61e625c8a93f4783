"""Which trials a recorded call gives, all of them or a sample of every class of boundary."""

from __future__ import annotations

import signal
from typing import TYPE_CHECKING

from extstorage_conformance.faults import fault
from extstorage_conformance.faults.trial import Trial

if TYPE_CHECKING:
    from collections.abc import Iterator

    from extstorage_conformance.faults.boundary import Boundary
    from extstorage_conformance.faults.sweep import Recorded


def failures(recorded: Recorded) -> Iterator[Trial]:
    """Yield one trial for each boundary that fails; of alike reads the first stands for all."""
    boundaries = list(recorded.calls.failing())
    for boundary in boundaries if recorded.is_whole else _sample(boundaries, recorded.sampled):
        yield Trial(recorded.calls.method, fault.failing(boundary))


def failing_tools(recorded: Recorded) -> Iterator[Trial]:
    """Yield the trials of ``failures`` in which a command fails; in a sample, each tool once."""
    seen: set[str] = set()
    for boundary in recorded.calls.failing():
        if boundary.is_command and (recorded.is_whole or boundary.tool not in seen):
            seen.add(boundary.tool)
            yield Trial(recorded.calls.method, fault.failing(boundary))


def _sample(boundaries: list[Boundary], sampled: set[str]) -> Iterator[Boundary]:
    """Yield each tool once, the first change and the last, and what no method before was like."""
    changes = [each for each in boundaries if each.leaves_something] or boundaries
    tools: set[str] = set()
    for boundary in boundaries:
        is_new = boundary.tool not in tools if boundary.is_command else boundary.kind not in sampled
        if is_new or boundary in (changes[0], changes[-1]):
            (tools if boundary.is_command else sampled).add(
                boundary.tool if boundary.is_command else boundary.kind
            )
            yield boundary


def kills(recorded: Recorded) -> Iterator[Trial]:
    """Yield the trials in which SIGKILL ends the script, after each change and inside commands.

    A kill between two changes leaves what the first one left: it is the same trial. After each
    kill the same call is made again, and in a second trial the one that takes the method back.
    """
    method, leaving = recorded.calls.method, list(recorded.calls.leaving())
    for number, boundary in enumerate(leaving if recorded.is_whole else _spread(leaving)):
        killed = fault.signalled(boundary, signal.SIGKILL)
        if recorded.is_whole:
            yield Trial(method, killed)
            yield Trial(method, killed, opposite=True)
        else:
            yield Trial(method, killed, opposite=bool(number % 2))
        if boundary.inside > 1:
            yield Trial(method, fault.signalled_inside(boundary, signal.SIGKILL))


def terminations(recorded: Recorded) -> Iterator[Trial]:
    """Yield the trials in which SIGTERM reaches the script, after each change."""
    leaving = list(recorded.calls.leaving())
    for boundary in leaving if recorded.is_whole else leaving[len(leaving) // 2 :][:1]:
        yield Trial(recorded.calls.method, fault.signalled(boundary, signal.SIGTERM))


def hangs(recorded: Recorded) -> Iterator[Trial]:
    """Yield the trials in which a step never returns: each use of a tool, each class of call, once.

    Where in a script a call of one class hangs makes no difference: what the script has left by
    then is what a signal there leaves. A sample has one step of each method, unlike those before.
    """
    seen: set[str] = set() if recorded.is_whole else recorded.hung
    for boundary in recorded.calls.failing():
        if boundary.use not in seen:
            seen.add(boundary.use)
            yield Trial(recorded.calls.method, fault.hanging(boundary))
            if not recorded.is_whole:
                return


def missing_tools(recorded: Recorded) -> Iterator[Trial]:
    """Yield the trials in which a tool is not installed."""
    for tool in recorded.calls.tools:
        yield Trial(recorded.calls.method, fault.missing(tool))


def full_file_systems(recorded: Recorded) -> Iterator[Trial]:
    """Yield the trials in which there is room for so many writes and no more; half, in a sample."""
    rooms = range(recorded.taken)
    for room in rooms if recorded.is_whole else rooms[recorded.taken // 2 :][:1]:
        yield Trial(recorded.calls.method, fault.full(room))


def unwritable_places(recorded: Recorded) -> Iterator[Trial]:
    """Yield the trials in which nothing can be written to: read-only, or no room for a log."""
    if next(recorded.calls.leaving(), None) is not None:
        yield Trial(recorded.calls.method, fault.read_only())
    if recorded.said:
        yield Trial(recorded.calls.method, fault.log_full())


def _spread(boundaries: list[Boundary]) -> list[Boundary]:
    """Return a middle one and the last one."""
    places = {len(boundaries) // 2, len(boundaries) - 1}
    return [boundaries[place] for place in sorted(places)] if boundaries else []
