"""Making volumes."""

from __future__ import annotations

from extstorage.provider import InvalidInputError, ProviderError
from extstorage.provider.tools import ToolError
from lvm import names
from lvm.attaching import EXCLUSIVE, refresh
from lvm.group import MIB
from lvm.makers import Maker, is_at_work, this_node
from lvm.pools import PoolHere

TYPE_CHECKING = False
if TYPE_CHECKING:
    from lvm.device import BlockDevice
    from lvm.group import LogicalVolume
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
    pool = provider.thin_pool
    words = ("--activate=n", f"--thinpool={pool}", f"--virtualsize={size}m", provider.group)
    add(provider, protection, name, *words, pool=pool)


def expect_one_node(protection: Protection) -> None:
    """Raise ProviderError unless something keeps a thin pool from being active on two nodes."""
    if protection.holds is not None and not protection.is_lvmlockd:
        raise ProviderError(
            "parameter thin_pool: two nodes that have a thin pool active destroy it, and only"
            " lvmlockd keeps them from it: convert the group (vgchange --lock-type sanlock)"
        )


def _make_wiped(provider: Lvm, protection: Protection, name: str, size: int) -> None:
    with Unfinished(provider, protection, name) as new:
        new.add(*linear(provider, size * MIB))
        active = new.activate()
        active.zero(0)


def add(provider: Lvm, protection: Protection, name: str, *words: str, pool: str = "") -> None:
    """Make a whole volume in one step; one that takes its blocks from the thin pool ``pool``."""
    volumes = provider.volumes()
    with protection.metadata(), PoolHere(provider, protection, pool):
        try:
            volumes.create(name, *words)
        except ToolError as error:
            if name in volumes.report(name):
                raise _exists(provider, name) from error
            raise


def _exists(provider: Lvm, name: str) -> ProviderError:
    return ProviderError(f"the volume exists: {provider.group}/{name}: remove it first")


class Unfinished:
    """The volume ``name`` while it gets its content, for a ``with`` block.

    At the block's end it gets its name; if the block raises, it goes. A call that is killed
    leaves it under its other name, which nobody attaches; the next call that makes or removes the
    volume takes it away. ``copy_of``: the logical volume that is frozen meanwhile, to be copied.
    """

    def __init__(
        self, provider: Lvm, protection: Protection, name: str, *, copy_of: str = ""
    ) -> None:
        self._provider = provider
        self._protection = protection
        self._name = name
        self._new = names.unfinished(name)
        self._volumes = provider.volumes()
        self._copy_of = copy_of
        made = (self._new, names.frozen(copy_of)) if copy_of else (self._new,)
        self._maker = Maker(provider.group, made, protection)
        self._is_made = False

    def __enter__(self) -> Unfinished:  # noqa: PYI034 - typing.Self is younger than 3.9
        self._maker.__enter__()
        return self

    @property
    def maker(self) -> str:
        """Who makes it: this call."""
        return self._maker.name

    def add(self, *words: str) -> None:
        """Make the volume, without content."""
        with self._protection.metadata():
            found = self._volumes.report(self._name, self._new)
            if self._name in found:
                raise _exists(self._provider, self._name)
            if self._new in found:
                remove_abandoned(self._provider, self._protection, found[self._new], by_maker=True)
            self._volumes.create(self._new, *words, maker=self.maker, copy_of=self._copy_of)
            self._is_made = True

    def activate(self) -> BlockDevice:
        """Return its device."""
        self._volumes.activate(self._new, EXCLUSIVE)
        return self._provider.active_device(self._new)

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        try:
            if self._is_made:
                self._finish(is_whole=kind is None)
        finally:
            self._maker.__exit__()

    def _finish(self, *, is_whole: bool) -> None:
        try:
            self._end(is_whole=is_whole)
        except (ProviderError, OSError):
            self._end(is_whole=False)
            if is_whole:
                raise

    def _end(self, *, is_whole: bool) -> None:
        if self._provider.device(self._new) is not None:
            self._volumes.deactivate(self._new)
        with self._protection.metadata():
            if is_whole:
                self._volumes.rename(self._new, self._name)
            elif self._new in self._volumes.report(self._new):
                self._volumes.remove(self._new)


def remove_abandoned(
    provider: Lvm, protection: Protection, found: LogicalVolume, *, by_maker: bool = False
) -> None:
    """Remove what a killed call has left; raise ProviderError if its maker is still at work.

    ``by_maker``: the caller holds the lock of its maker on this node.
    """
    is_here = by_maker and found.maker == this_node(protection)
    if not is_here and is_at_work(found.maker, provider.group, found.name, protection):
        raise ProviderError(
            f"{found.name} is being made by node number {found.maker}, or that call was killed:"
            " try again later, or call the same method there"
        )
    volumes = provider.volumes()
    if provider.device(found.name) is not None:
        volumes.deactivate(found.name)
    if found.copy_of:
        _thaw_abandoned(provider, protection, found.copy_of)
    volumes.remove(found.name)


def _thaw_abandoned(provider: Lvm, protection: Protection, name: str) -> None:
    """Let the volume be as it was before a copy that is given up, unless a living call copies it.

    The caller holds the lock on the metadata.
    """
    volumes = provider.volumes()
    frozen = names.frozen(name)
    found = volumes.report(frozen).get(frozen)
    if found is not None and volumes.is_own(found):
        if is_at_work(found.maker, provider.group, frozen, protection):
            return
        volumes.remove(frozen)
    active = provider.device(name)
    if active is not None and active.is_suspended():
        refresh(provider, name, active)
