"""The command as its users run it: a process of its own, in a directory of its own."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

PLAIN = Path(__file__).parents[1] / "providers/plain"


class Command:
    """``extstorage`` in a working directory."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        # What runs these tests under pytest must not reach the pytest that is run.
        self.environment = {
            name: value for name, value in os.environ.items() if not name.startswith("PYTEST_")
        }
        self.environment["XDG_STATE_HOME"] = str(directory / "state")

    def __call__(self, *arguments: str | Path) -> subprocess.CompletedProcess[str]:
        """Run the command with these arguments to its end."""
        return subprocess.run(
            [sys.executable, "-m", "extstorage", *map(str, arguments)],
            cwd=self.directory,
            env=self.environment,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=300,
            check=False,
        )


@pytest.fixture
def extstorage(tmp_path: Path) -> Command:
    """The command, run in an empty directory."""
    directory = tmp_path / "work"
    directory.mkdir()
    return Command(directory)


@pytest.fixture
def provider(tmp_path: Path) -> Path:
    """A copy of the plain provider, its pool beside it."""
    (tmp_path / "pool").mkdir()
    return Path(shutil.copytree(PLAIN, tmp_path / "good"))


@pytest.fixture
def pool(provider: Path) -> str:
    """What the copy is given as its parameter."""
    return f"EXTP_DIRECTORY={provider.parent / 'pool'}"
