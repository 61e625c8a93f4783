"""Guests that share a volume group, and the provider's scripts called on them."""

from __future__ import annotations

import contextlib
import ctypes.util
import shutil
import subprocess
import threading
import uuid
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING

import pytest

from extstorage.nodes.guests import GuestNodes, missing
from extstorage.nodes.node import Command
from tests import power_cuts
from tests.reference_providers.nodes import Answer

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from extstorage.nodes.guests import GuestNode

LVM = Path(__file__).parents[2] / "reference-providers" / "lvm"
GROUP = "shared-group"
AREA = "extstorage+area"
MIB = 1024 * 1024
PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
IO_TIMEOUT_S = 1  # of sanlock: as short as it takes, so that tests do not wait
DEAD_AFTER_S = 75
"""When sanlock gives a node up: 8 times its time-out, and the minute that a watchdog has."""
_TOOLS = {"lvcreate": "lvm2", "thin_check": "thin-provisioning-tools", "sanlock": "sanlock"}
_LOCKD = {"lvmlockd": "lvm2-lockd"}


def need_lvm(more: Mapping[str, str] = MappingProxyType({})) -> None:
    """Skip the test where there can be no guests, or nothing of LVM (and ``more``) in them."""
    lacking = missing()
    if lacking:
        pytest.skip(f"needs guests: {lacking}")
    for tool, package in {**_TOOLS, **more}.items():
        if shutil.which(tool, path=PATH) is None:
            pytest.skip(f"needs {tool}: apt-get install {package}")
    if ctypes.util.find_library("sanlock_client") is None:
        pytest.skip("needs sanlock's client library: apt-get install libsanlock-client1")


def new_volume(number: int = 1) -> str:
    """Return a volume's name as Ganeti makes it."""
    return f"{uuid.uuid4()}.ext.disk{number}"


