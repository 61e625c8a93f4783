"""The ten methods."""

from __future__ import annotations

from extstorage.provider import Device, Provider, ProviderError, parameters
from extstorage.provider.locks import VolumeLock
from lvm import device, names

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from lvm.device import BlockDevice
    from lvm.group import Group
    from lvm.protection import Protection


class Name(parameters.Text):
    """A name that LVM takes: of a group, or of a logical volume."""

    _CHARACTERS = frozenset("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+_.-")

    def parse(self, text: str) -> str:
        """Return the name."""
        if not self._CHARACTERS.issuperset(text) or text[0] in "-.":
            raise ValueError(
                "expected a name made of A-Z a-z 0-9 + _ . - not beginning with - or ."
            )
        return text


class Lvm(Provider):
    """Volumes are logical volumes of a group that all nodes share."""

    group = Name("volume group that all nodes share", required=True)
    thin_pool = Name("thin pool of the group to take blocks from; without it volumes are linear")
    stripes = parameters.Number("how many physical volumes to spread over", 1, 128, default="1")
    wipe = parameters.Flag("yes: write zeros over new space; no: it may hold what others left")
    lock = parameters.Choice(
        "cluster: lvmlockd or a lease of sanlock keeps the nodes apart; none: nothing does, so only"
        " one node may ever use the group",
        "cluster",
        "none",
        default="cluster",
    )

    def create(self, volume: str, size: int) -> None:
        """Make a logical volume of ``size`` MiB, rounded up to extents."""
        from lvm.making import make

        make(self, self._name(volume), size)

    def attach(self, volume: str) -> Device:
        """Activate the volume on this node; return its device."""
        from lvm.attaching import attach

        name = self._name(volume)
        # With a detach in between, the device would go, or what this node says of itself would lie.
        with self.one_at_a_time(name):
            return Device(attach(self, name).path)

    def detach(self, volume: str) -> None:
        """Deactivate the volume on this node, whatever has become of the group and its locks."""
        from lvm.attaching import detach

        name = self._name(volume)
        with self.one_at_a_time(name):
            detach(self, name)

    def remove(self, volume: str) -> None:
        """Remove the volume; there being none is as good."""
        from lvm.removing import remove

        remove(self, self._name(volume))

    def grow(self, volume: str, recorded_size: int, new_size: int) -> None:  # noqa: ARG002
        """Make the volume and this node's device larger; I/O goes on."""
        from lvm.growing import grow

        grow(self, self._name(volume), new_size)

    def setinfo(self, volume: str, metadata: str) -> None:
        """Replace the tag that says something about the volume."""
        name = self._name(volume)
        with self.protection().metadata():
            self.volumes().replace_info(self.volumes().volume(name), metadata)

    def snapshot(self, volume: str, snapshot: str, recorded_size: int) -> None:  # noqa: ARG002
        """Make a volume of its own that is what ``volume`` is now."""
        from lvm.snapshots import freeze

        freeze(self, self._name(volume), self._name(snapshot))

    def open(self, volume: str, exclusive: bool) -> None:  # noqa: FBT001 - as Ganeti has it
        """Let this node use the volume, unless another node's use forbids it."""
        from lvm.opening import open_volume

        open_volume(self, self._name(volume), exclusive=exclusive)

    def close(self, volume: str) -> None:
        """End this node's use: what it wrote is on disk, and it writes no more."""
        from lvm.opening import close_volume

        close_volume(self, self._name(volume))

    def checks(self) -> dict[str, Callable[[], None]]:
        """Return what ``verify`` can check on this node."""
        from lvm.checks import checks

        return checks(self)

    def one_at_a_time(self, name: str) -> VolumeLock:
        """Return this node's lock on the volume, for calls that make its device come or go."""
        return VolumeLock(self.name, name)

    def volumes(self) -> Group:
        """Return the group with this provider's volumes."""
        from lvm.group import Group

        return Group(self.group, self.name)

    def protection(self) -> Protection:
        """Return what keeps the nodes apart; raise ProviderError if nothing does but must."""
        from lvm.protection import protection

        return protection(self.group, none=self.lock == "none")

    def device(self, name: str) -> BlockDevice | None:
        """Return this node's device of the logical volume ``name``; None if it is not active."""
        return device.find(names.mapping(self.group, name))

    def active_device(self, name: str) -> BlockDevice:
        """Return this node's device of the volume ``name``, which LVM says to be active."""
        active = self.device(name)
        if active is None:
            path = names.mapping(self.group, name)
            raise ProviderError(f"LVM has activated it, but there is no /dev/mapper/{path}")
        return active

    def _name(self, volume: str) -> str:
        return names.logical_volume(self.group, self.name, volume)
