"""I/O that waits in the kernel until somebody does something about it."""

from __future__ import annotations

import signal
import subprocess
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING

import pytest

from extstorage_conformance.node_side import processes, side
from extstorage_conformance.node_side.limits import within
from extstorage_conformance.node_side.side import NodeSide
from tests.conformance.loop import loop_device
from tests.reference_providers.file_systems import FileSystems

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

LIMIT_S = 1.0


@pytest.fixture
def file_system(tmp_path: Path) -> Iterator[Path]:
    made = FileSystems(tmp_path)
    try:
        yield made("ext4", "64M")
    finally:
        made.unmount()


@contextmanager
def frozen(file_system: Path) -> Iterator[None]:
    subprocess.run(["fsfreeze", "--freeze", file_system], check=True)
    try:
        yield
    finally:
        subprocess.run(["fsfreeze", "--unfreeze", file_system], check=True)


def test_io_that_never_ends_is_told(file_system: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(side, "_LONGEST_S", LIMIT_S)
    with loop_device(file_system / "image") as device:
        node_side = NodeSide([])
        node_side.answer("write", device, "disk0", [0], 1)
        started = time.monotonic()
        with frozen(file_system), pytest.raises(OSError, match=f"write {device} takes longer than"):
            node_side.answer("write", device, "disk0", [0], 2)
        assert time.monotonic() - started < 5 * LIMIT_S
        node_side.answer("probe", device)


def test_a_script_is_signalled_however_late(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(side, "_LONGEST_S", 0.1)
    with subprocess.Popen(["sleep", "60"], start_new_session=True) as script:
        (tmp_path / "group").write_text(f"{script.pid}\n")
        assert NodeSide([]).answer("signal_group", str(tmp_path / "group"), 0.4, "KILL")
        assert script.wait() == -signal.SIGKILL


def test_a_script_that_does_not_start_is_not_signalled(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(processes, "_LONGEST_START_S", 0.1)
    assert not NodeSide([]).answer("signal_group", str(tmp_path / "group"), 0, "KILL")


def test_what_ends_in_time_says_what_it_says() -> None:
    def refuse() -> None:
        raise TimeoutError(7, "its own")

    assert within(LIMIT_S, lambda: "done", "it") == "done"
    with pytest.raises(TimeoutError, match="its own"):
        within(LIMIT_S, refuse, "it")
