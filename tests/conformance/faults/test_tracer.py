"""The tracer on small scripts: what it sees, and what it breaks."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from extstorage_conformance.faults.tracer.__main__ import DIED
from extstorage_conformance.faults.tracing import INTERPRETERS

PACKAGES = Path(__file__).parents[3] / "conformance"
START = (
    "import sys; sys.path.insert(0, sys.argv.pop(1));"
    " from extstorage_conformance.faults.tracer.__main__ import main; main()"
)
SHELL = """#!/bin/sh
PATH=/usr/sbin:/usr/bin
/usr/bin/mkdir made || exit 5
echo text >made/file
mv made/file made/moved && stat moved >/dev/null 2>&1
rm -r made
"""
PYTHON = f"""#!{sys.executable} -IS
import os
os.mkdir("made")
os.rename("made", "moved")
descriptor = os.open("moved", os.O_RDONLY)
os.fsync(descriptor)
os.rmdir("moved")
"""


class Bench:
    """A directory with a script, and the tracer to run it."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory

    def write(self, text: str) -> None:
        script = self.directory / "provider" / "script"
        script.parent.mkdir(exist_ok=True)
        script.write_text(text)
        script.chmod(0o755)

    def run(self, **orders: object) -> tuple[subprocess.CompletedProcess[str], dict[str, Any]]:
        report = self.directory / "report.json"
        work = self.directory / "work"
        work.mkdir(exist_ok=True)
        plan = {
            "report": str(report),
            "provider": str(self.directory / "provider"),
            "names": {str(self.directory): "HERE"},
            "interpreters": INTERPRETERS,
            **orders,
        }
        completed = subprocess.run(
            [
                *(sys.executable, "-I", "-S", "-c", START, str(PACKAGES), json.dumps(plan)),
                str(self.directory / "provider" / "script"),
            ],
            cwd=work,
            capture_output=True,
            text=True,
            check=False,
            timeout=60,
            process_group=0,
        )
        return completed, json.loads(report.read_text())


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    if os.uname().machine != "x86_64":
        pytest.skip("needs x86-64: the tracer knows no other machine")
    return Bench(tmp_path)


def keys(report: dict[str, Any]) -> list[str]:
    return [step["key"] for step in report["steps"]]


def test_commands_are_seen_by_whatever_path(bench: Bench) -> None:
    bench.write(SHELL)
    completed, report = bench.run()
    assert completed.returncode == 0
    assert keys(report) == [
        "command mkdir",
        "call openat HERE/work/made/file O_CREAT",
        "call write HERE/work/made/file",
        "command mv",
        "command stat",
        "command rm",
    ]
    changing = [step["inside"] > 0 for step in report["steps"]]
    assert changing == [True, False, False, True, False, True]
    assert report["steps"][4]["outcome"] == 1


def test_system_calls_of_python_are_seen(bench: Bench) -> None:
    bench.write(PYTHON)
    completed, report = bench.run()
    assert completed.returncode == 0, completed.stderr
    assert keys(report) == [
        "call mkdir HERE/work/made",
        "call rename HERE/work/made HERE/work/moved",
        "call openat HERE/work/moved",
        "call fsync HERE/work/moved",
        "call rmdir HERE/work/moved",
    ]


def test_the_same_keys_in_every_run(bench: Bench) -> None:
    bench.write('#!/bin/sh\nnew=$(mktemp -d ./x.XXXXXX)\necho $$ >"$new/p.$$"\nrm -r "$new"\n')
    first, second = (keys(bench.run()[1]) for _ in range(2))
    assert first == second


def test_a_command_fails_instead_of_working(bench: Bench) -> None:
    bench.write(SHELL)
    message = "mkdir: error: it is broken\n"
    completed, report = bench.run(
        do="fail", key="command mkdir", number=1, status=1, message=message
    )
    assert completed.returncode == 5
    assert message in completed.stderr
    assert report["fired"]
    assert not (bench.directory / "work/made").exists()


def test_a_system_call_fails(bench: Bench) -> None:
    bench.write(PYTHON)
    completed, report = bench.run(
        do="error", key="call rename HERE/work/made HERE/work/moved", number=1, error=5
    )
    assert completed.returncode == 1
    assert "Input/output error" in completed.stderr
    assert report["fired"]
    assert (bench.directory / "work/made").exists()


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM])
def test_a_signal_ends_the_script_at_a_command(bench: Bench, number: signal.Signals) -> None:
    bench.write(SHELL)
    completed, report = bench.run(do="after", key="command mv", number=1, signal=int(number))
    assert completed.returncode == -number
    assert report["fired"]
    assert [path.name for path in (bench.directory / "work/made").iterdir()] == ["moved"]


