"""Locks that die with their holder."""

from __future__ import annotations

import fcntl
import os
import time

from extstorage.provider.errors import ProviderError
from extstorage.provider.state import state_directory

WAIT_S = 300.0
"""How long a lock is waited for; Ganeti gives a call up after 900 s and then cannot tell why."""


class Lock:
    """An exclusive lock on a file, for a ``with`` block; the kernel drops it if the process dies.

    The lock is on the file that ``path`` names when the lock is held: a file that
    was removed or replaced meanwhile is not taken for it. Raises FileNotFoundError
    if there is no such file (``create`` makes it) and ProviderError when another
    process holds the lock for longer than ``wait_s`` seconds.
    """

    def __init__(self, path: str, *, create: bool = False, wait_s: float = WAIT_S) -> None:
        self._descriptor = -1
        flags = os.O_RDWR | os.O_CLOEXEC | os.O_NOFOLLOW | (os.O_CREAT if create else 0)
        give_up = time.monotonic() + wait_s
        while self._descriptor < 0:
            descriptor = os.open(path, flags, 0o600)
            try:
                _take(descriptor, path, give_up)
                if _is_at(path, descriptor):
                    self._descriptor, descriptor = descriptor, -1
            finally:
                if descriptor >= 0:
                    os.close(descriptor)

    def fileno(self) -> int:
        """Return the descriptor, for ``tools.run(holding=...)``."""
        return self._descriptor

    def release(self) -> None:
        """Let the next one in; a second call does nothing."""
        if self._descriptor >= 0:
            os.close(self._descriptor)
            self._descriptor = -1

    def __enter__(self) -> Lock:  # noqa: PYI034 - typing.Self is younger than 3.9
        return self

    def __exit__(self, *_: object) -> None:
        self.release()


class VolumeLock:
    """One call at a time for a volume on this node, for a ``with`` block.

    It leaves no file behind: the volume may be removed on another node, and then nothing
    would be called here that could take the file away.
    """

    def __init__(self, provider_name: str, volume: str) -> None:
        self._path = f"{state_directory(provider_name)}/lock.{volume}"
        self._lock = Lock(self._path, create=True)

    def fileno(self) -> int:
        """Return the descriptor, for ``tools.run(holding=...)``."""
        return self._lock.fileno()

    def __enter__(self) -> VolumeLock:  # noqa: PYI034 - typing.Self is younger than 3.9
        return self

    def __exit__(self, *_: object) -> None:
        try:
            os.unlink(self._path)
        except FileNotFoundError:
            pass
        self._lock.release()


def _take(descriptor: int, path: str, give_up: float) -> None:
    # Polling, because a blocking flock() could only be ended by a signal handler.
    pause_s = 0.001
    while not _taken(descriptor):
        if time.monotonic() > give_up:
            raise ProviderError(f"another call holds the lock {path}: try again later")
        time.sleep(pause_s)
        pause_s = min(pause_s * 2, 0.05)


def _taken(descriptor: int) -> bool:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _is_at(path: str, descriptor: int) -> bool:
    try:
        there = os.stat(path, follow_symlinks=False)
    except FileNotFoundError:
        return False
    return os.path.samestat(there, os.fstat(descriptor))
