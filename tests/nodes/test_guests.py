"""Guests: what each has for itself, what they share, how they die, and that nothing is left."""

from __future__ import annotations

import os
import platform
import signal
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from extstorage.nodes import guest_supervisor, guests
from extstorage.nodes.guests import GuestNodes
from extstorage.nodes.node import Command, NodeError, NodeUnreachable
from tests.nodes.conftest import need_guests

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from extstorage.nodes.guests import GuestNode

PATH = {"PATH": "/usr/sbin:/usr/bin:/sbin:/bin"}
MIB = 1 << 20


def do(node: GuestNode, script: str) -> str:
    """Run a shell script that must succeed; return what it prints."""
    done = node.run(Command(("/bin/sh", "-ec", script), PATH, "/", timeout_s=60))
    assert done.exit_code == 0, done
    return done.stdout.decode()


def failure(node: GuestNode, script: str) -> Exception:
    with pytest.raises(NodeUnreachable) as caught:
        do(node, script)
    return caught.value


@pytest.fixture(scope="module")
def directory(tmp_path_factory: pytest.TempPathFactory) -> Path:
    need_guests()
    return tmp_path_factory.mktemp("guests")


@pytest.fixture(scope="module")
def group(directory: Path) -> Iterator[GuestNodes]:
    """Two guests with two disks; tests leave them up and connected."""
    guests_of_module = GuestNodes(2, str(directory), (64 * MIB, 32 * MIB))
    with guests_of_module:
        yield guests_of_module


@pytest.fixture
def pair(group: GuestNodes) -> Sequence[GuestNode]:
    return group.nodes


def processes(word: str) -> list[str]:
    """Return the command lines of this machine's processes that have a word."""
    found = []
    for process in Path("/proc").glob("[0-9]*"):
        try:
            line = (process / "cmdline").read_bytes().decode(errors="replace")
        except OSError:
            continue
        if word in line:
            found.append(line)
    return found


def test_each_knows_its_name(pair: Sequence[GuestNode]) -> None:
    for number, node in enumerate(pair, 1):
        name = f"node{number}.example.com"
        assert node.name == node.facts().host_name == name
        assert do(node, "hostname; hostname --fqdn; cat /etc/hostname") == f"{name}\n" * 3
    assert Path("/etc/hostname").read_text() != "node1.example.com\n"


def test_the_kernel_is_the_guests_own_and_commands_are_root(pair: Sequence[GuestNode]) -> None:
    facts = pair[0].facts()
    assert facts.kernel != os.uname().release
    assert facts.is_root
    assert facts.python == platform.python_version()
    assert len({do(node, "cat /proc/sys/kernel/random/boot_id") for node in pair}) == 2


@pytest.mark.parametrize("target", ["snapshot", "thin-pool", "mirror", "raid"])
def test_device_mapper_has_its_targets(pair: Sequence[GuestNode], target: str) -> None:
    assert f"\n{target} " in "\n" + do(pair[0], "dmsetup targets")


OWN_PLACES = "/run /run/lock /tmp /srv /dev/shm /var/lib /var/log/ganeti/extstorage /var/tmp /etc"


@pytest.mark.parametrize("place", OWN_PLACES.split())
def test_each_has_its_own_files(pair: Sequence[GuestNode], place: str) -> None:
    first, second = pair
    do(first, f"echo mine >{place}/note")
    assert do(first, f"cat {place}/note") == "mine\n"
    assert "note" not in do(second, f"ls {place}").split()
    assert not Path(place, "note").exists()


def test_files_of_this_machine_are_there_and_cannot_be_changed(
    pair: Sequence[GuestNode], tmp_path: Path
) -> None:
    with tempfile.NamedTemporaryFile(dir=Path.home()) as file:  # guests have a /tmp of their own
        here, before = Path(file.name), b"as it was\n"
        here.write_bytes(before)
        assert pair[0].read_file(str(here)) == before
        do(pair[0], f"echo broken >{here}")
        assert pair[0].read_file(str(here)) == b"broken\n"
        assert pair[1].read_file(str(here)) == here.read_bytes() == before
    do(pair[0], f"mkdir -p {tmp_path}/new")
    assert not (tmp_path / "new").exists()


def test_the_shared_directory_is_the_same_everywhere(
    pair: Sequence[GuestNode], directory: Path
) -> None:
    first, second = pair
    do(first, f"echo ours >{directory}/note")
    assert do(second, f"cat {directory}/note") == "ours\n"
    assert (directory / "note").read_text() == "ours\n"


