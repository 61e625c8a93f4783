"""A real Ganeti cluster, of Debian's package, on namespace nodes of this machine.

Everything is inside of the nodes: their own /etc, root's home, daemons, sshd, and a network that
they share among them. So it goes with them, however this process ends, and several clusters can be
up at once.
"""

from __future__ import annotations

import contextlib
import subprocess
from typing import TYPE_CHECKING, NamedTuple

from extstorage.nodes.namespaces import NamespaceNodes
from extstorage.nodes.node import Command, Completed

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from extstorage.nodes.namespaces import NamespaceNode

DOMAIN = "example.com"
NETWORK = "10.99.0"
INSTANCES = [f"inst{number}.{DOMAIN}" for number in range(1, 41)]
SEARCH_PATH = "/srv/ganeti/extstorage"
DAEMON_UTIL = "/usr/lib/ganeti/daemon-util"
# What the master's daemons start with; the other nodes' have what ssh adds to it.
ENVIRONMENT = {
    "PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
    "LANG": "C.UTF-8",
}
# Any number of disks of any size: policies are not what is tested.
POLICY = (
    "min:disk-size=0,cpu-count=1,disk-count=0,memory-size=1,nic-count=0,spindle-use=0"
    "/max:disk-size=1048576,cpu-count=8,disk-count=16,memory-size=32768,nic-count=8,spindle-use=12"
)
_SSHD = """\
HostKey /etc/ssh/key
PermitRootLogin prohibit-password
PasswordAuthentication no
UsePAM no
"""
_OS = """\
set -e
mkdir -p /srv/ganeti/os/noop
cd /srv/ganeti/os/noop
for script in create rename verify; do printf '#!/bin/sh\\n' >$script; done
printf '#!/bin/sh\\ncat "$EXPORT_DEVICE"\\n' >export
printf '#!/bin/sh\\ncat >"$IMPORT_DEVICE"\\n' >import
chmod 755 *
echo 20 >ganeti_api_version
echo default >variants.list
: >parameters.list
"""
# root's home is elsewhere there: Python itself may be below /root.
_HOME = "/var/lib/root"
_OWN_FILES = """\
set -e
cp -a /etc /var/lib/
mount --bind /var/lib/etc /etc
rm -f /etc/ssh/ssh_host_*
sed -i 's|^\\(root:[^:]*:0:0:[^:]*\\):/root:|\\1:/var/lib/root:|' /etc/passwd
mkdir -p -m 700 /var/lib/root/.ssh
mkdir -p /etc/ganeti /run/sshd /var/lib/ganeti /var/log/ganeti/extstorage \
    /srv/ganeti/extstorage /srv/ganeti/file-storage
echo /srv/ganeti/file-storage >/etc/ganeti/file-storage-paths
sed -i 's/^hosts:.*/hosts: files/' /etc/nsswitch.conf
"""


class Said(NamedTuple):
    """What a command gave: its exit status and all that it wrote, errors included."""

    status: int
    output: str


class RealCluster:
    """A cluster that is up; made with ``real_cluster``."""

    def __init__(self, nodes: Sequence[NamespaceNode], shared: Path) -> None:
        self.nodes = nodes
        self.shared = shared

    def type(self, *words: str, timeout_s: float = 120.0) -> Said:
        """Type a command on the master node."""
        done = self.on(0, *words, timeout_s=timeout_s)
        status = done.exit_code if done.exit_code is not None else -(done.signal or 0)
        return Said(status, done.output[done.output_from :].decode("utf-8", "backslashreplace"))

    def do(self, *words: str) -> str:
        """Type a command that has to succeed; return what it says."""
        said = self.type(*words)
        assert said.status == 0, f"{' '.join(words)}: {said.output}"
        return said.output

    def on(self, number: int, *words: str, timeout_s: float | None = 120.0) -> Completed:
        """Run a program on a node, by the node's index; all that it writes is its ``output``."""
        environment = {**ENVIRONMENT, "HOME": _HOME}
        # A file and not pipes, which daemons that it starts would keep open.
        log = "/var/log/typed.log"
        found = ("/usr/bin/env", *words)
        return self.nodes[number].run(Command(found, environment, "/", 0o022, log, timeout_s))

    def install(self, provider: Path) -> None:
        """Put a provider on all nodes."""
        for node in self.nodes:
            node.copy_directory(str(provider), f"{SEARCH_PATH}/{provider.name}")

    def daemons(self, number: int, action: str) -> None:
        """Start (``start-all``) or stop (``stop-all``) a node's daemons."""
        _quiet(self.nodes[number], DAEMON_UTIL, action)


