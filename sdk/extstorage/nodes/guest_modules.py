"""The kernel modules of a guest: what is loaded when it boots, and where modprobe finds more."""

from __future__ import annotations

import errno
import os
from pathlib import Path

from extstorage.nodes import kernel

PACKAGE_MODULES = "/usr/lib/uml/modules"
"""Where the Debian package user-mode-linux has them, below the kernel's release."""

FROM_THE_START = (
    "overlay",
    "configfs",
    "loop",
    "dm-mod",
    "dm-snapshot",
    "dm-thin-pool",
    "dm-mirror",
    "dm-raid",
)


def load(*names: str) -> None:
    """Load modules, and what they need before; one that is built in counts as loaded.

    Raises OSError.
    """
    modules = Path(PACKAGE_MODULES, os.uname().release)
    lines = (modules / "modules.dep").read_text(encoding="ascii").splitlines()
    # Each line: a module, a colon, what has to be loaded before, the nearest first.
    files = {Path(line.partition(":")[0]).name: line.replace(":", "").split() for line in lines}
    built_in = (modules / "modules.builtin").read_text(encoding="ascii").split()
    known = {*files, *(Path(file).name for file in built_in)}
    for name in names:
        if f"{name}.ko" not in known:
            raise FileNotFoundError(errno.ENOENT, "no such kernel module", name)
        for file in reversed(files.get(f"{name}.ko", [])):
            _load(modules / file)


def show() -> None:
    """Let modprobe, and the kernel with it, find the other modules. Raises OSError."""
    directory = Path("/lib/modules", os.uname().release)
    directory.parent.mkdir(parents=True, exist_ok=True)
    if not directory.is_symlink():
        directory.symlink_to(Path(PACKAGE_MODULES, directory.name))


def _load(file: Path) -> None:
    try:
        kernel.load_module(str(file))
    except OSError as error:
        if error.errno != errno.EEXIST:
            raise
