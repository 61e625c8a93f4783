"""Every kind of node: what a program is given and how it ends, files, Python functions."""

from __future__ import annotations

import errno
import os
import signal
import stat
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

import pytest

from extstorage.nodes.jobs import LINGER_S
from extstorage.nodes.local import LocalNode
from extstorage.nodes.node import (
    CannotExecute,
    Command,
    Completed,
    PythonFailed,
    Search,
    Sight,
)

if TYPE_CHECKING:
    from pathlib import Path

    from extstorage.nodes.node import Node
    from tests.nodes.conftest import Case


def sh(
    node: Node,
    script: str,
    *,
    environment: dict[str, str] | None = None,
    directory: str = "/",
    umask: int = 0o077,
    output_file: str | None = None,
    timeout_s: float | None = 20.0,
) -> Completed:
    return node.run(
        Command(
            ("/bin/sh", "-c", script),
            environment or {"PATH": "/usr/bin:/bin"},
            directory,
            umask=umask,
            output_file=output_file,
            timeout_s=timeout_s,
        )
    )


def gone(node: Node, pid: int) -> bool:
    """Return whether a process of the node has ended, waiting a little for it."""
    for _ in range(100):
        try:
            state = node.read_file(f"/proc/{pid}/stat").rpartition(b")")[2].split()[0]
        except (FileNotFoundError, ProcessLookupError):
            return True
        if state == b"Z":  # its new parent has yet to collect it
            return True
        time.sleep(0.02)
    return False


def test_outputs_are_kept_apart(case: Case) -> None:
    done = sh(case.node, "echo out; echo err >&2; exit 3")
    assert (done.exit_code, done.signal, done.timed_out) == (3, None, False)
    assert (done.stdout, done.stderr) == (b"out\n", b"err\n")


def test_signal(case: Case) -> None:
    done = sh(case.node, "kill -SEGV $$")
    assert (done.exit_code, done.signal) == (None, signal.SIGSEGV)


def test_no_signal_is_ignored_or_blocked(case: Case) -> None:
    done = sh(case.node, "grep -E '^Sig(Blk|Ign)' /proc/self/status")
    assert {line.split()[1] for line in done.stdout.splitlines()} == {b"0" * 16}


def test_arguments_and_environment_are_exact(case: Case) -> None:
    environment = {"A": "1 2", "B-c.d": "é\n'\"$", "EMPTY": ""}
    done = case.node.run(Command(("/usr/bin/env", "-0"), environment, "/"))
    found = dict(item.split("=", 1) for item in done.stdout.decode().split("\0")[:-1])
    assert found == environment
    words = ("", "a b", "'\"\\$x", "é", "\udcff", "\n")
    done = case.node.run(Command(("/usr/bin/printf", "%s|", *words), {}, "/"))
    assert os.fsdecode(done.stdout) == "".join(f"{word}|" for word in words)


def test_a_program_without_a_path_is_looked_up_in_the_given_environment(case: Case) -> None:
    program = case.directory / "only-here"
    program.write_text("#!/bin/sh\necho found\n")
    program.chmod(0o755)
    path = f"/nonexistent:{case.directory}"
    assert case.node.run(Command(("only-here",), {"PATH": path}, "/")).stdout == b"found\n"
    with pytest.raises(CannotExecute) as caught:
        case.node.run(Command(("only-here",), {"PATH": "/usr/bin"}, "/"))
    assert (caught.value.errno, caught.value.filename) == (errno.ENOENT, "only-here")


def test_what_no_program_can_be_given(case: Case) -> None:
    with pytest.raises(ValueError, match="null byte"):
        case.node.run(Command(("/bin/true", "a\0b"), {}, "/"))
    with pytest.raises(ValueError, match="environment"):
        case.node.run(Command(("/bin/true",), {"A=B": ""}, "/"))


def test_directory_and_umask(case: Case) -> None:
    done = sh(case.node, "pwd; umask", directory=str(case.directory))
    assert done.stdout == f"{case.directory}\n0077\n".encode()
    assert sh(case.node, "umask", umask=0o022).stdout == b"0022\n"


