"""Command lines as Ganeti's programs take them: options, values, errors.

Ganeti uses ``optparse``, which abbreviates options and mixes them with arguments; so does this.
Source in Ganeti: ``lib/cli_opts.py``, ``lib/cli.py``.
"""

from __future__ import annotations

import optparse
import re
from typing import TYPE_CHECKING, Any, NoReturn

from extstorage.cluster.errors import GanetiError

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

Values = optparse.Values
_SEPARATOR = re.compile(r"(?<!\\),")


class ParameterError(GanetiError):
    """A value is malformed."""

    @property
    def formatted(self) -> str:
        """Return the error as Ganeti's commands print it."""
        return f"Failure: unknown/wrong parameter name '{self}'"


class CommandLine(optparse.OptionParser):
    """The parser of one command.

    Options of Ganeti that have no meaning here are known by name and refused with the reason.
    """

    def __init__(self, program: str, command: str, usage: str, words: int | None) -> None:
        super().__init__(prog=f"{program} {command}", usage=f"%prog {usage}", add_help_option=True)
        self._words = words
        self.add_option("--trace", metavar="FILE", help="append every script call to a file")

    def refuse(self, reason: str, *names: str, values: int = 0) -> None:
        """Know options only to say why they are refused; each takes that many values."""

        def refused(
            _option: optparse.Option, name: str, _value: object, parser: optparse.OptionParser
        ) -> None:
            parser.error(f"{name} has no meaning here: {reason}")

        for name in names:
            kind: dict[str, Any] = {"type": "string", "nargs": values} if values else {}
            self.add_option(
                name, action="callback", callback=refused, help=optparse.SUPPRESS_HELP, **kind
            )

    def ignored(self, *names: str, takes_value: bool = False) -> None:
        """Accept options that change nothing that storage could see."""
        for name in names:
            action = "store" if takes_value else "store_true"
            self.add_option(name, action=action, help=optparse.SUPPRESS_HELP)

    def read(self, words: Sequence[str]) -> tuple[Values, list[str]]:
        """Return options and arguments; end the program with status 2 if they are wrong."""
        options, arguments = self.parse_args(list(words))
        if self._words is not None and len(arguments) != self._words:
            self.error(f"expected {self._words} argument(s), found {len(arguments)}")
        if self._words is None and not arguments and "..." not in (self.usage or ""):
            self.error("expected at least one argument")
        return options, arguments

    def error(self, msg: str) -> NoReturn:
        """End the program with one line."""
        self.exit(2, f"{self.prog}: {msg} (see {self.prog} --help)\n")


def identified(text: str, option: str) -> tuple[str, dict[str, str | bool | None]]:
    """Return ``0:size=2G,provider=emc`` as ``("0", {...})``. Raises ParameterError.

    A key without value is True; ``no_KEY`` is False and ``-KEY`` is None (_SplitIdentKeyVal).
    """
    ident, _colon, rest = text.partition(":")
    return ident, keys_and_values(rest, option)


def keys_and_values(text: str, option: str) -> dict[str, str | bool | None]:
    """Return ``key=value,key=value`` as a dictionary. Raises ParameterError (_SplitKeyVal)."""
    found: dict[str, str | bool | None] = {}
    for element in _split(text) if text else []:
        key, equals, value = element.partition("=")
        entry: tuple[str, str | bool | None] = (key, value if equals else True)
        if not equals and element.startswith("no_"):
            entry = (element.removeprefix("no_"), False)
        elif not equals and element.startswith("-"):
            entry = (element.removeprefix("-"), None)
        if entry[0] in found:
            raise ParameterError(f"Duplicate key '{entry[0]}' in option {option}")
        found[entry[0]] = entry[1]
    return found


def _split(text: str) -> list[str]:
    # UnescapeAndSplit
    return [part.replace("\\,", ",").replace("\\\\", "\\") for part in _SEPARATOR.split(text)]


def nodes_of(value: str | None) -> tuple[str | None, str | None]:
    """Return the primary and the secondary node that ``--node`` names (SplitNodeOption)."""
    if not value or ":" not in value:
        return value, None
    primary, _colon, secondary = value.partition(":")
    return primary, secondary


def appended(
    read: Callable[[str, str], object],
) -> Callable[[optparse.Option, str, str, optparse.OptionParser], None]:
    """Return what an option does that collects values which ``read`` has understood."""

    def act(option: optparse.Option, name: str, value: str, parser: optparse.OptionParser) -> None:
        found = getattr(parser.values, str(option.dest)) or []
        setattr(parser.values, str(option.dest), [*found, read(value, name)])

    return act
