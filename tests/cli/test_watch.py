from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from extstorage.cli.watch import affected

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.cli.conftest import Command

METHODS = {"ES-LINT-01": [], "ES-ATTACH-01": ["attach", "create"], "ES-GROW-01": ["grow"]}
WAITING = "waiting for changes"
needs_loop = pytest.mark.skipif(
    os.geteuid() != 0 or not Path("/dev/loop-control").exists(),
    reason="needs root and loop devices",
)


@pytest.mark.parametrize(
    ("changed", "rules"),
    [
        (["/p/grow"], ["ES-GROW-01", "ES-LINT-01"]),
        (["/p/create"], ["ES-ATTACH-01", "ES-LINT-01"]),
        (["/p/verify"], ["ES-LINT-01"]),
        (["/p/grow", "/p/attach"], ["ES-ATTACH-01", "ES-GROW-01", "ES-LINT-01"]),
        (["/p/common.sh"], []),
        (["/p/grow", "/p/parameters.list"], []),
    ],
)
def test_rules_that_a_change_can_affect(changed: list[str], rules: list[str]) -> None:
    assert affected(METHODS, map(Path, changed)) == rules


class Watch:
    """A running ``extstorage watch``, its output in a file."""

    def __init__(self, command: Command, *arguments: str | Path) -> None:
        self.output = command.directory / "output"
        with self.output.open("wb") as file:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "extstorage", "watch", *map(str, arguments)],
                cwd=command.directory,
                env=command.environment,
                stdin=subprocess.DEVNULL,
                stdout=file,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )

    @property
    def text(self) -> str:
        return self.output.read_text(encoding="utf-8")

    def until(self, text: str, times: int = 1, seconds: float = 120) -> None:
        """Wait until the output has ``text`` so many times."""
        deadline = time.monotonic() + seconds
        while self.text.count(text) < times:
            assert time.monotonic() < deadline, self.text
            assert self.process.poll() is None, self.text
            time.sleep(0.05)


@pytest.fixture
def watch(extstorage: Command, provider: Path) -> Iterator[Watch]:
    rules = ("--rule", "ES-DISC-02", "--rule", "ES-GROW-01", "--rule", "ES-VERIFY-01")
    running = Watch(extstorage, provider, *rules)
    yield running
    with contextlib.suppress(ProcessLookupError):
        os.killpg(running.process.pid, signal.SIGKILL)
    running.process.wait()


def journals(state: Path) -> list[Path]:
    """Return the journals of runs that have not ended, or not cleaned up."""
    return [path for path in state.rglob("*") if path.is_file()]


@needs_loop
def test_changed_script_runs_its_rules_again(watch: Watch, provider: Path) -> None:
    watch.until(WAITING)
    replacement = provider / ".grow.new"
    replacement.write_text("#!/bin/sh\nexit 0\n")
    replacement.chmod(0o755)
    replacement.replace(provider / "grow")  # as editors save
    watch.until(WAITING, times=2)
    os.kill(watch.process.pid, signal.SIGINT)

    assert watch.process.wait(60) == 0
    _first, _, second = watch.text.partition(WAITING)
    assert "grow: 2 rules" in second  # the third one runs verify alone
    assert "ES-GROW-01 (MUST)" in second
    assert second.endswith("\nstopped\n")


@needs_loop
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_interrupt_during_a_run_cleans_up(
    watch: Watch, provider: Path, number: signal.Signals
) -> None:
    attach = provider / "attach"
    slow = attach.read_text(encoding="utf-8").replace("\n", "\nsleep 1\n", 1)
    attach.write_text(slow, encoding="utf-8")
    state = watch.output.parent / "state"
    deadline = time.monotonic() + 60
    while not journals(state):
        assert time.monotonic() < deadline
        time.sleep(0.05)
    os.kill(watch.process.pid, number)

    assert watch.process.wait(60) == 0
    assert watch.text.endswith("stopped\n")
    assert not journals(state)


@needs_loop
@pytest.mark.parametrize(
    ("arguments", "status"),
    [(("--rule", "ES-NONE-01"), 2), (("--config", "no-such-file"), 2)],
)
def test_first_run_that_cannot_be_ends_it(
    extstorage: Command, provider: Path, arguments: tuple[str, ...], status: int
) -> None:
    assert extstorage("watch", provider, *arguments).returncode == status
