"""The pytest plugin: options and hooks only.

``pytest --extstorage-provider=DIR`` judges the provider in DIR; other tests can
use the ``extstorage_subject`` fixture to work with it.
"""

from __future__ import annotations

import signal
import sys
from typing import TYPE_CHECKING, Any

import pytest

from extstorage_conformance import catalogue, checks
from extstorage_conformance.collector import CANNOT_RUN, ResultCollector
from extstorage_conformance.faults.progress import show_progress
from extstorage_conformance.options import (
    add_options,
    no_such_rule,
    report_files,
    session_from,
)
from extstorage_conformance.outcome import Outcome, Result
from extstorage_conformance.reap import reap
from extstorage_conformance.reports import comparison, json_report, terminal
from extstorage_conformance.reports.verdict import ExitCode
from extstorage_conformance.rules import Rule, rule_of
from extstorage_conformance.session import ConformanceSession, breaks_conformance

if TYPE_CHECKING:
    from collections.abc import Generator, Iterator

    from extstorage.lint import ProviderSource
    from extstorage_conformance.subject import Subject

SESSION = pytest.StashKey[ConformanceSession]()
COLLECTOR = "extstorage-results"


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add the options; every one begins with ``--extstorage-``."""
    add_options(parser)


@pytest.hookimpl(tryfirst=True)
def pytest_cmdline_main(config: pytest.Config) -> int | None:
    """Print the catalogue, or reap dead runs, instead of running tests, when asked to."""
    rule_id = config.option.extstorage_rules
    if rule_id is not None:
        return _print_rules(config, rule_id or None)
    # Before pytest_configure, so there is no session in the stash yet.
    if config.option.extstorage_reap and (session := session_from(config)) is not None:
        request = session.request
        for line in reap(request.provider_directory, request.configuration, request.release):
            sys.stdout.write(f"{line}\n")
        return 0
    if config.option.extstorage_soak and (session := session_from(config)) is not None:
        from extstorage_conformance.model.soak import soak  # noqa: PLC0415 - as in extstorage_source()

        return soak(session, config.option.extstorage_soak, report_files(config))
    return None


def _print_rules(config: pytest.Config, rule_id: str | None) -> int:
    if rule_id is not None and catalogue.unknown([rule_id]):
        raise no_such_rule(config, rule_id)
    if config.option.extstorage_json == "-":
        text = catalogue.as_json(rule_id)
    else:
        text = catalogue.table() if rule_id is None else catalogue.explanation(rule_id)
    sys.stdout.write(f"{text}\n")
    return 0


def pytest_configure(config: pytest.Config) -> None:
    """Start a conformance session when a provider is given."""
    session = session_from(config)
    if session is None:
        return
    config.stash[SESSION] = session
    if config.option.noconftest:  # as extstorage conform has it: nobody else's are there either
        from extstorage_conformance.checks import conftest  # noqa: PLC0415 - as in extstorage_source()

        config.pluginmanager.register(conftest, "extstorage-checks")
    if config.option.extstorage_adopt:
        from extstorage_conformance.adoption import plugin  # noqa: PLC0415 - as in extstorage_source()

        config.pluginmanager.register(plugin.adoption_from(config, session), plugin.NAME)
    if config.args_source is not pytest.Config.ArgsSource.ARGS:
        config.args = [str(checks.DIRECTORY)]
        # A project that names its own test files otherwise must not hide the checks.
        config.addinivalue_line("python_files", "test_*.py")
        config.addinivalue_line("python_functions", "test_*")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leave out the rules that this run does not select; the simplest rules come first."""
    session = config.stash.get(SESSION, None)
    if session is None:
        return
    rules = {item: _rule(item) for item in items}
    deselected = {item for item in items if (rule := rules[item]) and not session.selects(rule)}
    if deselected:
        config.hook.pytest_deselected(items=[item for item in items if item in deselected])
    # The user's own tests stay in their order: a sort is stable.
    selected = (item for item in items if item not in deselected)
    items[:] = sorted(selected, key=lambda item: checks.order(rules[item]))
    for item in items:
        if (rule := rules[item]) is not None:
            item.extra_keyword_matches.add(rule.id)


