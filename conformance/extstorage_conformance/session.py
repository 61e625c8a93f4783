"""A conformance run as pytest goes through it: which rules run, and what came of them."""

from __future__ import annotations

import datetime as dt
import os
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

import pytest

from extstorage.nodes import spec
from extstorage.nodes.node import NodeError
from extstorage_conformance import timings
from extstorage_conformance.devices import METER
from extstorage_conformance.faults.reach import Reach
from extstorage_conformance.inventory.places import expect_inventory_directories
from extstorage_conformance.nodeset import LOCAL
from extstorage_conformance.outcome import Outcome, Result
from extstorage_conformance.provider_files import content
from extstorage_conformance.reports import failure
from extstorage_conformance.reports.verdict import Verdict
from extstorage_conformance.rules import REGISTRY, Level, Profile, Rule, rule_of
from extstorage_conformance.subject import Subject
from extstorage_conformance.suite import Request, Suite
from extstorage_conformance.violation import Blocked, CannotRun, NotApplicable, Violation

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from extstorage_conformance.configuration import Configuration

LEAK_RULE = "ES-LEAK-02"
SEVERAL_NODES = "namespaces:3"
"""The nodes of rules that need more than one, if the user names none."""


@dataclass
class ConformanceSession:
    """The rules chosen for this run, and their results so far.

    ``previous`` is the report of an earlier run to compare with. ``seconds`` says where the time
    went: inside scripts, in device I/O, and in all; ``times`` holds, for each method, the seconds
    of its calls, ``figures`` times in ms that rules have measured. ``reach`` adds up the faults
    that were tried. ``unremoved`` names the volumes that the provider refused to remove.
    ``ran_own_tests`` says that tests ran which are no rules, ``was_interrupted`` that the run ended
    before its last rule, ``cannot_run`` why it could not begin or end.
    """

    request: Request
    profile: Profile
    chosen: frozenset[str]
    previous: dict[str, Any] | None = None
    results: list[Result] = field(default_factory=list)
    seconds: dict[str, float] = field(
        default_factory=lambda: {"wall": 0.0, "scripts": 0.0, "devices": 0.0}
    )
    times: dict[str, list[float]] = field(default_factory=dict)
    figures: dict[str, float] = field(default_factory=dict)
    unremoved: list[str] = field(default_factory=list)
    ran_own_tests: bool = False
    was_interrupted: bool = False
    cannot_run: str = ""
    reach: Reach = field(default_factory=Reach)
    _suites: dict[str, Suite] = field(default_factory=dict)
    _no_nodes: str = ""

    @property
    def configuration(self) -> Configuration:
        """What conformance.toml says."""
        return self.request.configuration

    @property
    def provider_directory(self) -> Path:
        """The directory of the provider under test."""
        return self.request.provider_directory

    def selects(self, rule: Rule) -> bool:
        """Return whether ``rule`` runs: named by the user, or else in the profile."""
        if self.chosen:
            return rule.id in self.chosen
        return self.profile.includes(rule.profile)

    def check(self) -> None:
        """End pytest with one line if this machine or its environment cannot run the suite."""
        try:
            self.expect_runnable()
        except CannotRun as reason:
            self._exit(reason)

    def expect_runnable(self) -> None:
        """Raise CannotRun if this machine or its environment cannot run the suite."""
        if self.request.nodes in (None, LOCAL):
            _check_machine(self.provider_directory)
        self.configuration.parameters_for(self.provider_directory)

    def suite(self, nodes: str = LOCAL) -> Suite:
        """Return the run on these nodes, started when the first rule needs it; raises CannotRun."""
        if nodes not in self._suites:
            self._suites[nodes] = Suite(self.request, nodes)
            expect_inventory_directories(self._suites[nodes])
        return self._suites[nodes]

    def _suite_for(self, rule: Rule | None) -> Suite:
        """Return the run on the nodes that ``rule`` needs.

        Skips the test when they are not to be had, ends pytest when the user's own cannot start.
        """
        wanted = 1 if rule is None else rule.nodes
        if wanted > 1 and self.request.nodes is None:
            return self._suite_on_several(wanted)
        nodes = self.request.nodes or LOCAL
        count = spec.parse(nodes).count
        if count < wanted:
            pytest.skip(f"needs {wanted} nodes: --nodes {nodes} has {count}")
        try:
            return self.suite(nodes)
        except CannotRun as reason:
            self._exit(reason)

    def _suite_on_several(self, wanted: int) -> Suite:
        if not self._no_nodes:
            try:
                return self.suite(SEVERAL_NODES)
            except CannotRun as reason:
                self._no_nodes = f"needs {wanted} nodes: {reason}"
        pytest.skip(self._no_nodes)

    def close(self) -> None:
        """End the runs that were started, and undo what they made; ends pytest if that fails."""
        failed = None
        while self._suites:
            _, suite = self._suites.popitem()
            self.unremoved += dict.fromkeys(suite.unremoved)  # told once, if tried twice
            try:
                suite.close()
            except CannotRun as reason:
                failed = reason
        if failed is not None:
            self._exit(failed)

    def _exit(self, reason: CannotRun) -> NoReturn:
        self.cannot_run = str(reason)
        end(self.cannot_run)

    @contextmanager
    def subject(self, rule: Rule | None) -> Iterator[Subject]:
        """Give a check its subject, and clean up after it.

        What is left after a check that went well breaks the rule on leaks.
        """
        suite = self._suite_for(rule)
        if rule is not None and not suite.release.at_least(rule.since):
            raise NotApplicable(f"Ganeti {suite.release.name} is older than {rule.since}")
        if rule is not None:
            _expect_nodes(rule, suite)
        subject = Subject(suite, suite.nodes[: 1 if rule is None else rule.nodes])
        try:
            if rule is not None:
                subject.require(*rule.needs)
            yield subject
        finally:
            left = subject.restore()
        if left and not subject.excused:
            shown = "; ".join(str(item) for item in left[:5])
            raise Violation("the node and the back end as before", f"left behind: {shown}")

    def take_seconds(self, item: pytest.Item) -> dict[str, float]:
        """Return the time that a test spent in scripts and in device I/O, cleaning up included."""
        subject = _subject(item)
        calls = subject.calls if subject is not None else []
        return {"scripts": sum(call.seconds for call in calls), "devices": METER.take()}

    def take_times(self, item: pytest.Item) -> dict[str, list[float]]:
        """Return the seconds of the calls that a test made one after another, by method."""
        rule = rule_of(item.function) if isinstance(item, pytest.Function) else None
        subject = _subject(item)
        if subject is None or rule is None or rule.group == timings.OVERLAPPING_GROUP:
            return {}
        return timings.by_method(subject.calls)

    def take_figures(self, item: pytest.Item) -> dict[str, float]:
        """Return the times in ms that a test has measured for the report."""
        subject = _subject(item)
        return subject.figures if subject is not None else {}

    def take_reach(self, item: pytest.Item) -> dict[str, Any]:
        """Return the faults that a test tried, as a JSON object; empty if it tried none."""
        subject = _subject(item)
        return subject.reach.to_json() if subject is not None and subject.reach else {}

    def verdict(self) -> Verdict:
        """Return the verdict on the results so far."""
        untried = self.request.extent.untried(trial["trial"] for trial in self.reach.trials)
        return Verdict.of(self.results, was_interrupted=self.was_interrupted, untried=untried)

    def result(self, item: pytest.Item, call: pytest.CallInfo[None]) -> Result | None:
        """Return the result that a phase of a rule's test gives, or None if it gives none."""
        rule = rule_of(item.function) if isinstance(item, pytest.Function) else None
        if rule is None:
            return None
        error = call.excinfo.value if call.excinfo else None
        if error is None:
            return self._passed(rule, item) if call.when == "call" else None
        if call.when == "teardown" and isinstance(error, Violation):
            rule = REGISTRY[LEAK_RULE]
        return self._judged(rule, item, error)

    def _passed(self, rule: Rule, item: pytest.Item) -> Result:
        if self._waiver(rule) is None:
            return _result(rule, item, Outcome.PASSED)
        return _result(rule, item, Outcome.UNEXPECTED_PASS, "holds: remove its waiver")

    def _judged(self, rule: Rule, item: pytest.Item, error: BaseException) -> Result:
        subject = _subject(item)
        if subject is not None:
            subject.excused = True
        calls = subject.calls if subject is not None else []
        if isinstance(error, Violation):
            message = failure.violation(rule, error, calls)
            replay = error.call.invocation.replay() if error.call else ""
            waiver = self._waiver(rule)
            outcome = Outcome.FAILED if waiver is None else Outcome.WAIVED
            message = f"{message}{self._no_waiver(rule)}" if waiver is None else waiver
        elif isinstance(error, Blocked):
            outcome, message = Outcome.BLOCKED, failure.blocked(error)
            replay = error.call.invocation.replay() if error.call else ""
        elif isinstance(error, NotApplicable):
            outcome, message, replay = Outcome.NOT_APPLICABLE, str(error), ""
        elif isinstance(error, pytest.skip.Exception):
            outcome, message, replay = Outcome.SKIPPED, str(error), ""
        elif isinstance(error, NodeError):
            outcome, message, replay = Outcome.ERROR, f"{rule.id}: {error}", ""
        else:
            kind = type(error).__name__
            message = f"{rule.id}: the suite itself failed: {kind}: {error}"
            outcome, replay = Outcome.ERROR, ""
        return _result(rule, item, outcome, self._redact(message), self._redact(replay))

    def _redact(self, text: str) -> str:
        for suite in self._suites.values():
            text = suite.redact(text)
        return text

    def _waiver(self, rule: Rule) -> str | None:
        waiver = self.configuration.waivers.get(rule.id)
        if waiver is None or not waiver.in_force(_today()):
            return None
        until = f" until {waiver.expires}" if waiver.expires else ""
        return f"waived{until}: {waiver.reason}"

    def _no_waiver(self, rule: Rule) -> str:
        """Return the line that says why the waiver that is there does not count."""
        waiver = self.configuration.waivers.get(rule.id)
        if waiver is None:
            return ""
        if waiver.expired(_today()):
            return f"\n  waiver:   expired on {waiver.expires}"
        return "\n  waiver:   not signed: write its reason, or mend the provider"


