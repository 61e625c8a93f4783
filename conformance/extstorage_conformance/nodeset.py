"""The nodes of a run: up, with the run's own directory and the provider on each."""

from __future__ import annotations

import contextlib
import os
import shutil
import tempfile
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING

from extstorage.host.daemon import Host
from extstorage.nodes import spec
from extstorage.nodes.node import NodeError, PythonFailed
from extstorage_conformance.node_side import files
from extstorage_conformance.suite_node import SuiteNode
from extstorage_conformance.violation import CannotRun

if TYPE_CHECKING:
    from extstorage.contract.releases import Release

LOCAL = "local"
_PROVIDERS = "extstorage"  # below the run's directory: where copies of the provider are


class NodeSet:
    """Nodes as ``text`` says, until ``close``.

    Args:
        text: ``local``, ``namespaces:3``; see ``extstorage.nodes.spec``.
        provider: The provider's directory on this machine.
        parent: Where the run's own directory is made, on the nodes.
        prefix: How the name of that directory begins.
        existing: The directory of an earlier run, to be used instead of a new one.

    Attributes:
        nodes: The nodes, in the order of ``text``.
        run_directory: The run's own directory: one path on all nodes.
        is_shared: Whether volumes can lie in it, because all of them see the same there.

    Raises CannotRun.
    """

    def __init__(
        self, text: str, provider: Path, parent: str, prefix: str, existing: Path | None = None
    ) -> None:
        self.text = text
        self._provider = provider
        self._spec = spec.parse(text)
        self._here = isinstance(self._spec, spec.Local | spec.Namespaces | spec.Guests)
        self._stack = ExitStack()
        # Guests see the directory, but without a file server each kernel caches it for itself.
        self.is_shared = not isinstance(self._spec, spec.Guests) or self._spec.file_server
        try:
            self.run_directory = existing or Path()
            if self._here and existing is None:
                self.run_directory = Path(tempfile.mkdtemp(prefix=prefix, dir=parent))
            started = self._spec.nodes(str(self.run_directory) if self._here else None)
            self.nodes = tuple(map(SuiteNode, self._stack.enter_context(started)))
            for node in self.nodes:
                _expect_root(node)
                self._stack.callback(node.close)
            if not self._here and existing is None:
                made = self.nodes[0].ask("make_run_directory", prefix, parent)
                self.run_directory = Path(made)
        except (NodeError, OSError, PythonFailed) as error:
            self.discard()
            raise CannotRun(f"nodes {text}: {error}") from None
        except BaseException:
            self.discard()
            raise

    def settle(self, node: SuiteNode, release: Release, timeout_s: float | None) -> None:
        """Make a node ready that has come up: the run's directory, the provider, the daemon.

        Raises CannotRun.
        """
        try:
            if not node.node.is_directory(str(self.run_directory)):
                self.is_shared = False
                node.node.make_directory(str(self.run_directory), 0o700)
            logs = f"{self.run_directory}/log/{node.name.replace('/', '_')}"
            node.node.make_directory(logs, 0o700)
            provider = self._placed(node)
        except (NodeError, OSError, PythonFailed) as error:
            raise CannotRun(f"node {node.name}: {error}") from None
        node.provider_name = provider.name
        node.host = Host(node.node, (str(provider.parent),), release, logs, timeout_s=timeout_s)

    def _placed(self, node: SuiteNode) -> Path:
        """Return where the provider is on the node: where it is here, or in a copy."""
        if self.text == LOCAL:
            return self._provider
        wanted = files.digests(str(self._provider))
        node.installed = node.ask("digests", str(self._provider))
        if node.installed == wanted:
            return self._provider
        copy = self.run_directory / _PROVIDERS / self._provider.name
        if not node.node.is_directory(str(copy)):
            self.copy_to(node, self._provider, copy)
        return copy

    @staticmethod
    def copy_to(node: SuiteNode, provider: Path, target: Path) -> None:
        """Copy a provider to a node; links that lead out of it lead to the same places then."""
        with tempfile.TemporaryDirectory() as directory:
            staged = Path(directory, "provider")
            copied(provider, staged)
            node.node.copy_directory(str(staged), str(target))

    def discard(self) -> None:
        """Delete the run's directory everywhere, and close the nodes."""
        for node in () if self._here else getattr(self, "nodes", ()):
            with contextlib.suppress(NodeError):
                if self.run_directory != Path():
                    node.ask("delete", str(self.run_directory))
        self.close()
        if self._here and self.run_directory != Path():
            shutil.rmtree(self.run_directory, ignore_errors=True)

    def close(self) -> None:
        """Let the nodes go; the run's directory stays."""
        self._stack.close()


def copied(provider: Path, copy: Path) -> None:
    """Copy a provider here; links that lead out of it go on leading to the same places."""
    shutil.copytree(provider, copy, symlinks=True)
    root = provider.resolve()
    for path in root.rglob("*"):
        if path.is_symlink() and not path.readlink().is_absolute():
            target = Path(os.path.normpath(path.parent / path.readlink()))
            if not target.is_relative_to(root):
                link = copy / path.relative_to(root)
                link.unlink()
                link.symlink_to(target)


def _expect_root(node: SuiteNode) -> None:
    if not node.node.facts().is_root:
        raise CannotRun(
            f"node {node.name}: not root there: Ganeti calls providers as root, and so does this"
        )
