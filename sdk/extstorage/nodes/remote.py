"""A node that an agent answers for."""

from __future__ import annotations

import base64
import contextlib
import errno
import io
import json
import os
import tarfile
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from extstorage.nodes.node import (
    CannotExecute,
    Completed,
    Facts,
    NodeUnreachable,
    PythonFailed,
    Sight,
)

if TYPE_CHECKING:
    from extstorage.nodes.connection import Answer, Connection
    from extstorage.nodes.node import Command, Search

_UNPACKING = Path(__file__).with_name("unpacking.py")


class Status(NamedTuple):
    """A file's status; see ``nodes.node.FileStatus``."""

    st_mode: int
    st_rdev: int
    st_ino: int
    st_dev: int
    st_size: int


class RemoteNode:
    """A node that is reached through a connection; see ``nodes.node.Node``.

    ``name`` is what messages call it.
    """

    def __init__(self, name: str, connection: Connection | None = None) -> None:
        self.name = name
        self._connection = connection

    def run(self, command: Command) -> Completed:
        """Run a program to its end; see Node.run."""
        fields, output = self._ask(
            "run",
            error=CannotExecute,
            argv=command.argv,
            environment=dict(command.environment),
            directory=command.directory,
            umask=command.umask,
            output_file=command.output_file,
            timeout_s=command.timeout_s,
        )
        middle = fields.pop("stdout_bytes")
        end = len(output) - fields.pop("output_bytes")
        return Completed(
            **fields, stdout=output[:middle], stderr=output[middle:end], output=output[end:]
        )

    def read_file(self, path: str) -> bytes:
        """Return a file's content. Raises OSError."""
        return self._ask("read", path=path).data

    def stat(self, path: str) -> Status:
        """Return a file's status, symbolic links followed. Raises OSError."""
        return Status(**self._ask("stat", path=path).fields)

    def look(self, search: Search) -> Sight:
        """Look at a directory's files in one request; see Node.look."""
        fields, data = self._ask("look", **vars(search))
        directory, content = fields["directory"], fields["content"]
        return Sight(
            directory=directory,
            files={
                name: _error(values, f"{directory}/{name}") or Status(*values)
                for name, values in fields["files"].items()
            },
            content=None if content is None else _error(content, search.content) or data,
            has_beside=fields["has_beside"],
        )

    def is_directory(self, path: str) -> bool:
        """Return whether the path leads to a directory."""
        return bool(self._ask("is_directory", path=path).fields["is_directory"])

    def make_directory(self, path: str, mode: int) -> None:
        """Make a directory and its missing parents; one that exists is left as it is."""
        self._ask("make_directory", path=path, mode=mode)

    def copy_directory(self, source: str, target: str) -> None:
        """Copy a directory of this machine to the node; see Node.copy_directory."""
        self.run_python(_UNPACKING.read_text(encoding="utf-8"), "unpack", packed(source), target)

    def facts(self) -> Facts:
        """Return what the node said of itself when it was connected to."""
        fields = dict(self._connected().greeting)
        del fields["id"]
        return Facts(**fields)

    def run_python(
        self, source: str, function: str, *arguments: object, timeout_s: float | None = None
    ) -> Any:  # noqa: ANN401 - whatever JSON can say
        """Call a function of a module on the node; see Node.run_python."""
        fields, output = self._ask(
            "python",
            source.encode(),
            function=function,
            arguments=arguments,
            timeout_s=timeout_s,
        )
        middle = fields["stdout_bytes"]
        if fields["timed_out"]:
            raise PythonFailed(f"{self.name}: {function}: not done in {timeout_s:g} seconds")
        if fields["exit_code"] != 0:
            lines = output[middle:].decode(errors="backslashreplace").strip().splitlines()
            last = lines[-1] if lines else f"ended by signal {fields['signal']}"
            raise PythonFailed(f"{self.name}: {function}: {last}")
        return json.loads(output[:middle])

    def python_session(self, source: str) -> RemoteSession:
        """Start a process that answers calls; see SessionNode.python_session."""
        number = self._ask("session", source.encode()).fields["session"]
        return RemoteSession(self, number)

    def ask_session(
        self,
        kind: str,
        session: int,
        **fields: Any,  # noqa: ANN401 - whatever JSON can say
    ) -> dict[str, Any]:
        """Ask something of the session with that number; return the answer's fields.

        Raises OSError, PythonFailed, NodeUnreachable.
        """
        answer = self._ask(kind, session=session, **fields).fields
        if "failed" in answer:
            raise PythonFailed(f"{self.name}: {fields.get('function', kind)}: {answer['failed']}")
        return answer

    def take_back(self, thread: int) -> None:
        """End what a thread of this process has asked for; its call raises NodeUnreachable."""
        if (connection := self._connection) is not None:
            # A node that does not answer any more has told the thread so.
            with contextlib.suppress(NodeUnreachable):
                connection.take_back(thread)

    def _connected(self) -> Connection:
        if self._connection is None:
            raise NodeUnreachable(f"{self.name}: it is down")
        return self._connection

    def _ask(
        self, kind: str, data: bytes = b"", *, error: type[OSError] = OSError, **fields: object
    ) -> Answer:
        try:
            answer = self._connected().request(kind, data, **fields)
        except NodeUnreachable as gone:
            reason = str(gone).removeprefix(f"{self.name}: ")
            raise NodeUnreachable(f"{self.name}: {reason}") from None
        if "error" in answer.fields:
            raise error(*answer.fields["error"])
        if "invalid" in answer.fields:
            raise ValueError(answer.fields["invalid"])
        return answer


def _error(values: list[Any], path: str) -> OSError | None:
    """Return the error that an agent tells of in place of something else, or None."""
    return OSError(*values, path) if len(values) == len(("errno", "strerror")) else None


class RemoteSession:
    """A module that lives on a node; see ``nodes.node.PythonSession``."""

    def __init__(self, node: RemoteNode, number: int) -> None:
        self._node = node
        self._number = number

    def call(self, function: str, *arguments: object) -> Any:  # noqa: ANN401 - whatever JSON can say
        """Call a function and return its result; see PythonSession.call."""
        answer = self._node.ask_session(
            "call", self._number, function=function, arguments=arguments
        )
        return answer["result"]

    def close(self) -> None:
        """End the process."""
        with contextlib.suppress(NodeUnreachable, PythonFailed):
            self._node.ask_session("hang_up", self._number)


def packed(directory: str) -> str:
    """Return a directory of this machine as a base64 tar archive. Raises OSError."""
    if not os.path.isdir(directory):  # noqa: PTH112 - what unpack makes is a directory
        raise NotADirectoryError(errno.ENOTDIR, os.strerror(errno.ENOTDIR), directory)
    archive = io.BytesIO()
    with tarfile.open(fileobj=archive, mode="w") as tar:
        tar.add(directory, arcname=".", filter=_without_owner)
    return base64.b64encode(archive.getvalue()).decode()


def _without_owner(member: tarfile.TarInfo) -> tarfile.TarInfo:
    member.uid = member.gid = 0
    member.uname = member.gname = ""
    return member
