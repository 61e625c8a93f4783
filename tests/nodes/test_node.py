"""This machine as a node: what a program is given, and how it ends."""

from __future__ import annotations

import errno
import os
import signal
import subprocess
import threading
import time
from pathlib import Path

import pytest

from extstorage.nodes.local import LINGER_S, LocalNode
from extstorage.nodes.node import CannotExecute, Command, Completed

NODE = LocalNode()


def sh(
    script: str,
    *,
    environment: dict[str, str] | None = None,
    directory: str = "/",
    umask: int = 0o077,
    output_file: str | None = None,
    timeout_s: float | None = 20.0,
) -> Completed:
    return NODE.run(
        Command(
            ("/bin/sh", "-c", script),
            environment or {"PATH": "/usr/bin:/bin"},
            directory,
            umask=umask,
            output_file=output_file,
            timeout_s=timeout_s,
        )
    )


def gone(pid: int) -> bool:
    """Return whether a process has ended, waiting a little for it."""
    for _ in range(100):
        try:
            state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
        except FileNotFoundError:
            return True
        if state == "Z":  # its new parent has yet to collect it
            return True
        time.sleep(0.02)
    return False


def test_outputs_are_kept_apart() -> None:
    done = sh("echo out; echo err >&2; exit 3")
    assert (done.exit_code, done.signal, done.timed_out) == (3, None, False)
    assert (done.stdout, done.stderr) == (b"out\n", b"err\n")


def test_signal() -> None:
    done = sh("kill -SEGV $$")
    assert (done.exit_code, done.signal) == (None, signal.SIGSEGV)


def test_environment_is_exact() -> None:
    done = NODE.run(Command(("/usr/bin/env",), {"A": "1 2", "B-c.d": "é"}, "/"))
    assert sorted(done.stdout.decode().splitlines()) == ["A=1 2", "B-c.d=é"]


def test_directory_and_umask(tmp_path: Path) -> None:
    assert sh("pwd; umask", directory=str(tmp_path)).stdout == f"{tmp_path}\n0077\n".encode()
    assert sh("umask", umask=0o022).stdout == b"0022\n"


def test_standard_input_is_a_pipe_at_its_end() -> None:
    done = sh("readlink /proc/self/fd/0; wc -c")
    assert done.stdout.startswith(b"pipe:")
    assert done.stdout.endswith(b"0\n")


def test_no_other_descriptor_is_inherited() -> None:
    reader, writer = os.pipe()
    os.set_inheritable(writer, True)  # noqa: FBT003 - its only parameter
    try:
        # ls adds the one that it reads the directory with.
        assert sh("exec ls /proc/self/fd").stdout == b"0\n1\n2\n3\n"
    finally:
        os.close(reader)
        os.close(writer)


def test_own_process_group() -> None:
    group = int(sh("exec ps -o pgid= -p $$").stdout)
    assert group != os.getpgrp()


def test_log_file_is_appended_to(tmp_path: Path) -> None:
    log = tmp_path / "log"
    log.write_text("before\n")
    done = sh("echo out; echo err >&2", output_file=str(log))
    assert (done.stdout, done.stderr) == (b"", b"")
    assert log.read_text() == "before\nout\nerr\n"


def test_new_log_file_is_private(tmp_path: Path) -> None:
    log = tmp_path / "log"
    sh(":", output_file=str(log))
    assert log.stat().st_mode & 0o777 == 0o600


def test_much_output_on_both_pipes() -> None:
    done = sh("head -c 3000000 /dev/zero; head -c 3000000 /dev/zero >&2")
    assert (len(done.stdout), len(done.stderr)) == (3_000_000, 3_000_000)


def test_a_child_holds_the_pipes_but_not_the_log(tmp_path: Path) -> None:
    assert sh("sleep 0.4 &").seconds >= 0.4
    assert sh("sleep 0.4 &", output_file=str(tmp_path / "log")).seconds < 0.4


def test_pipes_closed_early_do_not_end_the_call() -> None:
    done = sh("exec >&- 2>&-; sleep 0.2; exit 4")
    assert done.exit_code == 4


def test_timeout() -> None:
    done = sh("echo begun; exec sleep 60", timeout_s=0.2)
    assert (done.timed_out, done.signal, done.stdout) == (True, signal.SIGTERM, b"begun\n")
    assert done.seconds < LINGER_S


