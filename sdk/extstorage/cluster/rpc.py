"""The calls that Ganeti's master makes to a node daemon, and what becomes of their errors.

Source in Ganeti: ``lib/backend.py``, ``lib/server/noded.py``.
"""

from __future__ import annotations

import contextlib
import functools
import posixpath
import time
from typing import TYPE_CHECKING, NamedTuple, ParamSpec, TypeVar

from extstorage.cluster.errors import HypervisorError, RpcError, RpcFail
from extstorage.cluster.file_device import FileDevice
from extstorage.cluster.model import FILE
from extstorage.host.device import Device
from extstorage.host.errors import BlockDeviceError, OpExecError
from extstorage.nodes.node import Command, NodeUnreachable

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from extstorage.cluster.guest import Guests
    from extstorage.cluster.model import ClusterDisk, Instance
    from extstorage.host.daemon import Host

REMOVE_TRIES = 11
"""How often BlockdevRemove tries: for 30 seconds, every 3 (DISK_REMOVE_RETRY_*)."""

_P = ParamSpec("_P")
_T = TypeVar("_T")
_ENVIRONMENT = {"PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"}


class DeviceStatus(NamedTuple):
    """What a node knows of a disk's device (BlockDevStatus); None where it has no number."""

    dev_path: str | None
    major: int | None
    minor: int | None


def _call(
    function: Callable[_P, _T],
) -> Callable[_P, _T]:
    """Make a method a remote call: whatever it raises arrives as RpcError, in noded's words."""

    @functools.wraps(function)
    def call(*args: _P.args, **kwargs: _P.kwargs) -> _T:
        daemon = args[0]
        if isinstance(daemon, NodeDaemon) and daemon.offline:
            raise RpcError("Node is marked offline", offline=True)
        try:
            return function(*args, **kwargs)
        except (NodeUnreachable, RpcFail) as error:
            raise RpcError(str(error)) from error
        except (
            BlockDeviceError,
            HypervisorError,
            OpExecError,
            OSError,
            UnicodeDecodeError,
            ValueError,
        ) as error:
            message = f"Error while executing backend function: {error}"
            raise RpcError(message) from error

    return call


