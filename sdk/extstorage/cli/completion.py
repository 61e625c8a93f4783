"""``extstorage completion``: what a shell needs to complete our command lines.

The scripts are written once, by shtab from the parsers: no Python starts when a key is pressed.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import shtab

from extstorage.cli.command import command_parser, sub_command
from extstorage.cli.handover import PROGRAMS

if TYPE_CHECKING:
    import argparse

SUMMARY = "print the completion script for a shell"
SHELLS = ("bash", "zsh", "fish")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the sub-command's arguments."""
    parser.add_argument("shell", choices=SHELLS, help="which shell reads it")


def run(arguments: argparse.Namespace) -> int:
    """Print the script."""
    parser = command_parser()
    _tell_kinds(parser)
    print(shtab.complete(parser, shell=arguments.shell))
    return 0


def _tell_kinds(parser: argparse.ArgumentParser) -> None:
    """Say which arguments are files and directories, and which words Ganeti's programs take."""
    program = parser.prog.rpartition(" ")[2]
    for action in parser._actions:  # noqa: SLF001 - argparse has no other way to walk parsers
        if action.metavar == "DIR":
            action.complete = shtab.DIRECTORY  # type: ignore[attr-defined]  # shtab's protocol
        elif action.metavar in {"FILE", "OUT"}:
            action.complete = shtab.FILE  # type: ignore[attr-defined]  # shtab's protocol
        elif program in PROGRAMS and action.dest == "words":
            action.choices = list(sub_command(program).COMMANDS)
        elif isinstance(action.choices, dict):
            for part in action.choices.values():
                _tell_kinds(part)