class LvmNode:
    """A guest, calling the provider as Ganeti's node daemon does."""

    def __init__(self, guest: GuestNode, number: int, provider: Path) -> None:
        self.guest = guest
        self.number = number
        self.provider = provider
        self.parameters = {"EXTP_GROUP": GROUP}

    def environment(self) -> dict[str, str]:
        """Return what every command on the node has."""
        return {"PATH": PATH, "HOME": "/root", "LC_ALL": "C", "DM_DISABLE_UDEV": "1"}

    def shell(self, text: str, *, timeout_s: float = 120) -> str:
        """Run the shell command, which must succeed; return its stdout."""
        argv = ("/bin/sh", "-c", f"exec 2>&1; {text}")
        done = self.guest.run(Command(argv, self.environment(), "/", timeout_s=timeout_s))
        output = done.stdout.decode(errors="backslashreplace")
        assert done.exit_code == 0, f"{self.guest.name}: {text}: {output}"
        return output

    def call(self, method: str, volume: str, **variables: str) -> Answer:
        """Run the script of ``method``."""
        environment = {
            **self.environment(),
            "EXTP_PROVIDER": self.provider.name,
            "EXTP_ACCESS": "kernelspace",
            **self.parameters,
            "VOL_NAME": volume,
            **variables,
        }
        command = Command(
            (str(self.provider / method),), environment, str(self.provider), timeout_s=300
        )
        done = self.guest.run(command)
        texts = [each.decode(errors="backslashreplace") for each in (done.stdout, done.stderr)]
        status = done.exit_code if done.exit_code is not None else -(done.signal or 0)
        return Answer(subprocess.CompletedProcess(method, status, *texts))

    def do(self, method: str, volume: str, **variables: str) -> str:
        """Run the script of ``method``, which must succeed; return its stdout."""
        answer = self.call(method, volume, **variables)
        assert answer.exit_code == 0, f"{self.guest.name}: {method}: {answer}"
        return answer.stdout

    def refuse(self, method: str, volume: str, **variables: str) -> str:
        """Run the script of ``method``, which must fail with one line; return that line."""
        answer = self.call(method, volume, **variables)
        assert answer.exit_code in (1, 2), f"{self.guest.name}: {method}: {answer}"
        assert answer.stdout == ""
        assert answer.stderr.isascii()
        assert answer.stderr.count("\n") == 1, answer.stderr
        return answer.stderr

    def volumes(self) -> list[str]:
        """Return the names of all volumes of the group but the area, hidden and foreign ones too.

        lvmlockd's own is left out as well.
        What the provider has made is named without the ``+lvm`` at the end.
        """
        names = self.shell(f"lvs --all --noheadings --options lv_name {GROUP}").split()
        return sorted(
            name.removesuffix("+lvm") for name in names if name not in (AREA, "[lvmlock]")
        )

    def report(self, volume: str, field: str) -> str:
        """Return what LVM reports of a volume."""
        text = self.shell(f"lvs --noheadings --nosuffix --units b -o {field} {GROUP}/{volume}+lvm")
        return text.strip()

    def mappings(self) -> list[str]:
        """Return the devices of device-mapper, without the area and what lvmlockd has."""
        names = self.shell("ls /dev/mapper").split()
        others = ("control", AREA, "-lvmlock")
        return sorted(name for name in names if not name.endswith(others))

    def write(self, device: str, text: str, *, mib: int = 0) -> None:
        """Write a block of ``text`` at an offset, past the page cache."""
        self.shell(
            f"yes '{text}' | head -c 4096 |"
            f" dd of={device} bs=4096 seek={mib * 256} oflag=direct conv=notrunc iflag=fullblock"
        )

    def read(self, device: str, *, mib: int = 0) -> str:
        """Return the first line at an offset, past the page cache."""
        text = self.shell(
            f"dd if={device} bs=4096 count=1 skip={mib * 256} iflag=direct 2>/dev/null |"
            " tr -d '\\0'"
        )
        return text.split("\n", 1)[0]

    def size(self, device: str) -> int:
        """Return the size of a device in bytes."""
        return int(self.shell(f"blockdev --getsize64 {device}"))

    def start_sanlock(self) -> None:
        """Start sanlock, without a watchdog."""
        self.shell(
            "mkdir -p /run/sanlock &&"
            " sanlock daemon -e $(uname -n) -w 0 -U root -G root -h 0 -l 0 &&"
            " until sanlock client status >/dev/null; do sleep 0.05; done"
        )

    def join(self) -> None:
        """Take part in the group's area, as after a boot."""
        self.start_sanlock()
        self.shell(f"{self.provider}/area join {GROUP} {self.number} {IO_TIMEOUT_S}")

    def start_lvmlockd(self) -> None:
        """Start sanlock and, under this node's number, lvmlockd."""
        self.start_sanlock()
        settings = f"global {{ use_lvmlockd = 1 }} local {{ host_id = {self.number} }}"
        self.shell(
            f"echo '{settings}' >>/etc/lvm/lvmlocal.conf && mkdir -p /run/lvm &&"
            f" lvmlockd --gl-type sanlock --sanlock-timeout {IO_TIMEOUT_S}"
        )

    def start_locks(self) -> None:
        """Take part in the group that lvmlockd locks, as after a boot."""
        # Without udev, the first command makes the lockspace's device and does not find it yet.
        self.shell(f"vgchange --lock-start {GROUP} || vgchange --lock-start {GROUP}")
        self.shell(f"{self.provider}/area join {GROUP} {self.number}")

    def power_cut(self) -> None:
        """Lose all that is not on a disk."""
        power_cuts.cut(self.guest)

    def boot(self) -> None:
        """Come back after a power cut."""
        self.guest.start()
        self.join()


