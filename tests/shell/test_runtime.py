"""The runtime for sh: the same cases under every shell."""

from __future__ import annotations

import signal
import subprocess
import time
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from extstorage.contract.methods import METHOD_NAMES
from extstorage.lint.scripts import shellcheck
from extstorage.provider.variables import MAX_SIZE_MIB
from tests.shell.providers import VARIABLES

if TYPE_CHECKING:
    from tests.shell.providers import ShellProvider


def last_line(text: str) -> str:
    return text.strip().splitlines()[-1]


def label(provider: ShellProvider, method: str) -> str:
    return f"{provider.directory.name} {method} vol.ext.disk1: "


# --- failures, whatever the shell makes of them ------------------------------

SH = "sh -c 'echo first >&2; echo no space >&2; exit 5'"
TRAPS = {
    "plain": f"run {SH}",
    "command substitution": f"x=$(run {SH})",
    "argument": f'echo "got $(run {SH})"',
    "pipeline": f"run {SH} | cat",
    "pipeline in a substitution": f'echo "$(run {SH} | cat)"',
    "condition": f"if run {SH}; then :; fi",
    "or": f"run {SH} || :",
    "a log line comes last": f'run {SH}; echo "all is well"',
    "function in a condition": f"helper() {{ run {SH}; }}; if helper; then :; fi",
    "subshell": f"(run {SH})",
}


@pytest.mark.parametrize("trap", TRAPS.values(), ids=TRAPS)
def test_a_tools_failure_is_the_scripts(provider: ShellProvider, trap: str) -> None:
    provider.define(f"do_create() {{\n{trap}\necho NOT REACHED\n}}")
    call = provider.call("create")
    assert call.returncode == 1
    assert "NOT REACHED" not in call.stdout + call.stderr
    told = label(provider, "create") + "sh failed: exit code 5: no space"
    assert told in call.stderr.splitlines()
    assert call.stdout == ""
    assert "first" not in call.stderr


def test_a_command_that_fails_ends_the_script(provider: ShellProvider) -> None:
    provider.define("do_grow() {\nfalse\necho NOT REACHED\n}")
    call = provider.call("grow")
    assert call.returncode == 1
    assert call.stderr == label(provider, "grow") + "a command failed: exit code 1\n"


def test_an_early_exit_is_no_success(provider: ShellProvider) -> None:
    provider.define("do_grow() {\nexit 0\n}")
    call = provider.call("grow")
    assert call.returncode == 1
    assert "return from it, do not exit" in call.stderr


def test_an_unset_variable_ends_the_script(provider: ShellProvider) -> None:
    provider.define('do_grow() {\necho "$no_such_variable"\necho NOT REACHED\n}')
    call = provider.call("grow")
    assert call.returncode != 0
    assert "NOT REACHED" not in call.stderr


def test_success_is_silent(provider: ShellProvider) -> None:
    provider.define("do_grow() {\nrun sh -c 'echo chatter >&2'\n}")
    call = provider.call("grow")
    assert (call.returncode, call.stdout, call.stderr) == (0, "", "")


def test_a_missing_program_is_named(provider: ShellProvider) -> None:
    provider.define('do_create() { echo "$(run no-such-tool)"; }')
    call = provider.call("create")
    assert call.returncode == 1
    assert "the program no-such-tool is not in PATH: install it on this node" in call.stderr


def test_a_signal_is_a_failure(provider: ShellProvider) -> None:
    provider.define("do_create() { run sh -c 'kill -TERM $$'; }")
    assert "sh failed: signal 15: " in provider.call("create").stderr


def test_a_program_that_hangs_is_killed(provider: ShellProvider) -> None:
    provider.define("run_timeout=1\ndo_create() { run sleep 60; }")
    begin = time.monotonic()
    call = provider.call("create")
    assert call.returncode == 1
    assert "sleep failed: exit code 124 (killed after 1 s" in call.stderr
    assert time.monotonic() - begin < 20


def test_ask_is_for_conditions(provider: ShellProvider) -> None:
    provider.define(
        "do_create() { if ask false; then fail wrong; fi; ask true || fail wrong;"
        " if ask sh -c 'exit 2'; then :; fi; echo NOT REACHED; }"
    )
    call = provider.call("create")
    assert call.returncode == 1
    assert call.stderr == label(provider, "create") + (
        "sh failed: exit code 2: no message on stderr\n"
    )


def test_a_message_is_one_line_of_ascii(provider: ShellProvider) -> None:
    provider.define('do_create() { fail "caf\303\251 a\tb\nc"; }'.encode().decode())
    call = provider.call("create")
    assert call.returncode == 1
    assert call.stderr.isascii()
    assert call.stderr.count("\n") == 1


