"""Nodes for the reference providers, and whatever a failed test leaves put away."""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING

import pytest

from tests.reference_providers.file_systems import FileSystems
from tests.reference_providers.lvm import GROUP, LVM, LvmNode, clear_away, guests
from tests.reference_providers.nodes import Node, unmap

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

# Behind everything else: the provider's copy of the runtime is not what other tests test.
sys.path.append(str(LVM / "lib"))


@pytest.fixture
def base(tmp_path: Path) -> Iterator[Path]:
    """A directory with a pool in it, free of loop devices afterwards."""
    if os.geteuid() != 0 or not os.path.exists("/dev/loop-control"):  # noqa: PTH110
        pytest.skip("needs root and loop devices: run as root, modprobe loop")
    (tmp_path / "pool").mkdir(mode=0o700)
    yield tmp_path
    unmap(tmp_path)


@pytest.fixture
def node(base: Path) -> Node:
    """The node that most tests need."""
    return Node("node1.example", base)


@pytest.fixture
def other(base: Path) -> Node:
    """A second node on the same pool."""
    return Node("node2.example", base)


@pytest.fixture
def make_file_system(base: Path) -> Iterator[FileSystems]:
    """Mount file systems made for the test."""
    systems = FileSystems(base)
    yield systems
    systems.unmount()


@pytest.fixture(scope="session")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The directory that the guests and this machine share."""
    return tmp_path_factory.mktemp("guests")


@pytest.fixture(scope="session")
def booted(shared: Path) -> Iterator[list[LvmNode]]:
    """Two guests with a group that a lease protects."""
    with guests(2, shared) as nodes:
        yield nodes


@pytest.fixture
def pair(booted: list[LvmNode]) -> Iterator[list[LvmNode]]:
    """Two nodes that share a group without volumes, which is so again after the test."""
    for node in booted:
        node.parameters = {"EXTP_GROUP": GROUP}
    yield booted
    clear_away(booted)
