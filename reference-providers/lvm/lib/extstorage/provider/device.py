"""What attach gives back to Ganeti: a block device and, if there are any, URIs for hypervisors."""

from __future__ import annotations

import os
import stat

from extstorage.provider.errors import ProviderError, quoted

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence


class Device:
    """The device of an attached volume.

    ``path`` is its absolute path. ``uris`` are ``hypervisor:uri`` lines (Ganeti
    2.13 and later); ``path`` may be ``""`` if there is at least one (2.14.2 and later).
    """

    __slots__ = ("path", "uris")

    def __init__(self, path: str, uris: Sequence[str] = ()) -> None:
        self.path = path
        self.uris = tuple(uris)

    def output(self) -> str:
        """Return what attach prints; raise ProviderError if Ganeti could not use it.

        Without URIs there is no newline at the end: Ganeti 2.7 to 2.12 take the
        whole output for the path.
        """
        if self.path or not self.uris:
            self._check_path()
        for uri in self.uris:
            _check_uri(uri)
        return "\n".join((self.path, *self.uris)) + ("\n" if self.uris else "")

    def _check_path(self) -> None:
        _check_line(self.path)
        try:
            mode = os.stat(self.path).st_mode
        except OSError as error:
            raise ProviderError(f"no device {quoted(self.path)}: {error.strerror}") from None
        if not self.path.startswith("/") or not stat.S_ISBLK(mode):
            raise ProviderError(f"{quoted(self.path)} is no absolute path of a block device")


def _check_line(line: str) -> None:
    if not (line.isascii() and line.isprintable()) or line != line.strip():
        raise ProviderError(f"Ganeti cannot read the line {quoted(line)}: not plain ASCII")


def _check_uri(uri: str) -> None:
    _check_line(uri)
    hypervisor, colon, rest = uri.partition(":")
    if not (hypervisor and colon and rest):
        raise ProviderError(f"expected HYPERVISOR:URI, found {quoted(uri)}")
