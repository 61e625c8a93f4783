"""The nodes of a cluster, while a command needs them."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING

from extstorage.nodes import spec

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from extstorage.cluster.state import State
    from extstorage.nodes.node import Node


@contextlib.contextmanager
def connected(state: State) -> Iterator[Sequence[Node]]:
    """Give a cluster's nodes. Raises NodeError."""
    with spec.parse(state.cluster().nodes_spec).nodes(str(state.directory / "shared")) as nodes:
        yield nodes
