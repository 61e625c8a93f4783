"""A directory that guests share for volumes: a file server of theirs, over NFS 4.

Hosts that keep volumes in files share a file system whose locks and caches hold between them.
This is one: a guest more, whose kernel serves a directory that all others mount. A guest whose
power is cut loses its locks at once, as a host does that is fenced.
"""

from __future__ import annotations

import shlex
import shutil
from typing import TYPE_CHECKING

from extstorage.nodes.node import Command, NodeError

if TYPE_CHECKING:
    from extstorage.nodes.guests import GuestNode

NEEDS = {
    "exportfs": "nfs-kernel-server",
    "rpc.nfsd": "nfs-kernel-server",
    "mount.nfs4": "nfs-common",
}
"""The programs that this takes, and the Debian packages that have them."""

_PATH = "/usr/sbin:/usr/bin:/sbin:/bin"
_EXPORTED = "/srv/shared"
_LEASE_S = 10  # the shortest that the kernel takes
_SERVE = f"""
mkdir -p {_EXPORTED} /run/rpc_pipefs /var/lib/nfs/v4recovery
# Its clients' snapshots share blocks with their origins, and so take no copy: NFS passes that on.
truncate --size=4G /srv/disk
mkfs.xfs -q -f -m reflink=1 /srv/disk
mount -o loop /srv/disk {_EXPORTED}
mount -t nfsd nfsd /proc/fs/nfsd
mount -t rpc_pipefs rpc_pipefs /run/rpc_pipefs
echo {_LEASE_S} >/proc/fs/nfsd/nfsv4leasetime
echo {_LEASE_S} >/proc/fs/nfsd/nfsv4gracetime
: >/var/lib/nfs/etab
: >/var/lib/nfs/rmtab
exportfs -o rw,sync,fsid=0,no_root_squash,no_subtree_check,insecure '*:{_EXPORTED}'
rpc.mountd --no-nfs-version 3
rpc.nfsd --no-nfs-version 3 --no-udp 4
# Nobody has had a lock yet that could be claimed again.
echo Y >/proc/fs/nfsd/v4_end_grace
"""
# Nothing is believed about a file without asking the server: what another guest wrote is there.
_MOUNT = "mkdir -p {path}; mount -t nfs4 -o vers=4.2,actimeo=0,lookupcache=none {server}:/ {path}"
_FENCE = """
for client in /proc/fs/nfsd/clients/*; do
    if grep -q 'address: "{address}:' "$client/info"; then echo expire >"$client/ctl"; fi
done
"""


def lacking(path: str) -> str | None:
    """Return in one line what has to be installed for this, or None."""
    for program, package in NEEDS.items():
        if not shutil.which(program, path=path):
            return f"a file server of guests needs {program}: apt-get install {package}"
    return None


def serve(server: GuestNode) -> None:
    """Make a guest, just booted, a file server. Raises NodeError."""
    server.load_modules("nfsd")
    _do(server, _SERVE)


def mount(node: GuestNode, server: GuestNode, path: str) -> None:
    """Mount on a guest, just booted, what the server serves. Raises NodeError."""
    node.load_modules("nfsv4")
    _do(node, _MOUNT.format(server=server.address, path=shlex.quote(path)))


def fence(node: GuestNode, server: GuestNode) -> None:
    """Let the server forget a guest without power, and its locks. Raises NodeError."""
    _do(server, _FENCE.format(address=node.address))


def _do(node: GuestNode, script: str) -> None:
    done = node.run(Command(("/bin/sh", "-ec", script), {"PATH": _PATH}, "/", timeout_s=120))
    if done.exit_code != 0:
        lines = (done.stdout + done.stderr).decode(errors="replace").strip().splitlines()
        reason = lines[-1] if lines else "not done in two minutes"
        raise NodeError(f"{node.name}: the guests' file server: {reason}")
