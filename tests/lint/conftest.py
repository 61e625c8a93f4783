"""A copy of a good provider, to be broken."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

PLAIN = Path(__file__).parents[1] / "providers/plain"


@pytest.fixture
def provider(tmp_path: Path) -> Path:
    """The plain provider under the name ``good``."""
    return Path(shutil.copytree(PLAIN, tmp_path / "good"))
