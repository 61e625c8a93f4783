"""The plugin's options, and the session that they ask for."""

from __future__ import annotations

import uuid
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from extstorage.contract.releases import release as known_release
from extstorage.host.recognition import why_no_provider
from extstorage.nodes import spec
from extstorage_conformance import catalogue, configuration
from extstorage_conformance.configuration import (
    Configuration,
    ConfigurationError,
    expect_parameter,
)
from extstorage_conformance.faults.done import Done
from extstorage_conformance.faults.extent import NAMES, Extent, can_begin_a_name
from extstorage_conformance.reports import comparison
from extstorage_conformance.rules import Profile
from extstorage_conformance.session import SEVERAL_NODES, ConformanceSession
from extstorage_conformance.suite import Request

REPORTS = {
    "json": "JSON",
    "html": "one self-contained HTML page",
    "sarif": "SARIF, for code scanners,",
    "badge": "an SVG badge",
}
"""The reports that go to files; reports/files.py writes them."""


def add_options(parser: pytest.Parser) -> None:
    """Add the options to pytest's command line."""
    group = parser.getgroup("extstorage", "conformance of Ganeti ExtStorage providers")
    group.addoption(
        "--extstorage-provider", metavar="DIR", help="judge the provider in this directory"
    )
    group.addoption(
        "--extstorage-profile",
        choices=[profile.value for profile in Profile],
        default=Profile.STANDARD.value,
        help="how much of the suite runs (default: %(default)s)",
    )
    group.addoption(
        "--extstorage-config",
        metavar="FILE",
        help="the configuration (default: conformance.toml in the provider's directory)",
    )
    group.addoption(
        "--extstorage-parameter",
        metavar="NAME=VALUE",
        action="append",
        default=[],
        help="a parameter of every disk, beside those of the configuration (repeatable)",
    )
    group.addoption(
        "--extstorage-adopt",
        metavar="FILE",
        help="observe the provider first, and write what was seen and what fails to this file",
    )
    group.addoption(
        "--extstorage-rule",
        metavar="ID",
        action="append",
        default=[],
        help="run this rule, or group of rules, only, whatever the profile (repeatable)",
    )
    group.addoption(
        "--extstorage-nodes",
        metavar="SPEC",
        help=f"on which nodes: {spec.SYNTAX} (default: local, and {SEVERAL_NODES} for rules that "
        "need more than one node)",
    )
    group.addoption(
        "--extstorage-release",
        metavar="V",
        help="the Ganeti release to imitate (default: the first that the configuration names)",
    )
    group.addoption(
        "--extstorage-seed",
        metavar="N",
        type=int,
        default=1,
        help="what rules that draw at random begin with (default: %(default)s)",
    )
    for name, what in REPORTS.items():
        group.addoption(
            f"--extstorage-{name}", metavar="FILE", help=f"write the report as {what} to this file"
        )
    group.addoption(
        "--extstorage-compare",
        metavar="FILE",
        help="say how the scripts' times differ from those in this JSON report of an earlier run",
    )
    group.addoption(
        "--extstorage-only",
        metavar="TRIAL",
        action="append",
        default=[],
        help="run the rules ES-CRASH, and of their faults try only those whose name begins so: "
        "'grow', 'grow fail losetup#1'",
    )
    group.addoption(
        "--extstorage-resume",
        action="store_true",
        help="leave out the faults that passed in earlier runs, as long as the provider is the "
        "same",
    )
    group.addoption(
        "--extstorage-reap",
        action="store_true",
        help="remove what killed runs of this provider left behind, and end",
    )
    group.addoption(
        "--extstorage-soak",
        metavar="SECONDS",
        type=float,
        help="instead of rules, play drawn sequences of calls and races for that long",
    )
    group.addoption(
        "--extstorage-rules",
        metavar="ID",
        nargs="?",
        const="",
        help="list the rules, or explain one, and end (JSON with --extstorage-json=-)",
    )


def typed(config: pytest.Config, name: str) -> str:
    """Return an option as its user types it: ``extstorage conform`` has shorter names."""
    # Only that command leaves all conftest.py out.
    return f"--{name}" if config.option.noconftest else f"--extstorage-{name}"


def no_such_rule(config: pytest.Config, rule_id: str) -> pytest.UsageError:
    """Return the error for an id that no rule has."""
    command = "extstorage rules" if config.option.noconftest else "--extstorage-rules"
    return pytest.UsageError(f"no rule has the id {rule_id}: {command} lists them")


def report_files(config: pytest.Config) -> dict[str, str]:
    """Return the file of each report that is wanted; raises UsageError for one that cannot be."""
    wanted = {
        name: str(path) for name in REPORTS if (path := config.getoption(f"--extstorage-{name}"))
    }
    for name, path in wanted.items():
        if Path(path).is_dir() or not Path(path).absolute().parent.is_dir():
            raise pytest.UsageError(f"{typed(config, name)}={path}: expected a file to write")
    return wanted


def _previous_report(config: pytest.Config) -> dict[str, Any] | None:
    path = config.option.extstorage_compare
    if path is None:
        return None
    try:
        return comparison.load(path)
    except comparison.ComparisonError as error:
        raise pytest.UsageError(f"{typed(config, 'compare')}={path}: {error}") from None


