"""The loopback provider on NFS, which keeps what is open when it is deleted."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from extstorage.nodes import guest_supervisor
from extstorage.nodes.guests import GuestNodes
from extstorage.nodes.node import Command
from tests.nodes.conftest import need_guests

LOOPBACK = Path(__file__).parents[2] / "reference-providers/loopback"
ON_GUEST = "/srv/loopback"
VOLUME = "0b7c2c55-8a4e-4f0e-8a0e-3f5a3a1f2c77.ext.disk0"
REMOVED_WHILE_ITS_LOCK_IS_OPEN = """
strace -f -o /tmp/locks -e trace=flock "$PROVIDER/verify" locks
grep -q 'LOCK_EX|LOCK_NB) *= 0' /tmp/locks
ls -A "$EXTP_DIRECTORY"
"$PROVIDER/create"
exec 9<"$EXTP_DIRECTORY/loopback/$VOL_NAME/lock"
sleep 1 &
exec 9<&-
"$PROVIDER/remove"
ls -A "$EXTP_DIRECTORY/loopback/.staging"
"""


@pytest.fixture
def pool(tmp_path: Path) -> Path:
    need_guests()
    for program in ("exportfs", "mkfs.xfs", "mount.nfs4"):
        if not shutil.which(program, path=guest_supervisor.TOOLS):
            pytest.skip(f"needs {program}: apt-get install nfs-kernel-server xfsprogs")
    return tmp_path / "pool"


def test_verify_leaves_nothing_and_remove_waits_for_the_lock_to_be_closed(pool: Path) -> None:
    variables = {
        "PATH": "/usr/sbin:/usr/bin:/sbin:/bin",
        "PROVIDER": ON_GUEST,
        "EXTP_PROVIDER": "loopback",
        "EXTP_DIRECTORY": str(pool),
        "VOL_NAME": VOLUME,
        "VOL_SIZE": "4",
    }
    words = ("/bin/sh", "-ec", REMOVED_WHILE_ITS_LOCK_IS_OPEN)
    with GuestNodes(1, str(pool), file_server=True) as (node,):
        node.copy_directory(str(LOOPBACK), ON_GUEST)
        done = node.run(Command(words, variables, "/", timeout_s=60))
    assert (done.exit_code, done.stdout) == (0, b""), done
