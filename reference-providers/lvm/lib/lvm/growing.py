"""Growing volumes, and writing zeros over what they have got."""

from __future__ import annotations

import os

from extstorage.provider import ProviderError
from lvm.attaching import attach, detach, refresh
from lvm.group import MIB
from lvm.makers import Maker
from lvm.pools import PoolHere

TYPE_CHECKING = False
if TYPE_CHECKING:
    from lvm.device import BlockDevice
    from lvm.group import LogicalVolume
    from lvm.protection import Protection
    from lvm.provider import Lvm


def grow(provider: Lvm, name: str, new_size: int) -> None:
    """Make the volume ``name`` ``new_size`` MiB, rounded up; never make it smaller."""
    protection = provider.protection()
    if not provider.wipe or provider.volumes().volume(name).is_thin:
        with protection.metadata():
            _grow(provider, protection, name, new_size)
        return
    # The zeros may take longer than Ganeti waits. Whoever calls again meanwhile must not be told
    # that all is well: the guest would write, and the zeros come after it.
    with Maker(provider.group, (name,), protection):
        _grow_and_wipe(provider, protection, name, new_size)


def _grow_and_wipe(provider: Lvm, protection: Protection, name: str, new_size: int) -> None:
    """Let the volume be attached here meanwhile: another node neither removes nor wipes it then."""
    with provider.one_at_a_time(name):
        was_active = provider.device(name) is not None
        active = attach(provider, name)
        if not was_active:
            # An attach waits: the device that it gave out would go with the detach.
            try:
                _grow_active(provider, protection, name, active, new_size)
            finally:
                detach(provider, name)
            return
    _grow_active(provider, protection, name, active, new_size)


def _grow_active(
    provider: Lvm, protection: Protection, name: str, active: BlockDevice, new_size: int
) -> None:
    if active.is_read_only():
        raise ProviderError(
            "closed on this node, so no zeros can be written: open it, or detach it"
        )
    descriptor = active.open_to_write()  # nobody detaches it now
    try:
        with protection.metadata():
            _expect_no_user_elsewhere(protection, name)
            before = _grow(provider, protection, name, new_size)
        active.zero(before.size)
    finally:
        os.close(descriptor)


def _expect_no_user_elsewhere(protection: Protection, name: str) -> None:
    user = protection.holds.user(name) if protection.holds else None
    if user:
        raise ProviderError(
            f"{user}, and may be writing zeros over new space: grow it there, or detach it there"
        )


def _grow(provider: Lvm, protection: Protection, name: str, new_size: int) -> LogicalVolume:
    """Return what the volume was before. The caller holds the lock on the metadata."""
    from lvm.snapshots import end_abandoned_copy

    volumes = provider.volumes()
    found = volumes.volume(name)
    _expect_no_less(found, new_size, provider.stripes)
    if found.is_copied:
        end_abandoned_copy(provider, protection, name)
    if found.size < new_size * MIB:
        is_shared = protection.is_lvmlockd and not found.is_thin
        with PoolHere(provider, protection, found.pool):
            volumes.grow(name, new_size, shared=is_shared)
    active = provider.device(name)
    if active is not None and active.size() < volumes.volume(name).size:
        refresh(provider, name, active)
    return found


def _expect_no_less(found: LogicalVolume, new_size: int, stripes: int) -> None:
    if found.size - found.extent * stripes >= new_size * MIB:
        raise ProviderError(
            f"VOL_NEW_SIZE: expected at least the volume's {found.size // MIB} MiB,"
            f" found {new_size}: a volume never shrinks"
        )
