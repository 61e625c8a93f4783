"""Removing volumes.

Attach takes no lease: between the look at who has the volume and the volume's end, another node may
come to have it. So the name goes first, then comes the look. An attach that no more finds the name
has failed; one that did find it had noted so before, and is seen.
"""

from __future__ import annotations

from extstorage.provider import ProviderError
from lvm import names
from lvm.making import remove_abandoned
from lvm.pools import PoolHere

TYPE_CHECKING = False
if TYPE_CHECKING:
    from lvm.group import LogicalVolume
    from lvm.protection import Protection
    from lvm.provider import Lvm


def remove(provider: Lvm, name: str) -> None:
    """Remove the volume ``name`` if there is one."""
    protection = provider.protection()
    _expect_no_device(provider, name)
    with protection.metadata():
        found = _report(provider, name)
        old = found.get(names.removed(name))
        if old is not None and provider.volumes().is_own(old):
            found = _begin_again(provider, protection, name, found)
        _expect_no_user(protection, name)
        _remove(provider, protection, name, found)
        if protection.holds:
            protection.holds.record(name, 0)


def _report(provider: Lvm, name: str) -> dict[str, LogicalVolume]:
    all_names = (name, names.unfinished(name), names.frozen(name), names.removed(name))
    return provider.volumes().report(*all_names)


def _begin_again(
    provider: Lvm, protection: Protection, name: str, found: dict[str, LogicalVolume]
) -> dict[str, LogicalVolume]:
    """Undo what a killed remove has done, as if it had never been; return what is there then.

    It may have been killed before it saw that another node has the volume.
    """
    old = names.removed(name)
    if name in found:  # made since: what was removed before is removed
        _expect_no_user(protection, name)
        provider.volumes().remove(old)
    else:
        provider.volumes().rename(old, name)
        _expect_no_device(provider, name)
    return _report(provider, name)


def _expect_no_device(provider: Lvm, name: str) -> None:
    if provider.device(name) is not None:
        raise ProviderError("attached on this node: detach it first")


def _expect_no_user(protection: Protection, name: str) -> None:
    user = protection.holds.user(name) if protection.holds else None
    if user:
        raise ProviderError(f"{user}: detach it there first")


def _remove(
    provider: Lvm, protection: Protection, name: str, found: dict[str, LogicalVolume]
) -> None:
    from lvm.snapshots import end_abandoned_copy

    volumes = provider.volumes()
    new = names.unfinished(name)
    if new in found:
        remove_abandoned(provider, protection, found[new])
    if name not in found or not volumes.is_own(found[name]):
        return
    if found[name].is_copied or names.frozen(name) in found:
        end_abandoned_copy(provider, protection, name)
    with PoolHere(provider, protection, found[name].pool):
        if protection.spans_nodes and not protection.is_lvmlockd:
            _remove_by_another_name(provider, protection, name)
        else:
            volumes.remove(name)  # lvmlockd refuses it while another node has it active


def _remove_by_another_name(provider: Lvm, protection: Protection, name: str) -> None:
    volumes = provider.volumes()
    old = names.removed(name)
    try:
        volumes.rename(name, old)
        _expect_no_device(provider, old)
        _expect_no_user(protection, name)
        volumes.remove(old)
    except BaseException:
        _take_back(provider, old, name)
        raise


def _take_back(provider: Lvm, old: str, name: str) -> None:
    try:
        provider.volumes().rename(old, name)
    except ProviderError:
        pass  # it was not renamed, or is gone, or the next call does it: the first error counts