def test_a_method_that_is_not_there_is_told(provider: ShellProvider) -> None:
    provider.define("do_create() { :; }")
    call = provider.call("snapshot")
    assert call.returncode != 0
    assert "this provider has no snapshot: remove the script" in last_line(call.stderr)


# --- variables and parameters ------------------------------------------------

BAD_SIZES = ("08", "+1", "-1", "1e3", "0", "1 ", "9223372036854775808", str(MAX_SIZE_MIB + 1))


@pytest.mark.parametrize("size", BAD_SIZES)
def test_a_wrong_size_is_refused(provider: ShellProvider, size: str) -> None:
    provider.define("do_create() { echo NOT REACHED; }")
    call = provider.call("create", VOL_SIZE=size)
    assert call.returncode == 2
    assert "VOL_SIZE: expected" in call.stderr
    assert f"found '{size}'" in call.stderr


def test_the_largest_size_is_taken(provider: ShellProvider) -> None:
    provider.define('do_create() { echo "$VOL_SIZE"; }')
    assert provider.call("create", VOL_SIZE=str(MAX_SIZE_MIB)).returncode == 0


@pytest.mark.parametrize("name", ["-rf", ".hidden", "a/b", "a b", "a\nb", "caf\u00e9", "n" * 201])
def test_a_wrong_name_is_refused(provider: ShellProvider, name: str) -> None:
    provider.define("do_attach() { echo NOT REACHED; }")
    call = provider.call("attach", VOL_NAME=name)
    assert call.returncode == 2
    assert "VOL_NAME: expected a name" in call.stderr
    assert call.stderr.isascii()


@pytest.mark.parametrize("method", [name for name in METHOD_NAMES if name != "verify"])
def test_what_a_method_needs_must_be_there(provider: ShellProvider, method: str) -> None:
    provider.define(f"do_{method}() {{ echo NOT REACHED; }}")
    call = provider.call(method, VOL_NAME="")
    assert call.returncode == 2
    assert "VOL_NAME is not set, or empty" in call.stderr


def test_other_methods_variables_are_forgotten(provider: ShellProvider) -> None:
    provider.define('do_attach() { echo "${VOL_SIZE-none}"; fail end; }')
    assert "none\n" in provider.call("attach").stderr


def test_only_exact_booleans_are_taken(provider: ShellProvider) -> None:
    provider.define("do_open() { :; }")
    assert provider.call("open").returncode == 0
    for value in ("true", "1", "yes"):
        call = provider.call("open", VOL_OPEN_EXCLUSIVE=value)
        assert (call.returncode, "exactly True or False" in call.stderr) == (2, True)


def test_metadata_is_checked(provider: ShellProvider) -> None:
    provider.define('do_setinfo() { echo "$VOL_METADATA"; }')
    assert provider.call("setinfo", VOL_METADATA="-a_+.Z9").returncode == 0
    assert provider.call("setinfo", VOL_METADATA="a;b").returncode == 2
    assert provider.call("setinfo", VOL_METADATA="m" * 129).returncode == 2


def test_parameters_have_their_values_or_defaults(provider: ShellProvider) -> None:
    provider.define(
        'do_create() { echo "$EXTP_POOL $EXTP_THIN $EXTP_COPIES $EXTP_DIRECTORY $EXTP_PASSWORD"; }'
    )
    assert provider.call("create").stderr == "fast no 2 /srv right\n"
    call = provider.call(
        "create", EXTP_THIN="yes", EXTP_COPIES="3", EXTP_DIRECTORY="//a/./b//c/", EXTP_POOL="a b;$x"
    )
    assert call.stderr == "a b;$x yes 3 /a/b/c right\n"


WRONG_VALUES = {
    "EXTP_THIN": ("YES", "1", "yes no"),
    "EXTP_COPIES": ("0", "4", "02", "2x", "9999999999"),
    "EXTP_DIRECTORY": ("relative", "/a/../b", "/.."),
    "EXTP_POOL": ("caf\u00e9", "a\nb"),
}


@pytest.mark.parametrize(
    ("name", "value"), [(name, each) for name, values in WRONG_VALUES.items() for each in values]
)
def test_a_wrong_parameter_is_refused(provider: ShellProvider, name: str, value: str) -> None:
    provider.define("do_create() { echo NOT REACHED; }")
    call = provider.call("create", **{name: value})
    assert call.returncode == 2
    parameter = name.removeprefix("EXTP_").lower()
    assert f"parameter {parameter}: expected" in call.stderr
    assert call.stderr.isascii()


