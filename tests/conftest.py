"""What holds for every test: in CI, nothing that the machine can do is skipped."""

from __future__ import annotations

import os
import signal
from typing import TYPE_CHECKING

import pytest

from tests import power_cuts

if TYPE_CHECKING:
    from collections.abc import Generator

_ALLOWED_IN_CI: tuple[str, ...] = ()
"""Beginnings of reasons for which a test may be skipped even in CI."""


def pytest_configure() -> None:
    # A shell's background job ignores SIGINT, and so would all that tests start and interrupt.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    # It ignores SIGQUIT too, and one under nohup SIGHUP: what is compared with Ganeti would differ.
    signal.signal(signal.SIGQUIT, signal.SIG_DFL)
    signal.signal(signal.SIGHUP, signal.SIG_DFL)


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    if power_cuts.made():
        terminalreporter.write_line(f"power cuts: {power_cuts.made()}")


def _forbidden(reason: str) -> bool:
    """Return whether a skip for this reason is a failure.

    In CI every one is that is not allowed above; elsewhere those whose reason names one of the
    words in EXTSTORAGE_REQUIRE (comma-separated: ``ganeti,python3.9``).
    """
    if os.environ.get("CI") and not reason.startswith(_ALLOWED_IN_CI):
        return True
    required = os.environ.get("EXTSTORAGE_REQUIRE", "").split(",")
    return any(word and word in reason for word in required)


def _judge(report: pytest.TestReport | pytest.CollectReport) -> None:
    if report.skipped and not hasattr(report, "wasxfail") and isinstance(report.longrepr, tuple):
        reason = report.longrepr[2].removeprefix("Skipped: ")
        if _forbidden(reason):
            report.outcome = "failed"
            report.longrepr = f"skipped, which this run does not allow: {reason}"


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_runtest_makereport() -> Generator[None, pytest.TestReport, pytest.TestReport]:
    report = yield
    _judge(report)
    return report


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_make_collect_report() -> Generator[None, pytest.CollectReport, pytest.CollectReport]:
    report = yield
    _judge(report)
    return report
