"""What ``verify`` checks on this node; nothing that it does leaves a trace."""

from __future__ import annotations

import os

from extstorage.provider import ProviderError
from extstorage.provider.tools import ToolError
from lvm.commands import dmsetup, lvm

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from lvm.provider import Lvm


def checks(provider: Lvm) -> dict[str, Callable[[], None]]:
    """Return the checks by name; those of a group only if one is given (EXTP_GROUP)."""
    found: dict[str, Callable[[], None]] = {"device-mapper": _has_device_mapper, "lvm": _has_lvm}
    if provider.thin_pool:
        found["thin-tools"] = _has_thin_tools
    if provider.group:
        found["group"] = lambda: _has_group(provider.group)
        found["protection"] = lambda: _is_protected(provider)
        if provider.thin_pool:
            found["pool"] = lambda: _has_pool(provider)
    elif provider.lock == "cluster":
        found["sanlock"] = _has_sanlock
    return found


def _has_device_mapper() -> None:
    try:
        dmsetup("version")
    except ToolError as error:
        raise ProviderError(f"the kernel has no device-mapper: modprobe dm-mod ({error})") from None


def _has_lvm() -> None:
    lvm("lvs", "--version")


def _has_thin_tools() -> None:
    from extstorage.provider.tools import run

    try:
        run("thin_check", "--version")
    except ProviderError as error:
        raise ProviderError(f"{error} (Debian: thin-provisioning-tools)") from None


def _has_group(group: str) -> None:
    fields = "vg_missing_pv_count,vg_lock_type,vg_extendable,vg_exported"
    try:
        row = lvm("vgs", "--noheadings", "--separator=|", f"--options={fields}", group).strip()
    except ToolError as error:
        raise ProviderError(
            f"this node does not see group {group}: is the storage connected, and do devices"
            f" file, filter and system ID of LVM let it through? ({error})"
        ) from None
    missing, lock_type, _, exported = row.split("|")
    if missing != "0":
        raise ProviderError(f"{missing} physical volumes of group {group} are missing")
    if exported:
        raise ProviderError(f"group {group} is exported: vgimport {group}")
    if lock_type == "dlm":
        raise ProviderError(
            f"group {group} is locked by dlm, which does not tell whether a node lives: expected"
            " lock type sanlock, or none"
        )


def _is_protected(provider: Lvm) -> None:
    protection = provider.protection()
    if protection.holds is not None:
        protection.holds.this_node()
        protection.holds.use("")
        if provider.thin_pool:
            from lvm.making import expect_one_node

            expect_one_node(protection)


def _has_pool(provider: Lvm) -> None:
    found = provider.volumes().report(provider.thin_pool).get(provider.thin_pool)
    if found is None or found.attributes[0] != "t":
        raise ProviderError(
            f"parameter thin_pool: {provider.group}/{provider.thin_pool} is no thin pool"
        )


def _has_sanlock() -> None:
    from lvm.sanlock import Sanlock

    Sanlock()
    if not os.path.exists("/run/sanlock/sanlock.sock"):
        raise ProviderError("sanlock does not run: systemctl start sanlock")
