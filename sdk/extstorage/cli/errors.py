"""What a sub-command ends with when it cannot go on: one line and an exit status."""

from __future__ import annotations

import sys

FAILED = 1
USAGE = 2
CANNOT_RUN = 3
INTERRUPTED = 130


class CommandError(Exception):
    """The text is one line: what was expected, what was found, what to do next."""

    exit_status = FAILED


class UsageError(CommandError):
    """The command line, or a file that it names, is wrong."""

    exit_status = USAGE


class CannotRun(CommandError):  # noqa: N818 - says what happened; no input is to blame
    """This machine lacks something; the text says how to get it."""

    exit_status = CANNOT_RUN


def interrupted() -> int:
    """Say so; return the exit status."""
    print("extstorage: interrupted", file=sys.stderr)
    return INTERRUPTED


def reason(error: OSError, place: object) -> str:
    """Return what the system said, and of which file: of ``place`` if it named none.

    Libraries raise an OSError of their own from the system's; then that one knows.
    """
    told = error.__cause__ if isinstance(error.__cause__, OSError) else error
    return f"{told.filename or place}: {told.strerror or told}"
