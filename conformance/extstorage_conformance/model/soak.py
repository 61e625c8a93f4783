"""Goes on for as long as the user likes: drawn sequences and races, in turn, seed after seed."""

from __future__ import annotations

import json
import random
import signal
import sys
import time
import warnings
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hypothesis.errors import HypothesisSideeffectWarning

from extstorage.nodes.node import NodeError
from extstorage_conformance.inventory.places import expect_inventory_directories
from extstorage_conformance.model.machine import Search, keep_files_in
from extstorage_conformance.model.script import script
from extstorage_conformance.model.shorten import seen_again, shorten
from extstorage_conformance.nodeset import LOCAL
from extstorage_conformance.races import PAIRS, alone, race
from extstorage_conformance.reports.verdict import ExitCode
from extstorage_conformance.subject import Subject
from extstorage_conformance.suite import Suite
from extstorage_conformance.violation import Blocked, CannotRun, Violation

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from extstorage_conformance.inventory import Item
    from extstorage_conformance.model.machine import Failure
    from extstorage_conformance.model.play import Play
    from extstorage_conformance.session import ConformanceSession
    from extstorage_conformance.suite import Request

_SEQUENCES = 4  # a round: that many sequences, then as many races
_RACES = 4
_TIMES_AGAIN = 3
_PROGRESS_S = 5.0


@dataclass
class Soaked:
    """What a soak has done; ``seed`` is that of the round to go on with."""

    provider: str
    first_seed: int
    seed: int
    seconds: float = 0.0
    sequences: int = 0
    calls: int = 0
    races: int = 0
    failures: list[dict[str, Any]] = field(default_factory=list)
    interrupted: bool = False

    def to_json(self) -> dict[str, Any]:
        """Return it as a JSON object."""
        return {"schema": "ganeti-extstorage-soak/1", **vars(self)}

    def __str__(self) -> str:
        found = f"{len(self.failures)} failures" if self.failures else "nothing lost"
        return (
            f"{self.seconds:.0f} s: {self.sequences} sequences, {self.calls} calls,"
            f" {self.races} races, {found}; next seed {self.seed}"
        )


class Soak:
    """One soak of a provider; ``say`` gets lines for people."""

    def __init__(
        self, request: Request, seconds: float, directory: Path, say: Callable[[str], None]
    ) -> None:
        self._request = request
        self._seconds = seconds
        self._directory = directory
        self._say = say
        self._told = 0.0
        self._started = time.monotonic()
        self.soaked = Soaked(str(request.provider_directory), request.seed, request.seed)

    def run(self) -> Soaked:
        """Go on until the time is up, a failure is found or the user interrupts; clean up.

        Raises CannotRun, and NodeError when a node is lost.
        """
        suite = Suite(self._request, self._request.nodes or LOCAL)
        keep_files_in(suite.run_directory)
        self._started = time.monotonic()  # nodes may take longer to come up than a short soak
        try:
            self._go_on(suite)
        except KeyboardInterrupt:
            self.soaked.interrupted = True
            self._say("interrupted: cleaning up")
        finally:
            suite.close()
        self._count()
        self._say(str(self.soaked))
        return self.soaked

    def _go_on(self, suite: Suite) -> None:
        expect_inventory_directories(suite)
        before = suite.survey.take()
        try:
            self._subject(suite)  # raises Blocked if Ganeti does not load the provider
            while self._goes_on() and not self.soaked.failures:
                self._round(suite, before)
                self.soaked.seed += 1
        except Blocked as found:
            # Sequences stand on nothing: a script that cannot be called is the provider's fault.
            self._fail("a provider that Ganeti can call", suite.redact(str(found)))
            suite.survey.clear(suite.survey.left_since(before))

    def _goes_on(self) -> bool:
        return time.monotonic() - self._started < self._seconds

    def _round(self, suite: Suite, before: frozenset[Item]) -> None:
        search = Search(
            lambda: self._subject(suite), told=self._sequence_ended, nodes=len(suite.nodes)
        )
        failure = search.run(self.soaked.seed, _SEQUENCES)
        if failure is not None:
            self._keep(suite, failure)
            return
        self._race(suite)
        left = suite.survey.left_since(before)
        if left:
            self._fail("the node and the back end as before", "; ".join(map(str, left[:5])))

    def _subject(self, suite: Suite) -> Subject:
        return Subject(suite, suite.nodes)

    def _sequence_ended(self, play: Play) -> None:
        self.soaked.sequences += 1
        self.soaked.calls += len(play.played)
        self._count()

    def _race(self, suite: Suite) -> None:
        subject = Subject(suite)
        generator = random.Random(self.soaked.seed)  # noqa: S311 - to be repeated
        pairs = [pair for pair in PAIRS if all(map(subject.uses, pair.methods))]
        pair = generator.choice(pairs)
        try:
            times = alone(subject, pair.methods)
            self.soaked.races += _RACES
            for _ in race(subject, pair, times, generator, _RACES):
                pass  # each is judged by what it leaves
        except (Violation, Blocked) as found:
            self._fail(f"{pair} to race well", str(found))
        finally:
            self.soaked.calls += len(subject.calls)
            subject.restore()
            self._count()

    def _keep(self, suite: Suite, failure: Failure) -> None:
        """Shorten a failure, write its script and note it."""
        self._say(f"seed {self.soaked.seed}: {failure.violation}: shortening")
        failure = shorten(lambda: self._subject(suite), failure)
        again = seen_again(lambda: self._subject(suite), failure, _TIMES_AGAIN)
        path = self._directory / f"extstorage-soak-{self.soaked.seed}.sh"
        path.write_text(script(suite, failure), encoding="utf-8")
        violation = failure.violation
        self._fail(
            suite.redact(violation.expected),
            suite.redact(violation.got),
            steps=[str(step) for step in failure.play.steps],
            seen_again=f"{again} of {_TIMES_AGAIN}",
            script=str(path),
        )

    def _fail(self, expected: str, got: str, **more: Any) -> None:  # noqa: ANN401 - for JSON
        failure = {"seed": self.soaked.seed, "expected": expected, "got": got, **more}
        self.soaked.failures.append(failure)
        self._say(f"seed {self.soaked.seed}: expected {expected}; got {got}")
        for step in more.get("steps", ()):
            self._say(f"  {step}")
        if more:
            self._say(f"seen again {more['seen_again']} times; to repeat it: sh {more['script']}")

    def _count(self) -> None:
        self.soaked.seconds = round(time.monotonic() - self._started, 1)
        if self.soaked.seconds - self._told >= _PROGRESS_S:
            self._told = self.soaked.seconds
            self._say(str(self.soaked))


def soak(session: ConformanceSession, seconds: float, reports: Mapping[str, str]) -> int:
    """Soak a provider from the command line and return the exit status.

    0: nothing was found, however long it lasted; 1: something was, or Ganeti cannot call the
    provider at all; 3: it could not run. Ctrl-C and SIGTERM end it in order.
    """
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    # This is no initialization of a plugin, although pytest is not further than that.
    warnings.simplefilter("ignore", HypothesisSideeffectWarning)
    try:
        session.expect_runnable()
        soaked = Soak(session.request, seconds, Path.cwd(), _say).run()
    except (CannotRun, NodeError) as reason:
        _say(f"could not run: {reason}")
        return ExitCode.COULD_NOT_RUN
    if "json" in reports:
        report = json.dumps(soaked.to_json(), indent=1)
        Path(reports["json"]).write_text(f"{report}\n", encoding="utf-8")
    return ExitCode.DOES_NOT_CONFORM if soaked.failures else ExitCode.CONFORMS


def _say(line: str) -> None:
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()
