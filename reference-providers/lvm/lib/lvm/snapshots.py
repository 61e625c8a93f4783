"""Snapshots: of a thin volume at once, of a linear one by a copy.

LVM's snapshot of a linear volume is no volume for Ganeti: it cannot be deactivated without its
origin, it lives on the node that made it only, and with it the origin must not be active anywhere
else. So here it lives for as long as it takes to copy what it has frozen into a volume that has
nothing to do with the origin any more.
"""

from __future__ import annotations

from extstorage.provider import ProviderError
from lvm import names
from lvm.attaching import EXCLUSIVE, SHARED, resume
from lvm.makers import is_at_work

TYPE_CHECKING = False
if TYPE_CHECKING:
    from lvm.device import BlockDevice
    from lvm.group import LogicalVolume
    from lvm.protection import Protection
    from lvm.provider import Lvm


def freeze(provider: Lvm, name: str, snapshot: str) -> None:
    """Make the volume ``snapshot`` what the volume ``name`` is now; I/O to ``name`` goes on."""
    from lvm.commands import expect
    from lvm.copying import copy
    from lvm.making import Unfinished, linear

    protection = provider.protection()
    _expect_no_writer_elsewhere(protection, name)
    active = provider.device(name)
    if active is not None:
        resume(provider, name, active)
        active.flush()
    origin = provider.volumes().volume(name)
    if origin.is_thin:
        _freeze_thin(provider, protection, origin, snapshot)
        return
    expect("lvcreate", "lvremove", "lvrename")  # what could not be undone is not begun
    words = linear(provider, origin.size)
    with Unfinished(provider, protection, snapshot, copy_of=name) as new:
        new.add(*words)
        with _Frozen(provider, protection, name, new.maker) as source:
            copy(source.path, new.activate().path, origin.size)
        _expect_no_writer_elsewhere(protection, name)


def _expect_no_writer_elsewhere(protection: Protection, name: str) -> None:
    conflict = protection.holds.conflict(name, exclusive=True) if protection.holds else None
    if conflict:
        raise ProviderError(f"{conflict}: a snapshot can be made there only")


def _freeze_thin(
    provider: Lvm, protection: Protection, origin: LogicalVolume, snapshot: str
) -> None:
    from lvm.making import add

    words = ("--snapshot", provider.volumes().path(origin.name))
    add(provider, protection, snapshot, *words, pool=origin.pool)


class _Frozen:
    """What the linear volume ``name`` is at one moment, as a device; for a ``with`` block."""

    def __init__(self, provider: Lvm, protection: Protection, name: str, maker: str) -> None:
        self._provider = provider
        self._protection = protection
        self._name = name
        self._frozen = names.frozen(name)
        self._maker = maker
        self._volumes = provider.volumes()
        self._was_active = provider.device(name) is not None

    def __enter__(self) -> BlockDevice:
        try:
            with self._protection.metadata():
                self._freeze()
            return self._provider.active_device(self._frozen)
        except BaseException:
            self.__exit__()
            raise

    def _freeze(self) -> None:
        found = self._volumes.report(self._name, self._frozen)
        now = self._volumes.expect(found.get(self._name), self._name)
        # lvcreate first makes a volume, then lets it be a snapshot: a power cut may come between.
        if now.is_copied or self._frozen in found:
            end_abandoned_copy(self._provider, self._protection, self._name, by_maker=True)
            now = self._volumes.volume(self._name)
        # For lvmlockd: the origin of a snapshot can be active on one node only.
        self._volumes.activate(self._name, EXCLUSIVE)
        # As large as the origin it can never overflow; where there is less room it may, and the
        # copy then fails with an I/O error.
        size = min(now.size + now.extent, now.free)
        words = ("--snapshot", f"--size={size}b", self._volumes.path(self._name))
        self._volumes.create(self._frozen, *words, maker=self._maker)

    def __exit__(self, *_: object) -> None:
        try:
            self._thaw()
        except (ProviderError, OSError):
            # While it is frozen, no other node may use the volume: not given up at once.
            self._thaw()

    def _thaw(self) -> None:
        with self._protection.metadata():
            if self._frozen in self._volumes.report(self._frozen):
                self._volumes.remove(self._frozen)
            if not self._was_active:
                self._volumes.deactivate(self._name)
            elif self._protection.is_lvmlockd:
                self._volumes.activate(self._name, SHARED)


def end_abandoned_copy(
    provider: Lvm, protection: Protection, name: str, *, by_maker: bool = False
) -> None:
    """Remove the snapshot, or what was to be one, of a call that died while it copied ``name``.

    ``by_maker``: the caller holds the maker's lock of this node. Raises ProviderError if the copy
    is still being made, or if the snapshot is none of this provider's.
    """
    volumes = provider.volumes()
    frozen = names.frozen(name)
    found = volumes.report(frozen).get(frozen)
    if found is None or not volumes.is_own(found):
        raise ProviderError(
            f"{volumes.path(name)} has a snapshot that this provider did not make: remove it"
            " (lvs -o lv_name,origin), it keeps the volume from other nodes"
        )
    if not by_maker and is_at_work(found.maker, provider.group, frozen, protection):
        raise ProviderError(
            f"node number {found.maker} makes a snapshot of it, or was stopped while it did:"
            " try again later, or attach the volume there"
        )
    volumes.remove(frozen)
