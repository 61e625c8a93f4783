"""A guest loses its power while it writes: what it was told is on disk is on disk."""

from __future__ import annotations

import threading
import time
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from extstorage.nodes.guests import GuestNode, GuestNodes
from extstorage.nodes.node import NodeUnreachable
from tests import power_cuts
from tests.nodes.conftest import need_guests

if TYPE_CHECKING:
    from collections.abc import Iterator

WRITER = """
import mmap, os
def write(device, told):
    disk = os.open(device, os.O_RDWR | os.O_DIRECT | os.O_SYNC)
    log = os.open(told, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    block = mmap.mmap(-1, 4096)
    for number in range(4000):
        block[:] = b"%08d" % number * 512
        os.pwrite(disk, block, number * 4096)
        os.write(log, b"%d\\n" % number)
        os.fsync(log)
def wrong(device, count):
    disk = os.open(device, os.O_RDONLY)
    return [n for n in range(count) if os.pread(disk, 4096, n * 4096) != b"%08d" % n * 512]
"""


@pytest.fixture(scope="module")
def directory(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("power")


@pytest.fixture(scope="module")
def group(directory: Path) -> Iterator[GuestNodes]:
    need_guests()
    guests = GuestNodes(2, str(directory), (32 << 20,))
    with guests:
        yield guests


@pytest.mark.parametrize("blocks", [1, 40, 300])
def test_synced_blocks_outlive_a_power_cut(group: GuestNodes, directory: Path, blocks: int) -> None:
    writer, reader = group.nodes
    path = str(directory / f"told {blocks}")
    cut: list[bool] = []
    thread = threading.Thread(target=lambda: cut.append(interrupted(writer, path)))
    thread.start()
    give_up = time.monotonic() + 60
    while count(path) < blocks:
        assert time.monotonic() < give_up
        time.sleep(0.005)
    power_cuts.cut(writer)
    thread.join()
    assert cut == [True]
    written = count(path)
    assert written >= blocks
    assert reader.run_python(WRITER, "wrong", "/dev/ubdb", written) == []
    writer.start()
    assert writer.run_python(WRITER, "wrong", "/dev/ubdb", written) == []


def interrupted(node: GuestNode, path: str) -> bool:
    """Write until the power is cut; return whether it was."""
    try:
        node.run_python(WRITER, "write", "/dev/ubdb", path)
    except NodeUnreachable:
        return True
    return False


def count(path: str) -> int:
    """Return how many blocks the guest was told are on disk."""
    file = Path(path)
    return file.read_bytes().count(b"\n") if file.exists() else 0
