"""Ganeti's own Python, and a cluster of it, when it is installed."""

from __future__ import annotations

import os
import shutil
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.ganeti.live import minor_0_taken
from tests.ganeti.real_cluster import real_cluster
from tests.ganeti.world import Oracle, World

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tests.ganeti.real_cluster import RealCluster

INSTALLED = Path("/usr/share/ganeti")


def _missing(what: str) -> None:
    """Skip, or fail if EXTSTORAGE_REQUIRE names this tier, so that CI cannot miss it silently."""
    if "ganeti" in os.environ.get("EXTSTORAGE_REQUIRE", "").split(","):
        pytest.fail(f"{what}, and EXTSTORAGE_REQUIRE asks for it", pytrace=False)
    pytest.skip(what)


@pytest.fixture(scope="session")
def ganeti_directory() -> Path:
    """Return the directory that holds Ganeti's package."""
    packages = sorted(INSTALLED.glob("[0-9]*/ganeti"))
    if not packages:
        _missing("needs Debian package ganeti-3.0")
    return packages[-1].parent


@pytest.fixture(scope="session")
def oracle(ganeti_directory: Path) -> Iterator[Oracle]:
    if os.geteuid() != 0:
        _missing("needs root, as Ganeti's node daemon has it")
    running = Oracle(ganeti_directory)
    yield running
    running.stop()


@pytest.fixture
def world(oracle: Oracle, tmp_path: Path) -> Iterator[Callable[..., World]]:
    """Return a function that makes the test's world; it takes World's further attributes."""
    made = []

    def make(**attributes: object) -> World:
        made.append(World(tmp_path / "world", oracle, **attributes))  # type: ignore[arg-type]  # any
        return made[-1]

    yield make
    for here in made:
        here.clean_up()


@pytest.fixture(scope="session")
def directory() -> Iterator[Path]:
    # Not pytest's own: nodes have a /tmp of their own.
    with tempfile.TemporaryDirectory(prefix="extstorage-live-", dir="/var/tmp") as name:
        yield Path(name)


@pytest.fixture(scope="session")
def cluster(directory: Path) -> Iterator[RealCluster]:
    if not shutil.which("gnt-cluster") or not Path("/usr/lib/ganeti/daemon-util").exists():
        pytest.skip("needs Debian packages ganeti and ganeti-3.0")
    if os.geteuid() != 0:
        pytest.skip("needs root")
    shared = directory / "real"
    shared.mkdir()
    with minor_0_taken(directory), real_cluster(shared) as cluster:
        yield cluster
