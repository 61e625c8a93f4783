"""The journal of a run: what a run that was killed has left can be read from it."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from extstorage_conformance.journal import Journal, dead_runs, state_directory

PROVIDER = Path("/srv/ganeti/extstorage/array")
RUN_DIRECTORY = Path("/var/tmp/extstorage-e5123456-0000-x")  # noqa: S108 - a name only
# A run that makes two volumes, loses one again, says so, and is killed.
KILLED_RUN = """
import os, pathlib, signal
from extstorage_conformance.journal import Journal
journal = Journal("e5123456", 0, pathlib.Path("/p"), pathlib.Path("/r"))
journal.made("first")
journal.made("second")
journal.gone("first")
os.kill(os.getpid(), signal.SIGKILL)
"""


@pytest.fixture(autouse=True)
def state(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    return tmp_path / "state" / "extstorage" / "runs"


def _journal(worker: int = 0) -> Journal:
    return Journal("e5123456", worker, PROVIDER, RUN_DIRECTORY)


def _abandon(journal: Journal) -> None:
    """Let go of the journal as a process does that dies."""
    journal._file.close()  # noqa: SLF001 - there is no other way to die without dying


def test_state_directory_is_in_the_home_directory(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.delenv("XDG_STATE_HOME")
    monkeypatch.setenv("HOME", str(tmp_path))

    assert state_directory() == tmp_path / ".local/state/extstorage/runs"


def test_journal_is_private(state: Path) -> None:
    journal = _journal()

    assert state.stat().st_mode & 0o777 == 0o700
    journal.close()


def test_run_that_ends_in_order_leaves_no_journal(state: Path) -> None:
    journal = _journal()
    journal.made("volume")
    journal.close()

    assert list(state.iterdir()) == []
    assert list(dead_runs()) == []


def test_run_that_goes_on_is_not_dead() -> None:
    journal = _journal()
    journal.made("volume")

    assert list(dead_runs()) == []
    journal.close()


def test_two_workers_have_a_journal_each() -> None:
    first, second = _journal(0), _journal(1)
    _abandon(first)

    assert [run.prefix for run in dead_runs()] == ["e5123456-0000"]
    second.close()


def test_run_id_is_taken_once() -> None:
    journal = _journal()

    with pytest.raises(FileExistsError):
        _journal()
    journal.close()


def test_killed_run_tells_what_it_left() -> None:
    completed = subprocess.run(
        [sys.executable, "-c", KILLED_RUN], env=os.environ, check=False, capture_output=True
    )
    assert completed.returncode == -signal.SIGKILL

    (run,) = dead_runs()

    assert (run.provider, run.run_directory) == (Path("/p"), Path("/r"))
    assert run.volumes == ["second"]


def test_volume_is_in_the_journal_before_it_is_made(state: Path) -> None:
    journal = _journal()
    journal.made("volume")

    assert "volume" in (state / "e5123456-0000.jsonl").read_text(encoding="utf-8")
    journal.close()


def test_half_written_last_line_is_passed_over() -> None:
    journal = _journal()
    journal.made("volume")
    _abandon(journal)
    with journal.path.open("a", encoding="utf-8") as file:
        file.write('{"made": "hal')

    (run,) = dead_runs()

    assert run.volumes == ["volume"]


def test_empty_journal_is_no_run(state: Path) -> None:
    state.mkdir(parents=True)
    (state / "e5123456-0000.jsonl").touch()

    assert list(dead_runs()) == []


def test_forgotten_run_is_gone() -> None:
    _abandon(_journal())
    (run,) = dead_runs()

    run.forget()

    assert list(dead_runs()) == []
