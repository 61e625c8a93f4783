"""What the tests of the cluster share."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest

from tests.cluster.replay import Stage

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@pytest.fixture
def stage(tmp_path: Path) -> Iterator[Stage]:
    """Three nodes on which one recorded operation can be carried out again."""
    if os.geteuid() != 0:
        pytest.skip("not root: the recorded devices cannot be made")
    stage = Stage(tmp_path)
    yield stage
    stage.close()
