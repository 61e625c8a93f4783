"""A job: one command at work, with what it needs and what it tells.

Source in Ganeti: ``lib/mcpu.py`` (Processor), ``lib/cli.py`` (StdioJobPollReportCb).
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from extstorage.cluster import names
from extstorage.cluster.errors import EXISTS, UNKNOWN, WRONG_STATE, OpPrereqError, raising
from extstorage.cluster.model import DOWN
from extstorage.contract.releases import release
from extstorage.host.text import safe_encode

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from extstorage.cluster.model import Cluster, Instance
    from extstorage.cluster.rpc import NodeDaemon
    from extstorage.cluster.state import State


class Job:
    """What an operation works with.

    Args:
        state: The cluster's records.
        cluster: The one of the cluster itself.
        daemons: The node daemons by the nodes' names.
        tell: Takes each line of feedback, as ``gnt-instance`` prints it.

    Attributes:
        cluster: The cluster's record.
    """

    def __init__(
        self,
        state: State,
        cluster: Cluster,
        daemons: Mapping[str, NodeDaemon],
        tell: Callable[[str], None],
    ) -> None:
        self.state = state
        self.cluster = cluster
        self.daemons = daemons
        self.tell = tell

    def at_least(self, name: str) -> bool:
        """Return whether the release that the cluster acts as is ``name`` or later."""
        return release(self.cluster.release).at_least(name)

    def feedback(self, text: str) -> None:
        """Tell how far the operation is."""
        self.tell(f"{time.ctime()} {text}")

    def info(self, text: str) -> None:
        """Tell what the user should know."""
        self.feedback(f" - INFO: {_encoded(text)}")

    def warning(self, text: str, *, hint: str | None = None) -> None:
        """Tell what went wrong without ending the operation."""
        if text:
            self.feedback(f" - WARNING: {_encoded(text)}")
        if hint:
            self.feedback(f"      Hint: {_encoded(hint)}")

    def node(self, name: str) -> str:
        """Return a node's full name. Raises OpPrereqError."""
        return _expanded(name, [entry.name for entry in self.cluster.nodes], "Node")

    def instance_name(self, name: str) -> str:
        """Return an instance's full name. Raises OpPrereqError."""
        return _expanded(name, self.state.instance_names(), "Instance")

    def instance(self, name: str) -> Instance:
        """Return the record of an instance. Raises OpPrereqError."""
        full = self.instance_name(name)
        try:
            return self.state.instance(full)
        except KeyError:
            raise OpPrereqError(f"Instance '{name}' not known", UNKNOWN) from None

    def daemon(self, name: str) -> NodeDaemon:
        """Return the daemon of a node, by the node's full name."""
        return self.daemons[name]

    def primary(self, instance: Instance) -> NodeDaemon:
        """Return the daemon of an instance's primary node."""
        return self.daemons[instance.primary_node]

    def save(self, instance: Instance) -> None:
        """Write an instance's record."""
        self.state.save_instance(instance)

    def check_new_name(self, name: str) -> None:
        """Refuse a name that an instance has already. Raises OpPrereqError."""
        if self.state.has_instance(name):
            raise OpPrereqError(f"Instance '{name}' is already in the cluster", EXISTS)

    def check_online(self, node: str, text: str = "Can't use offline node") -> None:
        """Refuse an offline node (CheckNodeOnline). Raises OpPrereqError."""
        if self.cluster.node(node).offline:
            raise OpPrereqError(f"{text}: {node}", WRONG_STATE)

    def runs(self, instance: Instance) -> bool:
        """Return whether an instance runs on its primary node (IsInstanceRunning)."""
        with raising(
            f"Can't retrieve info for instance '{instance.name}' on node '{instance.primary_node}'"
        ):
            return instance.name in self.primary(instance).instance_list()

    def check_down(self, instance: Instance, text: str) -> None:
        """Refuse an instance that is, or should be, running (CheckInstanceState)."""
        if instance.admin_state != DOWN:
            raise OpPrereqError(
                f"Instance '{instance.name}' is marked to be {instance.admin_state}, {text}",
                WRONG_STATE,
            )
        if self.cluster.node(instance.primary_node).offline:
            self.warning("Primary node offline, ignoring check that instance is down")
        elif self.runs(instance):
            raise OpPrereqError(f"Instance {instance.name} is running, {text}", WRONG_STATE)


def _expanded(name: str, known: list[str], kind: str) -> str:
    found = names.matched(name, known)
    if found is None:
        raise OpPrereqError(f"{kind} '{name}' not known", UNKNOWN)
    return found


def _encoded(text: str) -> str:
    return r"\n".join(safe_encode(line) for line in text.split("\n"))
