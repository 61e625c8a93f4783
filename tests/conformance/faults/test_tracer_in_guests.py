"""The tracer on the kernel of a guest, which lacks some of ptrace's requests."""

from __future__ import annotations

import sys
from pathlib import Path

from extstorage.nodes.guests import GuestNodes
from extstorage.nodes.node import Command
from tests.nodes.conftest import need_guests

ROOT = Path(__file__).parents[3]
TESTS = "tests/conformance/faults/test_tracer.py"


def test_it_sees_and_breaks_there_what_it_does_here() -> None:
    need_guests()
    words = (sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", TESTS)
    environment = {"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "PYTHONDONTWRITEBYTECODE": "1"}
    with GuestNodes(1, str(ROOT)) as (node,):
        done = node.run(Command(words, environment, str(ROOT), timeout_s=300))
    assert done.exit_code == 0, done.stdout.decode()
    assert b" passed" in done.stdout
    assert b"skipped" not in done.stdout
