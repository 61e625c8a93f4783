"""What ``verify`` checks; nothing that it does leaves a trace."""

from __future__ import annotations

import errno
import fcntl
import os

from extstorage.provider import ProviderError
from loopback.holds import announce
from loopback.loop import free_device

TYPE_CHECKING = False
if TYPE_CHECKING:
    from loopback.volumes import Pool


def can_map() -> None:
    """Raise ProviderError unless this node has loop devices to give."""
    path = free_device()
    if not os.path.exists(path):
        raise ProviderError(f"{path} does not exist: is udev or devtmpfs there?")


def can_lock(pool: Pool) -> None:
    """Raise ProviderError if files in the directory cannot be locked, in either way."""
    try:
        file = _nameless_file(pool.directory)
    except OSError as error:
        raise ProviderError(f"{pool.directory}: {error.strerror}") from None
    try:
        announce(file)
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        raise ProviderError(f"{pool.directory}: flock: {error.strerror}") from None
    finally:
        os.close(file)


def _nameless_file(directory: str) -> int:
    try:
        return os.open(directory, os.O_RDWR | os.O_TMPFILE | os.O_CLOEXEC, 0o600)
    except OSError as error:
        if error.errno != errno.EOPNOTSUPP:
            raise
    # NFS has none, but keeps a file that is open, and takes it away with the last user.
    path = f"{directory}/.verify.{os.urandom(8).hex()}"
    file = os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    os.unlink(path)
    return file
