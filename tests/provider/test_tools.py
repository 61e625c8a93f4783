"""External programs."""

from __future__ import annotations

import os
import signal
import time
from typing import TYPE_CHECKING

import pytest

from extstorage.provider import ProviderError
from extstorage.provider.tools import ToolError, run

if TYPE_CHECKING:
    from pathlib import Path


def test_the_output_is_returned() -> None:
    assert run("printf", "%s\\n", "a b", "$HOME") == "a b\n$HOME\n"


def test_more_output_than_a_pipe_holds_is_no_problem() -> None:
    assert len(run("sh", "-c", "head -c 1000000 /dev/zero; head -c 1000000 /dev/zero >&2")) == 10**6


def test_a_failure_names_the_tool_its_status_and_its_last_words() -> None:
    with pytest.raises(ToolError) as caught:
        run("sh", "-c", "echo first >&2; echo 'no space' >&2; echo >&2; exit 5")
    assert str(caught.value) == "sh failed: exit code 5: no space"
    assert caught.value.status == 5


def test_a_signal_is_a_failure() -> None:
    with pytest.raises(ToolError, match="sh failed: signal 15: no message on stderr"):
        run("sh", "-c", "kill -TERM $$")


def test_a_missing_tool_is_named() -> None:
    with pytest.raises(ProviderError, match="no-such-tool is not in PATH: install it"):
        run("no-such-tool")


def test_the_working_directory_is_not_searched(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    planted = tmp_path / "planted"
    planted.write_text("#!/bin/sh\n")
    planted.chmod(0o755)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PATH", ":.:/usr/bin")
    with pytest.raises(ProviderError, match="planted is not in PATH"):
        run("planted")


def test_a_tool_that_hangs_is_killed_with_its_children() -> None:
    begin = time.monotonic()
    with pytest.raises(ToolError, match=r"sleep|sh failed: signal 9"):
        run("sh", "-c", "sleep 60; true", timeout_s=0.3)
    assert time.monotonic() - begin < 10


def test_a_child_left_behind_does_not_keep_the_script_waiting() -> None:
    child = int(run("sh", "-c", "sleep 600 & echo $!"))
    os.kill(child, signal.SIGKILL)  # which fails if it was waited for


def test_a_tool_sees_an_empty_stdin_and_the_c_locale() -> None:
    assert run("sh", "-c", "cat; echo $LC_ALL") == "C\n"


def test_a_tool_gets_no_descriptor_of_the_script(tmp_path: Path) -> None:
    with (tmp_path / "file").open("w") as file:
        names = run("sh", "-c", "ls /proc/$$/fd").split()
        assert str(file.fileno()) not in names
    assert {"0", "1", "2"} <= set(names)
