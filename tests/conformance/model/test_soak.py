"""``extstorage soak`` as its users meet it."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests import children
from tests.conformance.conftest import PLAIN, Workbench
from tests.mutants.build import MUTANTS, build

pytestmark = pytest.mark.slow


def command(provider: Path, *arguments: str) -> list[str]:
    return [sys.executable, "-m", "extstorage", "soak", str(provider), *arguments]


def soak(directory: Path, provider: Path, *arguments: str) -> tuple[int, str, dict[str, Any]]:
    report = directory / "soak.json"
    completed = children.run(
        command(provider, "--json", str(report), *arguments),
        directory,
        os.environ | {"XDG_STATE_HOME": str(directory / "state")},
    )
    output = completed.stdout + completed.stderr
    written = json.loads(report.read_text(encoding="utf-8")) if report.exists() else {}
    return completed.returncode, output, written


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


def test_secret_that_is_not_there_means_it_could_not_run(workbench: Workbench) -> None:
    workbench.configure('\n[secrets]\nkey = {env = "NO_SUCH_VARIABLE"}\n')

    status, output, _ = soak(workbench.directory, workbench.provider, "--for", "1s")

    assert status == 3, output
    assert "could not run: secret key: set the environment variable NO_SUCH_VARIABLE" in output
    assert "Traceback" not in output


def test_without_root_it_could_not_run(tmp_path: Path) -> None:
    as_nobody = (
        "import os, sys; os.geteuid = lambda: 65534;"
        " from extstorage.cli.command import run; sys.exit(run(sys.argv[1:]))"
    )
    completed = subprocess.run(
        [sys.executable, "-c", as_nobody, "soak", str(PLAIN), "--for", "1s"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )

    assert completed.returncode == 3, completed.stdout
    assert "could not run: not root" in completed.stdout
    assert "Traceback" not in completed.stdout + completed.stderr


@pytest.mark.parametrize("script", ["grow", "parameters.list"])
def test_provider_that_ganeti_does_not_load_is_a_failure(workbench: Workbench, script: str) -> None:
    (workbench.provider / script).unlink()
    (workbench.provider / "verify").unlink(missing_ok=True)

    status, output, report = soak(workbench.directory, workbench.provider, "--for", "1s")

    assert status == 1, output
    assert report["failures"][0]["got"].startswith("Ganeti does not load the provider")
    assert report["sequences"] == 0
    assert "Traceback" not in output


def test_script_that_cannot_be_executed_is_a_failure(workbench: Workbench) -> None:
    workbench.replace_script("detach", "#!/no/such/interpreter\n")
    # Its volumes are told from those of other tests by its name.
    provider = workbench.provider.rename(workbench.directory / f"without-detach-{os.getpid()}")

    status, output, report = soak(workbench.directory, provider, "--for", "5m")

    assert status == 1, output
    assert "detach cannot be executed" in report["failures"][0]["got"]
    assert "Traceback" not in output
    mapped = [path.read_text() for path in Path("/sys/block").glob("loop*/loop/backing_file")]
    assert not [path for path in mapped if provider.name in path]


def test_wrong_time_is_a_usage_error(tmp_path: Path) -> None:
    completed = subprocess.run(
        command(PLAIN, "--for", "soon"), cwd=tmp_path, capture_output=True, text=True, check=False
    )

    assert completed.returncode == 2
    assert "soon" in completed.stderr
