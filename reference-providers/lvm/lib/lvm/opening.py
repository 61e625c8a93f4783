"""Which node may write: open and close."""

from __future__ import annotations

from extstorage.provider import ProviderError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from lvm.holds import Holds
    from lvm.protection import Protection
    from lvm.provider import Lvm


def open_volume(provider: Lvm, name: str, *, exclusive: bool) -> None:
    """Let this node write to the volume, unless another node's use forbids it."""
    active = provider.device(name)
    if active is None:
        raise ProviderError("not attached on this node: attach it first")
    protection = provider.protection()
    if protection.holds is not None:
        _hold(protection, protection.holds, name, exclusive=exclusive)
    active.set_read_only(False)


def _hold(protection: Protection, holds: Holds, name: str, *, exclusive: bool) -> None:
    from lvm.holds import EXCLUSIVE, SHARED

    use = EXCLUSIVE if exclusive else SHARED
    if holds.use(name) == use:
        return  # nobody else can have what forbids it
    with protection.metadata():
        _expect_free(holds, name, exclusive=exclusive)
        before = holds.record(name, use)
        if not protection.is_lvmlockd:
            return
        # lvmlockd's locks are not for us to take, so another node may have come in between:
        # both see each other now, and both step back.
        try:
            _expect_free(holds, name, exclusive=exclusive)
        except ProviderError:
            holds.record(name, before)
            raise


def _expect_free(holds: Holds, name: str, *, exclusive: bool) -> None:
    conflict = holds.conflict(name, exclusive=exclusive)
    if conflict:
        raise ProviderError(f"{conflict}: nothing was changed on this node")


def close_volume(provider: Lvm, name: str) -> None:
    """Bring all that was written to the storage, and let this node write no more."""
    from lvm.attaching import resume
    from lvm.holds import ATTACHED

    active = provider.device(name)
    if active is not None:
        resume(provider, name, active)
        active.flush()
        active.set_read_only(True)
    holds = provider.protection().holds
    if holds is not None:
        holds.record(name, ATTACHED if active is not None else 0)