def test_a_secret_is_not_shown(provider: ShellProvider) -> None:
    provider.define("do_create() { :; }")
    call = provider.call("create", EXTP_PASSWORD="hunter2")  # noqa: S106 - a test value
    assert call.returncode == 2
    assert "parameter password: expected" in call.stderr
    assert "hunter2" not in call.stderr


def test_a_missing_parameter_is_named(provider: ShellProvider) -> None:
    provider.define("do_create() { :; }")
    call = provider.call("create", EXTP_POOL="")
    assert call.returncode == 2
    assert "parameter pool is required: give --disk ...,pool=VALUE (name of" in call.stderr


# --- how it is called ---------------------------------------------------------


@pytest.mark.parametrize("option", ["-h", "--help"])
def test_help_is_given(provider: ShellProvider, option: str) -> None:
    provider.define("do_grow() { echo NOT REACHED; }")
    call = provider.call("grow", option, VOL_NAME="")
    assert (call.returncode, call.stderr) == (0, "")
    assert call.stdout.startswith("usage: grow (no arguments)\nmake the volume VOL_NEW_SIZE MiB")
    assert "  EXTP_COPIES  how many copies (default: 2)\n" in call.stdout
    assert "  EXTP_POOL  name of the pool (required)\n" in call.stdout


def test_arguments_are_refused(provider: ShellProvider) -> None:
    provider.define("do_grow() { echo NOT REACHED; }")
    call = provider.call("grow", "one")
    assert (call.returncode, call.stdout) == (2, "")
    assert call.stderr.startswith("usage: grow (no arguments)\n")


def test_parameters_list_is_printed(provider: ShellProvider) -> None:
    provider.define("")
    call = provider.call("verify", "--parameters-list")
    assert (call.returncode, call.stderr) == (0, "")
    assert call.stdout.splitlines()[:2] == ["pool name of the pool", "thin yes: allocate late"]


CHECKS = """
checks='one two three'
check_one() { fail 'is bad'; }
check_two() { false; echo NOT REACHED; }
check_three() { :; }
"""


def test_verify_runs_every_check(provider: ShellProvider) -> None:
    provider.define(CHECKS)
    call = provider.call("verify", VOL_NAME="")
    name = provider.directory.name
    assert call.returncode == 1
    assert call.stderr.splitlines() == [
        f"{name} verify: one: is bad",
        f"{name} verify: two: a command failed: exit code 1",
    ]


def test_verify_runs_the_checks_that_are_named(provider: ShellProvider) -> None:
    provider.define(CHECKS)
    assert provider.call("verify", "three").returncode == 0
    unknown = provider.call("verify", "four")
    assert unknown.returncode == 2
    assert "no check 'four': the checks are: one two three" in unknown.stderr


def test_the_environment_is_made_safe(provider: ShellProvider) -> None:
    provider.define('do_create() { run planted; }\ndo_grow() { echo "$LC_ALL $PATH"; umask; }')
    planted = provider.directory / "planted"
    planted.write_text("#!/bin/sh\n")
    planted.chmod(0o755)
    call = provider.call("create", PATH=".::relative:/usr/bin:/bin")
    assert "the program planted is not in PATH" in call.stderr
    call = provider.call("grow", PATH=".:/usr/bin::bin:/bin", LC_ALL="C.UTF-8")
    assert call.stderr.split() == ["C", "/usr/bin:/bin", "0077"] or call.stderr.split() == [
        "C",
        "/usr/bin:/bin",
        "077",
    ]


def test_stdin_is_empty(provider: ShellProvider) -> None:
    provider.define("do_create() { run cat; read -r line || echo end; }")
    assert provider.call("create").stderr == "end\n"


# --- the answer ---------------------------------------------------------------


@pytest.fixture
def device() -> str:
    if not Path("/dev/loop0").is_block_device():
        pytest.skip("needs the block device /dev/loop0")
    return "/dev/loop0"


def test_attach_prints_the_path_alone(provider: ShellProvider, device: str) -> None:
    provider.define(f"do_attach() {{ echo chatter; run echo more; print_device {device}; }}")
    call = provider.call("attach")
    assert (call.returncode, call.stdout, call.stderr) == (0, device, "chatter\nmore\n")


def test_uris_are_lines(provider: ShellProvider, device: str) -> None:
    provider.define(f"do_attach() {{ print_device {device} kvm:file:/x xen:a; }}")
    assert provider.call("attach").stdout == f"{device}\nkvm:file:/x\nxen:a\n"


