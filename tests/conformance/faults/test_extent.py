"""Which trials are wanted, which have passed before, and what is told of a name that none has."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest

from extstorage_conformance.faults.done import Done
from extstorage_conformance.faults.extent import Extent, can_begin_a_name
from extstorage_conformance.faults.fault import missing
from extstorage_conformance.faults.trial import Trial
from extstorage_conformance.violation import NotApplicable

if TYPE_CHECKING:
    from pathlib import Path

    from tests.conformance.conftest import Workbench

GROW = Trial("grow", missing("losetup"))
REBOOT = Trial("grow", missing("losetup"), reboot=True)


@pytest.fixture
def provider(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A provider's directory; what is noted of it goes to a directory of the test's own."""
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    directory = tmp_path / "provider"
    directory.mkdir()
    (directory / "grow").write_text("#!/bin/sh\n")
    return directory


@pytest.mark.parametrize(
    ("text", "begins"),
    [("grow", True), ("gro", True), ("grow fail x#1", True), ("grwo fail", False), ("foo", False)],
)
def test_every_name_begins_with_a_method(text: str, begins: bool) -> None:  # noqa: FBT001
    assert can_begin_a_name(text) is begins


def test_a_name_that_begins_no_trial_is_told() -> None:
    extent = Extent(only=("grow", "grow fail nosuch#1", "attach fail"))

    assert extent.untried(["attach fail losetup#1"]) == ("grow fail nosuch#1",)


def test_faults_without_names_go_with_a_whole_method() -> None:
    Extent().expect_whole("attach")
    Extent(only=("attach",)).expect_whole("attach", "detach")

    with pytest.raises(NotApplicable):
        Extent(only=("attach fail losetup#1", "grow")).expect_whole("attach", "detach")


def test_what_passed_says_nothing_of_a_provider_that_is_called_otherwise(provider: Path) -> None:
    Done(provider, "first", called="thick").note(GROW, passed=True)

    assert Done(provider, "second", is_resumed=True, called="thick").has(GROW)
    assert not Done(provider, "third", is_resumed=True, called="thin").has(GROW)


def test_what_passed_counts_for_a_resumed_run_only(provider: Path) -> None:
    Done(provider, "first").note(GROW, passed=True)

    assert not Done(provider, "second").has(GROW)
    resumed = Done(provider, "third", is_resumed=True)
    assert resumed.has(GROW)
    assert not resumed.has(REBOOT)
    assert Extent(only=("grow without",), done=resumed).untried([]) == ()


def test_a_trial_that_is_broken_later_has_not_passed(provider: Path) -> None:
    Done(provider, "first").note(GROW, passed=True)
    Done(provider, "second").note(GROW, passed=False)

    assert not Done(provider, "third", is_resumed=True).has(GROW)


def test_only_a_whole_sweep_forgets_and_once_for_all_its_workers(provider: Path) -> None:
    Done(provider, "first").note(GROW, passed=True)
    for extent in (Extent(), Extent(is_whole=True, only=("grow",))):
        Extent(extent.is_whole, extent.only, Done(provider, "second")).begin()
    assert Done(provider, "third", is_resumed=True).has(GROW)

    workers = [Extent(is_whole=True, done=Done(provider, "fourth")) for _ in range(2)]
    workers[0].begin()
    assert not Done(provider, "fifth", is_resumed=True).has(GROW)
    Done(provider, "fourth").note(REBOOT, passed=True)
    workers[1].begin()
    assert Done(provider, "sixth", is_resumed=True).has(REBOOT)


def test_another_provider_has_passed_nothing(provider: Path) -> None:
    Done(provider, "first").note(GROW, passed=True)
    (provider / "grow").write_text("#!/bin/sh\n:\n")
    (provider / "gone").symlink_to("nowhere")

    assert not Done(provider, "second", is_resumed=True).has(GROW)


def test_a_name_that_is_no_trials_is_a_usage_error(workbench: Workbench) -> None:
    run = workbench.run("--extstorage-only=grwo fail")

    assert run.exit_code == pytest.ExitCode.USAGE_ERROR, run.output
    assert "no trial's name begins with 'grwo fail': expected METHOD" in run.output


@pytest.mark.slow
@pytest.mark.skipif(os.geteuid() != 0, reason="needs root for loop devices: run as root")
class TestOnly:
    """``--only`` as its users meet it."""

    def test_no_such_trial_is_no_success(self, workbench: Workbench) -> None:
        run = workbench.run("--extstorage-only=setinfo fail nosuch#1")

        assert run.report is not None, run.output
        assert run.exit_code == 3, run.output
        assert run.report["verdict"] == "could-not-run"
        assert run.report["faults"]["trials"] == []
        assert {rule["id"].rpartition("-")[0] for rule in run.report["rules"]} == {"ES-CRASH"}
        assert "no trial's name begins with 'setinfo fail nosuch#1'" in run.output

    def test_what_was_explained_is_not_asked_for_again(self, workbench: Workbench) -> None:
        only = "--extstorage-only=grow fail losetup"
        first = workbench.run(only, rules=("ES-CRASH-15",))
        again = workbench.run(only, "--extstorage-resume", rules=("ES-CRASH-15",))

        assert first.outcome("ES-CRASH-15") == "passed", first.output
        assert again.outcome("ES-CRASH-15") == "passed", again.output
        assert first.report is not None
        assert again.report is not None
        assert first.report["faults"]["trials"]
        assert again.report["faults"]["trials"] == []

    def test_reboots_follow_the_wanted_kills_only_and_once(self, workbench: Workbench) -> None:
        only = ("--extstorage-only=grow kill", "--extstorage-nodes=namespaces:2")
        first = workbench.run(*only, rules=("ES-CRASH-06",))
        between = workbench.run(rules=("ES-DISC-02",))
        again = workbench.run(*only, "--extstorage-resume", rules=("ES-CRASH-06",))

        assert [run.exit_code for run in (first, between, again)] == [0, 0, 0], again.output
        assert first.report is not None
        assert again.report is not None
        tried = [trial["trial"] for trial in first.report["faults"]["trials"]]
        assert tried
        assert all(name.startswith("grow kill") for name in tried)
        assert again.report["faults"]["trials"] == []
        assert again.report["faults"]["skipped"] == len(tried)