def session_from(config: pytest.Config) -> ConformanceSession | None:
    """Return the session that the options ask for, or None; raises UsageError."""
    options = config.option
    if options.extstorage_provider is None:
        _refuse_alone(config)
        return None
    report_files(config)
    directory = _provider_directory(options.extstorage_provider)
    path = configuration_path(config)
    loaded = _configuration(path, {} if options.extstorage_adopt else given_parameters(config))
    profile = Profile(options.extstorage_profile)
    request = Request(
        directory,
        loaded,
        _release(config, loaded),
        _worker(config),
        profile,
        options.extstorage_seed,
        _nodes(config),
        _extent(config, directory, profile, loaded),
    )
    previous = _previous_report(config)
    # Who names trials wants no rules that make none.
    words = options.extstorage_rule or (["ES-CRASH"] if options.extstorage_only else [])
    return ConformanceSession(request, profile, _chosen(config, words), previous)


def _refuse_alone(config: pytest.Config) -> None:
    """Refuse options that say how to judge a provider, where none is given."""
    # What was typed: a project's addopts may stand ready for the runs that have a provider.
    for word in config.invocation_params.args:
        option = str(word).partition("=")[0]
        if option.startswith("--extstorage-"):
            raise pytest.UsageError(f"{option} needs --extstorage-provider=DIR")


def _nodes(config: pytest.Config) -> str | None:
    text: str | None = config.option.extstorage_nodes
    try:
        if text is not None:
            spec.parse(text)
    except spec.SpecError as error:
        raise pytest.UsageError(f"{typed(config, 'nodes')}: {error}") from None
    return text


def _provider_directory(given: str) -> Path:
    if not given:
        # Path("") is the current directory, which nobody has named.
        raise pytest.UsageError(
            "--extstorage-provider is empty: expected a provider's directory (is a variable unset?)"
        )
    directory = Path(given).absolute()
    if not directory.is_dir():
        raise pytest.UsageError(f"the provider {given} is not a directory")
    reason = why_no_provider(directory)
    if reason:
        raise pytest.UsageError(reason)
    return directory


def configuration_path(config: pytest.Config) -> Path | None:
    """Return the file that says how to call the provider, or None if there is none."""
    if config.option.extstorage_config:
        return Path(config.option.extstorage_config)
    beside = Path(config.option.extstorage_provider).absolute() / configuration.FILE_NAME
    return beside if beside.exists() else None


def given_parameters(config: pytest.Config) -> dict[str, str]:
    """Return the parameters of the command line; raises UsageError."""
    given = {}
    for word in config.option.extstorage_parameter:
        name, separator, value = word.partition("=")
        if not (name and separator):
            raise pytest.UsageError(f"{word!r} is no parameter: expected NAME=VALUE")
        try:
            expect_parameter(name)
        except ConfigurationError as error:
            raise pytest.UsageError(str(error)) from None
        given[name] = value
    return given


def _configuration(path: Path | None, given: dict[str, str]) -> Configuration:
    try:
        loaded = configuration.load(path).with_parameters(given)
    except ConfigurationError as error:
        raise pytest.UsageError(str(error)) from None
    unknown = catalogue.unknown(list(loaded.waivers))
    if unknown:
        raise pytest.UsageError(f"{path}: [waivers]: no rule has the id {unknown[0]}")
    return loaded


def _release(config: pytest.Config, loaded: Configuration) -> str:
    name = str(config.option.extstorage_release or loaded.run["releases"][0])
    try:
        return known_release(name).name
    except ValueError as error:
        raise pytest.UsageError(str(error)) from None


def _chosen(config: pytest.Config, words: list[str]) -> frozenset[str]:
    rule_ids = [rule_id for word in words for rule_id in catalogue.of_group(word) or [word]]
    unknown = catalogue.unknown(rule_ids)
    if unknown:
        raise no_such_rule(config, unknown[0])
    return frozenset(rule_ids)


def _extent(
    config: pytest.Config, provider: Path, profile: Profile, loaded: Configuration
) -> Extent:
    options = config.option
    for text in options.extstorage_only:
        if not can_begin_a_name(text):
            raise pytest.UsageError(f"no trial's name begins with {text!r}: expected {NAMES}")
    workerinput = getattr(config, "workerinput", {})
    run = str(workerinput.get("testrunuid") or uuid.uuid4().hex)
    # Not the waivers: who signs one has changed nothing about the provider.
    called = (replace(loaded, waivers={}), _release(config, loaded), _nodes(config))
    done = Done(provider, run, is_resumed=options.extstorage_resume, called=repr(called))
    # Who names trials wants them all.
    is_whole = profile is Profile.FULL or bool(options.extstorage_only)
    return Extent(is_whole=is_whole, only=tuple(options.extstorage_only), done=done)


def _worker(config: pytest.Config) -> int:
    workerinput = getattr(config, "workerinput", None)
    if workerinput is None:
        return 0
    return int(str(workerinput["workerid"]).removeprefix("gw")) + 1