@pytest.mark.parametrize(
    "answer",
    ["''", "/dev/null", "/no/such", "loop0", "/dev/loop0 kvm:", "/dev/loop0 'a:b '", "' '"],
)
def test_no_bad_answer_reaches_ganeti(provider: ShellProvider, answer: str) -> None:
    provider.define(f"do_attach() {{ print_device {answer}; }}")
    call = provider.call("attach")
    assert (call.returncode, call.stdout) == (1, "")


def test_attach_must_answer(provider: ShellProvider) -> None:
    provider.define("do_attach() { :; }")
    call = provider.call("attach")
    assert call.returncode == 1
    assert "do_attach has not called print_device" in call.stderr


def test_a_device_is_waited_for_with_an_end(provider: ShellProvider) -> None:
    provider.define("do_attach() { wait_for_device /dev/no-such-device 1; }")
    begin = time.monotonic()
    call = provider.call("attach")
    assert "no device /dev/no-such-device after 1 s" in call.stderr
    assert time.monotonic() - begin < 15


def test_what_stays_does_not_hold_the_output(provider: ShellProvider, device: str) -> None:
    provider.define(
        "do_attach() { lock_volume; run_daemon sh -c 'sleep 20 & echo started';"
        f" print_device {device}; }}\n"
        "do_close() { lock_volume; }"
    )
    begin = time.monotonic()
    call = provider.call("attach")
    assert (call.returncode, call.stdout) == (0, device)
    assert provider.call("close").returncode == 0
    assert time.monotonic() - begin < 15


# --- locks and files ------------------------------------------------------------


def test_one_call_at_a_time(provider: ShellProvider, tmp_path: Path) -> None:
    log = tmp_path / "log"
    provider.define(
        f"do_grow() {{ lock_volume; echo begin >>{log}; sleep 0.3; echo end >>{log}; }}"
    )
    provider.call("grow", "--help")  # writes the script
    calls = [
        subprocess.Popen(["/bin/sh", provider.directory / "grow"], env=VARIABLES) for _ in range(4)
    ]
    assert [call.wait() for call in calls] == [0] * 4
    assert log.read_text().split() == ["begin", "end"] * 4


def test_nothing_that_is_called_later_ends_a_lock(provider: ShellProvider, tmp_path: Path) -> None:
    lock = tmp_path / "lock"
    provider.define(
        f"do_grow() {{ lock {lock}; run true; wait_until_unused /dev/none; make_temporary;"
        f" x=$(mib_to_bytes 1); if ask flock -n {lock} true; then fail 'not held'; fi; }}"
    )
    call = provider.call("grow")
    assert call.returncode == 0, call.stderr


def test_a_failure_undoes_what_was_begun(provider: ShellProvider, tmp_path: Path) -> None:
    made = tmp_path / "made"
    provider.define(
        f"made() {{ rm {made}; }}\n"
        f"do_create() {{ : >{made}; undo made; x=$(run false); }}\n"
        f"do_grow() {{ : >{made}; undo made; undo ''; fail end; }}"
    )
    assert provider.call("create").returncode == 1
    assert not made.exists()
    assert provider.call("grow").returncode == 1
    assert made.exists()


def test_a_lock_dies_with_its_holder(provider: ShellProvider, tmp_path: Path) -> None:
    ready = tmp_path / "ready"
    provider.define(
        f"run_timeout=5\ndo_grow() {{ lock_volume; : >{ready}; while :; do :; done; }}\n"
        "do_close() { lock_volume; }"
    )
    provider.call("grow", "--help")
    holder = subprocess.Popen(["/bin/sh", provider.directory / "grow"], env=VARIABLES)
    while not ready.exists():
        time.sleep(0.01)
    holder.send_signal(signal.SIGKILL)
    holder.wait()
    assert provider.call("close").returncode == 0


def test_a_lock_is_waited_for_with_an_end(provider: ShellProvider, tmp_path: Path) -> None:
    lock = tmp_path / "lock"
    provider.define(f"run_timeout=1\ndo_close() {{ lock {lock}; echo NOT REACHED; }}")
    holder = subprocess.Popen(["flock", "--no-fork", lock, "sleep", "30"])
    try:
        while not lock.exists():
            time.sleep(0.01)
        time.sleep(0.2)
        call = provider.call("close")
    finally:
        holder.kill()
        holder.wait()
    assert call.returncode == 1
    assert f"another call holds the lock {lock} for more than 1 s" in call.stderr


