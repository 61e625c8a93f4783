"""A volume in the hands of the node daemon.

Source in Ganeti: ``lib/storage/extstorage.py`` (ExtStorageDevice).
"""

from __future__ import annotations

import logging
import os
import re
import stat
from typing import TYPE_CHECKING, NamedTuple, Unpack

from extstorage.contract.names import METADATA_LENGTH, SNAPSHOT_SUFFIX
from extstorage.host.errors import BlockDeviceError, MethodNotProvided, ProgrammerError

if TYPE_CHECKING:
    from extstorage.contract.releases import Release
    from extstorage.host.call import Call
    from extstorage.host.daemon import CallValues, Host
    from extstorage.host.disk import Disk

_logger = logging.getLogger(__name__)


class AttachOutput(NamedTuple):
    """What Ganeti takes from attach's output.

    ``dev_path`` is None for a volume without a device (an empty first line), which only some
    releases know; ``uris`` are all further lines, whatever they are.
    """

    dev_path: str | None
    uris: list[str]


def read_attach_output(stdout: str, release: Release) -> AttachOutput:
    """Return the device and the URIs that ``release`` reads in attach's output."""
    if not release.attach_output_lines:
        # 2.7 to 2.12: the whole output is the path, a newline at its end included.
        return AttachOutput(stdout, [])
    # Attach: the last line's end makes one more, empty URI.
    first, *uris = stdout.split("\n")
    return AttachOutput((first or None) if release.userspace_only else first, uris)


def clean_metadata(text: str) -> str:
    """Return a disk's information as SetInfo sends it."""
    # A leading "-" is replaced because of the first expression alone.
    text = re.sub("^[^A-Za-z0-9_+.]", "_", text)
    return re.sub("[^-A-Za-z0-9_+.]", "_", text)[:METADATA_LENGTH]


class Device:
    """Ganeti's ExtStorageDevice: making one attaches the volume.

    Every method raises what a call raises: BlockDeviceError with Ganeti's text, OpExecError,
    CannotExecute, UnicodeDecodeError.

    Args:
        host: The node daemon.
        provider: The provider's name; its directory is looked at anew for each call.
        disk: What Ganeti has on record of the volume.

    Attributes:
        attached: What the last attach gave: whether there is a block device or a URI.
        dev_path: The device's path as attach printed it, or None.
        uris: The further lines of attach's output.
        major: The device's major number, or None.
        minor: The device's minor number, or None. Ganeti takes 0 for None.
    """

    def __init__(self, host: Host, provider: str, disk: Disk) -> None:
        self._host = host
        self._provider = provider
        self.disk = disk
        self.attached = False
        self.dev_path: str | None = None
        self.uris: list[str] = []
        self.major: int | None = None
        self.minor: int | None = None
        self.attach()

    @classmethod
    def create(
        cls,
        host: Host,
        provider: str,
        disk: Disk,
        *,
        exclusive_storage: bool = False,
    ) -> Device:
        """Make a volume of ``disk.size_mib`` and attach it (Create)."""
        if exclusive_storage:
            raise ProgrammerError("extstorage device requested with exclusive_storage")
        _act(host, provider, "create", disk)
        return cls(host, provider, disk)

    def attach(self) -> bool:
        """Attach the volume; return whether Ganeti takes it as attached (Attach)."""
        self.attached = False
        call = _act(self._host, self._provider, "attach", self.disk)
        output = call.attach_output() if call else ""
        self.dev_path, self.uris = read_attach_output(output, self._host.release)
        # Attach: even empty output gives one URI, unless it is really empty.
        self.attached = bool(self.uris) if self.dev_path is None else self._found(self.dev_path)
        return self.attached

    def _found(self, path: str) -> bool:
        try:
            status = self._host.node.stat(path)
        except OSError as error:
            _logger.error("Error stat()'ing %s: %s", path, error)  # noqa: TRY400 - as Ganeti
            return False
        if not stat.S_ISBLK(status.st_mode):
            _logger.error("%s is not a block device", path)
            return False
        self.major, self.minor = os.major(status.st_rdev), os.minor(status.st_rdev)
        return True

    def _is_gone(self) -> bool:
        # Remove, Shutdown: minor 0 is no number to Ganeti, so /dev/loop0 is attached once more.
        return not self.minor and not self.attach()

    def remove(self) -> None:
        """Detach and delete the volume; one that cannot be attached is silently left (Remove)."""
        if self._is_gone():
            return
        self.shutdown()
        self._act("remove")

    def shutdown(self) -> None:
        """Detach the volume; one that cannot be attached is silently left (Shutdown)."""
        if self._is_gone():
            return
        self._act("detach")
        self.minor = None
        self.dev_path = None

    def open(self, *, exclusive: bool = True) -> None:
        """Make the device ready for I/O (Open)."""
        self._act("open", exclusive=exclusive)

    def close(self) -> None:
        """End the I/O on the device (Close)."""
        self._act("close")

    def grow(self, amount_mib: int, *, dryrun: bool = False, backingstore: bool = True) -> None:
        """Grow the volume by ``amount_mib`` over its recorded size (Grow)."""
        if not backingstore:
            return
        if not self.attach():
            raise BlockDeviceError("Can't attach to extstorage device during Grow()")
        if not dryrun:
            self._act("grow", new_size_mib=self.disk.size_mib + amount_mib)

    def set_info(self, text: str) -> None:
        """Set the volume's metadata (SetInfo)."""
        self._act("setinfo", metadata=clean_metadata(text))

    def userspace_access_uri(self, hypervisor: str) -> str:
        """Return the volume's URI for a hypervisor (GetUserspaceAccessUri)."""
        if not self.attach():
            raise BlockDeviceError("Can't attach to ExtStorage device")
        prefix = hypervisor.lower() + ":"
        for uri in self.uris:
            if uri[: len(prefix)].lower() == prefix:
                return uri[len(prefix) :]
        raise BlockDeviceError(
            f"Userspace access is not supported by the '{self._provider}'"
            f" ExtStorage provider for the '{hypervisor}' hypervisor",
        )

    def snapshot(self, name: str | None = None, size_mib: int | None = None) -> tuple[str, str]:
        """Take a snapshot; return the provider's and the new volume's name (Snapshot)."""
        name = name or self.disk.name + SNAPSHOT_SUFFIX
        self._act(
            "snapshot",
            snapshot_name=name,
            snapshot_size_mib=size_mib or self.disk.size_mib,
        )
        return self._provider, name

    def _act(self, method: str, **values: Unpack[CallValues]) -> None:
        _act(self._host, self._provider, method, self.disk, **values)


def _act(
    host: Host, provider: str, method: str, disk: Disk, **values: Unpack[CallValues]
) -> Call | None:
    """Make one call as _ExtStorageAction does; return None if the script is optional and missing.

    Raises what the call raises.
    """
    try:
        call = host.act(provider, method, disk, **values)
    except MethodNotProvided as error:
        if method == "snapshot" and host.release.missing_snapshot_is_error:
            raise BlockDeviceError(str(error)) from error
        return None
    call.check()
    return call
