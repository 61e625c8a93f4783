"""Who has a device open: for the message that says why it cannot be detached."""

from __future__ import annotations

import os


def users_of(path: str) -> str:
    """Return the processes and devices that use the block device at ``path``, as words."""
    device = os.stat(path).st_rdev
    users = [_process(number) for number in _numbers() if _has_open(number, device)]
    users += _names(f"/sys/dev/block/{os.major(device)}:{os.minor(device)}/holders")
    return ", ".join(users) or "by a mount, or by what has just ended"


def _numbers() -> list[str]:
    return [name for name in _names("/proc") if name.isdigit()]


def _has_open(process: str, device: int) -> bool:
    directory = f"/proc/{process}/fd"
    return any(_is_open(f"{directory}/{name}", device) for name in _names(directory))


def _is_open(link: str, device: int) -> bool:
    try:
        # Only what lies in /dev: the answer of another file system may not come.
        return os.readlink(link).startswith("/dev/") and os.stat(link).st_rdev == device
    except OSError:
        return False


def _process(number: str) -> str:
    try:
        with open(f"/proc/{number}/comm", encoding="utf-8", errors="replace") as file:
            return f"process {number} {file.read().strip()}"
    except OSError:
        return f"process {number}"


def _names(directory: str) -> list[str]:
    try:
        return sorted(os.listdir(directory))
    except OSError:
        return []
