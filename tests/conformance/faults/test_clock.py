"""The tracer's wrong clock, as programs of several kinds read it."""

from __future__ import annotations

import itertools
import sys
import time

import pytest

from tests.conformance.faults.test_tracer import Bench, bench

__all__ = ("bench",)  # a fixture
DAY_S = 86400
PYTHON = f"""#!{sys.executable} -IS
import time
for _ in range(50):
    print(round(time.time()))
print(round(time.monotonic()))
"""


def numbers(output: str) -> list[int]:
    return [int(line) for line in output.split()]


@pytest.mark.parametrize("shift_s", [DAY_S, -DAY_S])
def test_all_programs_read_the_wrong_time(bench: Bench, shift_s: int) -> None:
    bench.write(
        "#!/bin/sh\ndate +%s\n/usr/bin/python3 -ISc 'import time; print(int(time.time()))'\n"
    )
    completed, report = bench.run(clock=shift_s)
    assert completed.returncode == 0, completed.stderr
    assert report["fired"]
    for found in numbers(completed.stdout):
        assert abs(found - shift_s - time.time()) < 60


def test_it_jumps_while_the_script_runs(bench: Bench) -> None:
    bench.write(PYTHON)
    # The interpreter itself reads the clock too, before the script does.
    *read, running = numbers(bench.run(clock=DAY_S, after=30)[0].stdout)
    steps = [after - before for before, after in itertools.pairwise(read)]
    assert [DAY_S <= step < DAY_S + 60 for step in steps].count(True) == 1
    assert abs(running - time.monotonic()) < 60


def test_it_is_right_unless_it_is_to_be_wrong(bench: Bench) -> None:
    bench.write(PYTHON)
    completed, report = bench.run()
    assert abs(numbers(completed.stdout)[0] - time.time()) < 60
    assert not report["fired"]
