"""Rules about sequences of calls that nobody listed: drawn, and compared with a model."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from extstorage_conformance.journal import state_directory
from extstorage_conformance.rules import Level, Profile, rule
from extstorage_conformance.subject import Subject
from extstorage_conformance.violation import Violation

if TYPE_CHECKING:
    from extstorage_conformance.model.machine import Failure

_SEQUENCES = 40
_BATCH = 10
_LONGEST_S = 150.0
_ROUNDS = f"forty sequences, drawn (for {_LONGEST_S:g} s at most, but ten)"


@rule(
    "ES-IDEM-04",
    Level.MUST,
    source="derived: Ganeti's operations follow each other in any order, on disks of any history",
    profile=Profile.FULL,
    needs=("device",),
    rounds=_ROUNDS,
)
def test_drawn_sequences_end_as_the_contract_says(subject: Subject) -> None:
    """In any sequence of calls each does what the contract says, and no volume loses data.

    Up to forty sequences on two volumes and their snapshots, drawn with the run's seed. One
    that fails is shortened, and written as a shell script that needs nothing but the provider.
    """
    _judge_sequences(subject, "ES-IDEM-04", invalid=False)


@rule(
    "ES-IDEM-05",
    Level.MUST,
    source="derived: a mistake of an administrator, or of a newer Ganeti, must not cost a volume",
    profile=Profile.FULL,
    needs=("device",),
    rounds=_ROUNDS,
)
def test_invalid_calls_in_between_change_nothing(subject: Subject) -> None:
    """In any sequence of calls those that cannot be meant fail, and change nothing.

    As ES-IDEM-04, with calls in between that lack a value or have one that is none.
    """
    _judge_sequences(subject, "ES-IDEM-05", invalid=True)


def _judge_sequences(subject: Subject, rule_id: str, *, invalid: bool) -> None:
    # Hypothesis takes long to import, and most runs do not need it.
    from extstorage_conformance.model.machine import Search, keep_files_in  # noqa: PLC0415
    from extstorage_conformance.model.shorten import shorten  # noqa: PLC0415

    suite = subject.suite
    keep_files_in(suite.run_directory)

    def make_subject() -> Subject:
        return Subject(suite)

    search = Search(make_subject, invalid=invalid)
    give_up = time.monotonic() + _LONGEST_S
    for played in range(0, _SEQUENCES, _BATCH):
        if played and time.monotonic() > give_up:
            return
        failure = search.run(suite.seed + played, _BATCH)
        if failure is not None:
            raise _told(subject, rule_id, shorten(make_subject, failure))


def _told(subject: Subject, rule_id: str, failure: Failure) -> Violation:
    from extstorage_conformance.model.script import script  # noqa: PLC0415 - see above

    directory = state_directory().parent / "sequences"
    directory.mkdir(parents=True, exist_ok=True, mode=0o700)
    path = directory / f"{subject.suite.source.name}-{rule_id}.sh"
    path.write_text(script(subject.suite, failure), encoding="utf-8")
    found = failure.violation
    steps = "; ".join(map(str, failure.play.steps))
    return Violation(found.expected, f"{found.got}, after: {steps} (sh {path})", found.call)
