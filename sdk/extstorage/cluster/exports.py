"""Instances that were exported: a directory for each, on a node.

The nodes write there what dd reads, so the directory is one that all of them share; a file says
what the export is of. All that is done to it is done by the node that has the export: what nodes
share need not be on this machine.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING

from extstorage.cluster.errors import OpPrereqError, RpcError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from extstorage.cluster.job import Job

_RECORD = "config.json"
_NEW = 'rm -rf -- "$1" && mkdir -p -- "$1"'
_FINISH = 'printf %s "$3" >"$1/config.json" && rm -rf -- "$2" && mv -T -- "$1" "$2"'
_LIST = 'cd "$1" 2>/dev/null || exit 0; for name in *; do [ ! -d "$name" ] || echo "$name"; done'


@dataclass(frozen=True)
class Export:
    """What an export is of: the instance's name and OS, and its disks' sizes in MiB and names."""

    name: str
    os: str
    sizes_mib: list[int]
    names: list[str | None]


class Exports:
    """All exports of a cluster. Raises OpPrereqError if the nodes share no directory.

    Every method but ``path`` and ``sources`` raises RpcError if the node does not do as it is told.
    """

    def __init__(self, job: Job) -> None:
        if job.cluster.nodes_spec.startswith("ssh"):
            raise OpPrereqError(
                "exports need a directory that all nodes share: use --nodes namespaces:N"
            )
        self._job = job
        self._directory = f"{job.state.directory}/shared/.export"

    def new(self, node: str, name: str) -> str:
        """Return an empty directory for an export that begins."""
        directory = self._new(node, name)
        self._run(node, _NEW, directory)
        return directory

    def finish(self, node: str, export: Export) -> None:
        """Give the export that began its name, in place of an older one."""
        new, record = self._new(node, export.name), json.dumps(vars(export))
        self._run(node, _FINISH, new, self.path(node, export.name), record)

    def path(self, node: str, name: str) -> str:
        """Return an export's directory."""
        return f"{self._directory}/{node}/{name}"

    def read(self, node: str, name: str) -> Export | None:
        """Return what an export is of, or None if there is none."""
        file = f"{self.path(node, name)}/{_RECORD}"
        text = self._run(node, '[ ! -f "$1" ] || cat -- "$1"', file)
        try:
            return Export(**json.loads(text))
        except (ValueError, TypeError):
            return None

    def on(self, node: str) -> list[str]:
        """Return the names of a node's exports."""
        return sorted(self._run(node, _LIST, f"{self._directory}/{node}").splitlines())

    def sources(self, name: str) -> Iterator[str]:
        """Yield the nodes that have an export of that name; one that does not answer has none."""
        for entry in self._job.cluster.nodes:
            try:
                found = name in self.on(entry.name)
            except RpcError:
                continue
            if found:
                yield entry.name

    def remove(self, node: str, name: str) -> None:
        """Delete an export."""
        self._run(node, 'rm -rf -- "$1"', self.path(node, name))

    def _new(self, node: str, name: str) -> str:
        return self.path(node, f".{name}.new")

    def _run(self, node: str, script: str, *words: str) -> str:
        done = self._job.daemon(node).run("sh", "-c", script, "sh", *words)
        return done.decode("utf-8", "surrogateescape")