def test_standard_input_is_a_pipe_at_its_end(case: Case) -> None:
    done = sh(case.node, "readlink /proc/self/fd/0; wc -c")
    assert done.stdout.startswith(b"pipe:")
    assert done.stdout.endswith(b"0\n")


def test_no_other_descriptor_is_inherited(case: Case) -> None:
    reader, writer = os.pipe()
    os.set_inheritable(writer, True)  # noqa: FBT003 - its only parameter
    try:
        # ls adds the one that it reads the directory with.
        assert sh(case.node, "exec ls /proc/self/fd").stdout == b"0\n1\n2\n3\n"
    finally:
        os.close(reader)
        os.close(writer)


def test_own_process_group(case: Case) -> None:
    done = sh(case.node, "echo $$; exec ps -o pgid= -p $$")
    pid, group = map(int, done.stdout.split())
    assert group == pid


def test_log_file_is_appended_to(case: Case) -> None:
    log = case.directory / "log"
    log.write_text("before\n")
    done = sh(case.node, "echo out; echo err >&2", output_file=str(log))
    assert (done.stdout, done.stderr) == (b"", b"")
    assert log.read_text() == "before\nout\nerr\n"
    assert done.output == b"before\nout\nerr\n"
    assert done.output[done.output_from :] == b"out\nerr\n"


def test_a_log_file_that_its_program_deletes(case: Case) -> None:
    log = case.directory / "log"
    done = sh(case.node, f"echo out; rm {log}", output_file=str(log))
    assert (done.exit_code, done.output) == (0, b"")


def test_several_files_are_looked_at_in_one_request(case: Case) -> None:
    here = case.directory
    here.joinpath("text").write_bytes(b"\xff")
    found = case.node.look(Search([f"{here}/no", str(here), "/"], ["text", "none"], "text", "/"))
    text, none = found.files["text"], found.files["none"]
    assert isinstance(none, FileNotFoundError)
    assert (none.errno, none.filename) == (errno.ENOENT, f"{here}/none")
    assert not isinstance(text, OSError)
    assert text.st_ino == here.joinpath("text").stat().st_ino
    assert (found.directory, found.content, found.has_beside) == (str(here), b"\xff", True)


def test_no_directory_to_look_at(case: Case) -> None:
    missing = f"{case.directory}/missing"
    found = case.node.look(Search([missing], ["text"], "text", missing))
    assert found == Sight(None, {}, None, has_beside=False)


def test_a_look_does_not_wait_for_a_pipe(case: Case) -> None:
    os.mkfifo(case.directory / "pipe")
    found = case.node.look(Search([str(case.directory)], ["pipe"], "pipe", "/"))
    status = found.files["pipe"]
    assert not isinstance(status, OSError)
    assert stat.S_ISFIFO(status.st_mode)
    assert found.content is None


def test_new_log_file_is_private(case: Case) -> None:
    log = case.directory / "log"
    sh(case.node, ":", output_file=str(log))
    assert log.stat().st_mode & 0o777 == 0o600


def test_a_log_file_that_cannot_be_opened(case: Case) -> None:
    with pytest.raises(CannotExecute) as caught:
        sh(case.node, ":", output_file=f"{case.directory}/missing/log")
    assert caught.value.errno == errno.ENOENT
    assert caught.value.filename == f"{case.directory}/missing/log"


def test_much_output_on_both_pipes(case: Case) -> None:
    done = sh(case.node, "head -c 3000000 /dev/zero; head -c 3000000 /dev/zero >&2")
    assert (len(done.stdout), len(done.stderr)) == (3_000_000, 3_000_000)


def test_a_child_holds_the_pipes_but_not_the_log(case: Case) -> None:
    assert sh(case.node, "sleep 0.4 &").seconds >= 0.4
    assert sh(case.node, "sleep 0.4 &", output_file=f"{case.directory}/log").seconds < 0.4


def test_pipes_closed_early_do_not_end_the_call(case: Case) -> None:
    done = sh(case.node, "exec >&- 2>&-; sleep 0.2; exit 4")
    assert done.exit_code == 4
    assert done.seconds >= 0.2


