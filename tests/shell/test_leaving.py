"""How a script ends when nobody can be told, and what a killed one leaves to the next."""

from __future__ import annotations

import os
import signal
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.shell.providers import VARIABLES

if TYPE_CHECKING:
    from tests.shell.providers import ShellProvider

METHODS = """
do_attach() { print_device /dev/null; }
do_create() { fail 'it exists'; }
do_grow() { false; }
do_remove() { run true; }
"""


def with_a_full_log(provider: ShellProvider, method: str, **variables: str) -> int:
    """Run a script whose output goes nowhere at all; return its exit code."""
    script = provider.directory / method
    script.write_text('. "${0%/*}/lib/provider.sh"\n')
    with Path("/dev/full").open("w", encoding="ascii") as full:
        return subprocess.run(
            [*provider.shell, script],
            env={**VARIABLES, **variables},
            stdin=subprocess.DEVNULL,
            stdout=full,
            stderr=full,
            check=False,
            timeout=60,
        ).returncode


@pytest.mark.parametrize("method", ["attach", "create", "grow"])
def test_what_cannot_be_told_is_a_failure_all_the_same(
    provider: ShellProvider, method: str
) -> None:
    provider.define(METHODS)
    assert with_a_full_log(provider, method) == 1


def test_a_wrong_call_has_its_exit_code_without_a_message(provider: ShellProvider) -> None:
    provider.define(METHODS)
    assert with_a_full_log(provider, "create", VOL_SIZE="x") == 2


def test_a_method_that_succeeds_needs_no_log(provider: ShellProvider) -> None:
    provider.define(METHODS)
    assert with_a_full_log(provider, "remove") == 0


def test_the_next_call_takes_away_what_a_killed_one_left(provider: ShellProvider) -> None:
    provider.define("""
    do_remove() { run true; }
    do_detach() { run true; make_temporary; kill -KILL "$$"; }
    """)
    state = Path(provider.state)
    assert provider.call("detach").returncode in {-signal.SIGKILL, 128 + signal.SIGKILL}
    assert {path.suffix for path in state.iterdir()} == {".said", ".tmp"}
    running = state / f".call.{os.getpid()}.said"  # of a call that has not ended
    running.touch()
    assert provider.call("remove").returncode == 0
    assert [*state.iterdir()] == [running]
