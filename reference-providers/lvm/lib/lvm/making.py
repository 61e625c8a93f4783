"""Making, growing and removing volumes."""

from __future__ import annotations

from extstorage.provider import InvalidInputError, ProviderError
from extstorage.provider.tools import ToolError
from lvm.attaching import EXCLUSIVE, mode_of, refresh
from lvm.group import MIB
from lvm.makers import Maker, is_at_work

TYPE_CHECKING = False
if TYPE_CHECKING:
    from lvm.protection import Protection
    from lvm.provider import Lvm

_NOT_ACTIVE = ("--activate=n", "--zero=n", "--wipesignatures=n")


def make(provider: Lvm, name: str, size: int) -> None:
    """Make the volume ``name`` of ``size`` MiB."""
    protection = provider.protection()
    if provider.thin_pool:
        _make_thin(provider, protection, name, size)
    elif provider.wipe:
        _make_wiped(provider, protection, name, size)
    else:
        add(provider, protection, name, *linear(provider, size * MIB))


def linear(provider: Lvm, size: int) -> list[str]:
    """Return lvcreate's words for a volume of ``size`` bytes that is not thin, and not active."""
    spread = [f"--stripes={provider.stripes}"] if provider.stripes > 1 else []
    return [*_NOT_ACTIVE, *spread, f"--size={size}b", provider.group]


def _make_thin(provider: Lvm, protection: Protection, name: str, size: int) -> None:
    if provider.stripes > 1:
        raise InvalidInputError("parameter stripes: the thin pool decides: leave it out")
    expect_one_node(protection)
    pool = f"--thinpool={provider.thin_pool}"
    add(provider, protection, name, "--activate=n", pool, f"--virtualsize={size}m", provider.group)


def expect_one_node(protection: Protection) -> None:
    """Raise ProviderError unless something keeps a thin pool from being active on two nodes."""
    if protection.holds is not None and not protection.is_lvmlockd:
        raise ProviderError(
            "parameter thin_pool: two nodes that have a thin pool active destroy it, and only"
            " lvmlockd keeps them from it: convert the group (vgchange --lock-type sanlock)"
        )


def _make_wiped(provider: Lvm, protection: Protection, name: str, size: int) -> None:
    volumes = provider.volumes()
    with Maker(provider.group, (name,), protection) as maker:
        add(provider, protection, name, *linear(provider, size * MIB), maker=maker.name)
        try:
            volumes.activate_known(name, EXCLUSIVE)
            provider.active_device(name).zero(0)
            volumes.deactivate(name)
            with protection.metadata():
                volumes.finish(name, maker.name)
        except BaseException:
            with protection.metadata():
                volumes.remove_known(name)
            raise


def add(provider: Lvm, protection: Protection, name: str, *words: str, maker: str = "") -> None:
    """Make a logical volume; what a crash has left of the same name goes first.

    ``maker``, if there is one, holds the lock of this name: nobody else on this node makes it.
    """
    volumes = provider.volumes()
    with protection.metadata():
        try:
            volumes.create(name, *words, maker=maker)
        except ToolError as error:
            found = volumes.report(name).get(name)
            if found is None:
                raise
            if not volumes.is_own(found) or found.maker is None:
                raise ProviderError(
                    f"the volume exists: {volumes.path(name)}: remove it first"
                ) from error
            if found.maker != maker and is_at_work(found.maker, provider.group, name, protection):
                raise ProviderError(
                    f"{name} is being made by node number {found.maker}: try again later"
                ) from error
            volumes.remove_known(name)
            volumes.create(name, *words, maker=maker)


def grow(provider: Lvm, name: str, new_size: int) -> None:
    """Make the volume ``name`` ``new_size`` MiB, rounded up; never make it smaller."""
    from lvm.snapshots import end_abandoned_copy

    protection = provider.protection()
    volumes = provider.volumes()
    with protection.metadata():
        found = volumes.volume(name)
        if found.size - found.extent * provider.stripes >= new_size * MIB:
            raise ProviderError(
                f"VOL_NEW_SIZE: expected at least the volume's {found.size // MIB} MiB,"
                f" found {new_size}: a volume never shrinks"
            )
        if found.is_copied:
            end_abandoned_copy(provider, protection, name)
        if found.size < new_size * MIB:
            is_shared = protection.is_lvmlockd and not found.is_thin
            volumes.grow(name, new_size, shared=is_shared)
        active = provider.device(name)
        if active is not None and active.size() < volumes.volume(name).size:
            refresh(provider, name, active)
    if provider.wipe and not found.is_thin:
        _wipe_from(provider, name, found.size, mode_of(found))


def _wipe_from(provider: Lvm, name: str, start: int, mode: str) -> None:
    active = provider.device(name)
    if active is not None:
        active.zero(start)
        return
    provider.volumes().activate_known(name, mode)
    provider.active_device(name).zero(start)
    provider.volumes().deactivate(name)


def remove(provider: Lvm, name: str) -> None:
    """Remove the volume ``name`` if there is one."""
    protection = provider.protection()
    holds = protection.holds
    if provider.device(name) is not None:
        raise ProviderError("attached on this node: detach it first")
    with protection.metadata():
        user = holds.user(name) if holds else None
        if user:
            raise ProviderError(f"{user}: detach it there first")
        if not provider.volumes().remove(name):
            _remove_copied(provider, protection, name)
        if holds:
            holds.record(name, 0)


def _remove_copied(provider: Lvm, protection: Protection, name: str) -> None:
    from lvm.snapshots import end_abandoned_copy

    volumes = provider.volumes()
    found = volumes.report(name).get(name)
    if found is not None and volumes.is_own(found) and found.is_copied:
        end_abandoned_copy(provider, protection, name)
        volumes.remove(name)
