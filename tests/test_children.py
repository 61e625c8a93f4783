"""A run of the tests that is interrupted leaves nothing that its programs would have removed."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

RUNS = """
import sys
from tests import children
children.run(["/bin/sh", "-c", sys.argv[1]], stderr=None)
"""
CLEANS_UP_FOR_A_SECOND = """
trap 'sleep 1; rm made; exit 1' INT
touch made
echo made >&2
while :; do sleep 0.1; done
"""


def test_an_interrupted_program_cleans_up(tmp_path: Path) -> None:
    with subprocess.Popen(
        [sys.executable, "-c", RUNS, CLEANS_UP_FOR_A_SECOND],
        cwd=tmp_path,
        env=os.environ | {"PYTHONPATH": str(Path(__file__).parents[1])},
        stderr=subprocess.PIPE,
        start_new_session=True,
    ) as tests:
        assert tests.stderr is not None
        assert tests.stderr.readline() == b"made\n"
        os.killpg(tests.pid, signal.SIGINT)  # as a terminal does
        assert b"KeyboardInterrupt" in tests.stderr.read()
    assert list(tmp_path.iterdir()) == []
