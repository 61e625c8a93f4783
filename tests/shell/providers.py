"""A provider of a few lines in sh, called as Ganeti calls one, by any of several shells."""

from __future__ import annotations

import shutil
import subprocess
from typing import TYPE_CHECKING

from extstorage.vendoring import vendor

if TYPE_CHECKING:
    from pathlib import Path

SHELLS = {
    "dash": ("dash",),
    "busybox": ("busybox", "sh"),
    "bash": ("bash", "--posix"),
    "ksh93": ("ksh93",),
    "mksh": ("mksh",),
}
VARIABLES = {
    "PATH": "/usr/sbin:/usr/bin:/sbin:/bin",
    "EXTP_POOL": "fast",
    "VOL_NAME": "vol.ext.disk1",
    "VOL_SIZE": "8",
    "VOL_NEW_SIZE": "9",
    "VOL_METADATA": "originstname+web",
    "VOL_OPEN_EXCLUSIVE": "True",
    "VOL_SNAPSHOT_NAME": "vol.ext.disk1.snap",
    "VOL_SNAPSHOT_SIZE": "8",
}
_PARAMETERS = """
declare_parameters() {
    parameter EXTP_POOL text 'name of the pool' required
    parameter EXTP_THIN flag 'yes: allocate late'
    parameter EXTP_COPIES number 'how many copies' default 2 from 1 to 3
    parameter EXTP_DIRECTORY path 'where' default /srv
    parameter EXTP_PASSWORD choice 'the password' secret default right of right other
}
"""


def installed(shell: str) -> bool:
    """Return whether this machine has the shell."""
    return shutil.which(SHELLS[shell][0]) is not None


class ShellProvider:
    """A provider's directory; its scripts are run by one shell."""

    def __init__(self, directory: Path, shell: str) -> None:
        self.directory = directory
        self.state = f"/run/ganeti-extstorage/{directory.name}"
        self.shell = SHELLS[shell]
        directory.mkdir()
        vendor(directory, "sh")

    def define(self, functions: str) -> None:
        """Make ``functions`` the provider's methods, and all ten scripts."""
        start = '. "${0%/*}/lib/extstorage/extstorage.sh"\n'
        text = f'{start}{_PARAMETERS}{functions}\nmain "$@"\n'
        (self.directory / "lib/provider.sh").write_text(text)

    def call(self, method: str, *words: str, **variables: str) -> subprocess.CompletedProcess[str]:
        """Run a script; a variable whose value is ``""`` is not set at all."""
        script = self.directory / method
        script.write_text('. "${0%/*}/lib/provider.sh"\n')
        environment = {name: value for name, value in {**VARIABLES, **variables}.items() if value}
        return subprocess.run(
            [*self.shell, str(script), *words],
            env=environment,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
            timeout=60,
        )

    def clean_up(self) -> None:
        """Delete the provider's memory on this node."""
        shutil.rmtree(self.state, ignore_errors=True)
