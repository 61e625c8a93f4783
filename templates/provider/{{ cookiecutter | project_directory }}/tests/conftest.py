"""The provider under test."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

NAME = "{{ cookiecutter.name }}"
PROVIDER = Path(__file__).parents[1] / NAME
PARAMETERS: dict[str, str] = {{ test_values(cookiecutter) | python_lines }}
REQUIRED: list[str] = {{ names(cookiecutter, "required") | python_lines }}
SECRETS: list[str] = {{ names(cookiecutter, "secret") | python_lines }}


class Provider:
    """Calls the scripts as Ganeti would."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.variables = {
            "PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
            "LC_ALL": "C",
            "VOL_NAME": "6f1c8b52-3c0a-4d53-9c0e-5d8f5e7a2b11.ext.disk0",
            "EXTP_PROVIDER": directory.name,
            "EXTP_ACCESS": "kernelspace",
            **PARAMETERS,
        }

    def call(self, method: str, *words: str, **variables: str) -> subprocess.CompletedProcess[str]:
        """Run a script; a variable whose value is empty is not set."""
        environment = {k: v for k, v in {**self.variables, **variables}.items() if v}
        return subprocess.run(
            [str(self.directory / method), *words],
            env=environment,
            cwd=self.directory,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )


@pytest.fixture
def provider() -> Provider:
    return Provider(PROVIDER)


@pytest.fixture
def root() -> None:
    if os.geteuid() != 0:
        pytest.skip("needs root")
