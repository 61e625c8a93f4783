"""Who uses a block device: for the message that says why it cannot be detached.

A device is known by its number: it has several names, and a user shows only one of them.
"""

from __future__ import annotations

import os
import stat

from extstorage.provider.errors import ProviderError


def users_of(path: str) -> str:
    """Return what ``find_users`` finds, as words, for a device that is known to be in use."""
    return ", ".join(find_users(path)) or "by a mount, or by what has just ended"


def find_users(path: str) -> list[str]:
    """Return the processes, devices and mounts that use the device or a partition of it.

    The calling process is none of them. A device that is not there has none.
    """
    try:
        number = _number(path)
    except (FileNotFoundError, NotADirectoryError):
        return []
    if not number:
        raise ProviderError(f"{path} is no block device")
    parts = _parts(f"/sys/dev/block/{number}")
    numbers = {number, *(_text(f"{part}/dev").strip() for part in parts)} - {""}
    users = [_process(process) for process in _processes() if _has_open(process, numbers)]
    users += [f"device {name}" for part in parts for name in _names(f"{part}/holders")]
    return users + _mounts(numbers) + _swaps(numbers)


def _number(path: str) -> str:
    """Return MAJOR:MINOR of a block device, ``""`` of anything else."""
    status = os.stat(path)
    if not stat.S_ISBLK(status.st_mode):
        return ""
    return f"{os.major(status.st_rdev)}:{os.minor(status.st_rdev)}"


def _parts(directory: str) -> list[str]:
    """Return a device's directory in sysfs, and those of its partitions."""
    inside = [f"{directory}/{name}" for name in _names(directory)]
    return [directory, *(part for part in inside if os.path.exists(f"{part}/partition"))]


def _processes() -> list[str]:
    return [name for name in _names("/proc") if name.isdigit() and name != str(os.getpid())]


def _has_open(process: str, numbers: set[str]) -> bool:
    directory = f"/proc/{process}/fd"
    return any(_is_open(f"{directory}/{name}", numbers) for name in _names(directory))


def _is_open(link: str, numbers: set[str]) -> bool:
    try:
        # Only what lies in /dev: the answer of another file system may not come.
        return os.readlink(link).startswith("/dev/") and _number(link) in numbers
    except OSError:
        return False


def _process(number: str) -> str:
    return f"process {number} ({_text(f'/proc/{number}/comm').strip()})"


def _mounts(numbers: set[str]) -> list[str]:
    lines = [line.split() for line in _text("/proc/self/mountinfo").splitlines()]
    return [f"mount {words[4]}" for words in lines if _mounted(words) in numbers]


def _mounted(words: list[str]) -> str:
    """Return the number of the device that a line of mountinfo is about."""
    # Some file systems, like btrfs, have a number of their own: 0:MINOR.
    source = words[words.index("-") + 2 :][:1] if words[2].startswith("0:") else []
    return _number_of_name(source[0]) if source else words[2]


def _swaps(numbers: set[str]) -> list[str]:
    paths = [line.split()[0] for line in _text("/proc/swaps").splitlines()[1:]]
    return [f"swap {path}" for path in paths if _number_of_name(path) in numbers]


def _number_of_name(path: str) -> str:
    try:
        return _number(path) if path.startswith("/dev/") else ""
    except OSError:
        return ""


def _text(path: str) -> str:
    try:
        with open(path, encoding="utf-8", errors="replace") as file:
            return file.read()
    except OSError:
        return ""


def _names(directory: str) -> list[str]:
    try:
        return sorted(os.listdir(directory))
    except OSError:
        return []
