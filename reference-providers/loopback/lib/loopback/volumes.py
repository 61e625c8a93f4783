"""The volumes: one directory each, below ``DIRECTORY/PROVIDER``.

    VOL_NAME/data       the volume's blocks
    VOL_NAME/info       what setinfo said last
    VOL_NAME/lock       held by whoever changes the volume, on any node
    VOL_NAME/nodes/     what each node does with the volume (holds.py)
    .staging/           volumes that come to be, or are going

A volume appears and disappears by one rename, so there never is half a volume. Who
works in ``.staging`` holds the lock in his directory there: what nobody holds is
what a crash left, and the next create or remove deletes it.
"""

from __future__ import annotations

import errno
import os
import stat
import time

from extstorage.provider import ProviderError
from extstorage.provider.locks import Lock

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

_STAGING = ".staging"
_LONGEST_CLOSE_S = 2.0
MIB = 1024 * 1024


class Volume:
    """The paths of one volume, which need not exist."""

    __slots__ = ("data", "directory", "info", "name", "nodes")

    def __init__(self, directory: str, name: str) -> None:
        self.directory = directory
        self.name = name
        self.data = f"{directory}/data"
        self.info = f"{directory}/info"
        self.nodes = f"{directory}/nodes"

    def lock(self) -> Lock:
        """Return the held lock; raise ProviderError if there is no such volume.

        The lock is as old as the volume and never made anew: a node that has not seen yet, on
        NFS, that the volume is on its way out would put it where remove is about to finish.
        """
        try:
            return Lock(f"{self.directory}/lock")
        except (FileNotFoundError, NotADirectoryError):
            if os.path.exists(self.data):
                raise ProviderError(
                    f"the volume has lost its lock: touch {self.directory}/lock"
                ) from None
            raise ProviderError(f"no such volume: {self.directory}") from None

    def exists(self) -> bool:
        """Return whether the volume is there; raise OSError where that cannot be told."""
        try:
            return stat.S_ISDIR(os.stat(self.directory).st_mode)
        except (FileNotFoundError, NotADirectoryError):
            return False


class Pool:
    """All volumes of the provider called ``provider_name`` in the shared ``directory``."""

    def __init__(self, directory: str, provider_name: str) -> None:
        self.directory = directory
        self.path = f"{directory}/{provider_name}"

    def volume(self, name: str) -> Volume:
        """Return the volume called ``name``, which need not exist."""
        return Volume(f"{self.path}/{name}", name)

    def check(self) -> None:
        """Raise ProviderError unless the directory is there and nobody else can write to it.

        A directory that is missing may be a file system that is not mounted: never
        make it, and never take it for a pool without volumes.
        """
        try:
            mode = os.stat(self.directory).st_mode
        except OSError as error:
            raise ProviderError(
                f"parameter directory: {self.directory}: {error.strerror}: mount or make it"
            ) from None
        if not stat.S_ISDIR(mode):
            raise ProviderError(f"parameter directory: {self.directory} is no directory")
        if mode & stat.S_IWOTH:
            raise ProviderError(
                f"parameter directory: everybody can write to {self.directory}: chmod o-w it"
            )

    def add(self, name: str, fill: Callable[[int], None]) -> None:
        """Make the volume ``name``, its data written by ``fill(descriptor)``, or nothing at all."""
        volume = self.volume(name)
        self.sweep()
        if volume.exists():
            raise ProviderError(f"the volume exists: {volume.directory}: remove it first")
        directory, lock = self._stage(name)
        with lock:
            try:
                _fill(Volume(directory, name), fill)
                _rename_new(directory, volume.directory)
            except BaseException:
                _delete(directory, lock)
                raise
            _sync(self.path)

    def discard(self, volume: Volume, lock: Lock) -> None:
        """Delete a volume whose lock the caller holds; it is released then."""
        gone = self._new_stage(volume.name)
        os.rename(volume.directory, gone)
        _sync(self.path)
        _delete(gone, lock)

    def sweep(self) -> None:
        """Delete what crashed calls have left in staging."""
        staging = f"{self.path}/{_STAGING}"
        for name in _names(staging):
            _delete_if_abandoned(f"{staging}/{name}")

    def _new_stage(self, name: str) -> str:
        return f"{self.path}/{_STAGING}/{name}.{os.urandom(8).hex()}"

    def _stage(self, name: str) -> tuple[str, Lock]:
        os.makedirs(f"{self.path}/{_STAGING}", mode=0o700, exist_ok=True)
        while True:
            directory = self._new_stage(name)
            os.mkdir(directory, mode=0o700)
            try:
                return directory, Lock(f"{directory}/lock", create=True, wait_s=0)
            except (ProviderError, FileNotFoundError):
                pass  # a sweep came between the two steps
            except OSError:
                _empty(directory)
                os.rmdir(directory)
                raise


