"""What a script says of the command that failed it."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from extstorage_conformance import judge
from extstorage_conformance.faults import choices
from extstorage_conformance.faults.sweep import attempts
from extstorage_conformance.violation import NotApplicable

if TYPE_CHECKING:
    from collections.abc import Iterable

    from extstorage_conformance.faults.trial import Tried
    from extstorage_conformance.subject import Subject

_SHOWN_LINES = 20
"""So many lines of a script's output does Ganeti quote."""


def judge_explained(subject: Subject, methods: Iterable[str]) -> None:
    """Judge what is said in each trial in which a command fails and the script does too.

    Raises Violation, Blocked, and NotApplicable if no script fails with a command.
    """
    done, explained = subject.suite.extent.done, 0
    for tried in attempts(subject, methods, choices.failing_tools):
        if tried.fired and tried.call.failed and not tried.call.timed_out:
            explained += 1
            says_so = replace(tried.trial, explained=True)
            if done is not None:
                done.note(says_so, passed=False)  # until it is judged
            _judge(tried)
            if done is not None:
                done.note(says_so, passed=True)
    if not explained and not subject.reach.skipped:
        raise NotApplicable("no script fails because an external command does")


def _judge(tried: Tried) -> None:
    boundary = tried.trial.fault.boundary
    assert boundary is not None  # noqa: S101 - for the type checker
    lines = tried.call.output.splitlines()[-_SHOWN_LINES:]
    judge.holds(
        any(boundary.tool in line for line in lines),
        f"{boundary.tool}, or what it said, in one of the last {_SHOWN_LINES} lines",
        f"{(lines or ['nothing'])[-1]!r} from {tried.trial.name} [{boundary.text}]",
        tried.call,
    )
