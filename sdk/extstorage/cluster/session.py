"""One command on a cluster: its records, its nodes, what it says and what it calls."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING

from extstorage.cluster import names
from extstorage.cluster.calls import CallLog, PlanningHost, PlanningNode, RecordingHost
from extstorage.cluster.guest import RecordedGuests
from extstorage.cluster.job import Job
from extstorage.cluster.rpc import NodeDaemon
from extstorage.contract.releases import release

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from extstorage.cluster.guest import Guests
    from extstorage.cluster.model import Cluster
    from extstorage.cluster.state import State
    from extstorage.nodes.node import Node


class Session:
    """What a command needs of a cluster whose nodes are up.

    Args:
        state: The cluster's records.
        nodes: Its nodes.
        tell: Takes each line of feedback.
        guests: What runs where, or None for records in the state directory.
        daemon_environment: What the node daemons were started with, or None for the usual.

    Attributes:
        log: Every script call, as it was made.
    """

    def __init__(
        self,
        state: State,
        nodes: Sequence[Node],
        tell: Callable[[str], None],
        *,
        guests: Guests | None = None,
        daemon_environment: Mapping[str, str] | None = None,
    ) -> None:
        self.state = state
        self.log = CallLog()
        self.guests = guests or RecordedGuests(state.directory / "guests")
        self._nodes = nodes
        self._tell = tell
        self._daemon_environment = daemon_environment

    @contextlib.contextmanager
    def job(self, *instances: str) -> Iterator[Job]:
        """Give a job that holds the locks of the instances of these names, in full or not."""
        with self.state.locked(*(full_name(self.state, name) for name in instances)):
            yield self._job(RecordingHost)

    @contextlib.contextmanager
    def reading(self) -> Iterator[Job]:
        """Give a job that changes no record, and needs no lock."""
        yield self._job(RecordingHost)

    def planning(self) -> Job:
        """Return a job whose scripts are not run."""
        return self._job(PlanningHost)

    def _job(self, kind: type[RecordingHost | PlanningHost]) -> Job:
        cluster = self.state.cluster()
        daemons = {node.name: self._daemon(node, cluster, kind) for node in self._nodes}
        return Job(self.state, cluster, daemons, self._tell)

    def _daemon(
        self, node: Node, cluster: Cluster, kind: type[RecordingHost | PlanningHost]
    ) -> NodeDaemon:
        host = kind(
            PlanningNode(node) if kind is PlanningHost else node,
            [path.format(node=node.name) for path in cluster.search_path],
            release(cluster.release),
            cluster.log_directory.format(node=node.name),
            daemon_environment=self._daemon_environment,
            timeout_s=cluster.timeout_s,
        )
        host.log = self.log
        return NodeDaemon(
            host,
            self.guests,
            offline=cluster.node(node.name).offline,
            remove_retry_s=cluster.remove_retry_s,
        )


def full_name(state: State, name: str) -> str:
    """Return the full name that ``name`` is short for, or would be kept as if it were new."""
    return names.matched(name, state.instance_names()) or name.lower().rstrip(".")
