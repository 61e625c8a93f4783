"""What every node can do: run one program, read files, look at devices."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Mapping


class CannotExecute(OSError):  # noqa: N818 - says what happened, as FileNotFoundError does
    """A program was never started: ``errno``, ``strerror`` and ``filename`` say why.

    Raised for what ``execve`` refuses (a missing interpreter, no ``#!`` line), for a working
    directory that is not there and for a log file that cannot be opened.
    """


@dataclass(frozen=True)
class Command:
    """One program to run, with everything that it inherits.

    Attributes:
        argv: The program's path and its arguments.
        environment: Its whole environment; nothing is added.
        directory: Its working directory.
        umask: Its file mode creation mask.
        output_file: Where standard output and standard error are both appended (the file is made
            with mode 0600), or None for two pipes that are read to their end.
        timeout_s: Seconds until its process group is killed, or None for no limit.
    """

    argv: tuple[str, ...]
    environment: Mapping[str, str]
    directory: str
    umask: int = 0o077
    output_file: str | None = None
    timeout_s: float | None = None


@dataclass(frozen=True)
class Completed:
    """What became of a command.

    Exactly one of ``exit_code`` and ``signal`` is set. After a timeout they say how the program
    ended, which may be normally: a child of it can have held a pipe open. ``stdout`` and
    ``stderr`` are empty when the command wrote to a file. ``seconds`` is wall time.
    """

    exit_code: int | None
    signal: int | None
    timed_out: bool
    stdout: bytes
    stderr: bytes
    seconds: float


class FileStatus(Protocol):
    """The part of ``os.stat_result`` that a node reports of a file."""

    @property
    def st_mode(self) -> int: ...  # noqa: D102 - as in os.stat_result
    @property
    def st_rdev(self) -> int: ...  # noqa: D102 - as in os.stat_result
    @property
    def st_ino(self) -> int: ...  # noqa: D102 - as in os.stat_result
    @property
    def st_dev(self) -> int: ...  # noqa: D102 - as in os.stat_result
    @property
    def st_size(self) -> int: ...  # noqa: D102 - as in os.stat_result


class Node(Protocol):
    """One machine. Paths are absolute paths on that machine."""

    @property
    def name(self) -> str:
        """Return the name that messages call the node by."""
        ...

    def run(self, command: Command) -> Completed:
        """Run a program to its end: standard input at end of file, no other descriptors.

        The program leads its own process group. With pipes, the call lasts until both are at
        their end, whoever holds them. When the time is up the whole group is terminated, then
        killed. Raises CannotExecute if the program cannot be started.
        """
        ...

    def read_file(self, path: str) -> bytes:
        """Return a file's content. Raises OSError."""
        ...

    def stat(self, path: str) -> FileStatus:
        """Return a file's status, symbolic links followed. Raises OSError."""
        ...

    def is_directory(self, path: str) -> bool:
        """Return whether the path leads to a directory, symbolic links followed."""
        ...

    def make_directory(self, path: str, mode: int) -> None:
        """Make a directory and its missing parents; one that exists is left as it is."""
        ...
