"""A directory with a cluster, in which commands are typed."""

from __future__ import annotations

import subprocess
import sys
from typing import TYPE_CHECKING

from extstorage.cluster.location import DIRECTORY

if TYPE_CHECKING:
    from pathlib import Path


class Shell:
    """A directory with a cluster, in which commands are typed."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.shared = directory / DIRECTORY / "shared"

    def run(self, *words: str) -> subprocess.CompletedProcess[str]:
        """Run ``extstorage`` and return what became of it."""
        return subprocess.run(
            [sys.executable, "-m", "extstorage", *words],
            cwd=self.directory,
            check=False,
            capture_output=True,
            text=True,
            timeout=120,
        )

    def do(self, *words: str) -> str:
        """Run a command that succeeds; return what it says."""
        done = self.run(*words)
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    def refuse(self, status: int, *words: str) -> str:
        """Run a command that fails with one message; return that."""
        done = self.run(*words)
        assert done.returncode == status, done.stdout + done.stderr
        assert "Traceback" not in done.stderr
        return done.stderr

    def add(self, name: str, *options: str) -> None:
        """Add an instance with one disk of 16 MiB on node1."""
        disk = f"0:size=16M,provider=loopback,directory={self.shared}"
        node = () if "-n" in options else ("-n", "node1")
        self.do("gnt-instance", "add", "-t", "ext", "--disk", disk, *node, *options, name)

    def device(self, name: str) -> str:
        """Return the path of an instance's first device."""
        shown = self.do("gnt-instance", "activate-disks", name)
        return shown.splitlines()[0].rpartition(":")[2]

    def node(self, name: str) -> str:
        """Return the node where an instance is."""
        fields = ("-o", "pnode", "--no-headers")
        return self.do("gnt-instance", "list", *fields, name).strip().partition(".")[0]
