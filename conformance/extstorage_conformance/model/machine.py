"""Draws sequences of calls with Hypothesis and plays them, until one fails."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import hypothesis
from hypothesis import HealthCheck, Phase, Verbosity, configuration, settings, stateful
from hypothesis import strategies as st

from extstorage_conformance.checks.patterns import LIFE, SNAPSHOT, WHOLE
from extstorage_conformance.model.play import Play
from extstorage_conformance.model.step import FAULTS, VOLUMES, WRITE, Step
from extstorage_conformance.violation import Violation

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from extstorage_conformance.subject import Subject

_VERBS = (
    *("create", "attach", "detach", "remove", "grow", "setinfo", "snapshot", "open", "close"),
)
_STEPS = 16
_LONGEST_OPERATION = 8  # calls; ES-IDEM-03 makes the long ones
_OPERATIONS = [each for each in (*LIFE, *WHOLE) if len(each.steps) <= _LONGEST_OPERATION]
_NODES = st.integers(0, 63)  # taken modulo the number that there are
_NUMBERS = st.integers(0, VOLUMES - 1)


@dataclass(frozen=True)
class Failure:
    """A sequence that a provider does not stand: what was broken, and the play that showed it."""

    violation: Violation
    play: Play


@dataclass
class Search:
    """A search for a failure: what it is made with, and what it has done so far.

    ``told`` is called after each sequence.
    """

    make_subject: Callable[[], Subject]
    told: Callable[[Play], None] = lambda _play: None
    invalid: bool = True
    nodes: int = 1
    sequences: int = 0
    calls: int = 0
    last: Failure | None = None

    def run(self, seed: int, sequences: int) -> Failure | None:
        """Play that many sequences; return the first failure."""
        self.last = None
        machine = hypothesis.seed(seed)(_machine(self))
        try:
            with hypothesis.reporting.with_reporter(lambda _text: None):
                stateful.run_state_machine_as_test(machine, settings=_settings(sequences))
        except Violation:
            return self.last
        except hypothesis.errors.Flaky:
            # Seen, and not seen again when Hypothesis looked: seen_again tells how often it comes.
            return self.last
        return None


def keep_files_in(directory: Path) -> None:
    """Let Hypothesis write what it writes into ``directory``, and not into the user's."""
    configuration.set_hypothesis_home_dir(directory / "hypothesis")


def _settings(sequences: int) -> settings:
    return settings(
        max_examples=sequences,
        stateful_step_count=_STEPS,
        deadline=None,
        database=None,
        derandomize=False,
        # Its shrinker takes away draws, of which one can be many calls: see shorten.py.
        phases=(Phase.generate,),
        verbosity=Verbosity.quiet,
        report_multiple_bugs=False,
        print_blob=False,
        suppress_health_check=list(HealthCheck),
    )


def _machine(search: Search) -> Any:  # noqa: ANN401 - a class made for one search
    class Machine(_Machine):
        def __init__(self) -> None:
            super().__init__(search)

    Machine.TestCase.settings = _settings(1)
    return Machine


