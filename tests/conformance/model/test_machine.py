"""The machine finds faults that it was not written for, and what it writes reproduces them."""

from __future__ import annotations

import subprocess
from typing import TYPE_CHECKING

import pytest

from extstorage_conformance import configuration
from extstorage_conformance.checks import test_idem_model
from extstorage_conformance.model import machine
from extstorage_conformance.model.machine import Search, keep_files_in
from extstorage_conformance.model.play import Play, failure_of
from extstorage_conformance.model.script import script
from extstorage_conformance.model.shorten import shorten
from extstorage_conformance.model.step import Step
from extstorage_conformance.subject import Subject
from extstorage_conformance.suite import Request, Suite
from extstorage_conformance.violation import Violation
from tests.conformance.conftest import PLAIN
from tests.mutants.build import MUTANTS, build

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

# What each is caught with, in the fewest calls that anybody has found.
FAULTS = {
    "remove-takes-the-snapshot": 5,
    "detach-all-of-the-provider": 3,
    "grow-adds-to-what-attach-noted": 6,
    "create-clears-away-a-wrong-size": 4,
    "snapshot-is-the-origin": 6,
    "attach-maps-again": 3,
    "close-detaches": 5,
}


@pytest.fixture
def suites(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[list[Suite]]:
    """What the test has started; all of it is ended after the test."""
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    keep_files_in(tmp_path)
    started: list[Suite] = []
    yield started
    for suite in started:
        suite.unremoved.clear()
        suite.close()


def started(suites: list[Suite], provider: Path) -> Suite:
    loaded = configuration.load(provider / "conformance.toml")
    suites.append(Suite(Request(provider, loaded, "3.0")))
    return suites[-1]


@pytest.mark.slow
@pytest.mark.parametrize("name", FAULTS)
def test_fault_is_found_shortened_and_written_as_a_script(
    name: str, tmp_path: Path, suites: list[Suite]
) -> None:
    suite = started(suites, build(MUTANTS / name, tmp_path))
    search = Search(lambda: Subject(suite))

    failure = search.run(1, 180)

    assert failure is not None, f"{search.sequences} sequences"
    failure = shorten(lambda: Subject(suite), failure)
    assert len(failure.play.steps) <= FAULTS[name], [str(step) for step in failure.play.steps]
    path = tmp_path / "again.sh"
    path.write_text(script(suite, failure), encoding="utf-8")
    for _ in range(3):  # another test may have taken the loop device that the fault gives twice
        again = subprocess.run(["sh", path], capture_output=True, text=True, check=False)
        if again.returncode == 1:
            break
    assert again.returncode == 1, again.stdout + again.stderr
    assert "IT HAPPENS" in again.stdout
    good = subprocess.run(["sh", path, PLAIN], capture_output=True, text=True, check=False)
    assert good.returncode == 0, good.stdout + good.stderr


@pytest.mark.parametrize(("longest_s", "batches"), [(0.0, 1), (60.0, 4)])
def test_rule_draws_no_more_sequences_after_its_time(
    longest_s: float, batches: int, suites: list[Suite], monkeypatch: pytest.MonkeyPatch
) -> None:
    drawn: list[tuple[int, int]] = []

    class Drawn(Search):
        def run(self, seed: int, sequences: int) -> None:
            drawn.append((seed, sequences))

    monkeypatch.setattr(machine, "Search", Drawn)
    monkeypatch.setattr(test_idem_model, "_LONGEST_S", longest_s)

    test_idem_model.test_drawn_sequences_end_as_the_contract_says(Subject(started(suites, PLAIN)))

    assert [sequences for _seed, sequences in drawn] == [10] * batches
    assert len(set(drawn)) == batches


def test_same_seed_draws_the_same_steps(suites: list[Suite]) -> None:
    suite = started(suites, PLAIN)
    drawn: list[list[str]] = [[], []]
    for steps in drawn:
        search = Search(
            lambda: Subject(suite),
            told=lambda play, steps=steps: steps.extend(map(str, play.steps)),  # type: ignore[misc]
        )
        assert search.run(5, 2) is None

    assert drawn[0]
    assert drawn[0] == drawn[1]


def test_interrupt_in_a_call_is_no_failure(
    suites: list[Suite], monkeypatch: pytest.MonkeyPatch
) -> None:
    suite = started(suites, PLAIN)

    def interrupted(_play: Play, _step: Step) -> None:
        raise KeyboardInterrupt

    def unfinished(_play: Play) -> None:
        raise Violation("nothing left", "what the killed script was about to move", None)

    monkeypatch.setattr(Play, "do", interrupted)
    monkeypatch.setattr(Play, "finish", unfinished)

    with pytest.raises(KeyboardInterrupt):
        Search(lambda: Subject(suite)).run(1, 5)


def test_good_provider_plays_what_ganeti_never_does(suites: list[Suite]) -> None:
    suite = started(suites, PLAIN)
    steps = [
        Step("grow", 0, size_mib=64),
        Step("create", 0, size_mib=32),
        Step("create", 0, size_mib=64),
        Step("attach", 0),
        Step("write", 0),
        Step("open", 0),
        Step("write", 0),
        Step("snapshot", 0),
        Step("remove", 0),
        Step("create", 0, size_mib=32, fault="size 'many'"),
        Step("attach", 0, snapshot=True),
    ]

    found, play = failure_of(Subject(suite), steps)

    assert found is None
    assert [step.verb for step in play.steps[:5]] == ["grow", "create", "create", "attach", "open"]
    assert not suite.survey.take() & frozenset(Subject(suite).left())


def test_secret_parameter_is_not_in_the_script(tmp_path: Path, suites: list[Suite]) -> None:
    provider = build(MUTANTS / "attach-maps-again", tmp_path)
    secret = tmp_path / "secret"
    secret.write_text("hush-hush\n")
    with (provider / "conformance.toml").open("a", encoding="utf-8") as file:
        file.write(f'\n[secrets]\npassword = {{file = "{secret}"}}\n')
    suite = started(suites, provider)
    subject = Subject(suite)
    steps = [Step("create", 0, size_mib=32), Step("attach", 0), Step("attach", 0)]
    found, play = failure_of(subject, steps)
    assert found is not None

    from extstorage_conformance.model.machine import Failure  # noqa: PLC0415 - beside its use

    text = script(suite, Failure(found, play))

    assert "hush-hush" not in text
    assert 'EXTP_PASSWORD="$EXTP_PASSWORD"' in text