@contextlib.contextmanager
def real_cluster(shared: Path, count: int = 3) -> Iterator[RealCluster]:
    """Give a cluster whose nodes all see ``shared``. Raises NodeError, AssertionError."""
    with NamespaceNodes(count, str(shared)) as nodes:
        cluster = RealCluster(nodes, shared)
        _furnish(cluster)
        _connect(nodes)
        _initialise(cluster)
        yield cluster


def _furnish(cluster: RealCluster) -> None:
    """Give each node an /etc of its own, with one host key for all, a home for root and an OS."""
    key = cluster.shared / "host-key"
    subprocess.run(["ssh-keygen", "-q", "-t", "rsa", "-N", "", "-f", key], check=True)
    addresses = [f"127.0.0.1 localhost\n{NETWORK}.10 cluster.{DOMAIN} cluster\n"]
    names = {node.name: 11 + index for index, node in enumerate(cluster.nodes)}
    names |= {name: 101 + index for index, name in enumerate(INSTANCES)}
    addresses += [
        f"{NETWORK}.{number} {name} {name.partition('.')[0]}\n" for name, number in names.items()
    ]
    for node in cluster.nodes:
        _succeed(node, "sh", "-c", _OWN_FILES)
        _write(node, "/etc/hosts", "".join(addresses))
        _write(node, "/etc/ssh/sshd_config", _SSHD)
        _succeed(node, "cp", f"{key}", "/etc/ssh/key")
        _succeed(node, "cp", f"{key}.pub", "/etc/ssh/ssh_host_rsa_key.pub")
        _succeed(node, "cp", f"{key}", "/etc/ssh/ssh_host_rsa_key")
        _succeed(node, "sh", "-c", _OS)


def _connect(nodes: Sequence[NamespaceNode]) -> None:
    """Put a bridge into the first node, and a line from it to each node."""
    master = nodes[0].pid
    _ip(master, "link", "add", "br0", "type", "bridge")
    _ip(master, "link", "set", "br0", "up")
    for number, node in enumerate(nodes, 1):
        port = f"port{number}"
        there = ("netns", str(node.pid)) if number > 1 else ()
        _ip(master, "link", "add", port, "type", "veth", "peer", "name", "eth0", *there)
        _ip(master, "link", "set", port, "master", "br0", "up")
        _ip(node.pid, "addr", "add", f"{NETWORK}.{10 + number}/24", "dev", "eth0")
        _ip(node.pid, "link", "set", "eth0", "up")


def _ip(pid: int, *words: str) -> None:
    subprocess.run(["nsenter", "-t", str(pid), "-n", "ip", *words], check=True)


def _initialise(cluster: RealCluster) -> None:
    for node in cluster.nodes:
        _quiet(node, "/usr/sbin/sshd")
    cluster.do(
        "gnt-cluster", "init", "--enabled-hypervisors=fake", "--no-etc-hosts",
        "--enabled-disk-templates=ext,file,diskless", "--master-netdev=eth0",
        "--file-storage-dir=/srv/ganeti/file-storage", "--ssh-key-type=rsa", "--ssh-key-bits=2048",
        "--nic-parameters=mode=routed,link=100", f"--ipolicy-bounds-specs={POLICY}",
        f"cluster.{DOMAIN}",
    )  # fmt: skip
    public = cluster.do("cat", f"{_HOME}/.ssh/id_rsa.pub")
    for node in cluster.nodes[1:]:
        _write(node, f"{_HOME}/.ssh/authorized_keys", public)
        cluster.do("gnt-node", "add", "--no-ssh-key-check", node.name)


def _write(node: NamespaceNode, path: str, text: str) -> None:
    script = 'rm -f "$1"; printf %s "$2" >"$1"'
    _succeed(node, "sh", "-c", f"{script} || cat >/dev/null", "sh", path, text)


def _succeed(node: NamespaceNode, *words: str) -> None:
    done = node.run(Command(("/usr/bin/env", *words), ENVIRONMENT, "/", 0o022))
    assert done.exit_code == 0, f"{node.name}: {' '.join(words)}: {done.stderr.decode()}"


def _quiet(node: NamespaceNode, *words: str) -> None:
    # A file and not pipes, which daemons would keep open.
    log = "/var/log/start.log"
    done = node.run(Command(words, ENVIRONMENT, "/", 0o022, log, 60))
    assert done.exit_code == 0, f"{node.name}: {' '.join(words)}: {done.output.decode()}"
