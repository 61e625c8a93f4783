"""``gnt-node modify --offline`` and the instances of a node (``lib/cmdlib/node.py``)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from extstorage.cluster.errors import OpPrereqError

if TYPE_CHECKING:
    from extstorage.cluster.job import Job
    from extstorage.cluster.state import State


def primary_instances(state: State, node: str) -> list[str]:
    """Return the names of the instances whose primary node this is, in order."""
    return [name for name in state.instance_names() if state.instance(name).primary_node == node]


def set_offline(job: Job, name: str, *, offline: bool) -> list[tuple[str, bool]]:
    """Mark a node as offline, or undo that; return the changes (LUNodeSetParams).

    The caller holds the whole cluster's lock. Raises OpPrereqError.
    """
    node = job.node(name)
    if node == job.cluster.nodes[0].name:
        raise OpPrereqError("The master role can be changed only via master-failover")
    entry = job.cluster.node(node)
    if entry.offline == offline:
        if not offline:
            job.info("Ignoring request to unset flag offline, already unset")
        return []
    if not offline:
        job.info("Auto-promoting node to master candidate")
        job.warning(
            "Transitioning node from offline to online state without using re-add. Please make"
            " sure the node is healthy!"
        )
    entry.offline = offline
    job.state.save_cluster(job.cluster)
    return [("master_candidate", not offline), ("offline", offline)]
