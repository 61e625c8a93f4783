"""What a script's start costs, and the interpreters that it starts on."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

SDK = Path(__file__).parents[2] / "sdk"
SLOW = (
    "argparse", "collections", "contextlib", "dataclasses", "enum", "functools", "json",
    "logging", "pathlib", "re", "shutil", "subprocess", "tempfile", "traceback", "typing",
)  # fmt: skip


def interpreters() -> list[str]:
    """Return every Python from 3.9 up that this machine has."""
    names = [f"python3.{minor}" for minor in range(9, 20)]
    pyenv = Path.home() / ".pyenv/versions"
    found = [shutil.which(name) for name in names]
    found += [str(path) for name in names for path in pyenv.glob(f"*/bin/{name}")]
    # pyenv's own `python3.x` in PATH may lead to a version that is not chosen: it fails.
    return sorted({path for path in found if path and _works(path)})


def _works(path: str) -> bool:
    done = subprocess.run([path, "-IS", "-c", ""], check=False, stderr=subprocess.DEVNULL)
    return done.returncode == 0


def test_the_runtime_imports_nothing_slow() -> None:
    text = (
        f"import sys; sys.path.insert(0, {str(SDK)!r}); import extstorage.provider;"
        " from extstorage.provider import devices, locks, state, tools;"
        " print(*sys.modules)"
    )
    done = subprocess.run(
        ["/usr/bin/env", sys.executable, "-ISB", "-c", text],
        check=True,
        capture_output=True,
        text=True,
    )
    loaded = set(done.stdout.split())
    assert {"extstorage.provider.script", "extstorage.provider.tools"} <= loaded
    assert loaded.isdisjoint(SLOW)


@pytest.mark.parametrize("interpreter", interpreters())
def test_every_module_starts_on_this_interpreter(interpreter: str) -> None:
    modules = [
        path.relative_to(SDK).with_suffix("").as_posix().replace("/", ".")
        for package in ("contract", "provider")
        for path in sorted((SDK / "extstorage" / package).glob("*.py"))
    ]
    text = (
        f"import sys, importlib; sys.path.insert(0, {str(SDK)!r});"
        " [importlib.import_module(name) for name in sys.argv[1:]]"
    )
    done = subprocess.run(
        [interpreter, "-ISB", "-W", "error", "-c", text, *modules],
        check=False, capture_output=True, text=True,
    )  # fmt: skip
    assert (done.returncode, done.stderr) == (0, "")
