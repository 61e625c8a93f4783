"""What every node can do: run programs and Python functions, read files, look at devices."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence


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

    ``output`` is all that the output file holds when the program has ended, and ``output_from``
    its length in bytes before: what this program wrote begins there. A file that is gone by then,
    or that is no regular file, gives nothing.
    """

    exit_code: int | None
    signal: int | None
    timed_out: bool
    stdout: bytes
    stderr: bytes
    seconds: float
    output: bytes = b""
    output_from: int = 0


@dataclass(frozen=True)
class Search:
    """A directory that is one of several, and what is wanted of it.

    Attributes:
        directories: The first of these that is a directory is looked at.
        names: The files in it whose status is wanted.
        content: The one of them whose content is wanted too, if it is a regular file.
        beside: A directory of its own, of which only is asked whether it is there.
    """

    directories: Sequence[str]
    names: Sequence[str]
    content: str
    beside: str


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


@dataclass(frozen=True)
class Facts:
    """What a node says of itself.

    Attributes:
        host_name: As ``uname -n`` has it.
        kernel: The kernel's release.
        python: The version of the Python that ``run_python`` uses.
        is_root: Whether commands run as root.
    """

    host_name: str
    kernel: str
    python: str
    is_root: bool


@dataclass(frozen=True)
class Sight:
    """What a search found, all at one moment.

    Attributes:
        directory: The directory, or None if none of them is there.
        files: For each name what ``stat`` returns or raises; nothing without a directory.
        content: The file's content, or the error; None if it is no regular file.
        has_beside: Whether the directory ``beside`` is there.
    """

    directory: str | None
    files: Mapping[str, FileStatus | OSError]
    content: bytes | OSError | None
    has_beside: bool


class NodeError(Exception):
    """Something is wrong with a node, not with what it was asked to do; one line."""


class NodeUnreachable(NodeError):  # noqa: N818 - says what happened
    """A node does not answer: it is down, cut off, or was never there."""


class PythonFailed(Exception):  # noqa: N818 - says what happened
    """A function that ``run_python`` called raised an exception; the message names both."""


class Node(Protocol):
    """One machine. Paths are absolute paths on that machine.

    Every method raises NodeUnreachable if the machine does not answer. All may be called from
    several threads at once.
    """

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

    def look(self, search: Search) -> Sight:
        """Look at a directory's files in one request, symbolic links followed."""
        ...

    def is_directory(self, path: str) -> bool:
        """Return whether the path leads to a directory, symbolic links followed."""
        ...

    def make_directory(self, path: str, mode: int) -> None:
        """Make a directory and its missing parents; one that exists is left as it is."""
        ...

    def copy_directory(self, source: str, target: str) -> None:
        """Copy a directory of the machine that this program runs on to the node.

        Modes and symbolic links are kept, owners are not. ``target`` appears whole or not at all;
        missing parents are made. Raises OSError for ``source``, PythonFailed for ``target``,
        which must not exist.
        """
        ...

    def facts(self) -> Facts:
        """Return what the node says of itself."""
        ...

    def run_python(
        self, source: str, function: str, *arguments: object, timeout_s: float | None = None
    ) -> Any:  # noqa: ANN401 - whatever JSON can say
        """Call a function of a module on the node and return its result.

        ``source`` is the module's text: Python 3.9, standard library only. It is executed anew for
        each call, in a process of its own. Arguments and result are what JSON can say. Raises
        PythonFailed, also when the time is up.
        """
        ...


class PythonSession(Protocol):
    """A module that lives on a node."""

    def call(self, function: str, *arguments: object) -> Any:  # noqa: ANN401 - whatever JSON can say
        """Call a function and return its result.

        Calls of several threads run at the same time. Arguments and result are what JSON can say.
        Raises the OSError that the function raised, PythonFailed for any other exception and when
        the session has ended, NodeUnreachable.
        """
        ...

    def close(self) -> None:
        """End the process; nothing happens if it, or the node, has gone."""
        ...


class SessionNode(Node, Protocol):
    """A node that can hold modules, as every kind of node can."""

    def python_session(self, source: str) -> PythonSession:
        """Start a process on the node that holds a module and answers calls of its functions.

        ``source`` is as for ``run_python``; it is executed once, at the first call. What the
        functions keep in the module, threads included, lives until the session is closed.
        """
        ...


class Machine(Node, Protocol):
    """A node whose power and network are in this program's hands."""

    def kill(self) -> None:
        """Cut the power: processes, mappings and /run are gone at once; a node that is down stays.

        Calls that are under way raise NodeUnreachable. Disks stay as they are. Raises NodeError if
        a device cannot be freed because another node or this machine has it open.
        """
        ...

    def start(self) -> None:
        """Boot the node after ``kill``. Raises NodeError if it cannot, or is up."""
        ...

    def cut_off(self) -> None:
        """Cut the network: all calls raise NodeUnreachable; what runs on the node runs on."""
        ...

    def reconnect(self) -> None:
        """Undo ``cut_off``."""
        ...
