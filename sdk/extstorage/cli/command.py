"""The parser of the command line, and what becomes of errors."""

from __future__ import annotations

import argparse
import importlib
import os
import sys
from typing import TYPE_CHECKING, Any, NoReturn

import extstorage
from extstorage.cli.errors import INTERRUPTED, USAGE, CommandError, interrupted
from extstorage.cli.handover import PROGRAMS

if TYPE_CHECKING:
    from collections.abc import Sequence

_SUB_COMMANDS = (
    "conform",
    "faults",
    "adopt",
    "watch",
    "soak",
    "lint",
    "rules",
    "call",
    "new",
    "update",
    "vendor",
    "doctor",
    "cluster",
    *PROGRAMS,
    "trace",
    "completion",
    "man",
)
EXIT_STATUS = {
    0: "the provider conforms (the command did its work)",
    1: "it does not (a script failed)",
    2: "wrong usage",
    3: "this machine cannot run it",
    INTERRUPTED: "interrupted (3 if a run of the suite was)",
}
_EPILOG = f"exit status: {', '.join(f'{code} {meaning}' for code, meaning in EXIT_STATUS.items())}"


class _Parser(argparse.ArgumentParser):
    """A parser whose errors are one line."""

    def error(self, message: str) -> NoReturn:
        self.exit(USAGE, f"{self.prog}: {message} (see {self.prog} --help)\n")


def run(argv: Sequence[str]) -> int:
    """Run the sub-command that ``argv`` names; return its exit status, say errors on stderr."""
    try:
        return _run(argv)
    except CommandError as error:
        print(f"extstorage {argv[0]}: {error}", file=sys.stderr)
        return error.exit_status
    except SystemExit as exit_:  # argparse: --help, --version, a wrong command line
        return exit_.code if isinstance(exit_.code, int) else 0
    except KeyboardInterrupt:
        return interrupted()
    except BrokenPipeError:
        # The reader has gone (`extstorage rules | head`); Python would complain while it ends.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0


def _run(argv: Sequence[str]) -> int:
    if argv and argv[0] in PROGRAMS and argv[1:2] not in (["-h"], ["--help"]):
        # They know their own command lines, which are Ganeti's.
        return int(sub_command(argv[0]).run_words(argv[1:]))
    # argparse cannot tell optional arguments from what follows "--".
    own, separator, rest = _split(argv)
    parser = command_parser(own)
    arguments = parser.parse_args(own)
    if separator and own[:1] not in (["conform"], ["faults"]):
        parser.error("only conform and faults pass arguments on after --")
    arguments.pytest_arguments = rest
    status = arguments.run(arguments)
    sys.stdout.flush()
    return int(status)


def _split(argv: Sequence[str]) -> tuple[list[str], bool, list[str]]:
    words = list(argv)
    if "--" not in words:
        return words, False, []
    position = words.index("--")
    return words[:position], True, words[position + 1 :]


def sub_command(name: str) -> Any:  # noqa: ANN401 - a module with SUMMARY, add_arguments, run
    """Return the module of a sub-command."""
    return importlib.import_module(f"extstorage.cli.{name.replace('-', '_')}")


def command_parser(words: Sequence[str] = ()) -> argparse.ArgumentParser:
    """Return the parser for ``words``, or the whole one, with every sub-command, for none."""
    parser = _Parser(
        prog="extstorage",
        description="Write, run and test Ganeti ExtStorage providers.",
        epilog=_EPILOG,
        allow_abbrev=False,
    )
    parser.add_argument(
        "--version", action="version", version=f"extstorage {extstorage.__version__}"
    )
    commands = parser.add_subparsers(metavar="COMMAND", required=True)
    # Some sub-commands take long to import: only the one that is named, or all for the help.
    for name in [word for word in words[:1] if word in _SUB_COMMANDS] or _SUB_COMMANDS:
        module = sub_command(name)
        command = commands.add_parser(
            name,
            help=module.SUMMARY,
            description=f"{module.SUMMARY[0].upper()}{module.SUMMARY[1:]}.",
            epilog=_EPILOG,
            allow_abbrev=False,
        )
        module.add_arguments(command)
        if name not in PROGRAMS:
            command.set_defaults(run=module.run)
    return parser
