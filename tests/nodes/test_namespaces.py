"""Namespace nodes: what each has for itself, how they die, and that nothing is left of them."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import tempfile
import threading
import time
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from extstorage.nodes import machines
from extstorage.nodes.namespaces import NamespaceNodes
from extstorage.nodes.node import Command, NodeError, NodeUnreachable
from tests.nodes.conftest import need_root
from tests.nodes.devices import loops

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from extstorage.nodes.namespaces import NamespaceNode

PATH = {"PATH": "/usr/sbin:/usr/bin:/sbin:/bin"}
OWN = ("mnt", "uts", "ipc", "pid", "net")


def do(node: NamespaceNode, script: str) -> str:
    """Run a shell script that must succeed; return what it prints."""
    done = node.run(Command(("/bin/sh", "-ec", script), PATH, "/", timeout_s=20))
    assert done.exit_code == 0, done
    return done.stdout.decode()


@pytest.fixture
def directory(tmp_path: Path) -> Iterator[Path]:
    """A directory for nodes to share; no loop device may outlive what the test does with it."""
    need_root()
    path = tmp_path / "shared"
    path.mkdir()
    yield path
    left = loops(str(path))
    for device in left:
        subprocess.run(["losetup", "--detach", device], check=True)
    assert not left


@pytest.fixture
def nodes(directory: Path) -> Iterator[Sequence[NamespaceNode]]:
    with NamespaceNodes(2, str(directory)) as pair:
        yield pair


def traces(word: str) -> dict[str, list[str]]:
    """Return what this machine has that speaks of a directory: processes, mounts, devices."""
    found: dict[str, list[str]] = {"processes": [], "mounts": [], "loops": [*loops(word)]}
    for process in Path("/proc").glob("[0-9]*"):
        try:
            words = (process / "cmdline").read_bytes().decode(errors="replace")
            mounts = (process / "mountinfo").read_text()
        except OSError:
            continue
        if word in words:
            found["processes"].append(words)
        if word in mounts:
            found["mounts"].append(words)
    return found


def children() -> set[str]:
    """Return the processes whose parent this one is."""
    ps = subprocess.run(
        ["ps", "-o", "pid=,args=", "--ppid", str(os.getpid())],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    return {line for line in ps.stdout.splitlines() if "ps -o" not in line}


def state_directory(shared: Path) -> Path:
    """Return where the nodes that have mapped a file of ``shared`` keep their files."""
    (path,) = loops(str(shared)).values()
    state = Path(path[: path.index("/node1/root/")])
    assert state.is_dir()
    return state


@contextmanager
def nothing_left(shared: Path) -> Iterator[list[Path]]:
    """Expect that this process and this machine are left as they were; also that paths are gone.

    Yields the list that the paths are to be put on.
    """

    def held() -> tuple[object, ...]:
        return len(os.listdir("/proc/self/fd")), children(), threading.active_count()  # noqa: PTH208

    before = held()
    gone: list[Path] = []
    yield gone
    assert held() == before
    assert not any(traces(str(shared)).values())
    assert gone
    assert not any(path.exists() for path in gone)


def test_three_are_up_in_a_second(directory: Path) -> None:
    started = time.monotonic()
    with NamespaceNodes(3, str(directory)) as nodes:
        # Three times what is promised: the machine that runs tests may be busy with others.
        assert time.monotonic() - started < 3
        assert [node.name for node in nodes] == [f"node{n}.example.com" for n in (1, 2, 3)]


def test_each_has_its_own_namespaces(nodes: Sequence[NamespaceNode]) -> None:
    for kind in OWN:
        seen = [do(node, f"readlink /proc/self/ns/{kind}") for node in nodes]
        here = os.readlink(f"/proc/self/ns/{kind}") + "\n"  # noqa: PTH115 - it is no path
        assert len({*seen, here}) == 3


def test_each_knows_its_name(nodes: Sequence[NamespaceNode]) -> None:
    for number, node in enumerate(nodes, 1):
        name = f"node{number}.example.com\n"
        assert do(node, "hostname") == name
        assert do(node, "hostname --fqdn") == name
        assert do(node, "cat /etc/hostname") == name
    assert Path("/etc/hostname").read_text() != "node1.example.com\n"


OWN_PLACES = """
    /run /run/lock /tmp /srv /dev/shm
    /var/lib /var/log/ganeti/extstorage /var/tmp /var/run /var/lock
