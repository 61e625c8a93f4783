"""Snapshots of a volume that is being written to."""

from __future__ import annotations

import mmap
import os
import struct
import threading
import time
from typing import TYPE_CHECKING, Self

import pytest

from tests.reference_providers.nodes import MIB, VOLUME, Node, files, read, refusal

if TYPE_CHECKING:
    from pathlib import Path

    from tests.reference_providers.file_systems import FileSystems

SNAPSHOT = f"{VOLUME}.snap"
TAKEN = {"VOL_SNAPSHOT_NAME": SNAPSHOT, "VOL_SNAPSHOT_SIZE": "16"}
FIRST, LAST = 0, 15 * MIB


class Writer(threading.Thread):
    """Writes a rising number to the first block, then to the last one, without any cache."""

    def __init__(self, device: str, pause_s: float = 0) -> None:
        super().__init__()
        self.written = 0
        self._descriptor = os.open(device, os.O_RDWR | os.O_DIRECT)
        self._block = mmap.mmap(-1, 4096)  # aligned, as direct I/O asks for
        self._pause_s = pause_s
        self._stopped = threading.Event()

    def run(self) -> None:
        """Write until stopped; Linux gives the priority to this thread alone."""
        os.setpriority(os.PRIO_PROCESS, 0, -20)  # a busy machine is to let it write during a copy
        while not self._stopped.is_set():
            struct.pack_into("<Q", self._block, 0, self.written + 1)
            for offset in (FIRST, LAST):
                os.pwrite(self._descriptor, self._block, offset)
            self.written += 1
            time.sleep(self._pause_s)

    def __enter__(self) -> Self:
        self.start()
        while self.written < 2:
            time.sleep(0.001)
        return self

    def __exit__(self, *_: object) -> None:
        self._stopped.set()
        self.join()
        os.close(self._descriptor)


@pytest.fixture
def origin(node: Node) -> str:
    """The device of a volume of 16 MiB; the test has set the directory before."""
    node.do("create", VOL_SIZE="16")
    return node.do("attach")


def number(device: str, offset: int) -> int:
    """Return the number in the block at ``offset``."""
    value: int = struct.unpack("<Q", read(device, offset, 8))[0]
    return value


def is_one_moment(device: str) -> bool:
    """Return whether both blocks are of one moment of the writer's work."""
    return number(device, FIRST) - number(device, LAST) in (0, 1)


@pytest.mark.parametrize(("kind", "options"), [("xfs", ["-m", "reflink=1"]), ("btrfs", [])])
def test_where_blocks_are_shared_a_busy_volume_is_frozen_at_one_moment(
    node: Node, make_file_system: FileSystems, kind: str, options: list[str]
) -> None:
    node.parameters["EXTP_DIRECTORY"] = str(make_file_system(kind, "512M", *options))
    node.do("create", VOL_SIZE="16")
    with Writer(node.do("attach")) as writer:
        before = writer.written
        node.do("snapshot", **TAKEN)
        after = writer.written
    assert before < after
    frozen = node.do("attach", SNAPSHOT)
    assert is_one_moment(frozen)
    assert before <= number(frozen, FIRST) <= after + 1


def busy_pool(node: Node, make_file_system: FileSystems, inode_size: int) -> Path:
    """Give the node a pool without shared blocks, and a volume in it; return the pool."""
    pool = make_file_system("ext4", "128M", "-I", f"{inode_size}")
    node.parameters["EXTP_DIRECTORY"] = str(pool)
    node.do("create", VOL_SIZE="16")
    return pool


@pytest.mark.slow
def test_where_blocks_are_copied_a_busy_volume_is_refused(
    node: Node, make_file_system: FileSystems
) -> None:
    pool = busy_pool(node, make_file_system, 128)  # times in whole seconds: nothing rests so long
    with Writer(node.do("attach")):
        line = node.refuse("snapshot", **TAKEN)
    assert "written to during every copy" in line
    assert not [name for name in files(pool / "loopback") if "snap" in name]
    node.do("snapshot", **TAKEN)


@pytest.mark.slow
def test_where_blocks_are_copied_a_busy_volumes_copy_is_whole(
    node: Node, make_file_system: FileSystems
) -> None:
    busy_pool(node, make_file_system, 256)
    with Writer(node.do("attach")):
        answer = node.call("snapshot", **TAKEN)
    # A busy machine may let the writer rest for the moment of a copy.
    if answer.exit_code == 0:
        assert is_one_moment(node.do("attach", SNAPSHOT))
    else:
        assert "written to during every copy" in refusal(answer)


def test_where_blocks_are_copied_a_copy_is_of_one_moment(node: Node, origin: str) -> None:
    with Writer(origin, pause_s=0.04):
        for count in range(10):
            node.do("snapshot", VOL_SNAPSHOT_NAME=f"copy{count}", VOL_SNAPSHOT_SIZE="16")
    for count in range(10):
        assert is_one_moment(node.do("attach", f"copy{count}"))


def test_a_copy_has_every_block_and_keeps_the_holes(node: Node, base: Path, origin: str) -> None:
    blocks = {offset: os.urandom(4096) for offset in (0, 4096, 5 * MIB, 16 * MIB - 4096)}
    descriptor = os.open(origin, os.O_RDWR)
    try:
        for offset, block in blocks.items():
            os.pwrite(descriptor, block, offset)
    finally:
        os.close(descriptor)
    node.do("snapshot", **TAKEN)
    copy = base / f"pool/loopback/{SNAPSHOT}/data"
    assert copy.read_bytes() == (base / f"pool/loopback/{VOLUME}/data").read_bytes()
    assert copy.read_bytes()[5 * MIB : 5 * MIB + 4096] == blocks[5 * MIB]
    assert copy.stat().st_blocks * 512 < 2 * MIB
