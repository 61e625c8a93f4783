"""How a script ends when nobody can be told, and what a killed one leaves to the next."""

from __future__ import annotations

import os
import re
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


def test_what_cannot_be_undone_does_not_keep_the_rest(provider: ShellProvider) -> None:
    provider.define("""
    undone() { run sh -c 'echo stuck >&2; exit 1'; echo NOT REACHED; }
    do_create() { lock_volume; make_temporary; undo undone; fail first; }
    """)
    call = provider.call("create")
    assert call.returncode == 1
    told = [line.partition(": ")[2] for line in call.stderr.splitlines()]
    assert told == ["first", "sh failed: exit code 1: stuck"]
    assert [*Path(provider.state).iterdir()] == []


INHERITED = """
do_attach() { print_device "$DEVICE"; }
do_create() { run true; false; }
do_grow() { make_temporary; lock_volume; x=$(mib_to_bytes 9); }
do_remove() { temporary=$PRECIOUS; wait_until_unused /dev/none; }
do_setinfo() { fail "$provider_name: ${es_undo:-nothing} to undo"; }
"""
CALLS = {
    "attach": {},
    "create": {},
    "grow": {},
    "remove": {},
    "setinfo": {},
    "snapshot": {},
    "verify": {},
    "detach": {"VOL_NAME": "-x"},
    "open": {"EXTP_THIN": "maybe"},
    "close": {"EXTP_POOL": ""},
}


def names_of_variables(provider: ShellProvider) -> set[str]:
    """Return what the runtime calls its variables."""
    files = (provider.directory / "lib/extstorage").glob("*.sh")
    text = " ".join(file.read_text() for file in files)
    return set(re.findall(r"\b(?:es_\w+|temporary|checks|run_timeout|provider_name)\b", text))


@pytest.mark.parametrize("method", CALLS)
def test_no_variable_of_the_runtime_is_inherited(
    provider: ShellProvider, method: str, tmp_path: Path
) -> None:
    provider.define(INHERITED)
    precious = tmp_path / "precious"
    precious.mkdir()
    variables = {"PRECIOUS": str(precious), "DEVICE": "/dev/loop0", **CALLS[method]}
    inherited = dict.fromkeys(names_of_variables(provider), str(precious))
    assert {"temporary", "checks", "es_undo", "es_directory"} <= inherited.keys()
    wanted = provider.call(method, **variables)
    call = provider.call(method, **variables, **inherited)
    assert (call.returncode, call.stdout, call.stderr) == (
        wanted.returncode,
        wanted.stdout,
        wanted.stderr,
    )
    assert precious.is_dir()


def test_a_call_before_main_reads_no_file_that_the_environment_names(
    provider: ShellProvider, tmp_path: Path
) -> None:
    other = tmp_path / "lib/extstorage/complaints.sh"
    other.parent.mkdir(parents=True)
    other.write_text("echo PLANTED >&2\n")
    provider.define("fail 'no main yet'")
    call = provider.call("create", es_directory=str(tmp_path))
    assert call.returncode != 0
    assert "PLANTED" not in call.stderr


def test_nobodys_time_limit_for_input_or_option_counts(provider: ShellProvider) -> None:
    provider.define(
        'do_create() { { sleep 1.5; echo late; } | { read -r x; echo "$x"; }; echo /pro[c]; }'
    )
    call = provider.call("create", TMOUT="1", SHELLOPTS="noglob")
    assert call.stderr == "late\n/proc\n"
