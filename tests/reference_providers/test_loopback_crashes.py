"""Every method, killed at each step that it takes, and called again."""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING

import pytest

from tests.reference_providers.nodes import (
    MIB,
    VOLUME,
    Node,
    files,
    is_read_only,
    mapped,
    read,
    size,
    write,
)

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

pytestmark = pytest.mark.slow

STEPS = (
    "mkdir", "rename", "symlink", "unlink", "rmdir", "ioctl", "ftruncate", "fallocate", "fsync",
    "fcntl", "flock", "pwrite64",
)  # fmt: skip
"""The system calls that change something or ask for a lock; all else lies between two of these."""
SNAPSHOT = f"{VOLUME}.snap"
DATA = b"data" * 128
KILLED = -9


@pytest.fixture
def victim(node: Node) -> Node:
    """A node whose calls can be killed at a step, with the compiled code already there."""
    if shutil.which("strace") is None:
        pytest.skip("needs strace, to kill a script at each of its system calls: install it")
    node.do("create", "warm", VOL_SIZE="1")
    node.do("attach", "warm")
    node.do("open", "warm", VOL_OPEN_EXCLUSIVE="True")
    node.do("snapshot", "warm", VOL_SNAPSHOT_NAME="warmer", VOL_SNAPSHOT_SIZE="1")
    for volume in ("warm", "warmer"):
        node.do("detach", volume)
        node.do("remove", volume)
    return node


def traced(node: Node, *options: str) -> None:
    """Let the node's calls run under strace with ``options``."""
    node.prefix = ("strace", "-o", str(node.run_directory / "trace"), *options)


def steps_of_the_start(node: Node, call: str) -> int:
    """Return how often a script makes the system call before it begins its work."""
    traced(node, "-e", f"trace={call}")
    assert node.call("detach", VOLUME, "--help").exit_code == 0
    text = (node.run_directory / "trace").read_text()
    return text.count(f"{call}(")


def killed(node: Node, method: str, **variables: str) -> Iterator[int]:
    """Kill the method's script at one step after the other; yield after each kill.

    Whoever iterates brings the volume back to where it was before the call.
    """
    kills = 0
    for call in STEPS:
        count = steps_of_the_start(node, call)
        while True:
            count += 1
            traced(node, "-e", f"trace={call}", "-e", f"inject={call}:signal=KILL:when={count}")
            answer = node.call(method, **variables)
            node.prefix = ()
            if answer.exit_code != KILLED:
                assert answer.exit_code == 0, answer
                yield 0
                break
            kills += 1
            yield kills
    assert kills >= 3, f"only {kills} steps of {method} were found"


def prepare(node: Node) -> str:
    """Create, attach and stamp; return the device."""
    node.do("create", VOL_SIZE="4")
    device = node.do("attach")
    write(device, 0, DATA)
    return device


def clear_away(node: Node, base: Path) -> None:
    """Remove the volume; nothing may be left of it anywhere."""
    node.do("detach")
    node.do("remove")
    assert files(base / "pool/loopback") == [".staging"]
    assert mapped(base) == {}


def do_or_exists(node: Node, method: str, **variables: str) -> None:
    """Call the method; that it was done already is as good."""
    answer = node.call(method, **variables)
    assert answer.exit_code == 0 or "the volume exists" in answer.stderr, answer


def test_create(victim: Node, base: Path) -> None:
    for _ in killed(victim, "create", VOL_SIZE="4"):
        do_or_exists(victim, "create", VOL_SIZE="4")
        assert size(victim.do("attach")) == 4 * MIB
        clear_away(victim, base)


def test_remove_after_a_killed_create(victim: Node, base: Path) -> None:
    for _ in killed(victim, "create", VOL_SIZE="4"):
        clear_away(victim, base)


def test_attach(victim: Node, base: Path) -> None:
    prepare(victim)
    victim.do("detach")
    for _ in killed(victim, "attach"):
        device = victim.do("attach")
        assert list(mapped(base)) == [device]
        assert read(device, 0) == DATA
        assert not is_read_only(device)
        victim.do("detach")
        assert mapped(base) == {}


def test_detach_after_a_killed_attach(victim: Node, base: Path) -> None:
    victim.do("create", VOL_SIZE="4")
    for _ in killed(victim, "attach"):
        victim.do("detach")
        assert mapped(base) == {}


def test_detach(victim: Node, base: Path) -> None:
    device = prepare(victim)
    victim.do("close")
    for _ in killed(victim, "detach"):
        victim.do("detach")
        assert mapped(base) == {}
        assert not is_read_only(device)
        device = victim.do("attach")
        assert read(device, 0) == DATA
        victim.do("close")


def test_remove(victim: Node, base: Path) -> None:
    victim.do("create", VOL_SIZE="4")
    for _ in killed(victim, "remove"):
        victim.do("remove")
        assert files(base / "pool/loopback") == [".staging"]
        victim.do("create", VOL_SIZE="4")


@pytest.mark.parametrize("preallocate", ["yes", "no"])
def test_grow(victim: Node, base: Path, preallocate: str) -> None:
    victim.parameters["EXTP_PREALLOCATE"] = preallocate
    device = prepare(victim)
    for _ in killed(victim, "grow", VOL_SIZE="4", VOL_NEW_SIZE="8"):
        victim.do("grow", VOL_SIZE="4", VOL_NEW_SIZE="8")
        assert victim.do("attach") == device
        assert size(device) == 8 * MIB
        assert read(device, 0) == DATA
        clear_away(victim, base)
        device = prepare(victim)


def test_snapshot(victim: Node, base: Path) -> None:
    prepare(victim)
    snapshot = {"VOL_SNAPSHOT_NAME": SNAPSHOT, "VOL_SNAPSHOT_SIZE": "4"}
    for _ in killed(victim, "snapshot", **snapshot):
        do_or_exists(victim, "snapshot", **snapshot)
        assert read(victim.do("attach", SNAPSHOT), 0) == DATA
        victim.do("detach", SNAPSHOT)
        victim.do("remove", SNAPSHOT)
        assert files(base / "pool/loopback/.staging") == []


def test_setinfo(victim: Node, base: Path) -> None:
    victim.do("create", VOL_SIZE="1")
    info = base / f"pool/loopback/{VOLUME}/info"
    victim.do("setinfo", VOL_METADATA="before")
    for _ in killed(victim, "setinfo", VOL_METADATA="after"):
        assert info.read_text() in {"before\n", "after\n"}
        victim.do("setinfo", VOL_METADATA="after")
        assert info.read_text() == "after\n"
        victim.do("setinfo", VOL_METADATA="before")


def test_open(victim: Node, other: Node) -> None:
    device = prepare(victim)
    other.do("attach")
    victim.do("close")
    for _ in killed(victim, "open", VOL_OPEN_EXCLUSIVE="True"):
        victim.do("open", VOL_OPEN_EXCLUSIVE="True")
        assert not is_read_only(device)
        other.refuse("open", VOL_OPEN_EXCLUSIVE="True")
        victim.do("close")


def test_close(victim: Node, other: Node) -> None:
    device = prepare(victim)
    other.do("attach")
    victim.do("open", VOL_OPEN_EXCLUSIVE="True")
    for _ in killed(victim, "close"):
        victim.do("close")
        assert is_read_only(device)
        other.do("open", VOL_OPEN_EXCLUSIVE="True")
        other.do("close")
        victim.do("open", VOL_OPEN_EXCLUSIVE="True")