def _rule(item: pytest.Item) -> Rule | None:
    return rule_of(item.function) if isinstance(item, pytest.Function) else None


@pytest.fixture
def extstorage_subject(request: pytest.FixtureRequest) -> Iterator[Subject]:
    """The provider under test; all that a test makes with it is removed after the test."""
    session = _session(request.config)
    with session.subject(rule_of(request.function)) as subject:
        yield subject


@pytest.fixture
def extstorage_source(request: pytest.FixtureRequest) -> ProviderSource:
    """The files of the provider under test, for rules that need no execution."""
    from extstorage.lint import ProviderSource  # noqa: PLC0415 - every pytest run imports this file

    return ProviderSource.read(_session(request.config).provider_directory)


def _session(config: pytest.Config) -> ConformanceSession:
    session = config.stash.get(SESSION, None)
    if session is None:
        pytest.skip("no provider under test: give --extstorage-provider=DIR")
    return session


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item, call: pytest.CallInfo[None]
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Turn what came of a rule's test into one of the suite's outcomes."""
    report = yield
    session = item.config.stash.get(SESSION, None)
    result = session.result(item, call) if session is not None else None
    if result is not None:
        _carry(report, item, result)
    if session is not None and call.when == "teardown":
        report.__dict__["extstorage_seconds"] = session.take_seconds(item)
        report.__dict__["extstorage_times"] = session.take_times(item)
        report.__dict__["extstorage_figures"] = session.take_figures(item)
        report.__dict__["extstorage_reach"] = session.take_reach(item)
    return report


def _carry(report: pytest.TestReport, item: pytest.Item, result: Result) -> None:
    """Make pytest's report say what ``result`` says; workers send it as it is."""
    report.__dict__["extstorage"] = result.to_json()
    # The item's, from which the report of its end takes them: JUnit's XML shows those.
    for name, value in (("rule", result.id), ("level", result.level), ("outcome", result.outcome)):
        item.user_properties.append((f"extstorage-{name}", str(value)))
    if result.outcome in (Outcome.PASSED, Outcome.UNEXPECTED_PASS):
        return
    if breaks_conformance(result):
        report.outcome = "failed"
        if result.outcome is not Outcome.ERROR:
            report.longrepr = result.message
    else:
        report.outcome = "skipped"
        report.longrepr = ("", 0, result.message)


def pytest_report_teststatus(report: pytest.TestReport) -> tuple[str, str, str] | None:
    """Show the suite's own outcomes."""
    data = getattr(report, "extstorage", None)
    if data is None:
        return None
    result = Result.from_json(data)
    return terminal.status(result)


@pytest.hookimpl(trylast=True)
def pytest_sessionstart(session: pytest.Session) -> None:
    """Check the machine, and collect results where they all arrive."""
    conformance = session.config.stash.get(SESSION, None)
    if conformance is None:
        return
    # A CI job that is cancelled gets SIGTERM: clean up as after Ctrl-C.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    if not hasattr(session.config, "workerinput"):
        conformance.check()
        show_progress(session.config)
        session.config.pluginmanager.register(ResultCollector(conformance), COLLECTOR)


@pytest.hookimpl(trylast=True)  # after pytest has torn down fixtures that were interrupted
def pytest_sessionfinish(session: pytest.Session) -> None:
    """Clean up, write the report, and let the verdict be the exit status."""
    conformance = session.config.stash.get(SESSION, None)
    if conformance is None:
        return
    conformance.was_interrupted = session.exitstatus == pytest.ExitCode.INTERRUPTED
    try:
        conformance.close()
    finally:
        if conformance.cannot_run and hasattr(session.config, "workeroutput"):
            session.config.workeroutput[CANNOT_RUN] = conformance.cannot_run
    collector = session.config.pluginmanager.get_plugin(COLLECTOR)
    if collector is not None:
        collector.finish()
        _finish(session, conformance)