"""


@pytest.mark.parametrize("place", OWN_PLACES.split())
def test_each_has_its_own_files(nodes: Sequence[NamespaceNode], place: str) -> None:
    first, second = nodes
    do(first, f"echo mine >{place}/note")
    assert do(first, f"cat {place}/note") == "mine\n"
    assert "note" not in do(second, f"ls {place}")
    assert not Path(place, "note").exists()


def test_the_shared_directory_is_the_same_everywhere(
    nodes: Sequence[NamespaceNode], directory: Path
) -> None:
    first, second = nodes
    do(first, f"echo ours >{directory}/note")
    assert do(second, f"cat {directory}/note") == "ours\n"
    assert (directory / "note").read_text() == "ours\n"


CONNECT = """
import socket
def connect():
    with socket.create_server(("127.0.0.1", 0)) as server:
        with socket.create_connection(server.getsockname()):
            return "reached"
"""


def test_processes_and_network_are_the_nodes_own(nodes: Sequence[NamespaceNode]) -> None:
    for node in nodes:
        assert len(do(node, "ps -eo pid=").split()) == 4  # init, agent, sh, ps
        assert re.findall(r"^\s*(\w+):", do(node, "cat /proc/net/dev"), re.MULTILINE) == ["lo"]
        assert node.run_python(CONNECT, "connect") == "reached"


def test_mounts_are_the_nodes_own(nodes: Sequence[NamespaceNode], directory: Path) -> None:
    first, second = nodes
    do(first, f"mount -t tmpfs none {directory}; touch {directory}/x")
    assert do(second, f"ls {directory}") == ""
    assert [*directory.iterdir()] == []


def test_the_kernel_knows_whose_a_loop_device_is(
    nodes: Sequence[NamespaceNode], directory: Path
) -> None:
    first, second = nodes
    do(first, f"truncate -s 1M {directory}/disk")
    device = do(first, f"losetup --find --show {directory}/disk").strip()
    query = f"cat /sys/block/{Path(device).name}/loop/backing_file"
    assert do(first, query) == f"{directory}/disk\n"
    assert do(second, query).endswith(f"/node1/root{directory}/disk\n")
    assert loops(str(directory))[device].endswith(f"/node1/root{directory}/disk")


def test_a_power_cut_frees_the_nodes_loop_devices_and_no_others(
    nodes: Sequence[NamespaceNode], directory: Path
) -> None:
    first, second = nodes
    do(first, f"truncate -s 1M {directory}/a {directory}/b {directory}/c /var/lib/d")
    find = "losetup --find --show"
    ours = subprocess.run([*find.split(), directory / "c"], stdout=subprocess.PIPE, check=True)
    mine = [do(first, f"{find} {file}").strip() for file in (f"{directory}/a", "/var/lib/d")]
    others = [do(second, f"{find} {directory}/b").strip(), ours.stdout.decode().strip()]
    do(first, f"blockdev --setro {mine[0]}")
    first.kill()
    assert sorted(loops(str(directory))) == sorted(others)
    assert not loops("/var/lib/d")
    assert Path(f"/sys/block/{Path(mine[0]).name}/ro").read_text() == "0\n"
    subprocess.run(["losetup", "--detach", others[1]], check=True)


def test_a_power_cut_in_the_middle_of_attaching(
    nodes: Sequence[NamespaceNode], directory: Path
) -> None:
    node = nodes[0]
    do(node, f"for n in 1 2 3 4 5 6 7 8; do truncate -s 1M {directory}/$n; done")
    script = f"for n in 1 2 3 4 5 6 7 8; do losetup --find {directory}/$n; done; sleep 60"
    ended: list[Exception] = []
    thread = threading.Thread(target=lambda: ended.append(failure(node, script)))
    thread.start()
    while not loops(str(directory)):
        time.sleep(0.002)
    node.kill()
    assert not loops(str(directory))
    thread.join()
    assert str(ended[0]) == "node1.example.com: its power was cut"


def failure(node: NamespaceNode, script: str) -> Exception:
    with pytest.raises(NodeUnreachable) as caught:
        do(node, script)
    return caught.value


def test_a_mounted_file_system_dies_with_its_node(
    nodes: Sequence[NamespaceNode], directory: Path
) -> None:
    if not Path("/sbin/mkfs.ext4").exists():
        pytest.skip("needs mkfs.ext4: apt-get install e2fsprogs")
    node = nodes[0]
    do(node, f"truncate -s 8M {directory}/disk; mkfs.ext4 -q {directory}/disk")
    do(node, f"mount -o loop {directory}/disk /mnt; echo data >/mnt/file; cd /mnt; sync")
    assert loops(str(directory))
    node.kill()
    assert not loops(str(directory))


def test_a_device_that_others_have_open_is_told(
    nodes: Sequence[NamespaceNode], directory: Path
) -> None:
    node = nodes[0]
    device = do(node, f"truncate -s 1M {directory}/a; losetup --find --show {directory}/a").strip()
    descriptor = os.open(device, os.O_RDONLY)
    try:
        with pytest.raises(NodeError, match=f"{device}: still in use by another node or this"):
            node.kill()
    finally:
        os.close(descriptor)
    assert not loops(str(directory))


def test_a_power_cut_ends_every_process(nodes: Sequence[NamespaceNode]) -> None:
    node = nodes[0]
    namespace = os.readlink(f"/proc/{node.pid}/ns/pid")  # noqa: PTH115 - it is no path
    do(node, "setsid sh -c \"trap '' TERM HUP INT; while :; do sleep 1; done\" >/dev/null 2>&1 &")
    assert len(in_namespace(namespace)) >= 3
    node.kill()
    assert not in_namespace(namespace)


def in_namespace(name: str) -> list[str]:
    found = []
    for process in Path("/proc").glob("[0-9]*"):
        try:
            if os.readlink(process / "ns/pid") == name:  # noqa: PTH115 - it is no path
                found.append(process.name)
        except OSError:
            continue
    return found


def test_a_reboot_empties_run_and_keeps_the_disk(nodes: Sequence[NamespaceNode]) -> None:
    node = nodes[0]
    boot = do(node, "touch /run/a /dev/shm/b /var/lib/c /var/log/ganeti/extstorage/d; ls /run")
    assert boot == "a\nlock\n"
    node.kill()
    node.start()
    assert do(node, "ls /dev/shm; ls /run; hostname") == "lock\nnode1.example.com\n"
    assert do(node, "ls /var/lib/c /var/log/ganeti/extstorage/d").count("\n") == 2


def test_a_node_that_is_down(nodes: Sequence[NamespaceNode]) -> None:
    first, second = nodes
    first.kill()
    first.kill()
    for call in (first.facts, lambda: first.is_directory("/"), first.cut_off, lambda: first.pid):
        with pytest.raises(NodeUnreachable, match=r"^node1\.example\.com: it is down$"):
            call()
    assert do(second, "echo up") == "up\n"
    first.start()
    with pytest.raises(NodeError, match="it is up: kill it first"):
        first.start()


def answer(node: NamespaceNode) -> bool | NodeUnreachable:
    try:
        return node.is_directory("/")
    except NodeUnreachable as error:
        return error


def test_a_node_whose_first_process_is_killed_is_down(nodes: Sequence[NamespaceNode]) -> None:
    node = nodes[0]
    os.kill(node.pid, signal.SIGKILL)
    give_up = time.monotonic() + 5
    while not isinstance(answer(node), NodeUnreachable):
        assert time.monotonic() < give_up
    assert str(answer(node)) == "node1.example.com: its power was cut"
    node.start()
    assert do(node, "echo up") == "up\n"


def test_a_node_that_is_cut_off_runs_on(nodes: Sequence[NamespaceNode], directory: Path) -> None:
    node = nodes[0]
    script = f"touch {directory}/begun; sleep 0.5; touch {directory}/done"
    ended: list[Exception] = []
    thread = threading.Thread(target=lambda: ended.append(failure(node, script)))
    thread.start()
    while not (directory / "begun").exists():
        time.sleep(0.01)
    node.cut_off()
    thread.join()
    assert str(ended[0]) == "node1.example.com: cut off from the network"
    with pytest.raises(NodeUnreachable, match="cut off from the network"):
        node.is_directory("/")
    while not (directory / "done").exists():
        time.sleep(0.01)
    node.reconnect()
    assert do(node, "echo back") == "back\n"


def test_nothing_is_left(directory: Path) -> None:
    with nothing_left(directory) as gone, NamespaceNodes(2, str(directory)) as nodes:
        do(nodes[0], f"truncate -s 1M {directory}/disk; losetup --find {directory}/disk")
        gone.append(state_directory(directory))
        do(nodes[0], "sleep 4321 >/dev/null 2>&1 &")
        nodes[1].kill()
    assert (directory / "disk").exists()


def use_and_fail(directory: Path, gone: list[Path]) -> None:
    with NamespaceNodes(1, str(directory)) as nodes:
        do(nodes[0], f"truncate -s 1M {directory}/disk; losetup --find {directory}/disk")
        gone.append(state_directory(directory))
        raise ZeroDivisionError


def test_nothing_is_left_after_an_error(directory: Path) -> None:
    with nothing_left(directory) as gone, pytest.raises(ZeroDivisionError):
        use_and_fail(directory, gone)


def test_nothing_is_left_of_nodes_that_an_interrupt_keeps_from_starting(
    directory: Path, tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch
) -> None:
    base = tmp_path_factory.mktemp("states")
    begun: list[Path] = []

    def interrupted(_module: str) -> list[str]:
        begun.extend(base.iterdir())
        raise KeyboardInterrupt

    monkeypatch.setattr(machines, "BASE_DIRECTORY", str(base))
    monkeypatch.setattr(machines, "python_command", interrupted)
    with pytest.raises(KeyboardInterrupt):
        NamespaceNodes(1, str(directory)).__enter__()
    assert [state.exists() for state in begun] == [False]


CREATOR = """
import sys, time
from extstorage.nodes.namespaces import NamespaceNodes
from extstorage.nodes.node import Command
shared = sys.argv[1]
with NamespaceNodes(2, shared) as nodes:
    script = f"truncate -s 1M {shared}/disk; losetup --find {shared}/disk; setsid sleep 4321 &"
    environment = {"PATH": "/usr/sbin:/usr/bin:/sbin:/bin"}
    nodes[0].run(Command(("/bin/sh", "-c", script), environment, "/", output_file="/run/log"))
    print("ready", flush=True)
    time.sleep(60)
