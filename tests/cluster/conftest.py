"""What the tests of the cluster share."""

from __future__ import annotations

import errno
import os
from typing import TYPE_CHECKING

import pytest

from extstorage.cli import questions
from tests.cluster.replay import Stage

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


def _no_terminal() -> None:
    raise OSError(errno.ENXIO, "No such device or address")


@pytest.fixture
def stage(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Stage]:
    """Three nodes on which one recorded operation can be carried out again."""
    if os.geteuid() != 0:
        pytest.skip("not root: the recorded devices cannot be made")
    # The recorder had none.
    monkeypatch.setattr(questions, "_terminal", _no_terminal)
    stage = Stage(tmp_path)
    yield stage
    stage.close()
