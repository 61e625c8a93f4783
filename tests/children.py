"""Programs that tests and benchmarks run to their end, and that clean up when interrupted."""

from __future__ import annotations

import subprocess
from typing import IO, TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path


WITHOUT_PLUGINS = tuple(
    word for name in ("anyio", "hypothesispytest", "timeout") for word in ("-p", f"no:{name}")
)
"""Arguments of pytest for a run of the suite, which uses none of these: they import much."""


def run(
    command: Sequence[str | Path],
    cwd: Path | None = None,
    env: Mapping[str, str] | None = None,
    stdout: int | IO[str] = subprocess.PIPE,
    stderr: int | IO[str] | None = subprocess.PIPE,
) -> subprocess.CompletedProcess[str]:
    """Run a command without input, as ``subprocess.run`` does, which kills what is interrupted.

    Ctrl-C interrupts the command too: it is waited for, so that what it made is gone.
    """
    with subprocess.Popen(
        command,
        cwd=cwd,
        env=env,
        stdin=subprocess.DEVNULL,
        stdout=stdout,
        stderr=stderr,
        text=True,
    ) as process:
        try:
            said, complained = process.communicate()
        except KeyboardInterrupt:
            process.communicate()
            raise
    return subprocess.CompletedProcess(command, process.returncode, said, complained)
