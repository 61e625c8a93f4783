"""The project as its users get it: a wheel in an environment of its own."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


@dataclass(frozen=True)
class Installation:
    """An environment outside the checkout with the wheel installed."""

    wheel: Path
    environment: Path
    directory: Path

    def run(self, program: str, *arguments: str | Path) -> subprocess.CompletedProcess[str]:
        """Run one of the environment's programs, away from the checkout."""
        return subprocess.run(
            [self.environment / "bin" / program, *arguments],
            cwd=self.directory,
            env={"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "HOME": str(self.directory)},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
        )


@pytest.fixture(scope="session")
def installation(tmp_path_factory: pytest.TempPathFactory) -> Installation:
    """Build the wheel and install it."""
    directory = tmp_path_factory.mktemp("installation")
    _run(sys.executable, "-m", "pip", "wheel", "-q", "--no-deps", "-w", directory, ROOT)
    (wheel,) = directory.glob("*.whl")
    environment = directory / "environment"
    _run(sys.executable, "-m", "venv", environment)
    _run(environment / "bin/python", "-m", "pip", "install", "-q", wheel)
    elsewhere = directory / "elsewhere"
    elsewhere.mkdir()
    return Installation(wheel, environment, elsewhere)


def _run(*command: str | Path) -> None:
    completed = subprocess.run(command, capture_output=True, text=True, check=False)
    assert completed.returncode == 0, completed.stdout + completed.stderr
