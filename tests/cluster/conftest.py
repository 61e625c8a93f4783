"""What the tests of the cluster share."""

from __future__ import annotations

import errno
import os
from typing import TYPE_CHECKING

import pytest

from extstorage.cli import questions
from extstorage.cluster.guest import RecordedGuests
from extstorage.cluster.model import Instance
from tests.cluster.replay import METHODS, NAME, NODES, OPTIONAL, Stage, some_disk

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
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


@pytest.fixture
def acting(stage: Stage) -> Callable[..., Stage]:
    """Return what makes the stage act as a release, with an instance up on node1."""

    def act(release: str, *, disks: int = 1, up: bool = True, lacking: str = "") -> Stage:
        cluster = stage.state.cluster()
        cluster.release = release
        stage.state.save_cluster(cluster)
        for directory in stage.install("trace"):
            _simplify(directory, str(stage.device("/dev/loop5")), lacking)
        instance = Instance(NAME, "u", NODES[0], os="noop+default", disks=[])
        instance.disks = [some_disk(number) for number in range(disks)]
        instance.admin_state = "up" if up else "down"
        instance.disks_active = up
        stage.given(instance)
        if up:
            RecordedGuests(stage.state.directory / "guests").start(NODES[0], NAME, [])
        return stage

    return act


def _simplify(directory: Path, device: str, lacking: str) -> None:
    for method in (*METHODS, *OPTIONAL):
        work = f"printf %s {device}" if method == "attach" else ":"
        (directory / method).write_text(f"#!/bin/sh\n{work}\n")
    if lacking:
        (directory / lacking).unlink()
