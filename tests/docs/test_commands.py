"""What the pages tell their reader to type works, and shows what they say it shows."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.docs.pages import DOCS, Step, pages_to_run, steps

if TYPE_CHECKING:
    from collections.abc import Iterator

pytestmark = pytest.mark.skipif(
    os.geteuid() != 0 or not Path("/dev/loop-control").exists(),
    reason="needs root and loop devices",
)


class Reader:
    """Somebody who follows a page in one terminal, in a directory of their own."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self._place = directory / "place"
        self._place.write_text(str(directory), encoding="utf-8")
        self.environment = {
            name: value for name, value in os.environ.items() if not name.startswith("PYTEST_")
        }
        programs = Path(sys.executable).parent
        self.environment |= {
            "PATH": f"{programs}:{os.environ['PATH']}",
            "XDG_STATE_HOME": str(directory / "state"),
        }

    def types(self, commands: str) -> subprocess.CompletedProcess[str]:
        """Type the commands of one block; output and complaints come together, as in a terminal."""
        return subprocess.run(
            ["bash", "-euo", "pipefail", "-c", f"{commands}\npwd >'{self._place}'"],
            cwd=self._place.read_text(encoding="utf-8").strip(),
            env=self.environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=600,
            check=False,
        )


@pytest.fixture
def reader(tmp_path: Path) -> Iterator[Reader]:
    someone = Reader(tmp_path)
    yield someone
    for state in tmp_path.glob("*/cluster.json"):  # of a page that did not get to its end
        someone.types(f"extstorage cluster --cluster-dir {state.parent} destroy --force")


@pytest.mark.parametrize("page", pages_to_run(), ids=lambda page: str(page.relative_to(DOCS)))
def test_commands_of_a_page(page: Path, reader: Reader) -> None:
    for step in steps(page):
        completed = reader.types(step.commands)
        assert completed.returncode == 0, f"{step.commands}\n{completed.stdout}"
        missing = step.missing_in(completed.stdout)
        assert not missing, (
            f"{missing!r} is not in the output of\n{step.commands}\n{completed.stdout}"
        )


def test_every_how_to_but_the_one_for_real_hosts_is_run() -> None:
    tested = {page.name for page in pages_to_run()}

    assert {page.name for page in (DOCS / "how-to").glob("*.md")} <= tested


def test_output_that_is_not_there_is_found() -> None:
    step = Step("", "a ... b\nc\n")

    assert not step.missing_in("x a 1\n2 b\n c")
    assert step.missing_in("a c b").strip() == "c"
