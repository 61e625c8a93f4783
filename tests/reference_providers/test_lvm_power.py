"""A node loses its power, at every step of every method and while it writes."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import pytest

from extstorage.nodes.node import NodeUnreachable
from tests.reference_providers.lvm import (
    AREA,
    DEAD_AFTER_S,
    GROUP,
    MIB,
    new_volume,
    open_,
)

if TYPE_CHECKING:
    from tests.reference_providers.lvm import LvmNode

pytestmark = pytest.mark.slow


def created(node: LvmNode, mib: int = 8) -> tuple[str, str]:
    """Create and attach; return the volume's name and its device."""
    volume = new_volume()
    node.do("create", volume, VOL_SIZE=str(mib))
    return volume, node.do("attach", volume)


def test_failover_from_a_dead_node_and_its_return(pair: list[LvmNode]) -> None:
    dead, survivor = pair
    volume, device = created(dead)
    open_(dead, volume, exclusive=True)
    dead.write(device, "synced")
    dead.power_cut()
    try:
        assert survivor.do("attach", volume) == device
        assert survivor.read(device) == "synced"
        line = survivor.refuse("open", volume, VOL_OPEN_EXCLUSIVE="True")
        assert "node node1.example.com has it open exclusive" in line
        give_up = time.monotonic() + 2 * DEAD_AFTER_S
        while survivor.call("open", volume, VOL_OPEN_EXCLUSIVE="True").exit_code != 0:
            assert time.monotonic() < give_up
            time.sleep(2)
        survivor.do("create", new_volume(), VOL_SIZE="4")
    finally:
        dead.boot()
    assert dead.mappings() == []
    dead.do("attach", volume)
    line = dead.refuse("open", volume, VOL_OPEN_EXCLUSIVE="True")
    assert "node node2.example.com has it open exclusive" in line
    dead.do("detach", volume)
    survivor.write(device, "untouched")


def test_the_administrator_can_say_that_a_node_is_dead(pair: list[LvmNode]) -> None:
    dead, survivor = pair
    volume, _ = created(dead)
    open_(dead, volume, exclusive=True)
    survivor.do("attach", volume)
    dead.power_cut()
    try:
        survivor.refuse("open", volume, VOL_OPEN_EXCLUSIVE="True")
        survivor.shell(f"{survivor.provider}/area forget {GROUP} {dead.number}")
        survivor.do("open", volume, VOL_OPEN_EXCLUSIVE="True")
    finally:
        dead.boot()


def promised_blocks(node: LvmNode) -> int:
    """Return the number of the last block that the writer knows to be on the disk."""
    text = node.shell("dd if=/dev/ubdc bs=4096 count=1 iflag=direct 2>/dev/null")[:8]
    return int(text.strip("\0") or "0")


def test_synced_data_is_there_after_a_power_cut_during_io(pair: list[LvmNode]) -> None:
    node, other = pair
    volume, device = created(node, 16)
    node.shell(
        f"""cat > /run/writer.py <<'END'
import mmap, os
device = os.open("{device}", os.O_RDWR | os.O_DIRECT)
log = os.open("{{log}}", os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
buffer = mmap.mmap(-1, 4096)
for count in range(1, 100000):
    buffer[:8] = b"%08d" % count
    os.pwritev(device, [buffer], count % 4096 * 4096)
    os.fsync(device)
    os.pwrite(log, b"%08d" % count, 0)
    os.fsync(log)
END
sed -i 's#{{log}}#/dev/ubdc#' /run/writer.py
/usr/bin/python3 /run/writer.py >/dev/null 2>&1 &"""
    )
    give_up = time.monotonic() + 60
    while promised_blocks(other) < 100:
        assert time.monotonic() < give_up
    node.power_cut()
    try:
        promised = promised_blocks(other)
        assert promised >= 100
        assert other.do("attach", volume) == device
        for count in range(max(1, promised - 20), promised + 1):
            text = other.shell(
                f"dd if={device} bs=4096 count=1 skip={count % 4096} iflag=direct 2>/dev/null"
            )
            assert int(text[:8]) >= count
        other.do("detach", volume)
    finally:
        node.boot()


STEPS = {
    "create": {"VOL_SIZE": "8"},
    "attach": {},
    "detach": {},
    "remove": {},
    "grow": {"VOL_SIZE": "8", "VOL_NEW_SIZE": "16"},
    "setinfo": {"VOL_METADATA": "originstname+new"},
    "snapshot": {"VOL_SNAPSHOT_NAME": "frozen", "VOL_SNAPSHOT_SIZE": "8"},
    "open": {"VOL_OPEN_EXCLUSIVE": "True"},
    "close": {},
}
"""Each method, and the variables of its call."""


def cut_during(node: LvmNode, method: str, volume: str, after_s: float) -> bool:
    """Cut the node's power some time after the call began; return whether it had ended."""
    import threading  # noqa: PLC0415

    ended: list[bool] = []

    def call() -> None:
        try:
            node.call(method, volume, **STEPS[method])
        except NodeUnreachable:
            return
        ended.append(True)

    thread = threading.Thread(target=call)
    thread.start()
    thread.join(after_s)
    node.power_cut()
    thread.join()
    return bool(ended)


def prepare(node: LvmNode, method: str) -> str:
    """Bring a volume to where the method is called."""
    volume = new_volume()
    if method != "create":
        node.do("create", volume, VOL_SIZE="8")
    if method not in ("create", "attach", "remove"):
        device = node.do("attach", volume)
        node.write(device, "synced", mib=3)
    return volume


def expect_whole(node: LvmNode, method: str, volume: str) -> None:
    """The call can be made again, and the data are as before."""
    answer = node.call("attach", volume)
    if method in ("create", "remove") and answer.exit_code != 0:
        assert "no such volume" in answer.stderr, answer
        return
    assert answer.exit_code == 0, answer
    size = node.size(answer.stdout)
    assert size in ({8 * MIB, 16 * MIB} if method == "grow" else {8 * MIB})
    if method not in ("create", "attach", "remove"):
        assert node.read(answer.stdout, mib=3) == "synced"
    if method == "snapshot":
        node.do("grow", volume, VOL_SIZE="8", VOL_NEW_SIZE="8")
        again = node.call("snapshot", volume, **STEPS["snapshot"])
        assert again.exit_code == 0 or "the volume exists" in again.stderr, again
        assert node.read(node.do("attach", "frozen"), mib=3) == "synced"
        node.do("detach", "frozen")
        node.do("remove", "frozen")


@pytest.mark.parametrize("method", STEPS)
def test_power_cut_at_each_step(pair: list[LvmNode], method: str) -> None:
    node, other = pair
    after_s = 0.15
    while True:
        volume = prepare(node, method)
        ended = cut_during(node, method, volume, after_s)
        node.boot()
        expect_whole(node, method, volume)
        for name in (volume, "frozen"):
            node.do("detach", name)
            other.do("remove", name)
        assert other.volumes() == []
        if ended:
            return
        after_s += 0.3


def test_the_lease_of_a_node_that_died_with_it_is_given_on(pair: list[LvmNode]) -> None:
    node, other = pair
    node.shell(f"flock /run/lock/lvm/V_{GROUP} sleep 60 >/dev/null 2>&1 & sleep 0.3")
    assert not cut_during(node, "create", new_volume(), 2.5)
    try:
        began = time.monotonic()
        other.do("create", new_volume(), VOL_SIZE="4")
        assert time.monotonic() - began < 2 * DEAD_AFTER_S
    finally:
        node.boot()
    assert AREA not in node.volumes()
