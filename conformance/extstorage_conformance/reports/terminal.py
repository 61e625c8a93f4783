"""The end of a run on the terminal: what to know besides the failures, and the verdict."""

from __future__ import annotations

from typing import TYPE_CHECKING

from extstorage_conformance.faults.extent import NAMES
from extstorage_conformance.outcome import Outcome, Result
from extstorage_conformance.reports.verdict import ExitCode, Verdict

if TYPE_CHECKING:
    from collections.abc import Iterator

_LETTERS = {
    Outcome.PASSED: (".", "PASSED"),
    Outcome.FAILED: ("F", "FAILED"),
    Outcome.WAIVED: ("w", "WAIVED"),
    Outcome.UNEXPECTED_PASS: ("p", "UNEXPECTED PASS"),
    Outcome.NOT_APPLICABLE: ("-", "NOT APPLICABLE"),
    Outcome.SKIPPED: ("s", "SKIPPED"),
    Outcome.BLOCKED: ("b", "BLOCKED"),
    Outcome.ERROR: ("E", "ERROR"),
}
_CALL = "  call: "


def status(result: Result) -> tuple[str, str, str]:
    """Return pytest's category, letter and word for a result."""
    if result.outcome is Outcome.FAILED and result.level != "MUST":
        return f"{result.level} failed", "f", f"{result.level} FAILED {result.id}"
    letter, word = _LETTERS[result.outcome]
    return result.outcome.value, letter, f"{word} {result.id}"


def lines(verdict: Verdict, *, provider: str, release: str, profile: str) -> Iterator[str]:
    """Yield the last lines of the run; the verdict is the last of them."""
    for result in verdict.with_outcome(Outcome.FAILED):
        if result.level != "MUST":
            yield result.message
    for result in verdict.with_outcome(
        Outcome.WAIVED, Outcome.UNEXPECTED_PASS, Outcome.SKIPPED, Outcome.NOT_APPLICABLE
    ):
        yield f"{result.id} {result.outcome}: {result.message}"
    yield from _blocked(verdict)
    yield from _counts(verdict)
    if verdict.exit_code is ExitCode.COULD_NOT_RUN:
        for text in verdict.untried:
            yield f"no trial's name begins with {text!r}: expected {NAMES}"
    yield f"{provider} {_sentence(verdict)} Ganeti {release}, profile {profile}"


def _blocked(verdict: Verdict) -> Iterator[str]:
    by_reason: dict[str, list[Result]] = {}
    for result in verdict.with_outcome(Outcome.BLOCKED):
        by_reason.setdefault(result.message.partition("\n")[0], []).append(result)
    for reason, results in by_reason.items():
        yield f"blocked, since {reason}: {', '.join(result.id for result in results)}"
        yield from _untold(verdict, results[0])


def _untold(verdict: Verdict, blocked: Result) -> list[str]:
    """Return the report of the call that blocked a rule, if no broken rule tells of one like it."""
    report = blocked.message.split("\n")[1:]
    calls = {line.partition(" after ")[0] for line in report if line.startswith(_CALL)}
    told = (
        line
        for result in verdict.with_outcome(Outcome.FAILED)
        for line in result.message.split("\n")
    )
    return [] if any(line.partition(" after ")[0] in calls for line in told) else report


def _counts(verdict: Verdict) -> Iterator[str]:
    for level in ("MUST", "SHOULD", "MAY"):
        if verdict.total(level):
            failed = len(verdict.with_outcome(Outcome.FAILED, level=level))
            yield (
                f"{level}: {verdict.exercised(level)} of {verdict.total(level)} rules exercised, "
                f"{failed} failed"
            )


def _sentence(verdict: Verdict) -> str:
    if verdict.exit_code is ExitCode.CONFORMS:
        return "CONFORMS to"
    if verdict.exit_code is ExitCode.DOES_NOT_CONFORM:
        return "DOES NOT CONFORM to"
    if verdict.was_interrupted:
        return "COULD NOT BE JUDGED (the run was interrupted) for"
    if verdict.untried:
        return "COULD NOT BE JUDGED (no trial has the name that was given) for"
    if not verdict.exercised("MUST"):
        return "COULD NOT BE JUDGED (no MUST rule was exercised) for"
    return "COULD NOT BE JUDGED (errors of the suite itself) for"