def test_a_lock_file_that_was_removed_is_no_lock(provider: ShellProvider, tmp_path: Path) -> None:
    lock = tmp_path / "lock"
    provider.define(
        f"do_grow() {{ lock {lock}; rm {lock}; }}\n"
        f"do_close() {{ lock {lock}; [ -e {lock} ]; }}\n"
        f"do_open() {{ if lock {tmp_path}/none/lock; then fail wrong; fi; }}"
    )
    for method in ("grow", "close", "grow", "open"):
        call = provider.call(method)
        assert call.returncode == 0, call.stderr


def test_only_what_is_attached_leaves_a_lock(provider: ShellProvider) -> None:
    provider.define("do_create() { lock_volume; }\ndo_setinfo() { lock_volume; }")
    for method in ("create", "setinfo"):
        call = provider.call(method)
        assert call.returncode == 0, call.stderr
        assert list(Path(provider.state).iterdir()) == []


def test_detached_and_unknown_volumes_leave_nothing(provider: ShellProvider) -> None:
    provider.define(
        "do_detach() { lock_volume; run true; }\ndo_attach() { lock_volume; run false; }"
    )
    assert provider.call("detach").returncode == 0
    assert provider.call("attach").returncode == 1
    assert list(Path(provider.state).iterdir()) == []


def test_temporary_files_are_private_and_go(provider: ShellProvider, tmp_path: Path) -> None:
    kept = tmp_path / "kept"
    provider.define(
        f'do_grow() {{ make_temporary; echo x >"$temporary/x"; ls -ld "$temporary" >{kept};'
        " fail end; }"
    )
    assert provider.call("grow").returncode == 1
    assert kept.read_text().startswith("drwx------")
    assert list(Path(provider.state).iterdir()) == []


def test_temporary_files_go_when_a_signal_comes(provider: ShellProvider, tmp_path: Path) -> None:
    ready = tmp_path / "ready"
    provider.define(f"do_grow() {{ make_temporary; : >{ready}; while :; do sleep 0.1; done; }}")
    provider.call("grow", "--help")
    process = subprocess.Popen(
        ["/bin/sh", provider.directory / "grow"], env=VARIABLES, stderr=subprocess.PIPE
    )
    while not ready.exists():
        time.sleep(0.01)
    process.terminate()
    _, errors = process.communicate()
    assert process.returncode == 1
    assert b"ended by a signal" in errors
    assert list(Path(provider.state).iterdir()) == []


# --- sizes ------------------------------------------------------------------------

NUMBERS = (0, 1, 3, 999, 1000, 1023, 1024, 1048575, 2**31, 10**12 - 1, 2**33 + 1)
LARGE_NUMBERS = (*NUMBERS, 2**53 - 1, 2**53 + 1, 2**62, 2**63 - 1, (1 << 20) * 999999)


def test_sizes_are_exact_in_every_shell(provider: ShellProvider) -> None:
    wanted = [str(number << 20) for number in NUMBERS]
    wanted += [str(-(-number // (1 << 20))) for number in LARGE_NUMBERS]
    lines = [f"mib_to_bytes {number}" for number in NUMBERS]
    lines += [f"bytes_to_mib {number}" for number in LARGE_NUMBERS]
    provider.define("do_create() {\n" + "\n".join(lines) + "\n}")
    assert provider.call("create").stderr.split() == wanted


@pytest.mark.parametrize("number", ["08", "+1", "1e3", "-1", "''", str(2**63)])
def test_what_is_no_size_is_refused(provider: ShellProvider, number: str) -> None:
    provider.define(f"do_create() {{ x=$(bytes_to_mib {number}); echo NOT REACHED; }}")
    call = provider.call("create")
    assert call.returncode == 1
    assert "NOT REACHED" not in call.stderr


def test_sizes_are_compared(provider: ShellProvider) -> None:
    pairs = [(1, 1), (2, 1), (10, 9), (2**53 + 1, 2**53), (10**18 + 5, 10**18 + 4), (99, 99)]
    lines = [f"at_least {high} {low} || fail 'not {high} {low}'" for high, low in pairs]
    lines += [
        f"if at_least {low} {high}; then fail '{low} {high}'; fi"
        for high, low in pairs
        if high != low
    ]
    provider.define("do_create() {\n" + "\n".join(lines) + "\n}")
    call = provider.call("create")
    assert call.returncode == 0, call.stderr


# --- the files ----------------------------------------------------------------------


def test_the_runtime_is_clean(provider: ShellProvider) -> None:
    files = sorted((provider.directory / "lib/extstorage").glob("*.sh"))
    assert len(files) > 5
    completed = subprocess.run(
        [shellcheck(), "--norc", "--shell=sh", *files], capture_output=True, text=True, check=False
    )
    assert completed.returncode == 0, completed.stdout
