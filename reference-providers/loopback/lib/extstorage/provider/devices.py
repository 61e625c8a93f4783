"""Block devices: waiting until one is there, or until nobody uses it."""

from __future__ import annotations

import os
import stat
import time

from extstorage.provider.errors import ProviderError

_PAUSE_S = 0.05


def wait_for_device(path: str, wait_s: float = 30.0) -> None:
    """Return as soon as ``path`` is a block device; raise ProviderError after ``wait_s``."""
    give_up = time.monotonic() + wait_s
    while not _is_device(path):
        if time.monotonic() > give_up:
            raise ProviderError(f"no device {path} after {wait_s:g} s")
        time.sleep(_PAUSE_S)


def wait_until_unused(path: str, wait_s: float = 3.0) -> None:
    """Return as soon as nobody uses the device; raise ProviderError that names the users.

    A kernel that is told to drop a device in use does so, or will do so later, and
    says that all is well: so ask first. Programs like udev have a device open for moments.
    """
    give_up = time.monotonic() + wait_s
    while users := users_of(path):
        if time.monotonic() > give_up:
            raise ProviderError(f"{path} is in use ({', '.join(users)}): stop that, and try again")
        time.sleep(_PAUSE_S)


def users_of(path: str) -> list[str]:
    """Return the processes, devices and mounts that use the device or a part of it, as words."""
    users = [_process(number) for number in _names("/proc") if _has_open(number, path)]
    users += [f"device {name}" for name in _names(f"/sys/class/block/{path[5:]}/holders")]
    return users + _mounts(path)


def _is_device(path: str) -> bool:
    try:
        return stat.S_ISBLK(os.stat(path).st_mode)
    except OSError:
        return False


def _is_part(name: str, path: str) -> bool:
    """Return whether ``name`` is the device ``path``, or a partition of it."""
    return name == path or (name.startswith(f"{path}p") and name[len(path) + 1 :].isdigit())


def _has_open(process: str, path: str) -> bool:
    if not process.isdigit() or process == str(os.getpid()):
        return False
    directory = f"/proc/{process}/fd"
    return any(_is_part(_target(f"{directory}/{name}"), path) for name in _names(directory))


def _process(number: str) -> str:
    return f"process {number} ({_text(f'/proc/{number}/comm').strip()})"


def _mounts(path: str) -> list[str]:
    lines = (_text("/proc/self/mounts") + _text("/proc/swaps")).splitlines()
    found = [line.split() for line in lines]
    return [words[1] for words in found if words[1:] and _is_part(words[0], path)]


def _text(path: str) -> str:
    try:
        with open(path, encoding="utf-8", errors="replace") as file:
            return file.read()
    except OSError:
        return ""


def _target(link: str) -> str:
    try:
        return os.readlink(link)
    except OSError:
        return ""


def _names(directory: str) -> list[str]:
    try:
        return sorted(os.listdir(directory))
    except OSError:
        return []
