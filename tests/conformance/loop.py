"""Loop devices for the tests of the engine: each exists for the length of a with statement."""

from __future__ import annotations

import subprocess
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

MIB = 1024 * 1024


@contextmanager
def loop_device(backing_file: Path, size_mib: int = 4) -> Iterator[str]:
    """Yield the path of a loop device over ``backing_file``, which is made if it is not there."""
    if not backing_file.exists():
        backing_file.touch()
        with backing_file.open("r+b") as file:
            file.truncate(size_mib * MIB)
    command = ["losetup", "--find", "--show", "--", str(backing_file)]
    path = subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip()
    try:
        yield path
    finally:
        # A test may have freed it already; nobody else has it while our file is behind it.
        shown = subprocess.run(
            ["losetup", "--noheadings", "--output", "NAME", "--associated", str(backing_file)],
            check=True,
            capture_output=True,
            text=True,
        ).stdout.split()
        if path in shown:
            subprocess.run(["losetup", "--detach", path], check=True)