@contextlib.contextmanager
def stopped_at(
    system_call: str, node: LvmNode, method: str, volume: str, **variables: str
) -> Iterator[list[str]]:
    """Run the script of ``method``; for the block it stands still after its first ``system_call``.

    Of its own, not of the commands that it runs. At the block's end it goes on until it has ended;
    the list then holds its exit code and what it printed.
    """
    values = {**node.parameters, "VOL_NAME": volume, **variables}
    words = " ".join(f"{name}={value}" for name, value in values.items())
    # A session of its own: the kernel hangs up on what stands still when its group's shell ends.
    strace = f"setsid --wait strace -qq -o /run/trace -e trace={system_call}"
    node.shell(
        f"cd {node.provider}; rm -f /run/ended /run/trace;"
        f" {{ {strace} -e inject={system_call}:signal=STOP:when=1 env {words} ./{method};"
        " echo $? >/run/ended; } >/run/output 2>&1 &"
        " until grep -q 'stopped by SIGSTOP' /run/trace 2>/dev/null; do sleep 0.1; done",
        timeout_s=60,
    )
    ended: list[str] = []
    try:
        yield ended
    finally:
        ended += node.shell(
            f"pkill -CONT -x {method}; until test -s /run/ended; do sleep 0.1; done;"
            " cat /run/ended /run/output",
            timeout_s=60,
        ).split("\n", 1)


@contextlib.contextmanager
def slow_to_wipe(node: LvmNode, volume: str) -> Iterator[None]:
    """Let a call grow the volume from 4 to 8 MiB; for the block, it writes zeros."""
    variables = {"EXTP_WIPE": "yes", "VOL_SIZE": "4", "VOL_NEW_SIZE": "8"}
    with stopped_at("fsync", node, "grow", volume, **variables) as ended:
        yield
    assert ended == ["0", ""]


def at_once(*calls: tuple[LvmNode, str, str, dict[str, str]]) -> list[Answer]:
    """Run the calls at the same time; return what became of each."""
    answers: list[Answer | None] = [None] * len(calls)

    def run(place: int) -> None:
        node, method, volume, variables = calls[place]
        answers[place] = node.call(method, volume, **variables)

    threads = [threading.Thread(target=run, args=(place,)) for place in range(len(calls))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return [answer for answer in answers if answer is not None]


def open_(node: LvmNode, volume: str, *, exclusive: bool) -> None:
    """Open the volume, which must succeed."""
    node.do("open", volume, VOL_OPEN_EXCLUSIVE=str(exclusive))


def _nodes(guests: Iterable[GuestNode], directory: Path) -> list[LvmNode]:
    # A checkout may lie where guests see nothing; what they share they see.
    provider = Path(shutil.copytree(LVM, directory / "lvm", dirs_exist_ok=True))
    return [LvmNode(guest, number, provider) for number, guest in enumerate(guests, 1)]


@contextlib.contextmanager
def guests(count: int, directory: Path) -> Iterator[list[LvmNode]]:
    """Boot guests with a group on the first shared disk, and a second disk that is free."""
    need_lvm()
    with GuestNodes(count, str(directory), [1024 * MIB, 512 * MIB]) as found:
        nodes = _nodes(found, directory)
        nodes[0].start_sanlock()
        nodes[0].shell(f"vgcreate --quiet {GROUP} /dev/ubdb")
        nodes[0].shell(f"{nodes[0].provider}/area make {GROUP} {IO_TIMEOUT_S}")
        nodes[0].shell(f"{nodes[0].provider}/area join {GROUP} 1 {IO_TIMEOUT_S}")
        for node in nodes[1:]:
            node.join()
        yield nodes


@contextlib.contextmanager
def locked_guests(count: int, directory: Path) -> Iterator[list[LvmNode]]:
    """Boot guests with a group that lvmlockd locks."""
    need_lvm(_LOCKD)
    with GuestNodes(count, str(directory), [1024 * MIB]) as found:
        nodes = _nodes(found, directory)
        for node in nodes:
            node.start_lvmlockd()
        nodes[0].shell(f"vgcreate --quiet --shared --lock-type sanlock {GROUP} /dev/ubdb")
        nodes[0].shell(f"{nodes[0].provider}/area make {GROUP}")
        for node in nodes:
            node.start_locks()
        yield nodes


def clear_away(nodes: list[LvmNode]) -> None:
    """Remove every volume and mapping that a test has left."""
    for node in nodes:
        for _ in range(3):  # snapshots and pools lie above others
            for name in node.mappings():
                node.shell(f"dmsetup remove --retry {name} || true")
    select = f"lv_name!={AREA}"
    nodes[0].shell(f"lvremove --yes --force --select '{select}' {GROUP} || true")