def test_timeout(case: Case) -> None:
    done = sh(case.node, "echo begun; exec sleep 60", timeout_s=case.moment_s)
    assert (done.timed_out, done.signal, done.stdout) == (True, signal.SIGTERM, b"begun\n")
    assert case.moment_s <= done.seconds < case.moment_s + LINGER_S


def test_timeout_with_a_log(case: Case) -> None:
    log = f"{case.directory}/log"
    assert sh(case.node, "exec sleep 60", timeout_s=0.2, output_file=log).timed_out


def test_timeout_ends_the_whole_group(case: Case) -> None:
    done = sh(case.node, "sleep 60 & echo $!; wait", timeout_s=case.moment_s)
    assert done.timed_out
    assert gone(case.node, int(done.stdout))


def test_timeout_kills_what_ignores_being_terminated(case: Case) -> None:
    done = sh(case.node, "trap '' TERM; while :; do sleep 1; done", timeout_s=case.moment_s)
    assert (done.timed_out, done.signal) == (True, signal.SIGKILL)
    assert done.seconds >= LINGER_S


def test_timeout_for_a_child_that_holds_a_pipe_after_the_script_has_ended(case: Case) -> None:
    done = sh(case.node, "sleep 60 & echo $!", timeout_s=case.moment_s)
    assert (done.timed_out, done.exit_code) == (True, 0)
    assert gone(case.node, int(done.stdout))


def test_timeout_is_bounded_when_a_daemon_holds_a_pipe(case: Case) -> None:
    done = sh(case.node, "setsid sh -c 'echo $$; exec sleep 60' & wait", timeout_s=case.moment_s)
    assert done.timed_out
    assert done.seconds < case.moment_s + LINGER_S + 2
    assert sh(case.node, f"kill -KILL {int(done.stdout)}").exit_code == 0


def test_interrupt_ends_the_group(case: Case) -> None:
    pid_file = case.directory / "pid"
    main = threading.get_ident()

    def interrupt() -> None:
        while not pid_file.exists():
            time.sleep(0.02)
        signal.pthread_kill(main, signal.SIGINT)

    interrupting = threading.Thread(target=interrupt, daemon=True)
    interrupting.start()
    with pytest.raises(KeyboardInterrupt):
        sh(case.node, f"echo $$ >{pid_file}.new; mv {pid_file}.new {pid_file}; exec sleep 60")
    interrupting.join()
    assert gone(case.node, int(pid_file.read_text()))


def test_calls_of_several_threads_run_at_the_same_time(case: Case) -> None:
    def meet_the_others(number: int) -> Completed:
        """Return how a script ended that ends when four of its kind have begun."""
        begun = f"{case.directory}/begun"
        wait = f'until [ "$(echo {begun}*)" = "{" ".join(f"{begun}{n}" for n in range(4))}" ]'
        return sh(case.node, f"touch {begun}{number}; {wait}; do sleep 0.05; done; echo {number}")

    with ThreadPoolExecutor(4) as pool:
        done = [met.stdout for met in pool.map(meet_the_others, range(4))]
    assert done == [b"0\n", b"1\n", b"2\n", b"3\n"]


def test_no_descriptor_and_no_process_is_left(case: Case) -> None:
    # What starts a program is done with that a moment after the program has begun.
    script = 'sleep 0.5; ls /proc/$PPID/fd; cat /proc/$PPID/task/*/children | sed "s/$$ //"'

    def held() -> bytes:
        """Return what the process that runs programs on the node has."""
        return sh(case.node, script).stdout

    before = held()
    sh(case.node, "exec sleep 60", timeout_s=0.1)
    with pytest.raises(CannotExecute):
        case.node.run(Command(("/nonexistent",), {}, "/"))
    assert held() == before


@pytest.mark.parametrize(
    ("content", "number"),
    [("exit 0\n", errno.ENOEXEC), ("#!/nonexistent\n", errno.ENOENT), ("#!/\n", errno.EACCES)],
)
def test_a_program_that_cannot_be_started(case: Case, content: str, number: int) -> None:
    program = case.directory / "program"
    program.write_text(content)
    program.chmod(0o755)
    with pytest.raises(CannotExecute) as caught:
        case.node.run(Command((str(program),), {}, "/"))
    assert caught.value.errno == number
    assert str(caught.value) == f"[Errno {number}] {os.strerror(number)}: '{program}'"


