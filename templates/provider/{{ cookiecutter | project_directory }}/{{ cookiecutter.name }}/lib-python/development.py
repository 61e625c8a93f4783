"""The development back end: volumes are files of a shared directory, devices are loop devices.

It stands in for the storage until no method in provider.py calls it any more; then
delete this file and the parameter dev_directory. A volume is the directory
DEV_DIRECTORY/PROVIDER/VOL_NAME:

    data       its blocks; the volume exists as long as this file does
    lock       held by whoever changes the volume, on any node
    info       what setinfo said last
    node.NODE  a second name of data, which NODE's loop device is made of: so a node
               tells its own device from the others', even where they share a kernel
    open.NODE  how NODE has the volume open
"""

from __future__ import annotations

import errno
import os
import stat
import time

from extstorage.provider import ProviderError
from extstorage.provider.devices import wait_until_unused
from extstorage.provider.locks import Lock
{% if cookiecutter.snapshot %}
from extstorage.provider.tools import ToolError, run
{% else %}
from extstorage.provider.tools import run
{% endif %}

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from extstorage.provider.locks import VolumeLock

_MIB = 1 << 20
_NODE = os.uname().nodename
_DELETED = " (deleted)"


class Pool:
    """The volumes of the provider called ``provider_name`` in a directory that all nodes share."""

    def __init__(self, directory: str, provider_name: str, lock: VolumeLock | None = None) -> None:
        self._directory = directory
        self._provider_name = provider_name
        self._held: list[VolumeLock | Lock] = [lock] if lock else []

    def check(self) -> None:
        """Raise ProviderError unless the directory is there and nobody else can write to it.

        A missing directory may be a file system that is not mounted: it never is an empty pool.
        """
        try:
            mode = os.stat(self._directory).st_mode
        except OSError as error:
            raise ProviderError(
                f"parameter dev_directory: {self._directory}: {error.strerror}: mount or make it"
            ) from None
        if not stat.S_ISDIR(mode):
            raise ProviderError(f"parameter dev_directory: {self._directory} is no directory")
        if mode & stat.S_IWOTH:
            raise ProviderError(
                f"parameter dev_directory: everybody can write to {self._directory}"
            )

    def create(self, name: str, size: int) -> None:
        """Make a volume of ``size`` MiB that reads as zeros."""
        self._make(name, lambda path: _extend(path, size * _MIB))

    def attach(self, name: str) -> str:
        """Return the volume's loop device; make it only if there is none."""
        volume = self._path(name)
        with self._locked(name):
            device, others = self._devices(name)
            for other in others:
                self._unmap(other)
            if device:
                self._run("losetup", "--set-capacity", device)  # another node may have grown it
                return device
            _link(f"{volume}/data", f"{volume}/node.{_NODE}")
            device = self._run("losetup", "--find", "--show", f"{volume}/node.{_NODE}").strip()
            self._run("blockdev", "--setrw", device)  # its last user may have left it read-only
            return device
{% if cookiecutter.userspace_uri %}

    def uri(self, name: str) -> str:
        """Return the file that a hypervisor can open itself."""
        return f"file:{self._path(name)}/data"
{% endif %}

    def detach(self, name: str) -> None:
        """End this node's mapping, whatever has become of the volume and its directory."""
        volume = self._path(name)
        try:
            lock = self._lock(volume)
        except (OSError, ProviderError):
            self._unmap_all(name)
            return
        with lock:
            self._unmap_all(name)
            _delete(f"{volume}/node.{_NODE}")
            _delete(f"{volume}/open.{_NODE}")

    def remove(self, name: str) -> None:
        """Delete the volume; there being none is as good."""
        self.check()
        volume = self._path(name)
        try:
            lock = Lock(f"{volume}/lock", create=True)
        except (FileNotFoundError, NotADirectoryError):
            return
        with lock:
            node = self._mapped_by(name, "")
            if node:
                raise ProviderError(f"attached on node {node}: detach it there first")
            _delete(f"{volume}/data")
            _empty(volume)
            _leave(volume, lock)

    def grow(self, name: str, new_size: int) -> None:
        """Make the file and this node's device ``new_size`` MiB large."""
        with self._locked(name):
            data = f"{self._path(name)}/data"
            size = os.stat(data).st_size
            if new_size * _MIB < size:
                raise ProviderError(
                    f"VOL_NEW_SIZE: expected at least the volume's {-(-size // _MIB)} MiB,"
                    f" found {new_size}"
                )
            _extend(data, new_size * _MIB)
            device, _ = self._devices(name)
            if device:
                self._run("losetup", "--set-capacity", device)

    def setinfo(self, name: str, text: str) -> None:
        """Replace what is noted about the volume."""
        with self._locked(name):
            _write(f"{self._path(name)}/info", text)
{% if cookiecutter.snapshot %}

    def snapshot(self, name: str, snapshot: str, size: int) -> None:
        """Make a volume that is what ``name`` is now, though its instance may go on writing."""
        with self._locked(name):
            device, _ = self._devices(name)
            if device:
                _sync(device)
            origin = f"{self._path(name)}/data"

            def fill(path: str) -> None:
                self._copy(origin, path)
                _extend(path, size * _MIB)

            self._make(snapshot, fill)
{% endif %}
{% if cookiecutter.open_close %}

    def open(self, name: str, *, exclusive: bool) -> None:
        """Let this node write, unless another that is seen to map the volume has it open.

        A node that is not seen may have crashed: its record is history.
        """
        with self._locked(name):
            device, _ = self._devices(name)
            if not device:
                raise ProviderError("not attached on this node: attach it first")
            self._expect_no_conflict(name, exclusive=exclusive)
            _write(f"{self._path(name)}/open.{_NODE}", str(exclusive))
            # What another node wrote is not in this device's cache.
            self._run("blockdev", "--flushbufs", "--setrw", device)

    def close(self, name: str) -> None:
        """End this node's use: what it wrote is in the file, and it writes no more."""
        with self._locked(name):
            device, _ = self._devices(name)
            if device:
                _sync(device)
                self._run("blockdev", "--flushbufs", "--setro", device)
            _delete(f"{self._path(name)}/open.{_NODE}")
{% endif %}

    def _path(self, name: str) -> str:
        return f"{self._directory}/{self._provider_name}/{name}"

    def _run(self, *words: str) -> str:
        return run(*words, holding=self._held)

    def _locked(self, name: str) -> Lock:
        self.check()
        return self._lock(self._path(name))

    def _lock(self, volume: str) -> Lock:
        """Return the held lock; raise ProviderError if there is no such volume."""
        # Looked at first, so that a volume that is being removed gets no new lock.
        if _exists(f"{volume}/data"):
            try:
                lock = Lock(f"{volume}/lock", create=True)
            except FileNotFoundError:
                raise ProviderError(f"no such volume: {volume}") from None
            if _exists(f"{volume}/data"):
                self._held.append(lock)
                return lock
            _leave(volume, lock)
        raise ProviderError(f"no such volume: {volume}")

    def _make(self, name: str, fill: Callable[[str], None]) -> None:
        """Make the volume by one link; what a crash leaves before that is no volume."""
        self.check()
        volume = self._path(name)
        with _begun(volume) as lock:
            if _exists(f"{volume}/data"):
                raise ProviderError(f"the volume exists: {volume}: remove it first")
            try:
                _commit(volume, fill)
            except BaseException:
                _leave_after_failure(volume, lock)
                raise

    def _devices(self, name: str) -> tuple[str, list[str]]:
        """Return this node's device of the volume, ``""`` if there is none, and stale ones.

        The kernel is asked each time: nothing that is remembered can be wrong.
        """
        device, others = "", []
        ending = f"/{self._provider_name}/{name}/node.{_NODE}"
        for path, file in _loop_devices():
            if not file.removesuffix(_DELETED).endswith(ending):
                continue
            if _is_same(file, f"{self._path(name)}/data"):
                device = path
            else:
                others.append(path)
        return device, others

    def _mapped_by(self, name: str, node: str) -> str:
        """Return ``node``, or the first of all if it is ``""``, if it is seen to map the volume.

        The nodes of one kernel are seen (containers, and the tests), other machines are not.
        """
        middle = f"/{self._provider_name}/{name}/node."
        for _, file in _loop_devices():
            before, _, found = file.rpartition(middle)
            if before and not found.endswith(_DELETED) and node in ("", found):
                return found
        return ""

    def _unmap_all(self, name: str) -> None:
        device, others = self._devices(name)
        for each in [*others, device] if device else others:
            self._unmap(each)

    def _unmap(self, device: str) -> None:
        _sync(device)
        wait_until_unused(device)
        self._run("blockdev", "--setrw", device)  # or the device's next user inherits it
        file = _backing_file(device)
        self._run("losetup", "--detach", device)
        give_up = time.monotonic() + 3
        # Another volume may get the device at once: it is this one's as long as the file is.
        while file and _backing_file(device) == file:
            if time.monotonic() > give_up:
                raise ProviderError(f"{device} does not let go of the volume")
            time.sleep(0.02)
{% if cookiecutter.open_close %}

    def _expect_no_conflict(self, name: str, *, exclusive: bool) -> None:
        volume = self._path(name)
        for record in os.listdir(volume):
            kind, _, node = record.partition(".")
            if kind != "open" or node == _NODE or node.endswith(".new"):
                continue
            how = _read(f"{volume}/{record}")
            if how and (exclusive or how != "False") and self._mapped_by(name, node):
                raise ProviderError(
                    f"node {node} has it open (exclusive: {how}): nothing was changed here"
                )
{% endif %}
{% if cookiecutter.snapshot %}

    def _copy(self, origin: str, copy: str) -> None:
        """Copy in one step where files can share blocks; else until nothing is written."""
        try:
            self._run("cp", "--reflink=always", "--", origin, copy)
        except ToolError:
            give_up = time.monotonic() + 20
            while not self._copied_unchanged(origin, copy):
                if time.monotonic() > give_up:
                    raise ProviderError(
                        "the volume was written to during every copy: stop its instance"
                    ) from None

    def _copied_unchanged(self, origin: str, copy: str) -> bool:
        before = _version(origin)
        # Times are kept in ticks of the clock; on some file systems in seconds.
        time.sleep(0.02 if before[1] % 10**9 else 1.1)
        self._run("cp", "--reflink=never", "--sparse=always", "--", origin, copy)
        return _version(origin) == before
{% endif %}


