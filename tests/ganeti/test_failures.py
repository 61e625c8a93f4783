"""Scripts that fail, or cannot be started: the error's type and exact text."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from tests.ganeti.world import VOLUME

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.ganeti.world import World

STEPS: dict[str, list[Any]] = {
    "create": ["create"],
    "detach": ["create", "detach"],
    "remove": ["create", "remove"],
    "grow": ["create", ("grow", {"amount_mib": 16})],
    "setinfo": ["create", ("setinfo", {"text": "x"})],
    "snapshot": ["create", "snapshot"],
    "open": ["create", "open"],
    "close": ["create", "close"],
}

OUTPUT = {
    "stdout and stderr": "echo out-line; echo err-line >&2; exit 1",
    "silent": "exit 77",
    "30 lines": "seq 1 30; exit 1",
    "no newline at the end": "printf 'out of space'; exit 1",
    "one line of 1 MB": "head -c 1000000 /dev/zero | tr '\\0' x; exit 1",
    "lines that end 4096 bytes before the end": "seq 1 10000; exit 1",
    "UTF-8": "echo 'Größe ☃'; exit 1",
    "UTF-8 character cut by the 4096 bytes": "echo ☃; head -c 4092 /dev/zero | tr '\\0' x; exit 1",
    "UTF-8 character before the 4096 bytes": "echo ☃; head -c 4096 /dev/zero | tr '\\0' x; exit 1",
    "non-UTF-8": "printf 'bad \\377\\376 bytes\\n'; exit 1",
    "non-UTF-8, long ago": "printf '\\377\\n'; head -c 5000 /dev/zero | tr '\\0' x; exit 1",
    "control characters": "printf 'a\\tb\\033[1m\\001\\177\\200'; exit 1",
    "control characters in UTF-8": "printf '\\001\\177\\302\\200\\303\\277\\n'; exit 1",
    "CRLF and CR": "printf 'a\\r\\nb\\rc\\n'; exit 1",
    "other line ends": "printf 'a\\vb\\fc\\302\\205d\\342\\200\\250e\\034f\\n'; exit 1",
    "backslashes and quotes": "printf '%s\\n' '\\n \"a\" %s'; exit 1",
    "killed": "echo started; kill -KILL $$",
    "aborted": "kill -ABRT $$",
    "own exec failure": "exec /nonexistent/program",
}


@pytest.mark.parametrize("method", STEPS)
def test_failing_method(world: Callable[..., World], method: str) -> None:
    here = world(faults={method: "echo device busy >&2; exit 1"})
    answer = here.compare(here.request(*STEPS[method]))
    reason = f"External storage's {method} script failed (exited with exit code 1)"
    assert answer["error"] == [
        "BlockDeviceError",
        f"{reason}, last lines of output:\ndevice busy",
    ]


@pytest.mark.parametrize("output", OUTPUT)
def test_failing_output(world: Callable[..., World], output: str) -> None:
    here = world(faults={"create": OUTPUT[output]})
    assert here.compare(here.request("create"))["error"]


@pytest.mark.parametrize(
    "fault",
    [
        "exit 0",
        'head -c 50000000 /dev/zero | tr "\\0" x; "$GOOD"',
        "printf 'bad \\377 bytes\\n'; \"$GOOD\"",
        'sleep 1 & "$GOOD"',
        'setsid sleep 1 & "$GOOD"',
    ],
    ids=["lies", "50 MB", "non-UTF-8", "child holds the log", "daemon holds the log"],
)
def test_create_that_succeeds_oddly(world: Callable[..., World], fault: str) -> None:
    here = world(faults={"create": fault})
    here.compare(here.request("create"))


def _write(name: str, content: bytes) -> Callable[[Path], object]:
    return lambda directory: (directory / name).write_bytes(content)


NOT_STARTED = {
    "no #! line": (b"exit 0\n", "OSError"),
    "empty file": (b"", "OSError"),
    "missing interpreter": (b"#!/nonexistent/interpreter\n", "OpExecError"),
    "CRLF after the interpreter": (b"#!/bin/sh\r\nexit 0\r\n", "OpExecError"),
    "interpreter is a directory": (b"#!/tmp\n", "OSError"),
    "interpreter is not executable": (b"#!/etc/passwd\n", "OSError"),
    "broken ELF file": (b"\x7fELF", "OSError"),
}


@pytest.mark.parametrize("case", NOT_STARTED)
@pytest.mark.parametrize("method", ["create", "attach"])
def test_script_that_cannot_be_started(world: Callable[..., World], case: str, method: str) -> None:
    content, error = NOT_STARTED[case]
    here = world(change=_write(method, content))
    assert here.compare(here.request("create"))["error"][0] == error


def test_script_in_a_directory_with_a_blank_and_a_quote(world: Callable[..., World]) -> None:
    here = world(change=_write("create", b"#!/nonexistent\n"))
    here.path = here.path.parent / "a world's end"
    assert here.compare(here.request("create"))["error"][0] == "OpExecError"


def test_missing_log_directory(world: Callable[..., World]) -> None:
    here: World = world()
    here.change = lambda _directory: (here.path / "log").rmdir()
    assert here.compare(here.request("create"))["error"][0] == "BlockDeviceError"


def test_log_file_that_cannot_be_opened(world: Callable[..., World]) -> None:
    here = world()
    answer = here.compare(here.request("create", name=f"missing/{VOLUME}"))
    assert answer["error"][0] == "OpExecError"


def test_provider_that_disappears(world: Callable[..., World]) -> None:
    here = world(faults={"attach": '"$GOOD"; rm -r "${0%/*}"'})
    answer = here.compare(here.request("create", "open"))
    assert answer["error"][1].startswith("Directory for External Storage Provider")


def test_script_that_loses_its_executable_bit(world: Callable[..., World]) -> None:
    here = world(faults={"attach": '"$GOOD"; chmod 644 "${0%/*}/grow"'})
    answer = here.compare(here.request("create", ("grow", {"amount_mib": 4})))
    assert answer["error"][1].endswith("is not executable")
