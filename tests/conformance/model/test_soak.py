"""``extstorage soak`` as its users meet it."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from typing import TYPE_CHECKING, Any

import pytest

from tests.conformance.conftest import PLAIN
from tests.mutants.build import MUTANTS, build

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.slow


def command(provider: Path, *arguments: str) -> list[str]:
    return [sys.executable, "-m", "extstorage", "soak", str(provider), *arguments]


def soak(directory: Path, provider: Path, *arguments: str) -> tuple[int, str, dict[str, Any]]:
    report = directory / "soak.json"
    completed = subprocess.run(
        command(provider, "--json", str(report), *arguments),
        cwd=directory,
        env=os.environ | {"XDG_STATE_HOME": str(directory / "state")},
        capture_output=True,
        text=True,
        check=False,
    )
    output = completed.stdout + completed.stderr
    return completed.returncode, output, json.loads(report.read_text(encoding="utf-8"))


def test_good_provider_stands_it(tmp_path: Path) -> None:
    status, output, report = soak(tmp_path, PLAIN, "--for", "1s", "--seed", "7")

    assert status == 0, output
    assert "nothing lost; next seed 8" in output
    assert report["sequences"] >= 4
    assert report["races"] >= 4
    assert report["seed"] == 8
    assert not [path for path in tmp_path.iterdir() if path.name not in ("soak.json", "state")]


def test_several_nodes_take_part(tmp_path: Path) -> None:
    status, output, report = soak(tmp_path, PLAIN, "--for", "1s", "--nodes", "namespaces:2")

    assert status == 0, output
    assert report["sequences"] >= 4
    assert report["races"] >= 4
    assert not report["failures"]


def test_failure_ends_it_with_a_script(tmp_path: Path) -> None:
    provider = build(MUTANTS / "attach-maps-again", tmp_path)

    status, output, report = soak(tmp_path, provider, "--for", "5m")

    assert status == 1, output
    (failure,) = report["failures"]
    assert failure["seen_again"] == "3 of 3"
    again = subprocess.run(["sh", failure["script"]], capture_output=True, text=True, check=False)
    assert again.returncode == 1, again.stdout + again.stderr


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_interrupt_ends_it_in_order(tmp_path: Path, number: signal.Signals) -> None:
    report = tmp_path / "soak.json"
    process = subprocess.Popen(
        command(PLAIN, "--for", "1h", "--json", str(report)),
        cwd=tmp_path,
        env=os.environ | {"XDG_STATE_HOME": str(tmp_path / "state")},
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    process.stdout.readline()  # the first sign of life
    process.send_signal(number)
    output, _ = process.communicate(timeout=60)

    assert process.returncode == 0, output
    assert json.loads(report.read_text(encoding="utf-8"))["interrupted"]
    assert not list((tmp_path / "state").rglob("*.jsonl"))


def test_wrong_time_is_a_usage_error(tmp_path: Path) -> None:
    completed = subprocess.run(
        command(PLAIN, "--for", "soon"), cwd=tmp_path, capture_output=True, text=True, check=False
    )

    assert completed.returncode == 2
    assert "soon" in completed.stderr