class NodeDaemon:
    """One node's daemon, as the master calls it. Every call raises RpcError.

    Args:
        host: The node's way to its providers.
        guests: What runs where.
        offline: Whether the node is marked offline: then no call gets through.
        remove_retry_s: Seconds between two tries of a removal.
    """

    def __init__(
        self, host: Host, guests: Guests, *, offline: bool = False, remove_retry_s: float = 3.0
    ) -> None:
        self.host = host
        self.offline = offline
        self._guests = guests
        self._remove_retry_s = remove_retry_s

    @property
    def name(self) -> str:
        """The node's name."""
        return self.host.node.name

    @_call
    def blockdev_create(self, disk: ClusterDisk, info: str) -> None:
        """Create a volume, attach and open it, set its metadata (BlockdevCreate)."""
        try:
            device = Device.create(self.host, disk.driver, disk.on_host())
        except BlockDeviceError as error:
            raise RpcFail(f"Can't create block device: {error}") from error
        try:
            device.open()
        except BlockDeviceError as error:
            text = f"Can't make device r/w after creation, unusual event: {error}"
            raise RpcFail(text) from error
        device.set_info(info)

    @_call
    def blockdev_assemble(self, disk: ClusterDisk) -> str | None:
        """Attach and open a volume; return its device's path (BlockdevAssemble)."""
        try:
            device = self._device(disk)
            device.open()
        except BlockDeviceError as error:
            raise RpcFail(f"Error while assembling disk: {error}") from error
        return device.dev_path

    @_call
    def ping(self) -> None:
        """Do nothing but see that the node is there: an assembly's first pass asks no more."""
        self._reach()

    @_call
    def blockdev_shutdown(self, disk: ClusterDisk) -> None:
        """Detach a volume (BlockdevShutdown)."""
        device = self._find(disk)
        if device is None:
            return
        try:
            device.shutdown()
        except BlockDeviceError as error:
            raise RpcFail(str(error)) from error

    @_call
    def blockdev_remove(self, disk: ClusterDisk) -> None:
        """Delete a volume, as often as it takes; one that cannot be attached is left alone."""
        try:
            device = self._find(disk)
        except BlockDeviceError:
            return
        if device is None:
            return
        for left in reversed(range(REMOVE_TRIES)):
            try:
                device.remove()
            except BlockDeviceError as error:
                if not left:
                    raise RpcFail(str(error)) from error
                time.sleep(self._remove_retry_s)
            else:
                return

    @_call
    def blockdev_open(self, disks: Sequence[ClusterDisk], *, exclusive: bool) -> None:
        """Attach all volumes, then open them (BlockdevOpen)."""
        devices = [self._found(disk, "Can't find device {}") for disk in disks]
        failed = []
        for device in devices:
            try:
                device.open(exclusive=exclusive)
            except BlockDeviceError as error:
                failed.append(str(error))
        if failed:
            raise RpcFail(f"Can't open devices: {','.join(failed)}")

    @_call
    def blockdev_close(self, disks: Sequence[ClusterDisk]) -> None:
        """Attach all volumes, then close them (BlockdevClose)."""
        devices = [self._found(disk, "Can't find device {}") for disk in disks]
        failed = []
        for device in devices:
            try:
                device.close()
            except BlockDeviceError as error:
                failed.append(str(error))
        if failed:
            raise RpcFail(f"Can't close devices: {','.join(failed)}")

    @_call
    def blockdev_grow(
        self, disk: ClusterDisk, amount_mib: int, *, dryrun: bool, backingstore: bool
    ) -> None:
        """Grow a volume (BlockdevGrow)."""
        device = self._found(disk, "Cannot find block device {}")
        try:
            device.grow(amount_mib, dryrun=dryrun, backingstore=backingstore)
        except BlockDeviceError as error:
            raise RpcFail(f"Failed to grow block device: {error}") from error

    @_call
    def blockdev_setinfo(self, disk: ClusterDisk, info: str) -> None:
        """Set a volume's metadata (BlockdevSetInfo)."""
        device = self._found(disk, "Cannot find block device {}")
        try:
            device.set_info(info)
        except BlockDeviceError as error:
            raise RpcFail(f"Failed to set information on block device: {error}") from error

    @_call
    def blockdev_find(self, disk: ClusterDisk) -> DeviceStatus | None:
        """Return a disk's device, or None (BlockdevFind)."""
        try:
            device = self._find(disk)
        except BlockDeviceError as error:
            raise RpcFail(f"Failed to find device: {error}") from error
        if device is None:
            return None
        return DeviceStatus(device.dev_path, device.major, device.minor)

    @_call
    def blockdev_snapshot(self, disk: ClusterDisk) -> tuple[str, str]:
        """Take a snapshot; return its provider and name (BlockdevSnapshot)."""
        known = self.host.release.at_least("2.13")
        if not (known and disk.supports_snapshots):
            what = "block device" if known else "non-lvm block device"
            where = (disk.driver, disk.location)
            raise RpcFail(f"Cannot snapshot {what} '{where}' of type '{disk.template}'")
        return self._found(disk, "Cannot find block device {}").snapshot()

    @_call
    def blockdev_copy(self, source: ClusterDisk, target: ClusterDisk) -> None:
        """Copy a disk's data to another disk (BlockdevConvert)."""
        paths = []
        for disk, way in ((source, "from"), (target, "to")):
            found = self._path(disk)
            if found is None:
                raise RpcFail(f"Cannot copy {way} device '{disk.uuid}': device not found")
            paths.append(found)
        self._copy(paths[0], paths[1])

    @_call
    def blockdev_pause_resume_sync(self, disks: Sequence[ClusterDisk]) -> None:
        """Find the disks, whose synchronisation is nothing to pause (BlockdevPauseResumeSync)."""
        for disk in disks:
            with contextlib.suppress(BlockDeviceError):
                self._path(disk)

    @_call
    def blockdev_wipe(self, disk: ClusterDisk, offset_mib: int, size_mib: int) -> None:
        """Write zeroes to a part of a disk (BlockdevWipe)."""
        try:
            path = self._path(disk)
        except BlockDeviceError:
            path = None
        if path is None:
            raise RpcFail(f"Cannot wipe device {disk.uuid}: device not found")
        self._run(
            "dd", "if=/dev/zero", f"seek={offset_mib}", "bs=1048576", "oflag=direct", f"of={path}",
            f"count={size_mib}", "conv=notrunc",
        )  # fmt: skip

    @_call
    def blockdev_size(self, disk: ClusterDisk) -> int | None:
        """Return a disk's real size in bytes, or None (BlockdevGetdimensions)."""
        try:
            path = self._path(disk)
        except BlockDeviceError:
            return None
        if path is None:
            return None
        is_file = disk.template == FILE
        words = ("stat", "-Lc", "%s") if is_file else ("blockdev", "--getsize64")
        return int(self._run(*words, path))

    @_call
    def file_create(self, path: str, size_mib: int) -> None:
        """Make a file disk of that size, and its directory."""
        directory = posixpath.dirname(path)
        self.host.node.make_directory(directory, 0o700)
        self._run("truncate", f"--size={size_mib}M", path)

    @_call
    def file_directory_rename(self, old: str, new: str) -> None:
        """Rename the directory of an instance's file disks (FileStorageDirRename)."""
        # An instance of the new name that was removed may have left its directory, empty.
        self._run("mv", "-T", old, new)

    @_call
    def file_remove(self, path: str) -> None:
        """Delete a file disk."""
        self._run("rm", "-f", path)

    @_call
    def open_for_os(self, disks: Sequence[ClusterDisk]) -> list[str | None]:
        """Attach and open each disk, as before an OS script runs (OSEnvironment)."""
        return [self._open_real(disk, index).dev_path for index, disk in enumerate(disks)]

    @_call
    def export_disk(self, disk: ClusterDisk, index: int, path: str) -> None:
        """Copy a disk to a file, or a file to a disk (``_GetImportExportIoCommand``)."""
        device = self._open_real(disk, index)
        # The file is new: what is zero need not be written.
        self._copy(device.dev_path or "/dev/null", path, "sparse,")

    @_call
    def run(self, *words: str) -> bytes:
        """Run a command that has nothing to do with disks; return what it says."""
        return self._run(*words)

    @_call
    def import_disk(self, source: str, target: str) -> None:
        """Copy a file to a device."""
        self._copy(source, target)

    @_call
    def instance_start(self, instance: Instance) -> None:
        """Attach and open an instance's disks and start it (StartInstance)."""
        self._start(instance)

    @_call
    def instance_shutdown(self, name: str) -> None:
        """Stop an instance (InstanceShutdown)."""
        self._reach()
        self._guests.stop(self.name, name)

    @_call
    def instance_reboot(self, instance: Instance, kind: str) -> None:
        """Reboot a running instance, ``soft`` or ``hard`` (InstanceReboot)."""
        if instance.name not in self._guests.running(self.name):
            raise RpcFail(f"Cannot reboot instance '{instance.name}' that is not running")
        if kind == "soft":
            self._guests.reboot(self.name, instance.name)
        else:
            self._guests.stop(self.name, instance.name)
            self._start(instance)

    @_call
    def instance_migratable(self, name: str) -> None:
        """Refuse an instance that does not run (GetInstanceMigratable)."""
        self._reach()
        if name not in self._guests.running(self.name):
            raise RpcFail(f"Instance {name} is not running")

    @_call
    def instance_list(self) -> Sequence[str]:
        """Return the names of the instances that run (GetInstanceList)."""
        self._reach()
        return self._guests.running(self.name)

    @_call
    def accept_instance(self, name: str, disks: Sequence[ClusterDisk] = ()) -> None:
        """Attach disks, and prepare for an instance that is about to come (AcceptInstance)."""
        try:
            for index, disk in enumerate(disks):
                self._open_for_start(disk, index)
        except BlockDeviceError as error:
            raise RpcFail(f"Block device error: {error}") from error
        try:
            self._guests.accept(self.name, name)
        except HypervisorError as error:
            raise RpcFail(f"Failed to accept instance: {error}") from error

    @_call
    def instance_migrate(self, target: str, name: str) -> None:
        """Send a running instance to another node (MigrateInstance)."""
        try:
            self._guests.migrate(self.name, target, name)
        except HypervisorError as error:
            raise RpcFail(f"Failed to migrate instance: {error}") from error

    def _reach(self) -> None:
        # What runs is on record here, even for a node that is down: ask the node itself.
        self.host.node.is_directory("/")

    def _start(self, instance: Instance) -> None:
        if instance.name in self._guests.running(self.name):
            return
        try:
            devices = [
                self._open_for_start(disk, index) for index, disk in enumerate(instance.disks)
            ]
        except BlockDeviceError as error:
            raise RpcFail(f"Block device error: {error}") from error
        try:
            self._guests.start(self.name, instance.name, devices)
        except HypervisorError as error:
            raise RpcFail(f"Hypervisor error: {error}") from error

    def _open_for_start(self, disk: ClusterDisk, index: int) -> str | None:
        # _GatherAndLinkBlockDevs
        device = self._find(disk)
        if device is None:
            raise BlockDeviceError(f"Block device '{disk.describe(index)}' is not set up.")
        device.open()
        return device.dev_path

    def _open_real(self, disk: ClusterDisk, index: int) -> Device | FileDevice:
        # _OpenRealBD
        device = self._find(disk)
        if device is None:
            raise RpcFail(f"Block device '{disk.describe(index)}' is not set up")
        device.open()
        return device

    def _device(self, disk: ClusterDisk) -> Device | FileDevice:
        if disk.template == FILE:
            return FileDevice(self.host.node, disk.location)
        return Device(self.host, disk.driver, disk.on_host())

    def _find(self, disk: ClusterDisk) -> Device | FileDevice | None:
        # FindDevice: making the object attaches the volume.
        device = self._device(disk)
        return device if device.attached else None

    def _found(self, disk: ClusterDisk, text: str) -> Device | FileDevice:
        device = self._find(disk)
        if device is None:
            raise RpcFail(text.format(disk.describe(0)))
        return device

    def _path(self, disk: ClusterDisk) -> str | None:
        device = self._find(disk)
        return device.dev_path if device else None

    def _copy(self, source: str, target: str, how: str = "") -> None:
        words = ("dd", f"if={source}", f"of={target}", "bs=1M", f"conv={how}notrunc,fsync")
        self._run(*words)

    def _run(self, *words: str) -> bytes:
        done = self.host.node.run(Command(words, _ENVIRONMENT, "/"))
        if done.exit_code != 0:
            error = done.stderr.decode("utf-8", "backslashreplace").strip()
            raise RpcFail(f"Command '{' '.join(words)}' exited with error: {error}")
        return done.stdout
