"""Ganeti's own Python, when it is installed."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.ganeti.world import Oracle, World

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

INSTALLED = Path("/usr/share/ganeti")


def _missing(what: str) -> None:
    """Skip, or fail if EXTSTORAGE_REQUIRE names this tier, so that CI cannot miss it silently."""
    if "ganeti" in os.environ.get("EXTSTORAGE_REQUIRE", "").split(","):
        pytest.fail(f"{what}, and EXTSTORAGE_REQUIRE asks for it", pytrace=False)
    pytest.skip(what)


@pytest.fixture(scope="session")
def oracle() -> Iterator[Oracle]:
    packages = sorted(INSTALLED.glob("[0-9]*/ganeti"))
    if not packages:
        _missing("needs Debian package ganeti-3.0")
    if os.geteuid() != 0:
        _missing("needs root, as Ganeti's node daemon has it")
    running = Oracle(packages[-1].parent)
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
