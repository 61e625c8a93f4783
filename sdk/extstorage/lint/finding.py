"""What lint says, and what says it."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from extstorage.lint.source import ProviderSource


class CannotLint(Exception):  # noqa: N818 - says what happened; no provider is to blame
    """This machine lacks a tool that a rule needs; the text says which, and how to get it."""


@dataclass(frozen=True)
class Finding:
    """One thing that is wrong in a provider's files.

    Attributes:
        rule: The rule's id, ``ES-LINT-05``.
        level: The rule's level: ``MUST`` or ``SHOULD``.
        file: The file's path below the provider's directory; ``.`` is the directory itself.
        line: The line, counted from 1; None for the file as a whole.
        message: What is wrong, on one line.
    """

    rule: str
    level: str
    file: str
    line: int | None
    message: str

    def __str__(self) -> str:
        place = self.file if self.line is None else f"{self.file}:{self.line}"
        return f"{place}: {self.message} [{self.rule} {self.level}]"

    def to_json(self) -> dict[str, str | int | None]:
        """Return the finding as a JSON object."""
        return asdict(self)


Place = tuple[str, int | None, str]
"""Where a rule is broken: file, line and message of the finding."""


@dataclass(frozen=True)
class Lint:
    """One rule: its id, its level, and the function that finds places where it is broken."""

    rule: str
    level: str
    places: Callable[[ProviderSource], Iterator[Place]]

    def check(self, source: ProviderSource) -> list[Finding]:
        """Return the findings of this rule."""
        return [Finding(self.rule, self.level, *place) for place in self.places(source)]
