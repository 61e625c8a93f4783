"""Between a logical volume and this node's device of it."""

from __future__ import annotations

import errno

from extstorage.provider import ProviderError
from extstorage.provider.tools import ToolError
from lvm import names
from lvm.commands import dmsetup

TYPE_CHECKING = False
if TYPE_CHECKING:
    from lvm.device import BlockDevice
    from lvm.group import LogicalVolume
    from lvm.protection import Protection
    from lvm.provider import Lvm

SHARED = "sy"
EXCLUSIVE = "ey"


def attach(provider: Lvm, name: str) -> BlockDevice:
    """Return this node's device of the volume ``name``; activate it if there is none.

    Takes one LVM command, whether the volume is active or not, and no lock of the group's.
    """
    protection = provider.protection()
    active = provider.device(name)
    if active is not None:
        active = _as_the_group_says(provider, protection, name, active)
    holds = protection.holds
    is_new = holds is not None and holds.attach(name)
    if active is not None:
        return active
    try:
        return _activate(provider, protection, name)
    except BaseException:
        if holds is not None and is_new:
            holds.record(name, 0)
        raise


def _activate(provider: Lvm, protection: Protection, name: str) -> BlockDevice:
    try:
        provider.volumes().activate(name, EXCLUSIVE if provider.thin_pool else SHARED)
    except ToolError:
        # Perhaps another node was just writing: the long way holds the lock, and tells.
        return _activate_with_lock(provider, protection, name)
    active = provider.active_device(name)
    if not active.is_copied():
        return active
    # Another node makes a snapshot, or has died doing so: its layers must not stay here.
    provider.volumes().deactivate(name)
    return _activate_with_lock(provider, protection, name)


def _activate_with_lock(provider: Lvm, protection: Protection, name: str) -> BlockDevice:
    from lvm.snapshots import end_abandoned_copy

    volumes = provider.volumes()
    with protection.metadata():
        found = volumes.volume(name)
        if found.is_copied:
            end_abandoned_copy(provider, protection, name)
        volumes.activate(name, mode_of(found))
    return provider.active_device(name)


def mode_of(found: LogicalVolume) -> str:
    """Return how the volume is activated: a thin pool can be active on one node only."""
    return EXCLUSIVE if found.is_thin else SHARED


def _as_the_group_says(
    provider: Lvm, protection: Protection, name: str, active: BlockDevice
) -> BlockDevice | None:
    """Return the device, as large as the volume; None if it was of an older volume of that name."""
    found = provider.volumes().volume(name)
    if active.uuid != found.uuid:
        dmsetup("remove", names.mapping(provider.group, name))
        return None
    if found.is_copied:
        _tidy(provider, protection, name)
    if active.size() < found.size or active.is_suspended():
        with protection.metadata():
            refresh(provider, name, active)
    return active


def resume(provider: Lvm, name: str, active: BlockDevice) -> None:
    """Let I/O to the device go on where an LVM command that was killed has left it waiting."""
    if not active.is_suspended():
        return
    with provider.protection().metadata():  # no living command has suspended it
        if active.is_suspended():
            refresh(provider, name, active)


def _tidy(provider: Lvm, protection: Protection, name: str) -> None:
    """End what a killed call for a snapshot has left; a living one goes on."""
    from lvm.snapshots import end_abandoned_copy

    with protection.metadata():
        try:
            end_abandoned_copy(provider, protection, name)
        except ProviderError:
            pass  # the device is good all the same


def refresh(provider: Lvm, name: str, active: BlockDevice) -> None:
    """Let the device be what the group now says; whether it refuses writes stays as it is."""
    read_only = active.is_read_only()
    provider.volumes().refresh(name)
    if read_only:
        active.set_read_only(True)


def detach(provider: Lvm, name: str) -> None:
    """End this node's device of the volume ``name``, or raise ProviderError and leave it."""
    active = provider.device(name)
    if active is not None:
        resume(provider, name, active)
        _flush(active)
        _deactivate(provider, name, active)
    try:
        holds = provider.protection().holds
    except ProviderError:
        return  # without the lockspace this node counts as gone, and holds nothing
    if holds is not None:
        holds.record(name, 0)


def _flush(active: BlockDevice) -> None:
    try:
        active.flush()
    except OSError as error:
        # A full pool refuses even to flush a volume without data, and the kernel has given up what
        # found no room: a device that stays would save nothing.
        if error.errno != errno.ENOSPC:
            raise


def _deactivate(provider: Lvm, name: str, active: BlockDevice) -> None:
    said = ""
    try:
        provider.volumes().deactivate(name)
    except ToolError as error:
        said = f" ({error})"
    # LVM looks for the device of the volume that has the name now; if this one's is an older
    # volume's, it finds nothing to do, and has succeeded.
    if provider.device(name) is not None:
        _remove_mapping(names.mapping(provider.group, name), active, said)


def _remove_mapping(mapping: str, active: BlockDevice, said: str) -> None:
    """End the device without LVM: the volume, or its whole group, may be gone."""
    try:
        dmsetup("remove", mapping)
    except ToolError:
        from extstorage.provider.users import users_of

        raise ProviderError(
            f"{active.path} is in use ({users_of(active.path)}): stop it, detach again{said}"
        ) from None
