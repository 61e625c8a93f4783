"""Every test of the runtime for sh is run by every shell that it is meant for."""

from __future__ import annotations

import os
import uuid
from typing import TYPE_CHECKING

import pytest

from tests.shell.providers import SHELLS, ShellProvider, installed

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@pytest.fixture(params=SHELLS)
def provider(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[ShellProvider]:
    if not installed(request.param):
        pytest.skip(f"needs the shell {request.param}: apt-get install {request.param}")
    if os.geteuid() != 0:
        pytest.skip("needs root: the runtime keeps a node's memory in /run")
    made = ShellProvider(tmp_path / f"t{uuid.uuid4().hex}", request.param)
    yield made
    made.clean_up()
