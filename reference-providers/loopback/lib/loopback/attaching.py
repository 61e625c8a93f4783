"""From a volume to this node's loop device, when the short way did not lead there."""

from __future__ import annotations

import os

from extstorage.provider import ProviderError
from loopback.holds import ATTACHED, Holds, announce
from loopback.mappings import backing_file, serves

TYPE_CHECKING = False
if TYPE_CHECKING:
    from loopback.loop import LoopDevice
    from loopback.mappings import Mappings
    from loopback.volumes import Pool, Volume


def device_of(volume: Volume, mappings: Mappings) -> LoopDevice | None:
    """Return this node's device of a volume whose lock is held; None if it is not attached."""
    device = _tagged(volume, mappings)
    if device is None or serves(device, volume.data):
        return device
    device.close()
    return None


def map_volume(pool: Pool, mappings: Mappings, name: str) -> str:
    """Return the path of the volume's device; map it if it is not."""
    volume = pool.volume(name)
    if not volume.exists():
        device = mappings.find(name)
        if device is not None:
            with device:
                _expect_stale(volume, device)
        pool.check()
    with volume.lock():
        device = _tagged(volume, mappings)
        if device is not None:
            if serves(device, volume.data):
                device.close()
                return device.path
            _expect_stale(volume, device)
            mappings.unbind(name, device)
        return _bind(volume, mappings)


def _tagged(volume: Volume, mappings: Mappings) -> LoopDevice | None:
    device = mappings.find(volume.name)
    if device is None and Holds(volume).is_mapped_here():
        device = mappings.search(volume.name, volume.data)
    return device


def _expect_stale(volume: Volume, device: LoopDevice) -> None:
    """Raise ProviderError unless the file that ``device`` maps was removed or replaced."""
    file = backing_file(os.path.basename(device.path))
    is_gone = file.endswith(" (deleted)") or device.inode() is None
    if not is_gone and file != os.path.realpath(volume.data):
        raise ProviderError(
            f"attached as {device.path} from {os.path.dirname(file)}, but parameter directory"
            f" now says {volume.directory}: detach it first, or put the parameter back"
        )


def _bind(volume: Volume, mappings: Mappings) -> str:
    data = os.open(volume.data, os.O_RDWR | os.O_CLOEXEC)
    try:
        if not announce(data):
            raise ProviderError(
                "this node maps the volume, but no loop device here is it:"
                " another node may have the same host name"
            )
        # What this node did before it crashed must not come to life again.
        Holds(volume).record(ATTACHED)
        return mappings.bind(volume.name, data)
    finally:
        os.close(data)
