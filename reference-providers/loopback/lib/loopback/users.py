"""Who has a device open: for the message that says why it cannot be detached."""

from __future__ import annotations

import os


def users_of(path: str) -> str:
    """Return the processes and devices that use the device at ``path``, as words."""
    users = [_process(number) for number in _numbers() if _has_open(number, path)]
    users += _names(f"/sys/block/{os.path.basename(path)}/holders")
    return ", ".join(users) or "by a mount, or by what has just ended"


def _numbers() -> list[str]:
    return [name for name in _names("/proc") if name.isdigit()]


def _has_open(process: str, path: str) -> bool:
    directory = f"/proc/{process}/fd"
    return any(_target(f"{directory}/{name}") == path for name in _names(directory))


def _process(number: str) -> str:
    try:
        with open(f"/proc/{number}/comm", encoding="utf-8", errors="replace") as file:
            return f"process {number} {file.read().strip()}"
    except OSError:
        return f"process {number}"


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
