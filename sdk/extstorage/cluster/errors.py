"""What a command of Ganeti ends with (``lib/errors.py``, FormatError in ``lib/cli.py``)."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

WRONG_INPUT = "wrong_input"
WRONG_STATE = "wrong_state"
UNKNOWN = "unknown_entity"
EXISTS = "already_exists"
NOT_UNIQUE = "resource_not_unique"


class GanetiError(Exception):
    """The text is Ganeti's; ``formatted`` is what its commands print."""

    @property
    def formatted(self) -> str:
        """Return the error as Ganeti's commands print it."""
        return f"Unhandled Ganeti error: {self}"


class OpPrereqError(GanetiError):
    """An operation was refused before it did anything; ``code`` is Ganeti's error type, if any."""

    def __init__(self, text: str, code: str | None = WRONG_INPUT) -> None:
        super().__init__(text)
        self.code = code

    @property
    def formatted(self) -> str:
        """Return the error as Ganeti's commands print it."""
        kind = f"error type: {self.code}, error details:\n" if self.code else ""
        return f"Failure: prerequisites not met for this operation:\n{kind}{self}".rstrip("\n")


class OpExecError(GanetiError):
    """An operation failed on its way."""

    @property
    def formatted(self) -> str:
        """Return the error as Ganeti's commands print it."""
        return f"Failure: command execution error:\n{self}".rstrip("\n")


class ProtocolError(GanetiError):
    """The master does not understand the request: a value is not of its type."""

    @property
    def formatted(self) -> str:
        """Return the error as Ganeti's commands print it."""
        return f"Unhandled protocol error while talking to the master daemon:\n{self}"


class UnitParseError(GanetiError):
    """A size is malformed."""


class NumberError(GanetiError, ValueError):
    """A size's number is none; not every command of Ganeti expects that."""

    @property
    def formatted(self) -> str:
        """Return the error as Ganeti's commands print it."""
        return f"Unhandled exception: {self}"


class HypervisorError(Exception):
    """A guest could not be started, stopped or moved."""


class StateError(Exception):
    """The state directory is not there, or damaged; the text says what to do."""


class NoClusterError(StateError):
    """There is no cluster where one was looked for."""


class RpcFail(Exception):  # noqa: N818 - Ganeti's RPCFail
    """The node daemon's own verdict on a call (RPCFail in ``lib/backend.py``)."""


class RpcError(Exception):
    """A call to a node failed; ``str()`` is Ganeti's ``fail_msg``.

    Attributes:
        offline: Whether the node is marked offline, so that nothing was sent.
    """

    def __init__(self, fail_msg: str, *, offline: bool = False) -> None:
        super().__init__(fail_msg)
        self.offline = offline


@contextlib.contextmanager
def raising(text: str) -> Iterator[None]:
    """Turn a failed call into OpExecError (RpcResult.Raise)."""
    try:
        yield
    except RpcError as error:
        raise OpExecError(f"{text}: {error}") from error
