"""File systems of a test's own, to have them full, or able to share blocks."""

from __future__ import annotations

import os
import shutil
import subprocess
from typing import TYPE_CHECKING

import pytest

from tests.reference_providers.nodes import detach

if TYPE_CHECKING:
    from pathlib import Path


class FileSystems:
    """Mounts below a test's directory."""

    def __init__(self, base: Path) -> None:
        self._base = base
        self._mounted: list[Path] = []

    def __call__(self, kind: str, size: str, *options: str) -> Path:
        """Mount a new file system of ``kind`` and ``size``; return where."""
        program = f"mkfs.{kind}"
        if shutil.which(program) is None:
            pytest.skip(f"needs {program}: install the tools of {kind}")
        image = self._base / f"{kind}.img"
        target = self._base / kind
        target.mkdir()
        subprocess.run(["truncate", "--size", size, image], check=True)
        subprocess.run([program, *options, image], check=True, capture_output=True)
        subprocess.run(["mount", "-t", kind, "-o", "loop", image, target], check=True)
        self._mounted.append(target)
        return target

    def tmpfs(self) -> Path:
        """Mount a tmpfs; return where."""
        target = self._base / "tmpfs"
        target.mkdir()
        subprocess.run(["mount", "-t", "tmpfs", "-o", "mode=700", "tmpfs", target], check=True)
        self._mounted.append(target)
        return target

    def unmount(self) -> None:
        """Unmount all that was mounted."""
        for target in self._mounted:
            for device in _mapped_from(target):
                detach(device)
            subprocess.run(["umount", target], check=True)


def _mapped_from(target: Path) -> list[str]:
    """Return the loop devices that map a file of the file system at ``target``.

    Their backing file's path does not say it: they were made in mount namespaces
    that are gone.
    """
    number = target.stat().st_dev
    done = subprocess.run(
        ["losetup", "--list", "--noheadings", "--output", "NAME,BACK-MAJ:MIN"],
        check=True,
        capture_output=True,
        text=True,
    )
    rows = [line.split() for line in done.stdout.splitlines()]
    wanted = f"{os.major(number)}:{os.minor(number)}"
    return [row[0] for row in rows if row[1:] == [wanted]]
