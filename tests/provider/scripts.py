"""A provider of a few lines for tests of the runtime, called as Ganeti calls one."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

SDK = Path(__file__).parents[2] / "sdk"
ENVIRONMENT = {"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "LC_ALL": "C", "EXTP_POOL": "fast"}

_SCRIPT = f"""\
#!{sys.executable} -IS
import sys
sys.dont_write_bytecode = True
sys.path.insert(0, {str(SDK)!r})
from extstorage.provider import Device, Provider, ProviderError, main, parameters


class Example(Provider):
    pool = parameters.Text("name of the pool", required=True)
    thin = parameters.Flag("yes: allocate late")
    copies = parameters.Number("how many copies", 1, 3, default="2")
    password = parameters.Choice("the password", "right", default="right")
    password.secret = True

{{methods}}

main(Example)
"""


class Scripts:
    """A provider directory whose methods have the given bodies."""

    def __init__(self, directory: Path, **methods: str) -> None:
        self.directory = directory
        directory.mkdir()
        text = _SCRIPT.replace("{methods}", "\n".join(methods.values()))
        for method in methods:
            name = method.rstrip("_")
            (directory / name).write_text(text)
            (directory / name).chmod(0o755)

    def call(self, method: str, *words: str, **variables: str) -> subprocess.CompletedProcess[str]:
        """Run the script of ``method`` in a small environment and ``variables``."""
        return subprocess.run(
            [str(self.directory / method), *words],
            env={**ENVIRONMENT, "VOL_NAME": "vol.ext.disk0", **variables},
            cwd=self.directory,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
            timeout=60,
        )