def test_a_kill_in_the_middle_of_a_command(bench: Bench) -> None:
    bench.write("#!/bin/sh\nmkdir one two three four\n")
    completed, _ = bench.run(
        do="during", key="command mkdir", number=1, inside=2, signal=int(signal.SIGKILL)
    )
    assert completed.returncode == -signal.SIGKILL
    assert sorted(path.name for path in (bench.directory / "work").iterdir()) == ["one", "two"]


def test_a_hanging_command_can_be_given_up(bench: Bench) -> None:
    bench.write("#!/bin/sh\ntimeout 0.2 sleep 0\necho $?\n")
    completed, report = bench.run(do="hang", key="command sleep", number=1)
    assert completed.stdout == "124\n"
    assert report["fired"]


def test_a_missing_tool_is_missing_wherever_it_is_looked_for(bench: Bench) -> None:
    bench.write(
        "#!/bin/sh\ncommand -v mkdir; /usr/bin/mkdir made; [ -x /usr/bin/mkdir ] && echo there\n"
    )
    completed, _ = bench.run(do="missing", tool="mkdir")
    assert completed.stdout == ""
    assert "not found" in completed.stderr


def test_full_and_read_only_file_systems(bench: Bench) -> None:
    bench.write("#!/bin/sh\necho one >one && echo two >two\n")
    assert "No space left" in bench.run(do="full", room=0)[0].stderr
    assert not (bench.directory / "work/one").exists()
    # Making and writing the first file takes two calls.
    assert bench.run(do="full", room=2)[0].returncode != 0
    assert (bench.directory / "work/one").read_text() == "one\n"
    assert "Read-only" in bench.run(do="read-only")[0].stderr


def test_a_tracer_that_dies_is_not_one_that_cannot_trace(bench: Bench) -> None:
    bench.write("#!/bin/sh\nmkdir there\n")
    (bench.directory / "report.json").write_text("{}")
    assert bench.run(do="full", room="no number")[0].returncode == DIED


def test_a_full_file_system_says_of_a_directory_that_it_is_there(bench: Bench) -> None:
    bench.write("#!/bin/sh\nmkdir there\n")
    (bench.directory / "work/there").mkdir(parents=True)
    assert "File exists" in bench.run(do="full", room=0)[0].stderr


def test_output_status_and_descriptors_are_the_scripts_own(bench: Bench) -> None:
    bench.write("#!/bin/sh\nls -l /proc/self/fd | wc -l\nread -r x || echo eof\nexit 7\n")
    completed, _ = bench.run()
    plain = subprocess.run(
        [bench.directory / "provider/script"],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
    )
    assert (completed.returncode, completed.stdout) == (7, plain.stdout)


def test_what_the_script_leaves_running_goes_on(bench: Bench) -> None:
    bench.write("#!/bin/sh\n(sleep 0.5; mkdir late; mv late later) >/dev/null 2>&1 </dev/null &\n")
    completed, _ = bench.run()
    assert completed.returncode == 0
    later = bench.directory / "work/later"
    for _ in range(100):
        if later.exists():
            break
        signal.sigtimedwait([], 0.1)
    assert later.exists()


def test_threads_and_programs_that_replace_themselves(bench: Bench) -> None:
    bench.write(
        f"#!{sys.executable} -IS\n"
        "import os, threading\n"
        "thread = threading.Thread(target=os.mkdir, args=('made',))\n"
        "thread.start(); thread.join()\n"
        "os.execv('/usr/bin/env', ['env', 'rmdir', 'made'])\n"
    )
    completed, report = bench.run()
    assert completed.returncode == 0, completed.stderr
    assert keys(report) == ["call mkdir HERE/work/made", "command rmdir"]


def test_sightings_tell_arguments_and_what_is_trusted_in_shared_directories(bench: Bench) -> None:
    shared = bench.directory / "shared"
    shared.mkdir()
    shared.chmod(0o1777)
    bench.write(
        f"#!/bin/sh\ncd {shared}\nsh -c : word; echo >known; rm known\n"
        "new=$(mktemp ./new.XXXXXX); echo >>$new; mkdir place; echo >place/inside\n"
    )

    completed, report = bench.run(watches=True)

    assert completed.returncode == 0, completed.stderr
    seen = report["sightings"]
    assert ["sh", "-c", ":", "word"] in seen["arguments"]
    assert seen["trusting"] == [f"{shared}/known"]
    assert seen["made"].pop(f"{shared}/place") == "directory"
    assert {Path(path).name.partition(".")[0] for path in seen["made"]} == {"known", "new"}


def test_no_sightings_unless_they_are_asked_for(bench: Bench) -> None:
    bench.write(SHELL)

    assert bench.run()[1]["sightings"] is None
