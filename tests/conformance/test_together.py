"""Scripts that are held while others run."""

from __future__ import annotations

import os
import signal
import time
from typing import TYPE_CHECKING

import pytest

from extstorage_conformance import configuration, together
from extstorage_conformance.subject import Subject
from extstorage_conformance.suite import Request, Suite
from extstorage_conformance.together import at_once, while_held

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.conformance.conftest import Workbench

LIMIT_S = 3
SLOW_CREATE = """#!/bin/sh
while [ ! -e "{directory}/go" ]; do sleep 0.01; done
: >"{directory}/ended"
"""


@pytest.fixture
def subject(workbench: Workbench, monkeypatch: pytest.MonkeyPatch) -> Iterator[Subject]:
    monkeypatch.setenv("XDG_STATE_HOME", str(workbench.directory / "state"))
    workbench.replace_script("create", SLOW_CREATE.format(directory=workbench.directory))
    limited = configuration.parse({"run": {"script_timeout": LIMIT_S}}, "this test")
    suite = Suite(Request(workbench.provider, limited, "3.0"))
    try:
        yield Subject(suite)
    finally:
        suite.unremoved.clear()
        suite.close()


def test_held_script_goes_on_before_the_time_limit_of_what_waits_for_it(
    subject: Subject, tmp_path: Path
) -> None:
    def wait_for_the_held_script() -> float:
        started = time.monotonic()
        (tmp_path / "go").touch()
        while not (tmp_path / "ended").exists() and time.monotonic() < started + 2 * LIMIT_S:
            time.sleep(0.01)
        return time.monotonic() - started

    create = subject.volume().prepare("create")

    overlap = while_held(
        subject, create, wait_for_the_held_script, at_s=0.2, patience_s=20 * LIMIT_S
    )

    assert overlap.held
    assert overlap.waited
    assert overlap.call.succeeded, overlap.call.fail_reason
    assert LIMIT_S / 2 - 0.5 < overlap.result < LIMIT_S


def test_interrupt_lets_the_held_script_go_on(subject: Subject, tmp_path: Path) -> None:
    def interrupt_and_wait_for_the_held_script() -> None:
        (tmp_path / "go").touch()
        os.kill(os.getpid(), signal.SIGINT)
        while not (tmp_path / "ended").exists() and time.monotonic() < started + 2 * LIMIT_S:
            time.sleep(0.01)

    create = subject.volume().prepare("create")
    started = time.monotonic()

    with pytest.raises(KeyboardInterrupt):
        while_held(
            subject,
            create,
            interrupt_and_wait_for_the_held_script,
            at_s=0.2,
            patience_s=20 * LIMIT_S,
        )

    assert time.monotonic() - started < LIMIT_S / 2


def test_interrupt_opens_the_gate(
    subject: Subject, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupted(_condition: object) -> None:
        time.sleep(0.2)
        raise KeyboardInterrupt

    monkeypatch.setattr(together, "_wait_until", interrupted)
    (tmp_path / "go").touch()
    started = time.monotonic()

    with pytest.raises(KeyboardInterrupt):
        at_once(subject, [subject.volume().prepare("create") for _ in range(2)])

    assert time.monotonic() - started < LIMIT_S / 2
    assert (tmp_path / "ended").exists()


def test_a_script_that_is_over_is_not_held(workbench: Workbench, subject: Subject) -> None:
    workbench.replace_script("create", "#!/bin/sh\n")

    overlap = while_held(
        subject, subject.volume().prepare("create"), lambda: None, at_s=0.5, patience_s=1
    )

    assert overlap.call.succeeded, overlap.call.fail_reason
    assert not overlap.held
