"""A file disk in the hands of the node daemon.

Source in Ganeti: ``lib/storage/filestorage.py`` (FileStorage, FileDeviceHelper).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from extstorage.host.errors import BlockDeviceError
from extstorage.nodes.node import Command

if TYPE_CHECKING:
    from extstorage.nodes.node import Completed, Node

_ENVIRONMENT = {"PATH": "/usr/sbin:/usr/bin:/sbin:/bin"}


class FileDevice:
    """Ganeti's FileStorage, with the methods of ``host.device.Device`` that calls of a node use.

    Most do nothing: a file needs neither to be attached nor opened, and has no metadata.

    Args:
        node: The node.
        path: The file's path there.

    Attributes:
        attached: Whether the file is there.
        dev_path: The file's path.
        major: None: a file is no block device.
        minor: None.
    """

    major: int | None = None
    minor: int | None = None

    def __init__(self, node: Node, path: str) -> None:
        self._node = node
        self.dev_path: str | None = path
        # A command and not stat, so that --dry-run finds the file that would have been made.
        self.attached = self._run("test", "-f", path).exit_code == 0

    def open(self, *, exclusive: bool = True) -> None:
        """Refuse a file that is not there (Assemble; Open itself does nothing)."""
        del exclusive
        if not self.attached:
            raise BlockDeviceError(f"{self.dev_path}: No such file")

    def close(self) -> None:
        """Do nothing (Close)."""

    def shutdown(self) -> None:
        """Do nothing (Shutdown)."""

    def set_info(self, text: str) -> None:
        """Do nothing (SetInfo)."""

    def remove(self) -> None:
        """Delete the file (Remove)."""
        self._do("can't remove", "rm", "-f", "--", str(self.dev_path))

    def grow(self, amount_mib: int, *, dryrun: bool = False, backingstore: bool = True) -> None:
        """Make the file longer than it is by ``amount_mib`` (Grow)."""
        if backingstore and not dryrun:
            self._do("can't grow", "truncate", f"--size=+{amount_mib}M", str(self.dev_path))

    def snapshot(self) -> tuple[str, str]:
        """Refuse (BlockDev.Snapshot)."""
        where = ("loop", self.dev_path)
        raise BlockDeviceError(f"Snapshot is not supported for disk {where} of type FileStorage.")

    def _do(self, what: str, *words: str) -> None:
        done = self._run(*words)
        if done.exit_code != 0:
            error = done.stderr.decode("utf-8", "backslashreplace").strip()
            raise BlockDeviceError(f"{self.dev_path}: {what}: {error}")

    def _run(self, *words: str) -> Completed:
        return self._node.run(Command(words, _ENVIRONMENT, "/"))
