"""What ``verify`` checks; nothing that it does leaves a trace."""

from __future__ import annotations

import errno
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
    """Raise ProviderError if files in the directory cannot be locked."""
    try:
        file = os.open(pool.directory, os.O_RDWR | os.O_TMPFILE | os.O_CLOEXEC, 0o600)
    except OSError as error:
        if error.errno == errno.EOPNOTSUPP:
            return  # no nameless files here, so this cannot be tried without a trace
        raise ProviderError(f"{pool.directory}: {error.strerror}") from None
    try:
        announce(file)
    finally:
        os.close(file)
