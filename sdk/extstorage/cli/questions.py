"""Questions to the user, as Ganeti asks them: on the terminal, and "no" if there is none.

Source in Ganeti: AskUser in ``lib/cli.py``, OpenTTY in ``lib/utils/io.py``.
"""

from __future__ import annotations

import contextlib
import os
import textwrap
from typing import TYPE_CHECKING, TextIO

if TYPE_CHECKING:
    from collections.abc import Iterator

_COLUMNS = 70


def ask(text: str) -> bool:
    """Return whether the user says yes; without a terminal nobody does."""
    folded = "\n".join(
        textwrap.fill(line, _COLUMNS, replace_whitespace=False) for line in text.splitlines()
    )
    try:
        with _terminal() as terminal:
            return _answer(terminal, folded)
    except OSError:
        return False


def _answer(terminal: TextIO, text: str) -> bool:
    while True:
        terminal.write(f"{text}\ny/[n]/?: ")
        terminal.flush()
        line = terminal.readline()
        answer = line.strip().lower()
        if answer in ("y", "n"):
            return answer == "y"
        if answer == "?":
            terminal.write(" y - Perform the operation\n n - Do not perform the operation\n\n")
        elif not line:
            return False


@contextlib.contextmanager
def _terminal() -> Iterator[TextIO]:
    """Give the user's terminal. Raises OSError if there is none."""
    # A command that was handed over (resident.py) has its descriptors, but no terminal of its own.
    path = os.ttyname(0) if os.isatty(0) else "/dev/tty"
    descriptor = os.open(path, os.O_RDWR | os.O_NOCTTY)
    with (
        open(descriptor, encoding="utf-8", errors="replace", closefd=True) as reader,  # noqa: PTH123
        open(os.dup(descriptor), "w", encoding="utf-8") as writer,  # noqa: PTH123
    ):
        yield _Both(reader, writer)  # type: ignore[misc]  # what _answer needs of a file


class _Both:
    """A terminal is no file that one can seek in: read and written through two objects."""

    def __init__(self, reader: TextIO, writer: TextIO) -> None:
        self.readline = reader.readline
        self.write = writer.write
        self.flush = writer.flush
