"""What the parsers know, as a text to lay out: for man pages and for the site's reference.

Nothing is written twice: ``--help``, ``man`` and the site show the same sentences.
"""

from __future__ import annotations

import argparse
import optparse
import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from extstorage.cli import gnt
from extstorage.cli.command import command_parser, sub_command
from extstorage.cli.handover import PROGRAMS

if TYPE_CHECKING:
    from collections.abc import Iterator

_WIDTH = 10_000  # nobody breaks the usage here


@dataclass(frozen=True)
class Entry:
    """An argument, option or command as it is written, and what it means."""

    words: str
    meaning: str


@dataclass(frozen=True)
class Manual:
    """A command: its name with all words before it, what it does, how it is called.

    ``parts`` are the commands that it has; what they take stands in their own manuals.
    """

    name: str
    summary: str
    usage: str
    arguments: list[Entry] = field(default_factory=list)
    options: list[Entry] = field(default_factory=list)
    parts: list[Manual] = field(default_factory=list)


def manual() -> Manual:
    """Return the manual of ``extstorage``; its parts are the sub-commands."""
    return _of_parser(command_parser(), "")


def _of_parser(parser: argparse.ArgumentParser, summary: str) -> Manual:
    name = parser.prog
    formatter = argparse.HelpFormatter(name, width=_WIDTH)
    made = Manual(name, summary or (parser.description or ""), _usage(parser))
    for action in _shown(parser):
        if isinstance(action, argparse._SubParsersAction):  # noqa: SLF001 - argparse has no other way to walk parsers
            made.parts.extend(_parts(action))
        else:
            words = _words(action, formatter)
            entry = Entry(words, _meaning(action, formatter))
            (made.options if action.option_strings else made.arguments).append(entry)
    program = name.rpartition(" ")[2]
    if program in PROGRAMS:
        made.parts.extend(_of_program(program))
    return made


def _shown(parser: argparse.ArgumentParser) -> Iterator[argparse.Action]:
    for action in parser._actions:  # noqa: SLF001 - as above
        if action.help != argparse.SUPPRESS:
            yield action


def _parts(action: argparse._SubParsersAction[argparse.ArgumentParser]) -> Iterator[Manual]:
    for choice in action._choices_actions:  # noqa: SLF001 - as above
        yield _of_parser(action.choices[choice.dest], choice.help or "")


def _usage(parser: argparse.ArgumentParser) -> str:
    text = parser.format_usage().removeprefix("usage: ")
    return " ".join(text.split())


def _words(action: argparse.Action, formatter: argparse.HelpFormatter) -> str:
    if not action.option_strings:
        return _metavar(action, formatter)
    value = "" if action.nargs == 0 else f" {_metavar(action, formatter)}"
    return ", ".join(f"{option}{value}" for option in action.option_strings)


def _metavar(action: argparse.Action, formatter: argparse.HelpFormatter) -> str:
    name = action.metavar or action.dest
    if action.choices and not action.metavar:
        name = f"{{{','.join(map(str, action.choices))}}}"
    return formatter._format_args(action, str(name))  # noqa: SLF001 - as above


def _meaning(action: argparse.Action, formatter: argparse.HelpFormatter) -> str:
    text = formatter._expand_help(action) if action.help else ""  # noqa: SLF001 - as above
    return " ".join(text.split())


def _of_program(program: str) -> Iterator[Manual]:
    """Yield the commands of one of Ganeti's programs, whose command lines are Ganeti's own."""
    for name, command in sub_command(program).COMMANDS.items():
        line = gnt.command_line(program, name, command)
        options = [
            Entry(_option_words(option), line.formatter.expand_default(option))
            for option in line.option_list
            if option.help and option.help != optparse.SUPPRESS_HELP
        ]
        yield Manual(
            f"{program} {name}", "", f"{program} {name} {command.usage}".strip(), [], options
        )


def _option_words(option: optparse.Option) -> str:
    names = [*option._short_opts, *option._long_opts]  # noqa: SLF001 - as above
    value = f" {option.metavar or (option.dest or '').upper()}" if option.takes_value() else ""
    return ", ".join(f"{name}{value}" for name in names)


def file_name(one: Manual) -> str:
    """Return the name of a command's man page, without section: ``extstorage-conform``."""
    return re.sub(r"\s+", "-", one.name)