def test_disks_are_shared(group: GuestNodes) -> None:
    first, second = group.nodes
    assert [disk.device for disk in group.disks] == ["/dev/ubdb", "/dev/ubdc"]
    for number, disk in enumerate(group.disks, 1):
        assert do(first, f"blockdev --getsize64 {disk.device}") == f"{disk.size_bytes}\n"
        link = f"/dev/disk/by-id/extstorage-disk{number}"
        assert do(second, f"readlink -f {link}") == f"{disk.device}\n"
        do(first, f"echo disk{number} | dd of={disk.device} oflag=direct bs=4k conv=sync")
        read = f"dd if={link} iflag=direct bs=4k count=1 status=none | tr -d '\\0'"
        assert do(second, read) == f"disk{number}\n"
        assert Path(disk.file).stat().st_blocks * 512 < MIB


SERVE = """
import os, socket
def serve(size):
    server = socket.create_server(("", 7777))
    if os.fork():
        return
    os.setsid()
    for descriptor in range(3, 100):
        if descriptor != server.fileno():
            try:
                os.close(descriptor)
            except OSError:
                pass
    os.dup2(os.open("/dev/null", os.O_RDWR), 1)
    os.dup2(1, 2)
    while True:
        with server.accept()[0] as connection:
            connection.sendall(b"x" * size)
"""
FETCH = """
import socket
def fetch(name):
    try:
        connection = socket.create_connection((name, 7777), timeout=3)
    except TimeoutError:
        return "nobody answers"
    size = 0
    while data := connection.recv(1 << 16):
        size += len(data)
    return size
"""


def test_guests_find_each_other_by_name(pair: Sequence[GuestNode]) -> None:
    first, second = pair
    assert [node.address for node in pair] == ["192.0.2.11", "192.0.2.12"]
    size = 5_000_000
    first.run_python(SERVE, "serve", size)
    assert second.run_python(FETCH, "fetch", "node1") == size
    first.cut_off()
    assert second.run_python(FETCH, "fetch", "node1") == "nobody answers"
    first.reconnect()
    assert second.run_python(FETCH, "fetch", first.address) == size
    first.cut_off()
    first.kill()
    first.start()
    first.run_python(SERVE, "serve", 1)
    assert second.run_python(FETCH, "fetch", "node1.example.com") == 1


def test_a_reboot_empties_run_and_keeps_what_was_synced(pair: Sequence[GuestNode]) -> None:
    node = pair[0]
    do(node, "touch /run/a /dev/shm/b /var/lib/c /etc/d /tmp/e /srv/f; sync; touch /srv/g")
    node.kill()
    node.start()
    kept = "ls /run; ls /dev/shm; hostname; test -e /var/lib/c; test -e /etc/d; ls /tmp /srv"
    assert do(node, kept).split()[:2] == ["lock", "node1.example.com"]
    assert {"e", "f"} < set(do(node, kept).split())
    assert "g" not in do(node, "ls /srv").split()


def test_a_copied_directory_outlives_a_power_cut(pair: Sequence[GuestNode], tmp_path: Path) -> None:
    (tmp_path / "provider").mkdir()
    (tmp_path / "provider/attach").write_text("#!/bin/sh\necho here\n")
    (tmp_path / "provider/attach").chmod(0o755)
    pair[0].copy_directory(str(tmp_path / "provider"), "/srv/ganeti/extstorage/provider")
    pair[0].kill()
    pair[0].start()
    assert do(pair[0], "/srv/ganeti/extstorage/provider/attach") == "here\n"


def test_a_power_cut_in_the_middle_of_a_call(pair: Sequence[GuestNode], directory: Path) -> None:
    node = pair[0]
    ended: list[Exception] = []
    script = f"touch {directory}/begun; sleep 60"
    thread = threading.Thread(target=lambda: ended.append(failure(node, script)))
    thread.start()
    while not (directory / "begun").exists():
        time.sleep(0.01)
    node.kill()
    thread.join()
    assert str(ended[0]) == "node1.example.com: its power was cut"
    node.start()
    assert do(node, "echo up") == "up\n"


def test_a_guest_that_is_down(pair: Sequence[GuestNode]) -> None:
    first, second = pair
    first.kill()
    first.kill()
    for call in (first.facts, lambda: first.is_directory("/"), first.cut_off):
        with pytest.raises(NodeUnreachable, match=r"^node1\.example\.com: it is down$"):
            call()
    assert do(second, "echo up") == "up\n"
    first.start()
    with pytest.raises(NodeError, match="it is up: kill it first"):
        first.start()


