"""The ten methods."""

from __future__ import annotations

import os

from extstorage.provider import Device, Provider, ProviderError, parameters
from loopback.mappings import Mappings, serves

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from loopback.loop import LoopDevice
    from loopback.volumes import Pool, Volume


class Loopback(Provider):
    """Volumes in files of a directory that all nodes share; devices are loop devices."""

    directory = parameters.Path(
        "directory that all nodes share and only root can write to; it must exist",
        default="/srv/ganeti/extstorage-loopback",
    )
    preallocate = parameters.Flag("yes: give a volume all its blocks when it is made or grown")
    kvm_uri = parameters.Flag(
        "yes: with access=userspace let KVM open the file itself (Ganeti 2.13 to 3.0)"
    )

    def __init__(self, name: str, environment: Mapping[str, str], *, bare: bool = False) -> None:
        super().__init__(name, environment, bare=bare)
        self._mappings = Mappings(name)
        self._userspace = environment.get("EXTP_ACCESS") == "userspace"

    def create(self, volume: str, size: int) -> None:
        """Make a file of ``size`` MiB that reads as zeros."""
        from loopback.blocks import extend

        self._pool().add(volume, lambda data: extend(data, size, preallocate=self.preallocate))

    def attach(self, volume: str) -> Device:
        """Return the loop device that is the volume; make it only if there is none."""
        path = self._path_if_mapped(volume) or self._map(volume)
        uses_uri = self.kvm_uri and self._userspace
        return Device(path, [f"kvm:{self._data(volume)}"] if uses_uri else [])

    def detach(self, volume: str) -> None:
        """End this node's mapping, whatever has become of the volume and its directory."""
        from loopback.holds import Holds

        known = self._pool(check=False).volume(volume)
        if not os.path.isdir(known.directory):
            self._unmap(volume)
            return
        with known.lock():
            self._unmap(volume)
            Holds(known).drop()

    def remove(self, volume: str) -> None:
        """Delete the volume; there being none is as good."""
        from loopback.holds import Holds

        pool = self._pool()
        known = pool.volume(volume)
        if known.exists():
            with known.lock() as lock:
                user = Holds(known).mapped_by()
                if user:
                    raise ProviderError(f"attached on {user}: detach it there first")
                pool.discard(known, lock)
        self._mappings.forget(volume)
        pool.sweep()

    def grow(self, volume: str, recorded_size: int, new_size: int) -> None:  # noqa: ARG002
        """Make the file and this node's device larger; I/O goes on."""
        from loopback.blocks import grow

        known = self._pool().volume(volume)
        with known.lock():
            grow(known.data, new_size, preallocate=self.preallocate)
            device = self._device(known)
            if device is not None:
                with device:
                    device.take_size_of_file()

    def setinfo(self, volume: str, metadata: str) -> None:
        """Replace what is noted about the volume."""
        from loopback.volumes import replace_file

        known = self._pool().volume(volume)
        with known.lock():
            replace_file(known.info, metadata + "\n", durable=True)

    def snapshot(self, volume: str, snapshot: str, recorded_size: int) -> None:
        """Make a volume of its own that is what ``volume`` is now."""
        from loopback.blocks import extend
        from loopback.copying import copy_frozen

        pool = self._pool()
        origin = pool.volume(volume)

        def fill(data: int) -> None:
            copy_frozen(origin.data, data)
            extend(data, recorded_size, preallocate=False)

        with origin.lock():
            device = self._device(origin)
            if device is not None:
                with device:
                    device.flush()
            pool.add(snapshot, fill)

    def open(self, volume: str, exclusive: bool) -> None:  # noqa: FBT001 - as Ganeti has it
        """Let this node use the volume, unless another node's use forbids it."""
        from loopback.holds import EXCLUSIVE, SHARED, Holds

        known = self._pool().volume(volume)
        with known.lock():
            device = self._device(known)
            if device is None:
                raise ProviderError("not attached on this node: attach it first")
            with device:
                holds = Holds(known)
                conflict = holds.conflict(exclusive=exclusive)
                if conflict:
                    raise ProviderError(f"{conflict}: nothing was changed on this node")
                holds.record(EXCLUSIVE if exclusive else SHARED)
                device.set_read_only(False)

    def close(self, volume: str) -> None:
        """End this node's use: what it wrote is on disk, and it writes no more."""
        from loopback.holds import ATTACHED, Holds

        known = self._pool().volume(volume)
        with known.lock():
            device = self._device(known)
            if device is None:
                Holds(known).drop()
                return
            with device:
                device.flush()
                device.set_read_only(True)
                Holds(known).record(ATTACHED)

    def checks(self) -> dict[str, Callable[[], None]]:
        """Return what ``verify`` can check on this node."""
        from loopback.checks import can_lock, can_map

        pool = self._pool(check=False)
        return {"directory": pool.check, "locks": lambda: can_lock(pool), "loop": can_map}

    def _unmap(self, volume: str) -> None:
        mappings = self._mappings
        while device := mappings.find(volume) or mappings.search(volume):
            mappings.unbind(volume, device)
        mappings.forget(volume)

    def _device(self, volume: Volume) -> LoopDevice | None:
        from loopback.attaching import device_of

        return device_of(volume, self._mappings)

    def _pool(self, *, check: bool = True) -> Pool:
        from loopback.volumes import Pool

        pool = Pool(self.directory, self.name)
        if check:
            pool.check()
        return pool

    def _data(self, volume: str) -> str:
        return f"{self.directory}/{self.name}/{volume}/data"

    # Ganeti attaches before nearly everything it does, mostly what is attached
    # already: this path takes no lock and loads nothing that it does not need.
    def _path_if_mapped(self, volume: str) -> str | None:
        device = self._mappings.find(volume)
        if device is None:
            return None
        with device:
            return device.path if serves(device, self._data(volume)) else None

    def _map(self, volume: str) -> str:
        from loopback.attaching import map_volume

        return map_volume(self._pool(check=False), self._mappings, volume)
