"""Runs that are cut off clean up after themselves, or are cleaned up by --reap; only they are."""

from __future__ import annotations

import os
import signal
import subprocess
import time
from typing import TYPE_CHECKING

import pytest

from extstorage_conformance.node_side import block

if TYPE_CHECKING:
    from pathlib import Path

    from tests.conformance.conftest import Workbench

# A check that stops in the middle of its work, with a volume attached.
PAUSED_CHECK = """
import pathlib, time

def test_pause(extstorage_subject):
    volume = extstorage_subject.attached()
    pathlib.Path({marker!r}).write_text(volume.path)
    time.sleep(60)
"""
# Ctrl-C after the first test.
INTERRUPTING_PLUGIN = """
def pytest_runtest_logfinish():
    raise KeyboardInterrupt
"""


def _start_paused(workbench: Workbench, tmp_path: Path) -> subprocess.Popen[bytes]:
    marker = tmp_path / "marker"
    (tmp_path / "test_pause.py").write_text(PAUSED_CHECK.format(marker=str(marker)))
    process = _start(workbench, str(tmp_path / "test_pause.py"))
    _wait_for_text(marker, process)
    return process


def _start(workbench: Workbench, *arguments: str) -> subprocess.Popen[bytes]:
    return subprocess.Popen(
        # A shell's background job ignores SIGINT, and what it starts would, too.
        ["env", "--default-signal=INT", *workbench.command(*arguments)],
        cwd=workbench.directory,
        env=workbench.environment,
        stdout=subprocess.DEVNULL,
    )


def _wait_for_text(file: Path, process: subprocess.Popen[bytes], lines: int = 0) -> None:
    deadline = time.monotonic() + 30
    while not file.exists() or len(file.read_text()) <= lines:
        assert process.poll() is None
        assert time.monotonic() < deadline
        time.sleep(0.05)


def _start_detaching(workbench: Workbench, number: int) -> tuple[subprocess.Popen[bytes], Path]:
    """Start a run whose first detaches do not end; return it, and the file of their starts."""
    starts = workbench.directory / "starts"
    script = workbench.provider / "detach"
    waiting = f'echo >>{starts}; [ "$(wc -l <{starts})" -gt {number} ] || sleep 60'
    script.write_text(script.read_text().replace("find_volume\n", f"find_volume\n{waiting}\n", 1))
    return _start(workbench, "--extstorage-rule=ES-ATTACH-01"), starts


def _journals(workbench: Workbench) -> list[Path]:
    return list((workbench.directory / "state").rglob("*.jsonl"))


def _ours(workbench: Workbench) -> set[str]:
    return _devices_of(_journals(workbench))


def _devices_of(journals: list[Path]) -> set[str]:
    return {
        item.name
        for item in block.items()
        if any(journal.stem in item.detail for journal in journals)
    }


def test_interrupted_run_cleans_up(workbench: Workbench, tmp_path: Path) -> None:
    process = _start_paused(workbench, tmp_path)
    devices = _ours(workbench)

    process.send_signal(signal.SIGINT)
    process.wait(timeout=30)

    assert devices
    assert not devices & {item.name for item in block.items() if str(tmp_path) in item.detail}
    assert not _journals(workbench)


def test_run_interrupted_while_it_cleans_up_goes_on_cleaning_up(workbench: Workbench) -> None:
    process, starts = _start_detaching(workbench, 1)
    _wait_for_text(starts, process)
    journals = _journals(workbench)
    devices = _devices_of(journals)

    process.send_signal(signal.SIGINT)
    process.wait(timeout=30)

    assert devices
    assert not _devices_of(journals)
    assert not _journals(workbench)


def test_run_interrupted_twice_leaves_the_rest_to_reap(workbench: Workbench) -> None:
    process, starts = _start_detaching(workbench, 2)
    for started in range(2):
        _wait_for_text(starts, process, started)
        process.send_signal(signal.SIGINT)
    process.wait(timeout=30)
    left = _ours(workbench)

    reaped = workbench.run("--extstorage-reap")

    assert left
    assert "1 volumes, all undone" in reaped.output
    assert not _ours(workbench)


def test_interrupted_run_says_nothing_of_the_provider(workbench: Workbench) -> None:
    (workbench.directory / "interrupts.py").write_text(INTERRUPTING_PLUGIN)

    run = workbench.run("-p", "interrupts", rules=("ES-ATTACH-01", "ES-ATTACH-02"))

    assert "COULD NOT BE JUDGED (the run was interrupted)" in run.output
    assert run.report is not None
    assert run.report["counts"]["passed"] == 1
    assert run.report["verdict"] == "could-not-run"


def test_killed_run_is_reaped_and_nothing_else(workbench: Workbench, tmp_path: Path) -> None:
    foreign = tmp_path / "foreign.img"
    foreign.write_bytes(bytes(1 << 20))
    loop = subprocess.run(
        ["losetup", "--show", "-f", str(foreign)], check=True, capture_output=True, text=True
    ).stdout.strip()
    try:
        process = _start_paused(workbench, tmp_path)
        process.kill()
        process.wait()
        left = _ours(workbench)

        run = workbench.run("--extstorage-reap")

        assert left
        assert run.exit_code == 0, run.output
        assert "all undone" in run.output
        assert not _ours(workbench)
        assert loop in {item.name for item in block.items()}
    finally:
        subprocess.run(["losetup", "-d", loop], check=True)


def test_running_run_is_not_reaped(workbench: Workbench, tmp_path: Path) -> None:
    process = _start_paused(workbench, tmp_path)
    try:
        run = workbench.run("--extstorage-reap")

        assert run.exit_code == 0
        assert _ours(workbench)
    finally:
        os.kill(process.pid, signal.SIGINT)
        process.wait(timeout=30)


@pytest.mark.parametrize(
    "broken", ["#!/bin/sh\necho 'the array is busy' >&2\nexit 1\n", "#!/bin/sh\r\nexit 0\r\n"]
)
def test_volumes_that_could_not_be_removed_are_told_and_reaped(
    workbench: Workbench, broken: str
) -> None:
    remove = (workbench.provider / "remove").read_text()
    workbench.replace_script("remove", broken)

    run = workbench.run(rules=("ES-ATTACH-01",))
    still_broken = workbench.run("--extstorage-reap")
    workbench.replace_script("remove", remove)
    reaped = workbench.run("--extstorage-reap")

    assert "1 volumes could not be removed" in run.output
    assert "not removed by the provider" in still_broken.output
    assert "1 volumes, all undone" in reaped.output


def test_a_volume_that_nobody_sees_and_that_could_not_be_removed_is_left_detached(
    workbench: Workbench,
) -> None:
    remove = (workbench.provider / "remove").read_text()
    attached = workbench.directory / "attached"
    for method, noted in (("attach", f": >{attached}"), ("detach", f"rm -f {attached}")):
        script = workbench.provider / method
        script.write_text(script.read_text().replace("find_volume\n", f"find_volume\n{noted}\n", 1))
    configuration = workbench.provider / "conformance.toml"
    lines = configuration.read_text().splitlines(keepends=True)
    seen = "inventory_directories"
    configuration.write_text("".join(line for line in lines if not line.startswith(seen)))
    workbench.replace_script("remove", "#!/bin/sh\necho 'the array is busy' >&2\nexit 1\n")

    run = workbench.run(rules=("ES-ATTACH-01",))
    was_attached = attached.exists()
    workbench.replace_script("remove", remove)
    workbench.run("--extstorage-reap")

    assert "1 volumes could not be removed" in run.output
    assert not was_attached
