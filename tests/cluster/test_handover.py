"""Interrupts while a command is handed to the process that carries it out."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Self

import pytest

from extstorage.cli import handover, main, resident
from extstorage.cluster import location

if TYPE_CHECKING:
    from collections.abc import Iterator

INTERRUPTED = 130
SAID = "extstorage: interrupted\n"


class Handed:
    """A command that is typed; this test is the process that it is handed to."""

    def __init__(self, listener: socket.socket, directory: Path) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-m", "extstorage", "gnt-instance", "list"],
            cwd=directory,
            stderr=subprocess.PIPE,
            text=True,
        )
        self.line, _address = listener.accept()
        self.line.recv(1 << 16)  # it waits to hear whether the command is taken

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_error: object) -> None:
        self.line.close()
        self._process.kill()
        self._process.communicate()

    def interrupt(self) -> None:
        self._process.send_signal(signal.SIGINT)

    def stop(self) -> None:
        """Let it do nothing until ``go_on``."""
        self._process.send_signal(signal.SIGSTOP)
        give_up = time.monotonic() + 60
        while self._state() != "T":
            assert time.monotonic() < give_up, "it does not stop"
            time.sleep(0.01)

    def _state(self) -> str:
        return Path(f"/proc/{self._process.pid}/stat").read_text().rpartition(")")[2].split()[0]

    def go_on(self) -> None:
        self._process.send_signal(signal.SIGCONT)

    def ended(self) -> tuple[int, str]:
        """Wait for its end; return its exit status and what it complains about."""
        _output, complaint = self._process.communicate(timeout=60)
        return self._process.returncode, complaint


@pytest.fixture
def handed(tmp_path: Path) -> Iterator[Handed]:
    state = tmp_path / location.DIRECTORY
    state.mkdir()
    (state / location.CLUSTER).write_text("{}")
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as listener:
        place = os.open(state, os.O_PATH)  # a socket's path is short, and a test's is not
        listener.bind(f"/proc/self/fd/{place}/{location.RESIDENT}")
        os.close(place)
        listener.listen()
        listener.settimeout(60)
        with Handed(listener, tmp_path) as handed:
            yield handed


def test_one_that_comes_before_the_command_is_taken_is_passed_on(handed: Handed) -> None:
    handed.interrupt()
    handed.line.send(handover.TAKEN)

    assert handed.line.recv(10) == handover.INTERRUPT

    handed.line.send(bytes([INTERRUPTED]))
    assert handed.ended() == (INTERRUPTED, "")  # who carries it out says so


def test_one_that_comes_while_the_command_runs_is_passed_on(handed: Handed) -> None:
    handed.line.send(handover.TAKEN)
    handed.interrupt()

    assert handed.line.recv(10) == handover.INTERRUPT

    handed.line.send(bytes([INTERRUPTED]))
    assert handed.ended() == (INTERRUPTED, "")


def test_one_for_a_command_that_nobody_takes_ends_it(handed: Handed) -> None:
    handed.interrupt()
    handed.line.close()

    assert handed.ended() == (INTERRUPTED, SAID)


def test_the_second_one_does_not_wait(monkeypatch: pytest.MonkeyPatch) -> None:
    came = []

    def connected(_directory: str) -> None:
        for number in (1, 2):
            signal.raise_signal(signal.SIGINT)
            came.append(number)

    monkeypatch.setattr(handover, "connected", connected)

    with pytest.raises(KeyboardInterrupt):
        handover.handed_over(["gnt-instance", "--cluster-dir", "/nowhere", "list"])

    assert came == [1]
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler


def test_one_that_comes_after_the_end_changes_nothing(handed: Handed) -> None:
    handed.stop()
    handed.line.send(handover.TAKEN)
    handed.line.send(bytes([7]))
    handed.line.close()
    handed.interrupt()
    handed.go_on()

    assert handed.ended() == (7, "")


def test_one_that_comes_before_anything_has_begun(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def interrupted(_words: object) -> int:
        raise KeyboardInterrupt

    monkeypatch.setattr(handover, "handed_over", interrupted)

    assert main(["gnt-instance", "list"]) == INTERRUPTED
    assert capsys.readouterr().err == SAID


# A child of the resident process, which blocks the signal, that is interrupted at once.
_CHILD = f"""
import os, signal, socket
from {resident.__name__} import _be_command
ours, theirs = socket.socketpair()
if os.fork() == 0:
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.pthread_sigmask(signal.SIG_BLOCK, {{signal.SIGINT}})
    os.kill(os.getpid(), signal.SIGINT)
    _be_command(("/", 0o022, ["gnt-instance", "list"], dict(os.environ)), [0, 1, 2], theirs)
print(ours.recv(1)[0])
"""


def test_one_that_a_child_gets_before_it_has_begun() -> None:
    done = subprocess.run(
        [sys.executable, "-c", _CHILD], capture_output=True, text=True, timeout=60, check=False
    )

    assert done.stderr == SAID
    assert done.stdout == f"{INTERRUPTED}\n"
