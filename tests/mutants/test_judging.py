"""What a run of the suite leaves behind when it could not clean up."""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path

import pytest

from tests.mutants.judging import forget_runs

pytestmark = pytest.mark.skipif(
    os.geteuid() != 0 or not Path("/dev/loop-control").exists(),
    reason="needs root and loop devices",
)


def test_loop_devices_of_a_run_go_and_others_stay(tmp_path: Path) -> None:
    run_directory, other = tmp_path / "run", tmp_path / "run2"
    devices = []
    for directory in (run_directory, other):
        directory.mkdir()
        image = directory / "image"
        image.write_bytes(bytes(1 << 20))
        command = ["losetup", "--find", "--show", str(image)]
        devices.append(Path(subprocess.check_output(command, text=True).strip()))
    state = tmp_path / "state"
    state.mkdir()
    (state / "run.jsonl").write_text(json.dumps({"run_directory": str(run_directory)}) + "\n")

    try:
        forget_runs(state)

        attached = [Path("/sys/block", device.name, "loop").exists() for device in devices]
        assert attached == [False, True]
        assert not run_directory.exists()
    finally:
        subprocess.run(["losetup", "--detach", *devices], check=False, capture_output=True)