def check_programs() -> None:
    """Raise ProviderError unless this node has what the development back end needs."""
    for program in {{ "(\"blockdev\", \"cp\", \"losetup\")" if cookiecutter.snapshot else "(\"blockdev\", \"losetup\")" }}:
        run(program, "--version")
    if not os.path.exists("/dev/loop-control"):
        raise ProviderError("no loop devices on this node: modprobe loop")


def _begun(volume: str) -> Lock:
    """Make the volume's directory and return the lock in it."""
    for _ in range(100):
        os.makedirs(volume, mode=0o700, exist_ok=True)
        try:
            return Lock(f"{volume}/lock", create=True)
        except FileNotFoundError:
            pass  # it was removed between the two steps
        except OSError:
            _delete_if_empty(volume)
            raise
    raise ProviderError(f"cannot write to {volume}")


def _commit(volume: str, fill: Callable[[str], None]) -> None:
    """Make the volume's data; if that fails, a volume that is there is another call's."""
    new, data = f"{volume}/data.new", f"{volume}/data"
    _delete(new)
    os.close(os.open(new, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600))
    try:
        fill(new)
        _sync(new)
        os.link(new, data)  # which never replaces a volume
        _sync(volume)
        os.unlink(new)
    except BaseException:
        if _is_same(new, data):
            _delete(data)
        _delete(new)
        raise


