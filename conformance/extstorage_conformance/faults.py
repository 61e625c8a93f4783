"""Faults of the node that any script can meet: each changes one invocation."""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

    from extstorage.host.invocation import Invocation

_INTERPRETERS = ("sh", "bash", "dash", "ksh", "python3", "perl", "ruby")


def without_writes(invocation: Invocation) -> Invocation:
    """Let files stay smaller than half a MiB, as on a full disk: messages fit, volumes do not."""
    # Ignored, the signal lets the write fail; else it would kill the script.
    words = ("/bin/sh", "-c", 'trap "" XFSZ && ulimit -f 1024 && exec "$0" "$@"')
    return invocation.replace(argv=(*words, *invocation.argv))


def without_tools(invocation: Invocation, directory: Path) -> Invocation:
    """Let PATH lead to interpreters only: to ``directory``, which is made if it is not there."""
    if not directory.is_dir():
        directory.mkdir()
        for name in _INTERPRETERS:
            program = shutil.which(name, path=invocation.environment["PATH"])
            if program:
                (directory / name).symlink_to(program)
    return invocation.with_environment({**invocation.inherited, "PATH": str(directory)})
