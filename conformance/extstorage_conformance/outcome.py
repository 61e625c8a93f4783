"""What came of a rule in a run."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from enum import StrEnum
from typing import Any


class Outcome(StrEnum):
    """The outcome of one rule.

    passed, failed: the rule was exercised and holds, or does not.
    waived: it does not hold, and conformance.toml waives it.
    unexpected-pass: it holds although conformance.toml waives it.
    not-applicable: the provider does not declare what the rule is about.
    skipped: this machine cannot exercise it.
    blocked: a step before the one that the rule is about failed.
    error: the suite itself failed; never the provider's fault.
    """

    PASSED = "passed"
    FAILED = "failed"
    WAIVED = "waived"
    UNEXPECTED_PASS = "unexpected-pass"  # noqa: S105 - no password
    NOT_APPLICABLE = "not-applicable"
    SKIPPED = "skipped"
    BLOCKED = "blocked"
    ERROR = "error"

    @property
    def exercised(self) -> bool:
        """Whether the provider was really put to the test."""
        return self in _EXERCISED


_EXERCISED = {Outcome.PASSED, Outcome.FAILED, Outcome.WAIVED, Outcome.UNEXPECTED_PASS}


@dataclass(frozen=True)
class Result:
    """One rule's outcome; ``message`` and ``replay`` are empty when it passed.

    ``methods`` are those whose scripts the check ran, its cleaning up aside.
    ``duration_s`` is the check with its preparation, ``script_s`` the part of it
    spent inside the provider's scripts, in seconds.
    """

    id: str
    level: str
    outcome: Outcome
    message: str = ""
    replay: str = ""
    methods: tuple[str, ...] = ()
    duration_s: float = 0.0
    script_s: float = 0.0

    def to_json(self) -> dict[str, Any]:
        """Return the result as a JSON object."""
        return {**asdict(self), "outcome": self.outcome.value, "methods": list(self.methods)}

    @classmethod
    def from_json(cls, data: dict[str, Any]) -> Result:
        """Return the result that ``to_json`` made ``data`` of."""
        known = {"outcome": Outcome(data["outcome"]), "methods": tuple(data["methods"])}
        return cls(**data | known)