"""


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGINT, signal.SIGTERM])
def test_nothing_is_left_of_a_creator_that_is_killed(
    directory: Path, number: signal.Signals
) -> None:
    command = [sys.executable, "-c", CREATOR, str(directory)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL) as creator:
        try:
            assert creator.stdout is not None
            assert creator.stdout.readline() == b"ready\n"
            state = state_directory(directory)
            os.kill(creator.pid, number)
            creator.wait(10)
        finally:
            creator.kill()
    give_up = time.monotonic() + 10
    while any(traces(str(directory)).values()) or state.exists():
        assert time.monotonic() < give_up, traces(str(directory))
        time.sleep(0.05)


def test_a_directory_that_is_not_there(directory: Path) -> None:
    missing = directory / "missing"
    with pytest.raises(NodeError, match=f"{missing}: expected a directory for the nodes to share"):
        NamespaceNodes(1, str(missing)).__enter__()


@pytest.mark.parametrize(
    ("shared", "own"), [("/", "/run"), ("/srv", "/srv"), ("/var", "/var/lib"), ("/run/", "/run")]
)
def test_a_directory_that_nodes_have_for_themselves(shared: str, own: str) -> None:
    need_root()
    shown = shared.rstrip("/") or "/"
    with pytest.raises(NodeError, match=f"^{shown}: nodes have {own} for themselves: share a dir"):
        NamespaceNodes(1, shared).__enter__()


def test_a_node_that_cannot_be_started(
    nodes: Sequence[NamespaceNode], directory: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    node = nodes[0]
    node.kill()
    directory.rename(f"{directory}.moved")
    with pytest.raises(NodeError) as caught:
        node.start()
    assert str(caught.value) == (
        f"node1.example.com: cannot be started: {directory}: mount: No such file or directory"
    )
    assert capfd.readouterr() == ("", "")
    Path(f"{directory}.moved").rename(directory)
    node.start()
    assert do(node, "echo up") == "up\n"


def test_a_forked_child_does_not_keep_the_nodes(directory: Path) -> None:
    nodes = NamespaceNodes(1, str(directory))
    (node,) = nodes.__enter__()
    namespace = os.readlink(f"/proc/{node.pid}/ns/pid")  # noqa: PTH115 - it is no path
    child = os.fork()
    if child == 0:
        time.sleep(30)
        os._exit(0)
    try:
        started = time.monotonic()
        nodes.close()
        assert time.monotonic() - started < 5
        assert not in_namespace(namespace)
    finally:
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)


def test_not_root(directory: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    with pytest.raises(NodeError, match="namespaces need root: run as root, or"):
        NamespaceNodes(1, str(directory)).__enter__()


def _parent(pid: int) -> int:
    return int(Path("/proc", str(pid), "stat").read_text().rpartition(")")[2].split()[1])


def test_a_killed_supervisor_leaves_no_files(tmp_path: Path) -> None:
    with NamespaceNodes(1, str(tmp_path)) as (node,):
        state = Path(node.root).parents[1]
        holder = _parent(node.pid)
        os.kill(_parent(holder), signal.SIGKILL)
        assert state.is_dir()

    assert not state.exists()


def test_what_nobody_was_left_to_delete_goes_with_the_next_run(tmp_path: Path) -> None:
    left = Path(tempfile.mkdtemp(prefix="extstorage-nodes-", dir="/var/tmp"))
    (left / "in-use").touch()
    others = Path(tempfile.mkdtemp(prefix="extstorage-nodes-", dir="/var/tmp"))
    try:
        with NamespaceNodes(1, str(tmp_path)) as (first,), NamespaceNodes(1, str(tmp_path)):
            assert not left.exists()
            assert Path(first.root).is_dir()
        assert others.is_dir()
    finally:
        others.rmdir()