def _finish(session: pytest.Session, conformance: ConformanceSession) -> None:
    wanted = report_files(session.config)
    if wanted:
        from extstorage_conformance.reports import files  # noqa: PLC0415 - as in extstorage_source()

        files.write(_document(session.config, conformance), conformance.provider_directory, wanted)
    ended_normally = session.exitstatus in (
        pytest.ExitCode.OK,
        pytest.ExitCode.TESTS_FAILED,
        pytest.ExitCode.NO_TESTS_COLLECTED,
    )
    if ended_normally and not session.config.option.collectonly:
        session.exitstatus = _exit_status(session, conformance)


def _exit_status(session: pytest.Session, conformance: ConformanceSession) -> int:
    """Return what the rules say, or what the user's own tests say if that is worse."""
    others_failed = session.testsfailed > len(_broken(conformance))
    own = ExitCode.DOES_NOT_CONFORM if others_failed else ExitCode.CONFORMS
    if conformance.results:
        return max(conformance.verdict().exit_code, own)
    return own if others_failed or conformance.ran_own_tests else ExitCode.COULD_NOT_RUN


def _document(config: pytest.Config, conformance: ConformanceSession) -> dict[str, Any]:
    """Return the report, with what was measured before if there is such a report."""
    report = json_report.document(
        conformance.verdict(),
        seconds=conformance.seconds,
        times=conformance.times,
        figures=conformance.figures,
        seed=conformance.request.seed,
        **_run_facts(conformance),
    )
    if conformance.reach:
        report["faults"] = conformance.reach.document()
    previous = conformance.previous
    if previous is not None:
        report["comparison"] = comparison.compare(
            report, previous, config.option.extstorage_compare
        )
    return report


def _broken(conformance: ConformanceSession) -> list[Result]:
    return [result for result in conformance.results if breaks_conformance(result)]


def _run_facts(conformance: ConformanceSession) -> dict[str, str]:
    return {
        "provider": conformance.provider_directory.name,
        "release": conformance.request.release,
        "profile": conformance.profile.value,
    }


def pytest_terminal_summary(
    terminalreporter: pytest.TerminalReporter, config: pytest.Config
) -> None:
    """Print what a run found besides its failures, and the verdict."""
    session = config.stash.get(SESSION, None)
    if session is None or config.option.collectonly:
        return
    if not session.results:
        name = session.provider_directory.name
        terminalreporter.write_line(f"no rule was run: whether {name} conforms is not said")
        return
    terminalreporter.section("conformance")
    if session.unremoved:
        terminalreporter.write_line(
            f"{len(session.unremoved)} volumes could not be removed: once the provider can, "
            "run the same with --extstorage-reap (extstorage conform DIR --reap)"
        )
    if session.reach:
        for line in session.reach.lines():
            terminalreporter.write_line(line)
    if config.option.extstorage_compare:
        report = _document(config, session)
        for line in comparison.lines(report["comparison"], report):
            terminalreporter.write_line(line)
    for line in terminal.lines(session.verdict(), **_run_facts(session)):
        terminalreporter.write_line(line)
    if any(breaks_conformance(result) for result in session.results):
        _advise(terminalreporter, session)


def _advise(terminalreporter: pytest.TerminalReporter, session: ConformanceSession) -> None:
    """Name the parameters that were not given, if none were: the likely reason of it all."""
    from extstorage_conformance.adoption.parameters import advice  # noqa: PLC0415 - as in extstorage_source()

    if not (session.configuration.parameters or session.configuration.secrets):
        hint = advice(session.provider_directory, session.configuration)
        if hint:
            terminalreporter.write_line(hint)