def test_timeout_with_a_log(tmp_path: Path) -> None:
    assert sh("exec sleep 60", timeout_s=0.2, output_file=str(tmp_path / "log")).timed_out


def test_timeout_ends_the_whole_group() -> None:
    done = sh("sleep 60 & echo $!; wait", timeout_s=0.2)
    assert done.timed_out
    assert gone(int(done.stdout))


def test_timeout_kills_what_ignores_being_terminated() -> None:
    done = sh("trap '' TERM; while :; do sleep 1; done", timeout_s=0.2)
    assert (done.timed_out, done.signal) == (True, signal.SIGKILL)
    assert done.seconds >= LINGER_S


def test_timeout_for_a_child_that_holds_a_pipe_after_the_script_has_ended() -> None:
    done = sh("sleep 60 & echo $!", timeout_s=0.2)
    assert (done.timed_out, done.exit_code) == (True, 0)
    assert gone(int(done.stdout))


def test_timeout_is_bounded_when_a_daemon_holds_a_pipe() -> None:
    done = sh("setsid sh -c 'echo $$; exec sleep 60' & wait", timeout_s=0.2)
    assert done.timed_out
    assert done.seconds < LINGER_S + 2
    os.kill(int(done.stdout), signal.SIGKILL)


def test_interrupt_ends_the_group(tmp_path: Path) -> None:
    pid_file = tmp_path / "pid"
    main = threading.main_thread().ident
    timer = threading.Timer(0.3, signal.pthread_kill, [main, signal.SIGINT])
    timer.start()
    with pytest.raises(KeyboardInterrupt):
        sh(f"echo $$ >{pid_file}; exec sleep 60")
    timer.join()
    assert gone(int(pid_file.read_text()))


def test_no_descriptor_and_no_process_is_left() -> None:
    def held() -> tuple[int, str]:
        children = Path(f"/proc/self/task/{threading.get_native_id()}/children").read_text()
        return len(os.listdir("/proc/self/fd")), children  # noqa: PTH208 - counts as ls does

    before = held()
    sh(":")
    sh("exec sleep 60", timeout_s=0.1)
    with pytest.raises(CannotExecute):
        NODE.run(Command(("/nonexistent",), {}, "/"))
    assert held() == before


@pytest.mark.parametrize(
    ("content", "number"),
    [("exit 0\n", errno.ENOEXEC), ("#!/nonexistent\n", errno.ENOENT), ("#!/\n", errno.EACCES)],
)
def test_a_program_that_cannot_be_started(tmp_path: Path, content: str, number: int) -> None:
    program = tmp_path / "program"
    program.write_text(content)
    program.chmod(0o755)
    with pytest.raises(CannotExecute) as caught:
        NODE.run(Command((str(program),), {}, "/"))
    assert caught.value.errno == number
    assert str(caught.value) == f"[Errno {number}] {os.strerror(number)}: '{program}'"


def test_a_directory_that_is_not_there() -> None:
    with pytest.raises(CannotExecute, match="'/nonexistent'"):
        sh(":", directory="/nonexistent")


def test_files(tmp_path: Path) -> None:
    directory = tmp_path / "a" / "b"
    NODE.make_directory(str(directory), 0o700)
    NODE.make_directory(str(directory), 0o700)
    file = directory / "file "
    file.write_bytes(b"\xff")
    assert NODE.is_directory(str(directory))
    assert not NODE.is_directory(str(file))
    assert not NODE.is_directory("/" + "x" * 5000)
    assert NODE.read_file(str(file)) == b"\xff"
    assert NODE.stat(str(file)).st_size == 1
    with pytest.raises(FileNotFoundError):
        NODE.stat(str(file).rstrip())


def test_overhead_is_small_beside_starting_a_program() -> None:
    """The bound is loose, for busy machines; benchmarks/ measures."""
    command = Command(("/bin/true",), {}, "/", timeout_s=60)
    rounds = range(50)
    started = time.perf_counter()
    for _ in rounds:
        subprocess.run(["/bin/true"], env={}, capture_output=True, check=True)
    bare = time.perf_counter() - started
    started = time.perf_counter()
    for _ in rounds:
        NODE.run(command)
    assert time.perf_counter() - started < 3 * bare
