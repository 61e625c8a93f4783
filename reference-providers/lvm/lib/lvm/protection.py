"""What keeps the nodes from spoiling each other's changes of one group.

LVM's metadata is one text that every command reads, changes and writes back: of two hosts that do
so at once, one loses what it has just written. Either lvmlockd locks the group, then LVM's commands
do it by themselves; or the provider holds a lease of sanlock's meanwhile; or the user has said,
with ``lock=none``, that only one node ever uses the group.
"""

from __future__ import annotations

from extstorage.provider import ProviderError
from extstorage.provider.locks import Lock
from extstorage.provider.state import state_directory
from lvm.area import Area
from lvm.holds import Holds
from lvm.sanlock import Sanlock

TYPE_CHECKING = False
if TYPE_CHECKING:
    from types import TracebackType

    from lvm.sanlock import Lease, Lockspace

_LONGEST_NAME = 48  # of a lockspace


class Protection:
    """How one group is protected; ``holds`` is None with ``lock=none``."""

    def __init__(self, group: str) -> None:
        self._group = group
        self.holds: Holds | None = None
        self.is_lvmlockd = False
        self._lease_of: tuple[Sanlock, str] | None = None

    @property
    def spans_nodes(self) -> bool:
        """Whether other nodes may use the group at the same time."""
        return self.holds is not None

    def metadata(self) -> _Metadata:
        """Return what a ``with`` block holds while it runs commands that change the group."""
        return _Metadata(self._group, self._lease_of)

    def protect_by(self, sanlock: Sanlock, lockspace: Lockspace, lease: str) -> None:
        """Use the lockspace; and the lease in it, unless that is ``""``."""
        self.holds = Holds(self._group, sanlock, lockspace)
        self.is_lvmlockd = not lease
        self._lease_of = (sanlock, lease) if lease else None


class _Metadata:
    """The right to change the group's metadata: on this node, and among the nodes."""

    def __init__(self, group: str, lease: tuple[Sanlock, str] | None) -> None:
        self._path = f"{state_directory('.lvm')}/metadata.{group}"
        self._wanted = lease
        self._lease: Lease | None = None
        self._lock: Lock | None = None

    def __enter__(self) -> None:
        self._lock = Lock(self._path, create=True)
        try:
            if self._wanted:
                sanlock, resource = self._wanted
                self._lease = sanlock.acquire(resource)
        except BaseException:
            self._lock.release()
            raise

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._lease:
            self._lease.__exit__(kind, error, trace)
        if self._lock:
            self._lock.release()


def lockspace_name(group: str) -> str:
    """Return the name of the provider's own lockspace for the group."""
    name = f"extstorage.{group}"
    if len(name) > _LONGEST_NAME:
        raise ProviderError(
            f"parameter group: the name {group} is too long for a lease: expected at most"
            f" {_LONGEST_NAME - len('extstorage.')} characters"
        )
    return name


def lease(group: str) -> str:
    """Return sanlock's text for the lease on the group's metadata."""
    area = Area(group)
    return f"{lockspace_name(group)}:metadata:{area.path}:{area.align()}"


def protection(group: str, *, none: bool) -> Protection:
    """Return how the group is protected; ``none``: it is not, and needs not be.

    Raises ProviderError if it is not but must be.
    """
    found = Protection(group)
    if none:
        return found
    sanlock = Sanlock()
    joined = {each.name: each for each in sanlock.lockspaces()}
    if f"lvm_{group}" in joined:
        found.protect_by(sanlock, joined[f"lvm_{group}"], "")
        return found
    own = lockspace_name(group)
    if own in joined:
        found.protect_by(sanlock, joined[own], lease(group))
        return found
    raise ProviderError(
        f"nothing keeps the nodes from spoiling group {group}: on this node neither lvmlockd has it"
        f" nor has sanlock joined {own}: run `area join`, or `vgchange --lock-start {group}`; if no"
        " two nodes ever use the group at once, give lock=none"
    )