def _fill(volume: Volume, fill: Callable[[int], None]) -> None:
    os.mkdir(volume.nodes, mode=0o700)
    data = os.open(volume.data, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        fill(data)
        os.fsync(data)
    finally:
        os.close(data)
    _sync(volume.directory)


def _rename_new(source: str, target: str) -> None:
    try:
        os.rename(source, target)  # never replaces a directory that has something in it
    except OSError as error:
        if error.errno in (errno.ENOTEMPTY, errno.EEXIST):
            raise ProviderError(f"the volume exists: {target}: remove it first") from None
        raise


def _delete_if_abandoned(directory: str) -> None:
    try:
        with Lock(f"{directory}/lock", create=True, wait_s=0) as lock:
            # Its maker may be about to take the lock: he must not find this one.
            gone = f"{os.path.dirname(directory)}/{os.urandom(8).hex()}"
            os.rename(directory, gone)
            _delete(gone, lock)
    except (ProviderError, OSError):
        pass  # its owner lives, or another sweep was faster; the next one sees it again


def _delete(directory: str, lock: Lock) -> None:
    """Delete a directory in staging whose lock the caller holds; release that."""
    # The lock goes last: what a crash leaves here is still known to be nobody's.
    _empty(directory, kept="lock")
    lock.release()
    give_up = time.monotonic() + _LONGEST_CLOSE_S
    while not _is_gone(directory) and time.monotonic() < give_up:
        time.sleep(0.02)


def _is_gone(directory: str) -> bool:
    """Delete a directory with only its lock in it; return whether it is gone.

    NFS keeps a file that is open under another name, and its directory with it, until those
    who waited for the lock have closed it. If it is not gone after a while, the next sweep
    deletes it.
    """
    try:
        os.unlink(f"{directory}/lock")
    except FileNotFoundError:
        pass
    try:
        os.rmdir(directory)
    except FileNotFoundError:  # a sweep was faster
        pass
    except OSError as error:
        if error.errno != errno.ENOTEMPTY:
            raise
        return False
    return True


def _empty(directory: str, kept: str = "") -> None:
    for entry in os.scandir(directory):
        if entry.name == kept:
            continue
        if entry.is_dir(follow_symlinks=False):
            _empty(entry.path)
            os.rmdir(entry.path)
        else:
            os.unlink(entry.path)


def _names(directory: str) -> list[str]:
    try:
        return os.listdir(directory)
    except FileNotFoundError:
        return []


def _sync(directory: str) -> None:
    descriptor = os.open(directory, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def replace_file(path: str, text: str, *, durable: bool) -> None:
    """Make ``text`` the whole content of the file at ``path``, at once or not at all."""
    new = f"{path}.new"
    descriptor = os.open(new, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    try:
        os.write(descriptor, text.encode("ascii"))
        if durable:
            os.fsync(descriptor)
    finally:
        os.close(descriptor)
    os.replace(new, path)
