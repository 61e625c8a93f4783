"""What ``extstorage call`` prints of a call: for people, and as JSON."""

from __future__ import annotations

import json
import os
import stat
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from extstorage.host.device import read_attach_output
from extstorage.host.errors import BlockDeviceError

if TYPE_CHECKING:
    from extstorage.host.call import Call


@dataclass(frozen=True)
class _Device:
    """What Ganeti makes of attach's output; the size is in bytes, None if there is no device."""

    path: str | None
    uris: list[str]
    is_block_device: bool
    size: int | None


def as_text(call: Call) -> str:
    """Return a few titled lines."""
    lines = [f"command: {' '.join(call.invocation.argv)}", "sent:"]
    lines += [f"  {name}={value}" for name, value in sorted(call.invocation.sent.items())]
    lines.append("inherited from the node daemon:")
    lines += [f"  {name}={value}" for name, value in sorted(call.invocation.inherited.items())]
    outcome = call.fail_reason or "exited with exit code 0"
    lines.append(f"result: {outcome}, {call.seconds:.3f} s")
    for title in ("stdout", "stderr", "log"):
        text = getattr(call, title)
        lines += [f"{title}:", *(f"  {line}" for line in text.splitlines())] if text else []
    device = _device(call)
    lines += [] if device is None else [f"Ganeti reads: {_reading(device)}"]
    error = _error(call)
    lines += [] if error is None else ["Ganeti says:", *(f"  {line}" for line in error.split("\n"))]
    lines.append(f"replay: {call.invocation.replay()}")
    return "\n".join(lines)


def as_json(call: Call) -> str:
    """Return one JSON object with the same facts."""
    device = _device(call)
    facts: dict[str, Any] = {
        "command": list(call.invocation.argv),
        "sent": dict(call.invocation.sent),
        "environment": call.invocation.environment,
        "failed": call.failed,
        "fail_reason": call.fail_reason,
        "ganeti_error": _error(call),
        "exit_code": call.exit_code,
        "signal": call.signal,
        "timed_out": call.timed_out,
        "duration_s": round(call.seconds, 4),
        "stdout": call.stdout,
        "stderr": call.stderr,
        "log": call.log,
        "device": None,
        "replay": call.invocation.replay(),
    }
    if device is not None:
        facts["device"] = {
            "path": device.path,
            "uris": device.uris,
            "is_block_device": device.is_block_device,
            "size_bytes": device.size,
        }
    return json.dumps(facts, indent=2)


def _error(call: Call) -> str | None:
    """Return what the job that made the call would fail with, or None."""
    try:
        call.check()
    except (BlockDeviceError, UnicodeDecodeError) as error:
        return str(error)
    return None


def _device(call: Call) -> _Device | None:
    """Return what Ganeti reads in attach's output; None for other methods and failed calls."""
    if call.invocation.method != "attach" or call.failed:
        return None
    path, uris = read_attach_output(call.attach_output(), call.release)
    is_block_device = path is not None and _is_block_device(path)
    size = _size(path) if path is not None and is_block_device else None
    return _Device(path, [uri for uri in uris if uri], is_block_device, size)


def _is_block_device(path: str) -> bool:
    try:
        # os.stat and not Path.stat: Path drops blanks and slashes that a script's output has.
        return stat.S_ISBLK(os.stat(path).st_mode)  # noqa: PTH116
    except (OSError, ValueError):
        return False


def _size(path: str) -> int | None:
    try:
        with Path(path).open("rb") as device:
            return device.seek(0, os.SEEK_END)
    except OSError:
        return None


def _reading(device: _Device) -> str:
    uris = f", URIs: {' '.join(device.uris)}" if device.uris else ""
    if device.path is None:
        return f"no device{uris}"
    if not device.is_block_device:
        return f"{device.path!r}, which is no block device: not attached{uris}"
    size = "size unknown" if device.size is None else f"{device.size / 2**20:g} MiB"
    return f"device {device.path}, {size}{uris}"
