"""The part of the pytest plugin that ``--extstorage-adopt=FILE`` switches on."""

from __future__ import annotations

import dataclasses
import datetime as dt
import os
import shlex
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from extstorage_conformance.adoption.observation import observe
from extstorage_conformance.adoption.parameters import advice, known_parameters
from extstorage_conformance.adoption.proposal import Proposal, is_secret, read, secret_variable
from extstorage_conformance.configuration import ConfigurationError
from extstorage_conformance.options import configuration_path, given_parameters
from extstorage_conformance.outcome import Outcome
from extstorage_conformance.violation import CannotRun

if TYPE_CHECKING:
    from extstorage_conformance.outcome import Result
    from extstorage_conformance.session import ConformanceSession

NAME = "extstorage-adoption"


def adoption_from(config: pytest.Config, session: ConformanceSession) -> Adoption:
    """Return the adoption that the options ask for; raises UsageError."""
    path, given = configuration_path(config), given_parameters(config)
    for name, value in given.items():
        if is_secret(name):
            os.environ[secret_variable(name)] = value  # where the file will say it is
    try:
        proposal = Proposal(read(path), str(path or "the proposal"))
        proposal.add_parameters(known_parameters(session.provider_directory), given)
    except ConfigurationError as error:
        raise pytest.UsageError(str(error)) from None
    return Adoption(session, proposal, Path(config.option.extstorage_adopt))


class Adoption:
    """Observes before the first rule, writes the file ``to`` after the last."""

    def __init__(self, session: ConformanceSession, proposal: Proposal, to: Path) -> None:
        self._session = session
        self._proposal = proposal
        self._to = to
        self._written = ""

    @pytest.hookimpl(trylast=True)  # after the plugin has checked the machine
    def pytest_sessionstart(self) -> None:
        """Observe the provider, and let the rules run with what was seen."""
        self._configure()
        try:
            for found in observe(self._session):
                if self._proposal.add_observation(found):
                    sys.stdout.write(f"observed: {found.key} = {found.value!r} ({found.seen})\n")
        except CannotRun as reason:
            self._session.close()
            hint = advice(self._session.provider_directory, self._session.configuration)
            pytest.exit(f"nothing to adopt: {reason}{hint and f'; {hint}'}", returncode=1)
        self._session.close()
        self._configure()

    def _configure(self) -> None:
        """Let the session use the proposal as it stands."""
        self._session.request = dataclasses.replace(
            self._session.request, configuration=self._proposal.configuration()
        )

    @pytest.hookimpl(trylast=True)  # after the plugin has collected the results
    def pytest_sessionfinish(self, session: pytest.Session) -> None:
        """Write the file; a provider with broken rules is adopted all the same."""
        if session.exitstatus not in (pytest.ExitCode.OK, pytest.ExitCode.TESTS_FAILED):
            return
        failed = self._session.verdict().with_outcome(Outcome.FAILED)
        proposed = self._proposal.add_waivers(failed, dt.datetime.now(tz=dt.UTC).date())
        try:
            self._to.write_text(self._proposal.text, encoding="utf-8")
        except OSError as error:
            pytest.exit(f"could not run: {self._to} cannot be written: {error}", returncode=3)
        session.exitstatus = pytest.ExitCode.OK
        self._written = self._summary(failed, proposed)

    def _summary(self, failed: list[Result], proposed: list[str]) -> str:
        if not proposed:
            return f"wrote {self._to}: no rule fails"
        must = sum(result.level == "MUST" for result in failed)
        return (
            f"wrote {self._to}: {must} MUST and {len(proposed) - must} SHOULD or MAY rules fail:"
            " mend them, or sign their waivers there with a reason;"
            f" `{shlex.join(self._conform())}` shows each in full"
        )

    def _conform(self) -> list[str]:
        directory = self._session.provider_directory
        is_own = self._to == directory / "conformance.toml"
        return [
            *("extstorage", "conform", str(directory)),
            *(() if is_own else ("--config", str(self._to))),
        ]

    @pytest.hookimpl(trylast=True)
    def pytest_terminal_summary(self, terminalreporter: pytest.TerminalReporter) -> None:
        """Say what was written."""
        if self._written:
            terminalreporter.write_line(self._written)
