"""Which system calls make a difference outside the process, and how each one may fail."""

from __future__ import annotations

import os

TYPE_CHECKING = False
if TYPE_CHECKING:
    from extstorage_conformance.faults.tracer.memory import Memory

NUMBERS = {
    "write": 1, "open": 2, "stat": 4, "lstat": 6, "ioctl": 16, "pwrite64": 18, "writev": 20,
    "access": 21, "sendfile": 40, "connect": 42, "execve": 59, "fcntl": 72, "flock": 73,
    "fsync": 74, "fdatasync": 75, "truncate": 76, "ftruncate": 77, "rename": 82, "mkdir": 83,
    "rmdir": 84, "creat": 85, "link": 86, "unlink": 87, "symlink": 88, "chmod": 90, "fchmod": 91,
    "chown": 92, "fchown": 93, "lchown": 94, "mknod": 133, "mount": 165, "umount2": 166,
    "setxattr": 188, "lsetxattr": 189, "fsetxattr": 190, "openat": 257, "mkdirat": 258,
    "mknodat": 259, "fchownat": 260, "newfstatat": 262, "unlinkat": 263, "renameat": 264,
    "linkat": 265, "symlinkat": 266, "fchmodat": 268, "faccessat": 269, "splice": 275,
    "sync_file_range": 277, "fallocate": 285, "pwritev": 296, "syncfs": 306, "renameat2": 316,
    "execveat": 322, "copy_file_range": 326, "pwritev2": 328, "statx": 332, "move_mount": 429,
    "openat2": 437, "faccessat2": 439,
}  # fmt: skip
"""By name, on x86-64."""
NAMES = {number: name for name, number in NUMBERS.items()}

EXIT_GROUP = 231
PAUSE = 34

EXECUTES = {"execve": (None, 0), "execveat": (0, 1)}
"""The descriptor and the path among a call's arguments, as in the tables below."""
LOOKS = {
    "stat": (None, 0), "lstat": (None, 0), "access": (None, 0), "newfstatat": (0, 1),
    "faccessat": (0, 1), "faccessat2": (0, 1), "statx": (0, 1),
}  # fmt: skip
"""Ask whether a file is there: no steps, but a missing tool has to be missing for them too."""

_OPENS = {"open": (None, 0, 1), "openat": (0, 1, 2), "openat2": (0, 1, None), "creat": (None, 0, 1)}
_BY_PATH = {
    "truncate": ("size", ((None, 0),)),
    "rename": ("name", ((None, 0), (None, 1))),
    "renameat": ("name", ((0, 1), (2, 3))),
    "renameat2": ("name", ((0, 1), (2, 3))),
    "link": ("make", ((None, 0), (None, 1))),
    "linkat": ("make", ((0, 1), (2, 3))),
    "symlink": ("make", ((None, 1),)),
    "symlinkat": ("make", ((1, 2),)),
    "mkdir": ("make", ((None, 0),)),
    "mkdirat": ("make", ((0, 1),)),
    "mknod": ("make", ((None, 0),)),
    "mknodat": ("make", ((0, 1),)),
    "rmdir": ("delete", ((None, 0),)),
    "unlink": ("delete", ((None, 0),)),
    "unlinkat": ("delete", ((0, 1),)),
    "chmod": ("mode", ((None, 0),)),
    "fchmodat": ("mode", ((0, 1),)),
    "chown": ("mode", ((None, 0),)),
    "lchown": ("mode", ((None, 0),)),
    "fchownat": ("mode", ((0, 1),)),
    "setxattr": ("mode", ((None, 0),)),
    "lsetxattr": ("mode", ((None, 0),)),
    "mount": ("mount", ((None, 1),)),
    "umount2": ("mount", ((None, 0),)),
    "move_mount": ("mount", ((2, 3),)),
}
_BY_DESCRIPTOR = {
    "write": ("write", 0),
    "pwrite64": ("write", 0),
    "writev": ("write", 0),
    "pwritev": ("write", 0),
    "pwritev2": ("write", 0),
    "sendfile": ("write", 0),
    "copy_file_range": ("write", 2),
    "splice": ("write", 2),
    "ftruncate": ("size", 0),
    "fallocate": ("size", 0),
    "fsync": ("sync", 0),
    "fdatasync": ("sync", 0),
    "syncfs": ("sync", 0),
    "sync_file_range": ("sync", 0),
    "fchmod": ("mode", 0),
    "fchown": ("mode", 0),
    "fsetxattr": ("mode", 0),
    "flock": ("lock", 0),
}

