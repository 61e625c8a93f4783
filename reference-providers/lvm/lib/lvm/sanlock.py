"""sanlock's client library: leases on shared storage, and which hosts of a lockspace are alive.

The structures are those of its version 3 (``sanlock.h``); where the library can fill one from text,
it does.
"""

from __future__ import annotations

import ctypes
import errno
import os
import struct
import time

from extstorage.provider import ProviderError
from extstorage.provider.locks import WAIT_S

_LIBRARY = "libsanlock_client.so.1"
_TEXT = ctypes.create_string_buffer

# struct sanlk_lockspace: name, host id, flags; path; the rest says where in it.
_LOCKSPACE = struct.Struct("=48sQI4x1024s16x")
# struct sanlk_host: host id, generation, timestamp, time-out, flags.
_HOST = struct.Struct("=QQQII")
_STATE = 0xF
_FREE = 2
_DEAD = 5

# What acquire answers while somebody has the lease: here, elsewhere, or is about to; and while the
# storage takes longer than the lease's I/O time-out, which says nothing of the next moment.
_HELD = (-17, -16, -11, -212, -213, -243, -244, -245, -246, -247)
_SLOW = (-202, -210, -211)
_BUSY = (*_HELD, *_SLOW)
_FIRST_OWN_CODE = -200  # what is nearer to zero is of errno.h
_NOT_RUNNING = (errno.ENOENT, errno.ECONNREFUSED, errno.ECONNRESET, errno.EPIPE)
_LONGEST_PAUSE_S = 0.1


class Lockspace:
    """A lockspace that this host has joined: its name, the host's number in it, where it is."""

    __slots__ = ("host_id", "name", "path")

    def __init__(self, name: str, host_id: int, path: str) -> None:
        self.name = name
        self.host_id = host_id
        self.path = path


