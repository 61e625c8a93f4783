"""Collects a run's results where the reports arrive: in the controller when there are workers."""

from __future__ import annotations

import time
from collections import defaultdict
from typing import TYPE_CHECKING

import pytest

from extstorage_conformance.outcome import Result
from extstorage_conformance.session import end

if TYPE_CHECKING:
    from extstorage_conformance.session import ConformanceSession

CANNOT_RUN = "extstorage_cannot_run"
"""Where a process of xdist's says why it could not run."""


class ResultCollector:
    """Notes the results that reports carry, and where the run's time goes."""

    def __init__(self, session: ConformanceSession) -> None:
        self._session = session
        self._started = time.monotonic()
        self._seconds: dict[str, float] = defaultdict(float)

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Note the result that a report carries."""
        self._seconds[report.nodeid] += report.duration
        spent = getattr(report, "extstorage_seconds", {})
        for kind, seconds in spent.items():
            self._session.seconds[kind] += seconds
        for method, seconds in getattr(report, "extstorage_times", {}).items():
            self._session.times.setdefault(method, []).extend(seconds)
        self._session.figures |= getattr(report, "extstorage_figures", {})
        if reach := getattr(report, "extstorage_reach", None):
            self._session.reach.add(reach)
        data = getattr(report, "extstorage", None)
        if data is None:
            self._session.ran_own_tests |= report.when == "call"
        else:
            data["duration_s"] = round(self._seconds[report.nodeid], 4)
            self._session.results.append(Result.from_json(data))

    @pytest.hookimpl(optionalhook=True)
    def pytest_testnodedown(self, node: object) -> None:
        """End the run when one of several processes could not run; of xdist."""
        reason = getattr(node, "workeroutput", {}).get(CANNOT_RUN)
        if reason:
            end(reason)

    def finish(self) -> None:
        """Note that the run has ended."""
        self._session.seconds["wall"] = time.monotonic() - self._started