def test_a_directory_that_is_not_there(case: Case) -> None:
    with pytest.raises(CannotExecute, match="'/nonexistent'"):
        sh(case.node, ":", directory="/nonexistent")


def test_files(case: Case) -> None:
    node = case.node
    directory = case.directory / "a" / "b"
    node.make_directory(str(directory), 0o700)
    node.make_directory(str(directory), 0o700)
    file = directory / "file "
    file.write_bytes(b"\xff")
    assert node.is_directory(str(directory))
    assert not node.is_directory(str(file))
    assert not node.is_directory("/" + "x" * 5000)
    assert node.read_file(str(file)) == b"\xff"
    status = node.stat(str(file))
    seen = sh(node, "stat -c '%s %i %d %f %r' 'file '", directory=str(directory)).stdout.split()
    assert seen == [
        b"%d" % status.st_size, b"%d" % status.st_ino, b"%d" % status.st_dev,
        b"%x" % status.st_mode, b"%d" % status.st_rdev,
    ]  # fmt: skip
    with pytest.raises(FileNotFoundError) as caught:
        node.stat(str(file).rstrip())
    assert caught.value.filename == str(file).rstrip()
    with pytest.raises(IsADirectoryError):
        node.read_file(str(directory))
    with pytest.raises(FileExistsError):
        node.make_directory(str(file), 0o700)


def test_a_device(case: Case) -> None:
    status = case.node.stat("/dev/null")
    assert stat.S_ISCHR(status.st_mode)
    assert status.st_rdev == os.makedev(1, 3)


def test_facts_are_those_that_programs_see(case: Case) -> None:
    facts = case.node.facts()
    done = sh(case.node, "uname -n; uname -r; id -u")
    assert done.stdout.decode().splitlines() == [
        facts.host_name, facts.kernel, "0" if facts.is_root else str(os.geteuid()),
    ]  # fmt: skip
    seen = case.node.run_python(
        "import sys\ndef version(): return sys.version.split()[0]", "version"
    )
    assert facts.python == seen


def test_a_directory_is_copied_as_it_is(case: Case, tmp_path: Path) -> None:
    source = tmp_path / "provider"
    (source / "lib" / "empty").mkdir(parents=True)
    (source / "attach").write_bytes(b"\x00\xff")
    (source / "attach").chmod(0o750)
    (source / "lib").chmod(0o711)
    (source / "detach").symlink_to("attach")
    (source / "dangling").symlink_to("/nonexistent")
    target = case.directory / "made" / "copy"
    case.node.copy_directory(str(source), str(target))
    listing = "find . -printf '%P %m %y %l\\n' | sort"
    found = sh(case.node, listing, directory=str(target)).stdout
    assert found == sh(LocalNode(), listing, directory=str(source)).stdout
    assert (target / "attach").read_bytes() == b"\x00\xff"
    assert [path.name for path in target.parent.iterdir()] == ["copy"]


def test_a_copy_never_replaces_anything(case: Case, tmp_path: Path) -> None:
    (tmp_path / "source").mkdir()
    target = case.directory / "target"
    target.write_text("kept")
    with pytest.raises(PythonFailed, match=f"FileExistsError: {target} exists"):
        case.node.copy_directory(str(tmp_path / "source"), str(target))
    assert target.read_text() == "kept"
    with pytest.raises(NotADirectoryError):
        case.node.copy_directory(str(tmp_path / "missing"), str(case.directory / "new"))


MODULE = """
from __future__ import annotations
from dataclasses import dataclass
import os, sys, time

@dataclass
class Sum:
    parts: list[int]

def add(*numbers):
    print("noise")
    os.write(1, b"more noise")
    return {"sum": sum(Sum(list(numbers)).parts), "text": "\\u00e9\\udcff"}

def fail(word):
    raise ValueError("no " + word)

def hang():
    os.system("sleep 60 & sleep 60")

def die():
    os.kill(os.getpid(), 9)

def count():
    global calls
    calls = globals().get("calls", 0) + 1
    return calls

def unsayable():
    return object()

def descriptors():
    return sorted(map(int, os.listdir("/proc/self/fd")))
"""