class Sanlock:
    """The library; what it asks, this host's sanlock daemon answers."""

    def __init__(self) -> None:
        try:
            self._library = ctypes.CDLL(_LIBRARY)
        except OSError:
            raise ProviderError(
                f"{_LIBRARY} is not there: install it on this node (Debian: libsanlock-client1)"
            ) from None

    def lockspaces(self) -> list[Lockspace]:
        """Return the lockspaces that this host has joined; none if the daemon does not run."""
        rows = self._rows(_LOCKSPACE, "sanlock_get_lockspaces")
        return [
            Lockspace(_string(name), host_id, _string(path))
            for name, host_id, being_changed, path in rows
            if not being_changed
        ]

    def living_hosts(self, lockspace: str) -> dict[int, int]:
        """Return the generation of each host that may be alive, by its number.

        A host is left out when it has left the lockspace, or is known to be dead: it has not
        renewed its lease for so long that its watchdog has reset it.
        """
        rows = self._rows(_HOST, "sanlock_get_hosts", _TEXT(lockspace.encode()), ctypes.c_uint64(0))
        return {
            host: generation
            for host, generation, _, _, flags in rows
            if flags & _STATE not in (_FREE, _DEAD)
        }

    def _rows(self, layout: struct.Struct, function: str, *words: object) -> list[tuple]:  # type: ignore[type-arg]
        rows = ctypes.c_void_p()
        count = ctypes.c_int()
        call = getattr(self._library, function)
        status = call(*words, ctypes.byref(rows), ctypes.byref(count), 0)
        if status < 0 or not rows.value:
            return []
        data = ctypes.string_at(rows.value, layout.size * count.value)
        return list(layout.iter_unpack(data))

    def acquire(self, resource: str, *, wait_s: float = WAIT_S) -> Lease:
        """Return the exclusive lease ``LOCKSPACE:NAME:PATH:OFFSET``, held by this process.

        sanlock takes it back when the process ends, however it does. Raises ProviderError if
        another process, on any host, has it for longer than ``wait_s`` seconds.
        """
        connection = self._checked("sanlock_register", self._library.sanlock_register())
        os.set_inheritable(connection, True)  # noqa: FBT003 - commands.py says what for
        resources = (ctypes.c_void_p * 1)()
        text = _TEXT(resource.encode())
        status = self._library.sanlock_str_to_res(text, ctypes.byref(resources, 0))
        self._checked("sanlock_str_to_res", status)
        give_up = time.monotonic() + wait_s
        pause_s = 0.005
        while True:
            status = self._library.sanlock_acquire(connection, -1, 0, 1, resources, None)
            if status == 0:
                return Lease(self, connection, resources)
            if status not in _BUSY or time.monotonic() > give_up:
                raise ProviderError(f"cannot get the lease {resource}: {self.reason(status)}")
            time.sleep(pause_s)
            pause_s = min(pause_s * 2, _LONGEST_PAUSE_S)

    def release(self, connection: int, resources: object) -> None:
        """Give back what ``acquire`` has got."""
        self._library.sanlock_release(connection, -1, 0, 1, resources)

    def expect_running(self) -> None:
        """Raise ProviderError unless the daemon answers."""
        os.close(self._checked("sanlock_register", self._library.sanlock_register()))

    def make(self, lockspace: str, resource: str, io_timeout_s: int) -> None:
        """Write a new lockspace ``NAME:0:PATH:OFFSET`` and its lease; nobody may be using them."""
        space = self._lockspace(lockspace)
        status = self._library.sanlock_write_lockspace(space, 0, 0, io_timeout_s)
        self._checked("sanlock_write_lockspace", status)
        pointer = ctypes.c_void_p()
        text = _TEXT(resource.encode())
        status = self._library.sanlock_str_to_res(text, ctypes.byref(pointer))
        self._checked("sanlock_str_to_res", status)
        status = self._library.sanlock_write_resource(pointer, 0, 0, 0)
        self._checked("sanlock_write_resource", status)

    def join(self, lockspace: str, io_timeout_s: int) -> None:
        """Join the lockspace ``NAME:HOST_ID:PATH:OFFSET``; takes some ``io_timeout_s``.

        To have joined already, under this number, is as good.
        """
        space = self._lockspace(lockspace)
        status = self._library.sanlock_add_lockspace_timeout(space, 0, io_timeout_s)
        if status == -errno.EINVAL:
            raise ProviderError(
                f"sanlock_add_lockspace: {self.reason(status)}: has this node joined under another"
                " number? (sanlock client status)"
            )
        if status != -errno.EEXIST:
            self._checked("sanlock_add_lockspace", status)

    def leave(self, lockspace: str) -> None:
        """Leave the lockspace ``NAME:HOST_ID:PATH:OFFSET``."""
        status = self._library.sanlock_rem_lockspace(self._lockspace(lockspace), 0)
        self._checked("sanlock_rem_lockspace", status)

    def _lockspace(self, text: str) -> object:
        space = _TEXT(_LOCKSPACE.size)
        status = self._library.sanlock_str_to_lockspace(_TEXT(text.encode()), space)
        self._checked("sanlock_str_to_lockspace", status)
        return space

    def _checked(self, function: str, status: int) -> int:
        if status < 0:
            raise ProviderError(f"{function}: {self.reason(status)}")
        return status

    def reason(self, status: int) -> str:
        """Return what the library's answer ``status`` means: its own code, or one of errno."""
        if _FIRST_OWN_CODE < status < 0:
            hint = ": is sanlock running?" if -status in _NOT_RUNNING else ""
            return f"{os.strerror(-status)} ({status}){hint}"
        self._library.sanlock_strerror.restype = ctypes.c_char_p
        text: bytes = self._library.sanlock_strerror(status) or b""
        return f"{text.decode('ascii', 'replace')} ({status})"


class Lease:
    """A lease that is held, for a ``with`` block."""

    def __init__(self, sanlock: Sanlock, connection: int, resources: object) -> None:
        self._sanlock = sanlock
        self._connection = connection
        self._resources = resources

    def __enter__(self) -> Lease:  # noqa: PYI034 - typing.Self is younger than 3.9
        return self

    def __exit__(self, *_: object) -> None:
        self._sanlock.release(self._connection, self._resources)


def _string(field: bytes) -> str:
    return field.split(b"\0", 1)[0].decode("ascii", "replace")
