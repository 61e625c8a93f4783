"""The verdict and the exit status, from results."""

from __future__ import annotations

import pytest

from extstorage_conformance.outcome import Outcome, Result
from extstorage_conformance.reports.verdict import ExitCode, Verdict


def _verdict(*outcomes: tuple[str, Outcome]) -> Verdict:
    return Verdict.of(
        Result(f"ES-ATTACH-{number:02}", level, outcome)
        for number, (level, outcome) in enumerate(outcomes, start=1)
    )


@pytest.mark.parametrize(
    ("outcomes", "expected"),
    [
        ([("MUST", Outcome.PASSED)], ExitCode.CONFORMS),
        ([("MUST", Outcome.PASSED), ("SHOULD", Outcome.FAILED)], ExitCode.CONFORMS),
        ([("MUST", Outcome.PASSED), ("MUST", Outcome.FAILED)], ExitCode.DOES_NOT_CONFORM),
        ([("MUST", Outcome.PASSED), ("SHOULD", Outcome.BLOCKED)], ExitCode.CONFORMS),
        ([("MUST", Outcome.PASSED), ("MUST", Outcome.BLOCKED)], ExitCode.DOES_NOT_CONFORM),
        ([("MUST", Outcome.FAILED), ("MUST", Outcome.ERROR)], ExitCode.DOES_NOT_CONFORM),
        ([("MUST", Outcome.PASSED), ("MUST", Outcome.ERROR)], ExitCode.COULD_NOT_RUN),
        ([("MUST", Outcome.WAIVED)], ExitCode.CONFORMS),
        ([("MUST", Outcome.SKIPPED), ("SHOULD", Outcome.PASSED)], ExitCode.COULD_NOT_RUN),
        ([("MUST", Outcome.NOT_APPLICABLE)], ExitCode.COULD_NOT_RUN),
        ([("MUST", Outcome.BLOCKED)], ExitCode.COULD_NOT_RUN),
        ([], ExitCode.COULD_NOT_RUN),
    ],
)
def test_exit_code(outcomes: list[tuple[str, Outcome]], expected: ExitCode) -> None:
    assert _verdict(*outcomes).exit_code is expected


def test_gravest_result_of_a_rule_counts() -> None:
    verdict = Verdict.of(
        [
            Result("ES-LEAK-02", "MUST", Outcome.PASSED),
            Result("ES-LEAK-02", "MUST", Outcome.FAILED, "left behind"),
            Result("ES-LEAK-02", "MUST", Outcome.PASSED),
        ]
    )

    assert [result.message for result in verdict.results] == ["left behind"]


def test_counts_say_how_many_were_really_exercised() -> None:
    verdict = _verdict(
        ("MUST", Outcome.PASSED),
        ("MUST", Outcome.FAILED),
        ("MUST", Outcome.SKIPPED),
        ("MUST", Outcome.BLOCKED),
        ("SHOULD", Outcome.WAIVED),
    )

    assert (verdict.exercised("MUST"), verdict.total("MUST")) == (2, 4)
    assert verdict.exercised("SHOULD") == 1
    assert verdict.counts()["blocked"] == 1


def test_result_survives_json() -> None:
    result = Result("ES-LEAK-02", "MUST", Outcome.UNEXPECTED_PASS, "m", "r", ("attach",), 1.5, 0.5)

    assert Result.from_json(result.to_json()) == result