def test_a_guest_that_switches_itself_off_is_down(pair: Sequence[GuestNode]) -> None:
    node = pair[0]
    assert "its power was cut" in str(failure(node, "echo o >/proc/sysrq-trigger; sleep 60"))
    node.start()
    assert do(node, "echo up") == "up\n"


def test_a_guest_that_is_cut_off_runs_on(pair: Sequence[GuestNode], directory: Path) -> None:
    node = pair[0]
    ended: list[Exception] = []
    script = f"touch {directory}/cut; sleep 0.5; touch {directory}/done"
    thread = threading.Thread(target=lambda: ended.append(failure(node, script)))
    thread.start()
    while not (directory / "cut").exists():
        time.sleep(0.01)
    node.cut_off()
    thread.join()
    assert str(ended[0]) == "node1.example.com: cut off from the network"
    give_up = time.monotonic() + 10
    while not (directory / "done").exists():
        assert time.monotonic() < give_up
    node.reconnect()
    assert do(node, "echo back") == "back\n"


def test_requests_of_any_size_and_number(pair: Sequence[GuestNode]) -> None:
    source = "def size(text): return len(text)"
    threads = 8
    results: list[object] = []

    def ask(number: int) -> None:
        results.append(pair[0].run_python(source, "size", "x" * (number * 50_001)))

    asking = [threading.Thread(target=ask, args=(number,)) for number in range(threads)]
    for thread in asking:
        thread.start()
    for thread in asking:
        thread.join()
    assert sorted(map(str, results)) == sorted(str(n * 50_001) for n in range(threads))


CREATOR = """
import sys, time
from extstorage.nodes.guests import GuestNodes
nodes = GuestNodes(1, sys.argv[1], (1 << 30,))
with nodes:
    print(nodes.disks[0].file, flush=True)
    time.sleep(60)
"""


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGINT])
def test_nothing_is_left_of_a_creator_that_is_killed(tmp_path: Path, number: int) -> None:
    need_guests()
    command = [sys.executable, "-c", CREATOR, str(tmp_path)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL) as creator:
        try:
            assert creator.stdout is not None
            state = Path(creator.stdout.readline().decode().strip()).parent
            assert processes(str(state))
            os.kill(creator.pid, number)
            creator.wait(10)
        finally:
            creator.kill()
    give_up = time.monotonic() + 10
    while processes(str(state)) or state.exists():
        assert time.monotonic() < give_up, processes(str(state))
        time.sleep(0.05)


def parent(process: int) -> int:
    return int(Path("/proc", str(process), "stat").read_text().rpartition(")")[2].split()[1])


@pytest.mark.parametrize("above", range(4), ids=["kernel", "guard", "holder", "supervisor"])
def test_all_of_a_guest_ends_with_any_of_its_processes(tmp_path: Path, above: int) -> None:
    need_guests()
    nodes = GuestNodes(1, str(tmp_path), (MIB,))
    with nodes as (node,):
        state = Path(nodes.disks[0].file).parent / "guest1"
        process = int((state / "uml/guest/pid").read_text())
        for _ in range(above):
            process = parent(process)
        os.kill(process, signal.SIGKILL)
        give_up = time.monotonic() + 10
        while left := [line for line in processes(str(state)) if "linux.uml" in line]:
            assert time.monotonic() < give_up, left
            time.sleep(0.05)
        with pytest.raises(NodeUnreachable, match=r"node1\.example\.com: its power was cut"):
            node.is_directory("/")


def test_nothing_is_left(tmp_path: Path) -> None:
    need_guests()
    before = len(os.listdir("/proc/self/fd"))  # noqa: PTH208 - names are what is wanted
    threads = threading.active_count()
    nodes = GuestNodes(1, str(tmp_path), (MIB,))
    with nodes:
        state = Path(nodes.disks[0].file).parent
        assert processes(str(state))
    assert not processes(str(state))
    assert not state.exists()
    assert len(os.listdir("/proc/self/fd")) == before  # noqa: PTH208 - as above
    assert threading.active_count() == threads


def test_a_directory_that_is_not_there(tmp_path: Path) -> None:
    need_guests()
    with pytest.raises(NodeError, match=f"{tmp_path}/no: expected a directory for guests to share"):
        GuestNodes(1, f"{tmp_path}/no").__enter__()


def test_what_is_missing_is_told(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(guest_supervisor, "TOOLS", str(tmp_path))
    with pytest.raises(NodeError, match="guests need User-Mode Linux: apt-get install user-mode"):
        GuestNodes(1, str(tmp_path)).__enter__()
    monkeypatch.setattr(platform, "machine", lambda: "aarch64")
    assert "need an x86-64 machine, this one is aarch64: use" in str(guests.missing())
