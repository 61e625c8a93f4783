"""What the tests of the suite share: a copy of a good provider, and real pytest runs on it."""

from __future__ import annotations

import json
import os
import shutil
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests import children

PLAIN = Path(__file__).parents[1] / "providers" / "plain"


@dataclass(frozen=True)
class Run:
    """A pytest run that has ended: exit status, output, JSON report (None if none was written)."""

    exit_code: int
    output: str
    report: dict[str, Any] | None

    def outcome(self, rule_id: str) -> str:
        """Return the outcome of the rule ``rule_id``."""
        return str(self.rule(rule_id)["outcome"])

    def rule(self, rule_id: str) -> dict[str, Any]:
        """Return the report's entry of the rule ``rule_id``."""
        assert self.report is not None, self.output
        return next(rule for rule in self.report["rules"] if rule["id"] == rule_id)


class Workbench:
    """A copy of the plain provider that a test may break, and a directory to run pytest in."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.provider = directory / "plain"
        shutil.copytree(PLAIN, self.provider, symlinks=True)
        self.environment = os.environ | {"XDG_STATE_HOME": str(directory / "state")}

    def configure(self, text: str) -> None:
        """Add ``text`` to the provider's conformance.toml."""
        with (self.provider / "conformance.toml").open("a", encoding="utf-8") as file:
            file.write(text)

    def replace_script(self, method: str, text: str) -> None:
        """Replace ``method``'s script by ``text``."""
        script = self.provider / method
        script.unlink()
        script.write_text(text, encoding="utf-8")
        script.chmod(0o755)

    def command(self, *arguments: str) -> list[str]:
        """Return the command line that judges the provider with ``arguments`` added."""
        return [
            *(sys.executable, "-m", "pytest", f"--rootdir={self.directory}"),
            *children.WITHOUT_PLUGINS,
            f"--extstorage-provider={self.provider}",
            f"--extstorage-json={self.directory / 'report.json'}",
            *arguments,
        ]

    def run(self, *arguments: str, rules: tuple[str, ...] = ()) -> Run:
        """Judge the provider, by ``rules`` only if any are given."""
        chosen = [f"--extstorage-rule={rule_id}" for rule_id in rules]
        path = self.directory / "report.json"
        path.unlink(missing_ok=True)
        completed = children.run(
            self.command(*arguments, *chosen), self.directory, self.environment
        )
        report = json.loads(path.read_text(encoding="utf-8")) if path.exists() else None
        return Run(completed.returncode, completed.stdout + completed.stderr, report)


@pytest.fixture
def workbench(tmp_path: Path) -> Workbench:
    """A copy of the plain provider in a directory of its own."""
    return Workbench(tmp_path)
