"""A device whose I/O waits for device-mapper, in a guest: this kernel may have none."""

from __future__ import annotations

import sys
from pathlib import Path

from extstorage.nodes.guests import GuestNodes
from extstorage.nodes.node import Command
from tests.nodes.conftest import need_guests

ROOT = Path(__file__).parents[2]
PATH = "/usr/sbin:/usr/bin:/sbin:/bin"
READ = """
import os
from extstorage_conformance.node_side.devices import Devices
with Devices(None).opened("/dev/mapper/waits", os.O_RDONLY) as descriptor:
    os.pread(descriptor, 4096, 0)
"""
SCRIPT = """exec 2>&1
export DM_DISABLE_UDEV=1
dmsetup create waits --table "0 8 error"
dmsetup suspend waits
"$0" -c "$1"
(sleep 1; dmsetup resume waits) &
"$0" -c "$1"
"""


def test_is_told_and_not_waited_for_longer_than_a_living_command_takes() -> None:
    need_guests()
    environment = {"PATH": PATH, "PYTHONPATH": f"{ROOT}/conformance:{ROOT}/sdk"}
    words = ("/bin/sh", "-c", SCRIPT, sys.executable, READ)
    with GuestNodes(1, str(ROOT)) as (node,):
        done = node.run(Command(words, environment, str(ROOT), timeout_s=60))
    said = done.stdout.decode()
    assert "TimeoutError" in said, said
    assert "/dev/mapper/waits is suspended: I/O waits for a resume" in said
    assert said.splitlines()[-1] == "OSError: [Errno 5] Input/output error"
