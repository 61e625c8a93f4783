"""The nodes of a cluster, while a command needs them, and what is installed on them."""

from __future__ import annotations

import contextlib
import shutil
from typing import TYPE_CHECKING

from extstorage.cluster import power
from extstorage.cluster.errors import StateError
from extstorage.nodes import spec
from extstorage.nodes.node import Command

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from extstorage.cluster.state import State
    from extstorage.nodes.node import Node

# _autoconf.ES_SEARCH_PATH of Debian's package.
SEARCH_PATH = (
    "/srv/ganeti/extstorage",
    "/usr/local/lib/ganeti/extstorage",
    "/usr/lib/ganeti/extstorage",
    "/usr/share/ganeti/extstorage",
)
LOG_DIRECTORY = "/var/log/ganeti/extstorage"
POOL = "/srv/ganeti/extstorage-loopback"
"""Where the loopback provider has its volumes, unless it is told another directory."""
_ENVIRONMENT = {"PATH": "/usr/sbin:/usr/bin:/sbin:/bin"}


def are_kept_up(nodes_spec: str) -> bool:
    """Return whether such nodes are started by the cluster, which keeps them up."""
    return nodes_spec.startswith(("namespaces", "guests"))


@contextlib.contextmanager
def connected(state: State, nodes_spec: str | None = None) -> Iterator[Sequence[Node]]:
    """Give a cluster's nodes, which are those of ``nodes_spec`` if that is known already.

    Raises NodeError.
    """
    text = state.cluster().nodes_spec if nodes_spec is None else nodes_spec
    if are_kept_up(text):
        with power.connected(state.directory, text, lambda nodes: _furnish(state, nodes)) as nodes:
            yield nodes
        return
    with spec.parse(text).nodes(str(state.directory / "shared")) as others:
        yield others


def _furnish(state: State, nodes: Sequence[Node]) -> None:
    """Give nodes that have just booted what a node has: providers, a place for logs, no guests."""
    shutil.rmtree(state.directory / "guests", ignore_errors=True)
    for node in nodes:
        furnish(state, node)


def furnish(state: State, node: Node) -> None:
    """Give one node that is bare its log directory and all providers that it is to have."""
    cluster = state.cluster()
    node.make_directory(cluster.log_directory.format(node=node.name), 0o750)
    if _shares_files(cluster.nodes_spec):
        _share_pool(state, node)
    own = {copy.name: copy for copy in installed(state, node.name)}
    for provider in ({copy.name: copy for copy in installed(state)} | own).values():
        install(state, node, provider)


def _shares_files(nodes_spec: str) -> bool:
    """Return whether such nodes have a directory of the same files, with locks that hold."""
    wanted = spec.parse(nodes_spec)
    return isinstance(wanted, spec.Namespaces) or (
        isinstance(wanted, spec.Guests) and wanted.file_server
    )


def _share_pool(state: State, node: Node) -> None:
    """Have the loopback provider's volumes in the directory that all nodes share."""
    pool = f"{state.directory}/shared/loopback"
    # Made by the node: what guests share is not on this machine.
    node.make_directory(pool, 0o700)
    node.make_directory(POOL.rpartition("/")[0], 0o755)
    node.run(Command(("ln", "-sfn", pool, POOL), _ENVIRONMENT, "/"))


def installed(state: State, node: str | None = None) -> list[Path]:
    """Return the copies of the providers that all nodes have, or one by itself."""
    return sorted(path for path in _copies(state, node).glob("[!.]*") if path.is_dir())


def _copies(state: State, node: str | None) -> Path:
    folder = state.directory / "providers"
    return folder if node is None else folder / ".nodes" / node


def keep(state: State, provider: Path, node: str | None = None) -> Path:
    """Keep a copy of a provider, for when nodes boot; return it. Raises StateError.

    A node's own copy takes the place of the one that all have, until all get another.
    """
    folder = _copies(state, node)
    copy, new = folder / provider.name, folder / f".{provider.name}.new"
    try:
        shutil.rmtree(new, ignore_errors=True)
        shutil.copytree(provider, new, symlinks=True)
        shutil.rmtree(copy, ignore_errors=True)
        new.rename(copy)
    except (OSError, shutil.Error) as error:
        raise StateError(f"{provider} cannot be copied: {error}") from error
    if node is None:
        for own in folder.glob(f".nodes/*/{provider.name}"):
            shutil.rmtree(own)
    return copy


def install(state: State, node: Node, provider: Path) -> None:
    """Put a provider into the first directory of a node's search path, in place of an older one."""
    directory = state.cluster().search_path[0].format(node=node.name)
    target = f"{directory}/{provider.name}"
    node.run(Command(("rm", "-rf", "--", target), _ENVIRONMENT, "/"))
    node.copy_directory(str(provider), target)
