"""Where an instance goes when no node is named: in the place of an allocator."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from extstorage.cluster.errors import OpPrereqError

if TYPE_CHECKING:
    from collections.abc import Collection

    from extstorage.cluster.job import Job

ALLOCATOR = "hail"
"""The name that messages give to the allocator: the one that Ganeti comes with."""


def choose(job: Job, unwanted: Collection[str]) -> str:
    """Return the online node with the fewest instances; raise OpPrereqError if there is none."""
    load = Counter(job.state.instance(name).primary_node for name in job.state.instance_names())
    nodes = [
        entry.name
        for entry in job.cluster.nodes
        if not entry.offline and entry.name not in unwanted
    ]
    if not nodes:
        raise OpPrereqError(
            f"Can't compute nodes using iallocator '{ALLOCATOR}': no online node is left",
            "insufficient_resources",
        )
    return min(nodes, key=lambda name: load[name])