def _leave(volume: str, lock: Lock) -> None:
    """Leave a directory that has no volume in it; the lock, which the caller holds, goes.

    As soon as the lock has no name, the directory may be another call's, with a lock and a
    volume of its own.
    """
    _delete(f"{volume}/lock")
    lock.release()  # NFS keeps a file that is open, under another name
    try:
        os.rmdir(volume)
    except OSError as error:
        if error.errno not in (errno.ENOTEMPTY, errno.EEXIST, errno.EBUSY, errno.ENOENT):
            raise


def _leave_after_failure(volume: str, lock: Lock) -> None:
    try:
        if not _exists(f"{volume}/data"):
            _leave(volume, lock)
    except OSError:
        pass  # what failed first is what counts


def _loop_devices() -> list[tuple[str, str]]:
    """Return the path and the file of each loop device that has one."""
    names = [name for name in os.listdir("/sys/block") if name.startswith("loop")]
    files = [(f"/dev/{name}", _read(f"/sys/block/{name}/loop/backing_file")) for name in names]
    return [(path, file) for path, file in files if file]


def _backing_file(device: str) -> str:
    file = _read(f"/sys/block/{os.path.basename(device)}/loop/backing_file")
    return file.removesuffix(_DELETED)


def _is_same(path: str, other: str) -> bool:
    try:
        return os.path.samefile(path, other)
    except OSError:
        return False


def _extend(path: str, size: int) -> None:
    """Make a file at least ``size`` bytes large, on disk too."""
    descriptor = os.open(path, os.O_RDWR | os.O_CLOEXEC)
    try:
        if os.fstat(descriptor).st_size < size:
            os.ftruncate(descriptor, size)
        os.fsync(descriptor)
    except OSError as error:
        raise ProviderError(
            f"cannot give the volume {size // _MIB} MiB: {error.strerror}"
        ) from None
    finally:
        os.close(descriptor)


def _sync(path: str) -> None:
    descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _link(path: str, name: str) -> None:
    _delete(name)
    os.link(path, name)


def _delete(path: str) -> None:
    try:
        os.unlink(path)
    except FileNotFoundError:
        pass


def _delete_if_empty(path: str) -> None:
    try:
        os.rmdir(path)
    except OSError:
        pass  # a volume, or another call's lock, is in it


def _empty(directory: str) -> None:
    """Delete everything but the lock, and what NFS keeps of files until they are closed."""
    for name in os.listdir(directory):
        if name != "lock" and not name.startswith(".nfs"):
            _delete(f"{directory}/{name}")


def _exists(path: str) -> bool:
    """Return whether there is such a file; raise OSError if nobody can tell."""
    try:
        os.stat(path)
    except (FileNotFoundError, NotADirectoryError):
        return False
    return True


def _read(path: str) -> str:
    try:
        with open(path, encoding="utf-8", errors="surrogateescape") as file:
            return file.read().rstrip("\n")
    except OSError:
        return ""


def _write(path: str, text: str) -> None:
    with open(f"{path}.new", "w", encoding="ascii") as file:
        file.write(text + "\n")
    os.replace(f"{path}.new", path)
{% if cookiecutter.snapshot %}


def _version(path: str) -> tuple[int, int, int]:
    status = os.stat(path)
    return status.st_size, status.st_mtime_ns, status.st_ctime_ns
{% endif %}