class _Machine(stateful.RuleBasedStateMachine):
    """The rules: Ganeti's operations, single calls, calls that cannot be meant, writes."""

    def __init__(self, search: Search) -> None:
        super().__init__()
        self._search = search
        self._subject = search.make_subject()
        self._play = Play(self._subject)
        self._configuration = self._subject.configuration
        self._node = 0
        self._was_cut_off = False

    def _do(self, step: Step) -> None:
        try:
            self._play.do(step)
        except Violation as violation:
            self._search.last = Failure(violation, self._play)
            raise
        except BaseException:
            # Ctrl-C, a lost node: what is there now says nothing of the provider.
            self._was_cut_off = True
            raise

    def _mib(self, eighths: int) -> int:
        """Return a size for that many eighths of the ordinary size, as the back end rounds."""
        default = self._configuration.sizes["default"]
        return self._configuration.rounded_mib(max(1, default * eighths // 8))

    @stateful.precondition(lambda self: self._search.nodes > 1)
    @stateful.rule(node=_NODES)
    def go_to(self, node: int) -> None:
        """Make the calls that follow on another node."""
        self._node = node % self._search.nodes

    @stateful.rule(number=_NUMBERS, eighths=st.integers(1, 12))
    def create(self, number: int, eighths: int) -> None:
        self._do(Step("create", number, size_mib=self._mib(eighths), node=self._node))

    @stateful.rule(number=_NUMBERS, operation=st.sampled_from(_OPERATIONS))
    def operate(self, number: int, operation: Any) -> None:  # noqa: ANN401 - a Pattern
        """Make the calls of one of Ganeti's operations."""
        if operation.steps[0] != "create":
            self._there(number)
        for word in operation.steps:
            verb = word.removeprefix(SNAPSHOT)
            self._call(verb, number, snapshot=word != verb)

    @stateful.rule(
        number=_NUMBERS,
        verb=st.sampled_from(_VERBS),
        snapshot=st.booleans(),
        exclusive=st.booleans(),
    )
    def call(self, number: int, verb: str, snapshot: bool, exclusive: bool) -> None:  # noqa: FBT001
        """Make one call, whether or not Ganeti would."""
        self._call(verb, number, snapshot=snapshot, exclusive=exclusive)

    def _call(
        self, verb: str, number: int, *, snapshot: bool = False, exclusive: bool = True
    ) -> None:
        step = Step(verb, number, snapshot, exclusive=exclusive)
        known = self._play.known_of(step)
        size_mib = {"create": self._mib(8), "grow": known.size_mib + self._mib(3)}.get(verb, 0)
        if verb != "create" or not snapshot:
            self._do(Step(verb, number, snapshot, size_mib, exclusive, node=self._node))

    @stateful.rule(number=_NUMBERS, snapshot=st.booleans())
    def use(self, number: int, snapshot: bool) -> None:  # noqa: FBT001
        """Attach, open and write, as for an instance that starts."""
        self._there(number, snapshot=snapshot)
        for verb in ("attach", "open", WRITE):
            self._call(verb, number, snapshot=snapshot)

    @stateful.rule(number=_NUMBERS, snapshot=st.booleans())
    def map_anew(self, number: int, snapshot: bool) -> None:  # noqa: FBT001
        """Detach and attach."""
        self._there(number, snapshot=snapshot)
        for verb in ("detach", "attach"):
            self._call(verb, number, snapshot=snapshot)

    @stateful.rule(number=_NUMBERS, verb=st.sampled_from(("grow", "snapshot")))
    def change(self, number: int, verb: str) -> None:
        """Attach, and grow or take a snapshot."""
        self._there(number)
        for each in ("attach", verb):
            self._call(each, number)

    @stateful.rule(number=_NUMBERS, snapshot=st.booleans())
    def give_up(self, number: int, snapshot: bool) -> None:  # noqa: FBT001
        """Detach and remove."""
        for verb in ("detach", "remove"):
            self._call(verb, number, snapshot=snapshot)

    @stateful.precondition(lambda self: self._search.invalid)
    @stateful.rule(number=_NUMBERS, fault=st.sampled_from(sorted(FAULTS)), data=st.data())
    def mistake(self, number: int, fault: str, data: Any) -> None:  # noqa: ANN401 - Hypothesis's
        """Make a call that cannot be meant."""
        verb = data.draw(st.sampled_from(FAULTS[fault].methods))
        size_mib = self._mib(8)
        self._do(Step(verb, number, size_mib=size_mib, fault=fault, node=self._node))

    def _there(self, number: int, *, snapshot: bool = False) -> None:
        """Create the volume, and its snapshot if that is meant, unless it exists."""
        missing = not self._play.known_of(Step("attach", number, snapshot)).exists
        if missing and snapshot and self._subject.uses("snapshot"):
            self._there(number)
            self._call("attach", number)
            self._call("snapshot", number)
        elif missing:
            self._call("create", number)

    def teardown(self) -> None:
        """End the sequence: everything is looked at once more and removed."""
        search = self._search
        search.sequences += 1
        search.calls += len(self._play.played)
        try:
            has_failed = search.last is not None and search.last.play is self._play
            if not has_failed and not self._was_cut_off:
                self._play.finish()
        except Violation as violation:
            search.last = Failure(violation, self._play)
            raise
        finally:
            self._subject.restore()
            search.told(self._play)