def test_python_functions(case: Case) -> None:
    node = case.node
    assert node.run_python(MODULE, "add", 1, 2) == {"sum": 3, "text": "é\udcff"}
    assert node.run_python("def f(x): return x", "f", [1.5, None, {"a": "b" * 200_000}]) == [
        1.5, None, {"a": "b" * 200_000},
    ]  # fmt: skip
    assert [node.run_python(MODULE, "count") for _ in range(2)] == [1, 1]


@pytest.mark.parametrize(
    ("function", "arguments", "message"),
    [
        ("fail", ["luck"], "fail: ValueError: no luck (line 16)"),
        ("die", [], "die: ended by signal 9"),
        ("unsayable", [], "unsayable: TypeError: Object of type object is not JSON serializable"),
        ("missing", [], "missing: AttributeError: "),
        ("add", ["a"], "add: TypeError: unsupported operand"),
    ],
)
def test_python_functions_that_fail(
    case: Case, function: str, arguments: list[object], message: str
) -> None:
    with pytest.raises(PythonFailed) as caught:
        case.node.run_python(MODULE, function, *arguments)
    assert str(caught.value).startswith(f"{case.node.name}: {message}")
    assert "\n" not in str(caught.value)


def test_python_that_cannot_be_compiled(case: Case) -> None:
    with pytest.raises(PythonFailed, match="f: SyntaxError: "):
        case.node.run_python("def f(:", "f")


def test_a_python_function_that_takes_too_long(case: Case) -> None:
    started = time.monotonic()
    with pytest.raises(PythonFailed, match=r"hang: not done in 0\.3 seconds"):
        case.node.run_python(MODULE, "hang", timeout_s=0.3)
    assert time.monotonic() - started < LINGER_S


def test_a_python_function_holds_no_descriptor_of_others(case: Case) -> None:
    # Its three, its result, its errors, and the one that the directory is read with.
    assert len(case.node.run_python(MODULE, "descriptors")) == 6


SESSION = """
import os, threading
from pathlib import Path
kept = []
event = threading.Event()
def keep(value):
    kept.append(value)
    return [os.getpid(), kept]
def wait():
    return event.wait(10)
def release():
    event.set()
def read(path):
    return Path(path).read_text()
def fail():
    raise KeyError("no such thing")
def leave():
    os._exit(3)
"""


def test_session_keeps_its_module(case: Case) -> None:
    session = case.node.python_session(SESSION)
    first, second = session.call("keep", "one"), session.call("keep", 2)
    assert second == [first[0], ["one", 2]]
    session.close()
    assert gone(case.node, first[0])
    with pytest.raises(PythonFailed, match="session has ended"):
        session.call("keep", 3)
    session.close()


def test_calls_of_a_session_run_at_the_same_time(case: Case) -> None:
    session = case.node.python_session(SESSION)
    with ThreadPoolExecutor(1) as pool:
        waiting = pool.submit(session.call, "wait")
        session.call("release")
        assert waiting.result(timeout=5) is True
    session.close()


def test_session_raises_what_its_functions_raise(case: Case) -> None:
    session = case.node.python_session(SESSION)
    with pytest.raises(FileNotFoundError) as caught:
        session.call("read", "/nonexistent/file")
    assert caught.value.filename == "/nonexistent/file"
    with pytest.raises(PythonFailed, match=r"fail: KeyError: 'no such thing' \(line \d+\)"):
        session.call("fail")
    assert len(session.call("keep", "x" * 200_000)[1][0]) == 200_000
    session.close()


def test_session_that_ends_by_itself_says_so(case: Case) -> None:
    session = case.node.python_session(SESSION)
    with pytest.raises(PythonFailed, match="leave: the session has ended"):
        session.call("leave")
    broken = case.node.python_session("def f(:")
    with pytest.raises(PythonFailed, match="SyntaxError"):
        broken.call("f")
    broken.close()
