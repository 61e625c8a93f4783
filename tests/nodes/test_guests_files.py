"""Guests that share files: what one writes the other reads, and locks hold between kernels."""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING

import pytest

from extstorage.nodes import guest_registers, guest_supervisor
from extstorage.nodes.guests import GuestNodes
from extstorage.nodes.node import Command, NodeError
from tests.nodes.conftest import need_guests

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from extstorage.nodes.guests import GuestNode

LOCKS = """
import fcntl, os, struct, time
RANGE = struct.pack("hhqqixxxx", fcntl.F_WRLCK, os.SEEK_SET, 7, 1, 0)
KINDS = {
    "flock": lambda file: fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB),
    "byte range": lambda file: fcntl.fcntl(file, fcntl.F_OFD_SETLK, RANGE),
}
def is_free(path, kind):
    file = os.open(path, os.O_RDWR | os.O_CREAT)
    try:
        KINDS[kind](file)
    except BlockingIOError:
        return False
    return True
def hold(path, kind):
    file = os.open(path, os.O_RDWR | os.O_CREAT)
    KINDS[kind](file)
    if os.fork() == 0:
        os.setsid()
        null = os.open("/dev/null", os.O_RDWR)
        for descriptor in {int(name) for name in os.listdir("/proc/self/fd")} - {file, null}:
            try:
                os.close(descriptor)
            except OSError:
                pass
        time.sleep(600)
        os._exit(0)
"""


@pytest.fixture(scope="module")
def directory(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("files") / "shared"


@pytest.fixture(scope="module")
def pair(directory: Path) -> Iterator[Sequence[GuestNode]]:
    need_guests()
    for program in ("exportfs", "mkfs.xfs", "mount.nfs4"):
        if not shutil.which(program, path=guest_supervisor.TOOLS):
            pytest.skip(f"needs {program}: apt-get install nfs-kernel-server xfsprogs")
    with GuestNodes(2, str(directory), file_server=True) as nodes:
        yield nodes


def do(node: GuestNode, script: str) -> str:
    path = {"PATH": "/usr/sbin:/usr/bin:/sbin:/bin"}
    done = node.run(Command(("/bin/sh", "-ec", script), path, "/", timeout_s=60))
    assert done.exit_code == 0, done
    return done.stdout.decode()


def test_what_one_writes_the_other_reads(pair: Sequence[GuestNode], directory: Path) -> None:
    first, second = pair
    do(first, f"echo one >{directory}/file; exec 9<{directory}/file")
    assert do(second, f"cat {directory}/file") == "one\n"
    do(second, f"echo two >{directory}/file")
    assert do(first, f"cat {directory}/file") == "two\n"
    assert not directory.exists()


def test_a_loop_device_reads_what_the_other_guests_has_written(
    pair: Sequence[GuestNode], directory: Path
) -> None:
    first, second = pair
    do(first, f"truncate -s 4M {directory}/disk")
    attach = f"losetup --direct-io=on --find --show {directory}/disk"
    devices = [do(node, attach).strip() for node in pair]
    read = "dd if={} iflag=direct bs=4k count=1 status=none | tr -d '\\0'"
    assert do(second, read.format(devices[1])) == ""
    write = "echo text | dd of={} oflag=direct bs=4k conv=sync,fsync status=none"
    do(first, write.format(devices[0]))
    assert do(second, read.format(devices[1])) == "text\n"
    for node, device in zip(pair, devices, strict=True):
        do(node, f"losetup --detach {device}")


def test_a_copy_shares_its_blocks(pair: Sequence[GuestNode], directory: Path) -> None:
    do(pair[0], f"head -c 1M /dev/urandom >{directory}/origin")
    do(pair[0], f"cp --reflink=always {directory}/origin {directory}/copy")
    do(pair[1], f"cmp {directory}/origin {directory}/copy")


@pytest.mark.parametrize("kind", ["flock", "byte range"])
def test_a_lock_holds_between_kernels_until_its_holder_has_no_power(
    pair: Sequence[GuestNode], directory: Path, kind: str
) -> None:
    first, second = pair
    path = f"{directory}/lock of {kind}"
    assert second.run_python(LOCKS, "is_free", path, kind)
    first.run_python(LOCKS, "hold", path, kind)
    assert not second.run_python(LOCKS, "is_free", path, kind)
    first.kill()
    assert second.run_python(LOCKS, "is_free", path, kind)
    first.start()
    assert do(first, f"ls {directory}").split()
    assert first.run_python(LOCKS, "is_free", path, kind)


def test_what_is_missing_is_told(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    need_guests()
    for program in ("linux.uml", "mkfs.ext4"):
        found = shutil.which(program, path=guest_supervisor.TOOLS)
        assert found
        (tmp_path / program).symlink_to(found)
    monkeypatch.setattr(guest_supervisor, "TOOLS", str(tmp_path))
    monkeypatch.setattr(guest_registers, "are_unknown", lambda: False)  # that needs gcc
    with pytest.raises(NodeError, match="needs exportfs: apt-get install nfs-kernel-server"):
        GuestNodes(1, "/srv/pool", file_server=True).__enter__()


def test_a_directory_is_needed() -> None:
    need_guests()
    with pytest.raises(NodeError, match="a file server needs a directory"):
        GuestNodes(1, file_server=True).__enter__()
