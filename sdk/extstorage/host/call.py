"""One call of a script, after it was made."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING

from extstorage.host import text
from extstorage.host.errors import BlockDeviceError

if TYPE_CHECKING:
    from extstorage.contract.releases import Release
    from extstorage.host.invocation import Invocation
    from extstorage.nodes.node import Node


@dataclass(frozen=True)
class Call:
    r"""What a script did, and what Ganeti makes of it.

    ``stdout``, ``stderr`` and ``log`` are for people: bytes that are no UTF-8 appear as ``\xNN``.
    What Ganeti reads comes from ``attach_output()`` and ``last_lines()``.

    Attributes:
        invocation: What was started.
        release: The Ganeti release that reads the output.
        exit_code: The exit code, or None if a signal ended the script.
        signal: The signal's number, or None.
        timed_out: Whether our time limit ended the call; Ganeti has none.
        stdout_bytes: Standard output (attach only; the other methods write to the log).
        stderr_bytes: Standard error (attach only).
        log_bytes: What this call added to its log file (all methods but attach).
        log_tail: The end of the log file, in which calls of one second can follow each other.
        seconds: Wall time.
        node: The node that it was made on.
    """

    invocation: Invocation
    release: Release
    exit_code: int | None
    signal: int | None
    timed_out: bool
    seconds: float
    stdout_bytes: bytes = field(default=b"", repr=False)
    stderr_bytes: bytes = field(default=b"", repr=False)
    log_bytes: bytes = field(default=b"", repr=False)
    log_tail: bytes = field(default=b"", repr=False)
    node: Node | None = field(default=None, repr=False)

    @cached_property
    def stdout(self) -> str:
        """Standard output, to be shown."""
        return text.displayed(self.stdout_bytes)

    @cached_property
    def stderr(self) -> str:
        """Standard error, to be shown."""
        return text.displayed(self.stderr_bytes)

    @cached_property
    def log(self) -> str:
        """What this call added to its log file, to be shown."""
        return text.displayed(self.log_bytes)

    @property
    def output(self) -> str:
        """All that the script wrote, to be shown."""
        return self.log if self.invocation.log_file else self.stdout + self.stderr

    @cached_property
    def undecodable(self) -> UnicodeDecodeError | None:
        """What Ganeti 3 fails with, whatever the exit code, when attach's output is no UTF-8."""
        try:
            text.decode(self.stdout_bytes, self.release)
            text.decode(self.stderr_bytes, self.release)
        except UnicodeDecodeError as error:
            return error
        return None

    @property
    def failed(self) -> bool:
        """Whether Ganeti takes the call as failed; a timeout is a failure too."""
        return self.exit_code != 0 or self.timed_out or self.undecodable is not None

    @property
    def succeeded(self) -> bool:
        """Whether Ganeti takes the call as done."""
        return not self.failed

    @property
    def fail_reason(self) -> str | None:
        """How the call failed, in Ganeti's words (RunResult), or None."""
        if self.timed_out:
            return f"did not end within {self.seconds:.1f} seconds, the time limit of this run"
        if self.signal is not None:
            return f"terminated by signal {self.signal}"
        if self.exit_code != 0:
            return f"exited with exit code {self.exit_code}"
        return str(self.undecodable) if self.undecodable else None

    def attach_output(self) -> str:
        """Return attach's standard output as Ganeti reads it. Raises UnicodeDecodeError."""
        return text.decode(self.stdout_bytes, self.release)

    def last_lines(self) -> list[str]:
        """Return the last lines that Ganeti quotes when the call failed.

        Raises UnicodeDecodeError where Ganeti 3 does: bytes that are no UTF-8 hide the message.
        """
        if self.invocation.log_file is not None:
            return text.tail(self.log_tail, self.release)
        output = "".join(
            text.decode(data, self.release) for data in (self.stdout_bytes, self.stderr_bytes)
        )
        if self.release.at_least("2.14"):
            return output.splitlines()[-text.LAST_LINES :]
        # _ExtStorageAction of old releases forgot to split: twenty characters, one to a line.
        return list(output[-text.LAST_LINES :])

    def check(self) -> None:
        """Raise what Ganeti raises if the call failed: BlockDeviceError, UnicodeDecodeError."""
        if self.undecodable is not None:
            raise self.undecodable
        if self.failed:
            lines = "\n".join(self.last_lines())
            raise BlockDeviceError(
                f"External storage's {self.invocation.method} script failed"
                f" ({self.fail_reason}), last lines of output:\n{lines}",
            )
