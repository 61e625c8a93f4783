"""Why a check ended early: the provider broke a rule, or the rule cannot be judged."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from extstorage.host.call import Call


class Violation(Exception):  # noqa: N818 - names what the provider did
    """The provider broke the rule: what was expected, what it did, in which call."""

    def __init__(self, expected: str, got: str, call: Call | None = None) -> None:
        super().__init__(f"expected {expected}; got {got}")
        self.expected = expected
        self.got = got
        self.call = call


class Blocked(Exception):  # noqa: N818 - an outcome, not an error
    """A step that the rule stands on failed, so that the rule was not exercised."""

    def __init__(self, reason: str, call: Call | None = None) -> None:
        super().__init__(reason)
        self.call = call


class NotApplicable(Exception):  # noqa: N818 - an outcome, not an error
    """The provider does not claim to do what the rule is about."""


class CannotRun(Exception):  # noqa: N818 - told to the user as it is
    """The run cannot start or go on: one line that says what is missing and how to get it."""
