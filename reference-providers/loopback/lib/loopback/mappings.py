"""Which loop device of this node is which volume.

A symbolic link per volume in the node's own memory says where to look, and the
kernel says whether it is true: every mapping carries a tag made of the node, the
provider and the volume. So a link may be missing (a reboot, an emptied /run) or
wrong (a crash, a device that has a new owner) and no wrong device is ever taken.
The node is in the tag because nodes in containers share their loop devices.
"""

from __future__ import annotations

import errno
import os
import time

from extstorage.provider import ProviderError
from extstorage.provider.state import STATE_ROOT, state_directory
from loopback import node
from loopback.loop import TAG_LENGTH, LoopDevice, free_device, loop_names, new_device

_ATTEMPTS = 100  # at a device that others take as well; each loss means that another one won
_ATTEMPTS_AT_FREE = 25  # ones, before attach makes a device for itself
_PATIENCE_S = 3.0  # udev opens a device for moments; a virtual machine does for longer


class Mappings:
    """This node's mappings of the volumes of one provider."""

    def __init__(self, provider_name: str) -> None:
        self._provider = provider_name

    def _link(self, volume: str) -> str:
        return f"{STATE_ROOT}/{self._provider}/attached/{volume}"

    def _new_link(self, volume: str) -> str:
        return f"{STATE_ROOT}/{self._provider}/attached/.{volume}.new"

    def _tag(self, volume: str) -> bytes:
        identity = node.fingerprint(f"{node.NAME}/{self._provider}/{volume}")
        return f"extstorage {identity:016x} {volume}".encode()[:TAG_LENGTH]

    def find(self, volume: str) -> LoopDevice | None:
        """Return the volume's device if the link leads to it."""
        try:
            path = os.readlink(self._link(volume))
        except OSError:
            return None
        return self._verified(path, volume)

    def search(self, volume: str, data: str = "") -> LoopDevice | None:
        """Return a device that is the volume, found by asking every loop device, and link it.

        With ``data`` only the device of that file will do; without, any that was
        mapped as this volume, be its file deleted or in another directory.
        """
        for name in loop_names():
            if volume in backing_file(name):
                device = self._verified(f"/dev/{name}", volume)
                if device is not None:
                    if not data or serves(device, data):
                        self._remember(volume, device.path)
                        return device
                    device.close()
        return None

    def _verified(self, path: str, volume: str) -> LoopDevice | None:
        try:
            device = LoopDevice(path)
        except OSError:
            return None
        if device.tag() == self._tag(volume):
            return device
        device.close()
        return None

    def bind(self, volume: str, file: int) -> str:
        """Map the open ``file`` as ``volume``; return the device's path.

        The link comes first: a crash right after the mapping leaves it findable.
        """
        for attempt in range(1, _ATTEMPTS + 1):
            # Who was first at the free device may stand still: stopped, or on a dead server.
            path = free_device() if attempt % _ATTEMPTS_AT_FREE else new_device()
            self._remember(volume, path)
            if self._configure(path, volume, file):
                return path
            time.sleep(0.01)
        raise ProviderError(f"no free loop device after {_ATTEMPTS} attempts")

    def _configure(self, path: str, volume: str, file: int) -> bool:
        try:
            # Exclusive: nobody else can take the device between the next two steps.
            with LoopDevice(path, os.O_RDWR | os.O_EXCL) as device:
                if device.tag() is not None:
                    return False
                device.set_read_only(False)  # its last user may have left it so
                device.configure(file, self._tag(volume))
        except OSError as error:
            # Another process has taken the device, or is just giving it up again.
            if error.errno in (errno.EBUSY, errno.ENXIO):
                return False
            raise ProviderError(f"{path}: {error.strerror}: cannot map the volume") from None
        return True

    def unbind(self, volume: str, device: LoopDevice) -> None:
        """End the mapping, for good or, if the device stays in use, not at all (ProviderError).

        Closes ``device``. Everything written to it is on disk before.
        """
        path = device.path
        with device:
            device.flush()
            read_only = device.is_read_only()
        give_up = time.monotonic() + _PATIENCE_S
        while not self._let_go(path, volume, read_only=read_only):
            if time.monotonic() > give_up:
                from extstorage.provider.users import users_of

                raise ProviderError(f"{path} is in use ({users_of(path)}): stop it, detach again")
            time.sleep(0.05)

    def _let_go(self, path: str, volume: str, *, read_only: bool) -> bool:
        device = self._verified(path, volume)
        if device is None:
            return True
        with device:
            device.set_read_only(False)  # else the device's next user inherits it
            device.clear_on_last_close()
        device = self._verified(path, volume)
        if device is None:
            return True
        # Someone has it open. The kernel must not drop the mapping later, when Ganeti
        # has been told that it is there.
        with device:
            device.keep()
            device.set_read_only(read_only)
        return False

    def forget(self, volume: str) -> None:
        """Drop the link, and one that a crash left half made."""
        _unlink(self._new_link(volume))
        _unlink(self._link(volume))

    def _remember(self, volume: str, path: str) -> None:
        # One name per volume, not per process: a crash leaves at most one, and the next call
        # takes it. Where two calls meet, the later one begins anew.
        new = self._new_link(volume)
        for _attempt in range(_ATTEMPTS):
            state_directory(f"{self._provider}/attached")
            _unlink(new)
            try:
                os.symlink(path, new)
                os.replace(new, self._link(volume))
            except (FileExistsError, FileNotFoundError):
                continue
            return
        raise ProviderError(f"{new}: others make it and take it away all the time")


def _unlink(path: str) -> None:
    try:
        os.unlink(path)
    except FileNotFoundError:
        pass


def serves(device: LoopDevice, data: str) -> bool:
    """Return whether ``device`` maps the file at ``data``; make it as large as the file then."""
    try:
        status = os.stat(data)
    except OSError:
        return False
    if device.inode() != (status.st_dev, status.st_ino):
        return False
    if device.size() < status.st_size:
        device.take_size_of_file()  # the file was grown on another node
    return True


def backing_file(name: str) -> str:
    """Return the path of the file that the loop device ``name`` maps; ``""`` if it maps none."""
    try:
        with open(f"/sys/block/{name}/loop/backing_file", "rb") as file:
            return os.fsdecode(file.read().rstrip(b"\n"))
    except OSError:
        return ""
