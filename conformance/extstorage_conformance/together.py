"""Calls that overlap: at the same moment, or one of them held in midair while others run.

A race that is left to chance is found by chance. A gate lets scripts go at one moment; a hold
stops a script (SIGSTOP, its whole process group) at a chosen point of its time, lets others run
to their ends, and lets it go on. Both work from outside, on scripts in any language.
"""

from __future__ import annotations

import time
from concurrent.futures import Future, ThreadPoolExecutor, wait
from contextlib import contextmanager
from dataclasses import dataclass, replace
from itertools import count
from typing import TYPE_CHECKING, Generic, TypeVar

from extstorage_conformance import judge

if TYPE_CHECKING:
    import random
    from collections.abc import Callable, Iterator, Sequence

    from extstorage.host.call import Call
    from extstorage.host.invocation import Invocation
    from extstorage_conformance.inventory import Item
    from extstorage_conformance.subject import Subject

Result = TypeVar("Result")

# $0 is the script; the word after it is the file of the gate or of the hold.
_BEHIND_GATE = 'file=$1; shift; echo >>"$file.waiting"; : <"$file"; exec "$0" "$@"'
_NOTING_GROUP = 'file=$1; shift; echo "$$" >"$file"; exec "$0" "$@"'
_LONGEST_START_S = 30.0
_SHORTEST_PATIENCE_S = 0.05
_PATIENCE = 4  # times what the other script takes alone
_serial = count(1)


def at_once(subject: Subject, invocations: Sequence[Invocation]) -> list[Call]:
    """Run scripts that start at the same moment; return their calls in the order given.

    The process of each is there before the first is let go. Raises Blocked.
    """
    gate = _new_file(subject, "gate")
    subject.node.ask("make_gate", gate)
    behind = [_wrapped(invocation, _BEHIND_GATE, gate) for invocation in invocations]
    with _in_threads(subject, behind) as futures:
        try:
            _wait_until(lambda: _size(subject, f"{gate}.waiting") >= len(behind))
        finally:  # interrupted too: whoever waits at the gate is waited for
            number = subject.node.ask("open_gate", gate)
        try:
            wait(futures)
        finally:
            subject.node.ask("let_go", number)
    return _noted(subject, invocations, futures)


@dataclass(frozen=True)
class Overlap(Generic[Result]):
    """What came of ``while_held``.

    ``held`` tells whether the script was really stopped: one may have ended before. ``waited``
    tells whether what ran meanwhile ended only after the script was let go.
    """

    call: Call
    result: Result
    held: bool
    waited: bool


def while_held(
    subject: Subject,
    invocation: Invocation,
    meanwhile: Callable[[], Result],
    *,
    at_s: float,
    patience_s: float,
) -> Overlap[Result]:
    """Stop a script ``at_s`` seconds after its start, run ``meanwhile``, let the script go on.

    What runs meanwhile may wait for the script, as for a lock: after ``patience_s``, or half of
    the time that any script has, the script goes on all the same. Raises Blocked, and whatever
    ``meanwhile`` raises.
    """
    patience_s = min(patience_s, float(subject.configuration.run["script_timeout"]) / 2)
    group_file = _new_file(subject, "group")
    known = len(subject.calls)
    with (
        _in_threads(subject, [_wrapped(invocation, _NOTING_GROUP, group_file)]) as futures,
        # The pool waits for what may wait for the script: that goes on first, interrupted too.
        ThreadPoolExecutor(1) as pool,
        _stopped(subject, group_file, at_s) as held,
    ):
        other = pool.submit(meanwhile)
        _done, waiting = wait([other], timeout=patience_s)
        _signal(subject, "CONT", group_file)
    call = _noted(subject, (invocation,), futures)[0]
    for made in subject.calls[known:]:
        if made.invocation.method == "create" and invocation.method == "remove":
            subject.announce(made.invocation)  # the remove was noted last, and forgot it
    return Overlap(call, other.result(), held, bool(waiting))


def killed(subject: Subject, invocation: Invocation, *, at_s: float) -> Call:
    """Run a script and kill its process group (SIGKILL) after ``at_s`` seconds; raises Blocked."""
    group_file = _new_file(subject, "group")
    with _in_threads(subject, [_wrapped(invocation, _NOTING_GROUP, group_file)]) as futures:
        _signal(subject, "KILL", group_file, after_s=at_s)
    return _noted(subject, (invocation,), futures)[0]


def points(generator: random.Random, number: int, duration_s: float) -> Iterator[float]:
    """Yield ``number`` points of a time in seconds: spread over it, each drawn in its part."""
    for part in range(number):
        yield (part + generator.random()) / number * duration_s


def patience_s(call: Call) -> float:
    """Return how long a script like that of ``call`` is waited for before it counts as waiting."""
    return max(_SHORTEST_PATIENCE_S, _PATIENCE * call.seconds)


def judge_nothing_new(subject: Subject, before: frozenset[Item], call: Call) -> None:
    """Judge that nothing is there that was not ``before`` the calls that overlapped."""
    left = subject.survey.left_since(before)
    shown = "; ".join(map(str, left[:3]))
    judge.holds(not left, "nothing left of what overlapped", f"left: {shown}", call)


def _wrapped(invocation: Invocation, wrapper: str, file: str) -> Invocation:
    script, *arguments = invocation.argv
    words = ("/bin/sh", "-c", wrapper, script, file, *arguments)
    return invocation.replace(argv=words)


@contextmanager
def _in_threads(
    subject: Subject, invocations: Sequence[Invocation]
) -> Iterator[list[Future[Call]]]:
    """Run scripts in threads, one each, and wait for their ends at the end of the with block."""
    for invocation in invocations:
        subject.announce(invocation)
    with ThreadPoolExecutor(max(1, len(invocations))) as pool:
        yield [pool.submit(subject.execute, invocation) for invocation in invocations]


def _noted(
    subject: Subject, invocations: Sequence[Invocation], futures: Sequence[Future[Call]]
) -> list[Call]:
    calls = [
        replace(future.result(), invocation=invocation)
        for invocation, future in zip(invocations, futures, strict=True)
    ]
    # What a create has made is there, whatever a remove of the same moment has removed.
    for call in sorted(calls, key=lambda call: call.invocation.method == "create"):
        subject.note(call)
    return calls


@contextmanager
def _stopped(subject: Subject, group_file: str, at_s: float) -> Iterator[bool]:
    held = _signal(subject, "STOP", group_file, after_s=at_s)
    try:
        yield held
    finally:
        _signal(subject, "CONT", group_file)


def _signal(subject: Subject, name: str, group_file: str, *, after_s: float = 0.0) -> bool:
    """Send a signal to the process group, so long after its start; return whether there was one.

    The node does it by itself: on the way to it, a script of milliseconds would be over.
    """
    return bool(subject.node.ask("signal_group", group_file, after_s, name))


def _new_file(subject: Subject, kind: str) -> str:
    """Return the path of a file on the node that is not there yet."""
    directory = f"{subject.suite.run_directory}/together"
    subject.node.node.make_directory(directory, 0o700)
    return f"{directory}/{kind}-{next(_serial)}"


def _size(subject: Subject, path: str) -> int:
    return int(subject.node.ask("file_bytes", [path]))


def _wait_until(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + _LONGEST_START_S
    while not condition() and time.monotonic() < deadline:
        time.sleep(0.0005)
