"""The verdict on a run, from its results."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from enum import IntEnum
from typing import TYPE_CHECKING

from extstorage_conformance.outcome import Outcome, Result

if TYPE_CHECKING:
    from collections.abc import Iterable

# Of several results of one rule (its check, and what its cleaning up found) the gravest counts.
_GRAVITY = [
    Outcome.ERROR,
    Outcome.FAILED,
    Outcome.BLOCKED,
    Outcome.WAIVED,
    Outcome.UNEXPECTED_PASS,
    Outcome.PASSED,
    Outcome.SKIPPED,
    Outcome.NOT_APPLICABLE,
]


class ExitCode(IntEnum):
    """Exit status of a conformance run; usage errors (2) end before there is a verdict."""

    CONFORMS = 0
    DOES_NOT_CONFORM = 1
    USAGE = 2
    COULD_NOT_RUN = 3


@dataclass(frozen=True)
class Verdict:
    """What a run says about a provider."""

    results: tuple[Result, ...]
    was_interrupted: bool = False
    """Whether rules are left that nobody has looked at."""
    untried: tuple[str, ...] = ()
    """What the user wants tried, and no trial is called so."""

    @classmethod
    def of(
        cls,
        results: Iterable[Result],
        *,
        was_interrupted: bool = False,
        untried: tuple[str, ...] = (),
    ) -> Verdict:
        """Return the verdict on ``results``, of which several may be of one rule."""
        gravest: dict[str, Result] = {}
        for result in results:
            known = gravest.get(result.id)
            if known is None or _gravity(result) < _gravity(known):
                gravest[result.id] = result
        ordered = tuple(gravest[rule_id] for rule_id in sorted(gravest))
        return cls(ordered, was_interrupted, untried)

    def with_outcome(self, *outcomes: Outcome, level: str | None = None) -> list[Result]:
        """Return the results with one of ``outcomes``, of ``level`` if it is given."""
        return [
            result
            for result in self.results
            if result.outcome in outcomes and level in (None, result.level)
        ]

    def exercised(self, level: str) -> int:
        """Return how many rules of ``level`` really put the provider to the test."""
        return sum(result.level == level and result.outcome.exercised for result in self.results)

    def total(self, level: str) -> int:
        """Return how many rules of ``level`` the run selected."""
        return sum(result.level == level for result in self.results)

    @property
    def exit_code(self) -> ExitCode:
        """The exit status: a SHOULD, broken or blocked, does not make a provider non-conforming."""
        if self.with_outcome(Outcome.FAILED, level="MUST"):
            return ExitCode.DOES_NOT_CONFORM
        if self.was_interrupted or self.with_outcome(Outcome.ERROR) or not self.exercised("MUST"):
            return ExitCode.COULD_NOT_RUN
        if self.with_outcome(Outcome.BLOCKED, level="MUST"):
            return ExitCode.DOES_NOT_CONFORM
        return ExitCode.COULD_NOT_RUN if self.untried else ExitCode.CONFORMS

    @property
    def word(self) -> str:
        """The verdict as one word."""
        return {
            ExitCode.CONFORMS: "conforms",
            ExitCode.DOES_NOT_CONFORM: "does-not-conform",
        }.get(self.exit_code, "could-not-run")

    def counts(self) -> dict[str, int]:
        """Return how many rules had each outcome."""
        counted = Counter(result.outcome for result in self.results)
        return {outcome.value: counted[outcome] for outcome in Outcome}


def _gravity(result: Result) -> int:
    return _GRAVITY.index(result.outcome)
