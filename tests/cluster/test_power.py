"""The process that keeps the nodes up: a boot that is cut off leaves nothing half done."""

from __future__ import annotations

import os
import signal
import time
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from extstorage.cli import handover, main
from extstorage.cluster import machines, power

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

INTERRUPTED = 130


@pytest.fixture
def directory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """Where a cluster of one node may be made."""
    if os.geteuid() != 0:
        pytest.skip("not root: namespace nodes need root")
    monkeypatch.setenv(handover.VARIABLE, "no")  # all of it happens in this process
    directory = tmp_path / "cluster"
    yield directory
    power.end(directory)


def _type(directory: Path, *words: str) -> int:
    return main([words[0], "--cluster-dir", str(directory), *words[1:]])


def _init(directory: Path) -> int:
    return _type(directory, "cluster", "init", "--nodes", "namespaces:1")


def _keepers(directory: Path) -> list[int]:
    """Return the processes that keep this cluster's nodes up, or are about to."""
    wanted = [power.__name__.encode(), os.fsencode(directory)]
    found = []
    for entry in Path("/proc").glob("[0-9]*"):
        try:
            words = (entry / "cmdline").read_bytes().split(b"\0")
        except OSError:
            continue
        if words[2:4] == wanted:
            found.append(int(entry.name))
    return found


def _children(process: int) -> list[int]:
    return [
        int(number)
        for path in Path(f"/proc/{process}/task").glob("*/children")
        for number in path.read_text().split()
    ]


def _lives(process: int) -> bool:
    try:
        return bool(Path(f"/proc/{process}/cmdline").read_bytes())  # that of a zombie is empty
    except OSError:
        return False


def _wait_for(condition: Callable[[], object]) -> None:
    give_up = time.monotonic() + 60
    while not condition():
        assert time.monotonic() < give_up, "it did not come about"
        time.sleep(0.01)


class Interrupt:
    """Stands in for ``power.line``: interrupts who waits for the power process to boot."""

    def __init__(self, directory: Path, *, late: bool) -> None:
        self._directory = directory
        self._late = late
        self._line = power.line
        self._asked = 0
        self.nodes: list[int] = []  # what the power process has started by then

    def __call__(self, directory: Path) -> object:
        self._asked += 1
        if self._asked != 2:  # at first it is asked whether there is such a process
            return self._line(directory)
        if self._late:
            _wait_for(self._has_begun)
        raise KeyboardInterrupt

    def _has_begun(self) -> bool:
        self.nodes = [child for keeper in _keepers(self._directory) for child in _children(keeper)]
        return bool(self.nodes)


@pytest.mark.parametrize("late", [False, True])
def test_an_interrupted_init_leaves_nothing(
    directory: Path,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
    late: bool,  # noqa: FBT001 - a parameter of the test
) -> None:
    interrupt = Interrupt(directory, late=late)
    with monkeypatch.context() as patch:
        patch.setattr(power, "line", interrupt)

        assert _init(directory) == INTERRUPTED

    assert capfd.readouterr().err == "extstorage: interrupted\n"
    assert not directory.exists()
    # A supervisor that was only just forked ends by itself, once it finds its creator gone.
    _wait_for(lambda: not _keepers(directory) and not any(map(_lives, interrupt.nodes)))
    assert not directory.exists()
    assert _init(directory) == 0


def _interrupted(*_arguments: object) -> None:
    raise KeyboardInterrupt


def _lose_power(directory: Path) -> None:
    for keeper in _keepers(directory):
        os.kill(keeper, signal.SIGKILL)
    _wait_for(lambda: _is_off(directory))


def _is_off(directory: Path) -> bool:
    """Return whether nobody can ask for anything; a killed process has its socket to the last."""
    line = power.line(directory)
    if line is not None:
        line.close()
    return line is None


def test_a_boot_after_a_power_loss_that_is_interrupted_is_made_again(
    directory: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    assert _init(directory) == 0
    _lose_power(directory)
    with monkeypatch.context() as patch:
        patch.setattr(machines, "install", _interrupted)
        assert _type(directory, "gnt-storage", "diagnose") == INTERRUPTED
    assert _keepers(directory) == []

    capfd.readouterr()
    assert _type(directory, "gnt-storage", "diagnose") == 0

    assert "not found" not in capfd.readouterr().out


def test_a_boot_of_a_node_that_is_interrupted_is_undone(
    directory: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    assert _init(directory) == 0
    assert _type(directory, "cluster", "kill", "node1") == 0
    with monkeypatch.context() as patch:
        patch.setattr(machines, "install", _interrupted)
        assert _type(directory, "cluster", "boot", "node1") == INTERRUPTED

    assert _type(directory, "cluster", "boot", "node1") == 0
    assert _type(directory, "cluster", "boot", "node1") != 0
    capfd.readouterr()
    assert _type(directory, "gnt-storage", "diagnose") == 0

    assert "not found" not in capfd.readouterr().out