def end(reason: str) -> NoReturn:
    """End pytest: the suite could not run."""
    pytest.exit(f"could not run: {reason}", returncode=3)


def _today() -> dt.date:
    return dt.datetime.now(tz=dt.UTC).date()


def _expect_nodes(rule: Rule, suite: Suite) -> None:
    """Skip the test unless the run's nodes can do what ``rule`` wants of them."""
    nodes = suite.nodes[: rule.nodes]
    if rule.power and not all(node.has_power_switch for node in nodes):
        pytest.skip(
            f"needs nodes that can be switched off (namespaces:N, guests:N): {nodes[0].name} cannot"
        )
    if rule.nodes > 1 and suite.configuration.uses_run_directory and not suite.shares_directory:
        pytest.skip(
            "needs storage that all nodes share: conformance.toml puts volumes into"
            " {run_directory}, which these nodes do not share; name a shared directory as"
            " [nodes] directory, or shared disks in [parameters]"
        )


def _subject(item: pytest.Item) -> Subject | None:
    arguments: Mapping[str, Any] = getattr(item, "funcargs", {})
    subject = arguments.get("extstorage_subject")
    return subject if isinstance(subject, Subject) else None


def _result(
    rule: Rule, item: pytest.Item, outcome: Outcome, message: str = "", replay: str = ""
) -> Result:
    subject = _subject(item)
    calls = subject.calls if subject is not None else []
    return Result(
        rule.id,
        rule.level.value,
        outcome,
        message,
        replay,
        methods=tuple(sorted({call.invocation.method for call in calls})),
        script_s=round(sum(call.seconds for call in calls), 4),
    )


def breaks_conformance(result: Result) -> bool:
    """Return whether pytest should call the result's test failed."""
    if result.outcome in (Outcome.FAILED, Outcome.BLOCKED):
        return result.level == Level.MUST
    return result.outcome is Outcome.ERROR


def _check_machine(provider_directory: Path) -> None:
    if os.geteuid() != 0:
        raise CannotRun(
            "not root: Ganeti calls providers as root, and so does this; use sudo or a root shell"
        )
    if _uses_loop_devices(provider_directory) and not Path("/dev/loop-control").exists():
        raise CannotRun(
            "this provider uses loop devices and /dev/loop-control is missing: modprobe loop"
        )


def _uses_loop_devices(provider_directory: Path) -> bool:
    contents = map(content, provider_directory.rglob("*"))
    return any(b"losetup" in each or b"loop-control" in each for each in contents)
