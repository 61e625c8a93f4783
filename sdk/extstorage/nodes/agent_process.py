"""A program of this machine that an agent answers through: Python itself, or ssh."""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from extstorage.nodes.connection import Connection

if TYPE_CHECKING:
    from collections.abc import Sequence

_SDK = Path(__file__).parents[2]
_PATIENCE_S = 30.0
_GOODBYE_S = 5.0


def python_command(module: str, python: str = sys.executable) -> list[str]:
    """Return the command that calls ``main()`` of one of our modules; arguments may follow.

    It starts fast, with nothing of the user's environment: neither variables nor site-packages.
    """
    code = f"import sys; sys.path.insert(0, sys.argv.pop(1)); from {module} import main; main()"
    return [python, "-I", "-S", "-X", "utf8", "-c", code, str(_SDK)]


class AgentProcess:
    """Starts a program; ``connect`` waits until the agent in it, or behind it, answers.

    Args:
        argv: The program.
        introduction: What it reads first.
    """

    def __init__(self, argv: Sequence[str], introduction: bytes = b"") -> None:
        self._introduction = introduction
        self._connection: Connection | None = None
        self._messages = tempfile.TemporaryFile()  # noqa: SIM115 - closed with the process
        answers, answers_writer = os.pipe()
        requests_reader, requests = os.pipe()
        self._requests, self._answers = requests, answers
        try:
            self._process = subprocess.Popen(
                argv,
                stdin=requests_reader,
                stdout=answers_writer,
                stderr=self._messages,
                # An interrupt from the terminal is for us to pass on, in order.
                start_new_session=True,
            )
        except BaseException:
            self._messages.close()
            os.close(requests)
            os.close(answers)
            raise
        finally:
            os.close(requests_reader)
            os.close(answers_writer)

    def connect(self, patience_s: float = _PATIENCE_S) -> Connection:
        """Return the connection once the agent has greeted. Raises NodeUnreachable."""
        requests, answers = self._requests, self._answers
        self._requests = self._answers = -1
        with contextlib.suppress(BrokenPipeError):  # the missing greeting tells
            os.write(requests, self._introduction)
        self._connection = Connection(requests, answers, self.reason, patience_s=patience_s)
        return self._connection

    def reason(self) -> str:
        """Return in one line why the program has ended."""
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._process.wait(_GOODBYE_S)
        lines = self.messages()
        return lines[-1] if lines else f"its agent ended with status {self.exit_code}"

    @property
    def exit_code(self) -> int | None:
        """The program's exit code, negative for a signal; None while it runs."""
        return self._process.poll()

    def messages(self) -> list[str]:
        """Return what the program has written to standard error, without empty lines."""
        size = os.fstat(self._messages.fileno()).st_size
        text = os.pread(self._messages.fileno(), size, 0).decode(errors="backslashreplace")
        return [line.strip() for line in text.splitlines() if line.strip()]

    def close(self) -> None:
        """Hang up, and see to it that the program ends."""
        for descriptor in (self._requests, self._answers):
            if descriptor >= 0:
                os.close(descriptor)
        self._requests = self._answers = -1
        try:
            # Either ends the program, and only then is the connection's reader at its end.
            if self._connection is not None:
                self._connection.hang_up()
            self._end()
            if self._connection is not None:
                self._connection.close()
        finally:
            self._messages.close()

    def _end(self) -> None:
        try:
            self._process.wait(_GOODBYE_S)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
