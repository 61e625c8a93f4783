"""Instances that were exported: a directory for each, on a node.

The nodes write there what dd reads, so the directory is one that all of them share; a file says
what the export is of.
"""

from __future__ import annotations

import json
import shutil
from dataclasses import dataclass
from typing import TYPE_CHECKING

from extstorage.cluster.errors import OpPrereqError

if TYPE_CHECKING:
    from pathlib import Path

    from extstorage.cluster.job import Job

_RECORD = "config.json"


@dataclass(frozen=True)
class Export:
    """What an export is of: the instance's name and OS, and its disks' sizes in MiB and names."""

    name: str
    os: str
    sizes_mib: list[int]
    names: list[str | None]


class Exports:
    """All exports of a cluster. Raises OpPrereqError if the nodes share no directory."""

    def __init__(self, job: Job) -> None:
        if job.cluster.nodes_spec.startswith("ssh"):
            raise OpPrereqError(
                "exports need a directory that all nodes share: use --nodes namespaces:N"
            )
        self._directory = job.state.directory / "shared" / ".export"

    def new(self, node: str, name: str) -> Path:
        """Return an empty directory for an export that begins."""
        directory = self._directory / node / f".{name}.new"
        shutil.rmtree(directory, ignore_errors=True)
        directory.mkdir(parents=True)
        return directory

    def finish(self, node: str, export: Export) -> None:
        """Give the export that began its name, in place of an older one."""
        new = self._directory / node / f".{export.name}.new"
        (new / _RECORD).write_text(json.dumps(vars(export)), encoding="utf-8")
        shutil.rmtree(self.path(node, export.name), ignore_errors=True)
        new.rename(self.path(node, export.name))

    def path(self, node: str, name: str) -> Path:
        """Return an export's directory."""
        return self._directory / node / name

    def read(self, node: str, name: str) -> Export | None:
        """Return what an export is of, or None if there is none."""
        try:
            return Export(**json.loads((self.path(node, name) / _RECORD).read_text("utf-8")))
        except (OSError, ValueError, TypeError):
            return None

    def on(self, node: str) -> list[str]:
        """Return the names of a node's exports."""
        return sorted(path.name for path in (self._directory / node).glob("[!.]*"))

    def remove(self, node: str, name: str) -> None:
        """Delete an export."""
        shutil.rmtree(self.path(node, name), ignore_errors=True)