CHANGES = frozenset(("make", "write", "size", "name", "delete", "mode", "mount", "device"))
"""Classes after which a script that is killed leaves something else than before."""

# fcntl(2): SETLK, SETLKW, OFD_GETLK, OFD_SETLK, OFD_SETLKW.
_LOCK_COMMANDS = (6, 7, 36, 37, 38)
# ioctl(2): what asks a terminal or a descriptor something, or sets up copying.
_TERMINAL_TYPES = (0x54, 0x66)
_IOCTLS = {
    0x4C00: "LOOP_SET_FD", 0x4C01: "LOOP_CLR_FD", 0x4C04: "LOOP_SET_STATUS64",
    0x4C05: "LOOP_GET_STATUS64", 0x4C07: "LOOP_SET_CAPACITY", 0x4C08: "LOOP_SET_DIRECT_IO",
    0x4C0A: "LOOP_CONFIGURE", 0x4C80: "LOOP_CTL_ADD", 0x4C82: "LOOP_CTL_GET_FREE",
    0x125D: "BLKROSET", 0x125E: "BLKROGET", 0x1260: "BLKGETSIZE", 0x1261: "BLKFLSBUF",
    0x1268: "BLKSSZGET", 0x80081272: "BLKGETSIZE64", 0x125F: "BLKRRPART",
    0x40049409: "FICLONE", 0x4020940D: "FICLONERANGE",
}  # fmt: skip
_ASKING = ("LOOP_GET_STATUS64", "LOOP_CTL_GET_FREE", "BLKROGET", "BLKGETSIZE", "BLKSSZGET",
           "BLKGETSIZE64", "BLKFLSBUF")  # fmt: skip

_AT_FDCWD = 2**32 - 100
_SYSTEM = ("/usr/", "/lib", "/bin/", "/sbin/", "/etc/", "/proc/", "/opt/")
_CODE = (
    ".py",
    ".so",
    ".pth",
    "._pth",
    "/pyvenv.cfg",
    "/pybuilddir.txt",
    ".pm",
    ".pl",
    ".rb",
    ".sh",
)
_NO_FILES = ("/dev/null", "/dev/zero", "/dev/tty", "/dev/urandom", "/dev/random", "/dev/full")


class Effect:
    """What a system call is about to do: class, kind of step, the paths that it is about."""

    __slots__ = ("kind", "name", "paths", "what")

    def __init__(self, name: str, kind: str, paths: tuple[str, ...], what: str = "") -> None:
        self.name = name
        self.kind = kind
        self.paths = paths
        self.what = what

    @property
    def changes(self) -> bool:
        """Whether the world outside is another one afterwards."""
        return self.kind in CHANGES

    @property
    def text(self) -> str:
        """The call for people to read."""
        words = [self.what] if self.what else []
        return f"{self.name}({', '.join([*self.paths, *words])})"


def effect(name: str, arguments: tuple[int, ...], memory: Memory) -> Effect | None:
    """Return what the call ``name`` does to the world outside; None if that is nothing."""
    if name in _OPENS:
        return _opening(name, arguments, memory)
    if name in _BY_PATH:
        kind, places = _BY_PATH[name]
        paths = tuple(_path(place, arguments, memory) for place in places)
        return None if _is_cache(paths[-1]) else Effect(name, kind, paths)
    if name == "connect":
        return _connecting(arguments, memory)
    return _by_descriptor(name, arguments, memory)


def opening(name: str, arguments: tuple[int, ...], memory: Memory) -> tuple[str, int] | None:
    """Return the path that the call ``name`` opens and the flags it does so with, or None."""
    return _opened(name, arguments, memory) if name in _OPENS else None


def _opened(name: str, arguments: tuple[int, ...], memory: Memory) -> tuple[str, int]:
    directory, path_at, flags_at = _OPENS[name]
    path = _path((directory, path_at), arguments, memory)
    if name == "creat":
        return path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC
    return path, memory.word(arguments[2]) if flags_at is None else arguments[flags_at]


def _opening(name: str, arguments: tuple[int, ...], memory: Memory) -> Effect | None:
    path, flags = _opened(name, arguments, memory)
    if path in _NO_FILES or _is_cache(path):
        return None
    if not flags & (os.O_WRONLY | os.O_RDWR):
        # A directory is opened to be listed; the script's own text and libraries are no state.
        return None if _is_system(path, memory) else Effect(name, "read", (path,))
    tmpfile = flags & os.O_TMPFILE == os.O_TMPFILE
    if tmpfile:
        return Effect(name, "open", (path,), "O_TMPFILE")
    if flags & os.O_CREAT and not os.path.exists(path):
        return Effect(name, "make", (path,), "O_CREAT")
    if flags & os.O_TRUNC:
        return Effect(name, "make", (path,), "O_TRUNC")
    return Effect(name, "open", (path,))


def _by_descriptor(name: str, arguments: tuple[int, ...], memory: Memory) -> Effect | None:
    kind, what, at = "", "", 0
    if name == "ioctl":
        request = arguments[1] & 0xFFFFFFFF
        if request >> 8 & 0xFF in _TERMINAL_TYPES and request >> 16 == 0:
            return None
        what = _IOCTLS.get(request, hex(request))
        kind = "ask" if what in _ASKING or _only_reads(request, what) else "device"
    elif name == "fcntl":
        if arguments[1] not in _LOCK_COMMANDS:
            return None
        kind = "ask" if arguments[1] == _LOCK_COMMANDS[2] else "lock"
    else:
        kind, at = _BY_DESCRIPTOR[name]
    path = memory.descriptor(arguments[at])
    if not path.startswith("/") or path in _NO_FILES or path.startswith("/memfd:"):
        return None
    if path.startswith(("/dev/pts/", "/proc/")) or path in memory.outputs or _is_cache(path):
        return None
    return Effect(name, kind, (path,), what)


def _only_reads(request: int, what: str) -> bool:
    """Return whether the number itself says that the kernel only answers (_IOR)."""
    return what.startswith("0x") and request >> 30 == 2  # noqa: PLR2004 - _IOC_READ


def _connecting(arguments: tuple[int, ...], memory: Memory) -> Effect | None:
    address = memory.read(arguments[1], min(arguments[2], 128))
    family = int.from_bytes(address[:2], "little")
    if family == 2:  # noqa: PLR2004 - AF_INET
        host = ".".join(map(str, address[4:8]))
        return Effect("connect", "network", (f"{host}:{int.from_bytes(address[2:4], 'big')}",))
    if family == 10:  # noqa: PLR2004 - AF_INET6
        port = int.from_bytes(address[2:4], "big")
        return Effect("connect", "network", (f"[{address[8:24].hex()}]:{port}",))
    return None


def _path(place: tuple[int | None, int], arguments: tuple[int, ...], memory: Memory) -> str:
    directory, at = place
    text = memory.text(arguments[at])
    if text.startswith("/"):
        return os.path.normpath(text)
    start = None if directory is None else arguments[directory] & 0xFFFFFFFF
    base = memory.directory() if start in (None, _AT_FDCWD) else memory.descriptor(start or 0)
    return os.path.normpath(f"{base}/{text}") if text else base


def path_of(name: str, arguments: tuple[int, ...], memory: Memory) -> str:
    """Return the path that a call of EXECUTES or LOOKS, or one for a single path, is about."""
    place = {**EXECUTES, **LOOKS}.get(name) or _BY_PATH[name][1][0]
    return _path(place, arguments, memory)


def _is_system(path: str, memory: Memory) -> bool:
    if path in ("/proc/mounts", "/proc/partitions"):
        return False
    return path.startswith(_SYSTEM) or f"{path}/".startswith(memory.provider) or _is_code(path)


def _is_code(path: str) -> bool:
    """Return whether it is an interpreter's or the loader's, wherever that is installed."""
    return path.endswith(_CODE) or "/python3" in path or ".so." in os.path.basename(path)


def _is_cache(path: str) -> bool:
    """Return whether it is compiled Python code, which is made anew when it is not there."""
    return "__pycache__" in path or "/.pycache" in path or ".pyc" in path
