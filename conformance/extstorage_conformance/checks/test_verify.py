"""Rules about verify: Ganeti never calls it, but administrators and tools do."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from extstorage_conformance import judge
from extstorage_conformance.checks.test_param import invalid_values
from extstorage_conformance.faults.limits import without_tools
from extstorage_conformance.rules import Level, Profile, rule
from extstorage_conformance.violation import Blocked, NotApplicable

if TYPE_CHECKING:
    from extstorage_conformance.subject import Subject

_MAN = "man ganeti-extstorage-interface(7) verify"


@rule("ES-VERIFY-01", Level.MUST, source=_MAN)
def test_valid_parameters_pass(subject: Subject) -> None:
    """Verify exits 0 for valid parameters, without arguments and without a volume."""
    judge.succeeds(subject.volume().call("verify"), "the parameters are those of every test")


@rule("ES-VERIFY-02", Level.SHOULD, source=_MAN)
def test_invalid_values_fail(subject: Subject) -> None:
    """Verify exits non-zero for each invalid value of a parameter.

    [invalid_values] of conformance.toml names the values.
    """
    for variable, value in invalid_values(subject):
        invocation = subject.volume().prepare("verify").with_variables({variable: value})
        judge.fails(subject.run(invocation), f"{variable}={value!r} is invalid")


@rule("ES-VERIFY-03", Level.MUST, source="derived: who asks for a check does not expect a change")
def test_verify_changes_nothing(subject: Subject) -> None:
    """Verify makes nothing: no volume, no mapping, no file that outlives it.

    A volume that it makes as a probe is one that Ganeti does not know and never removes.
    """
    volume = subject.volume()
    # The first call of all may set the back end up.
    volume.call("verify")
    before = subject.survey.take()
    call = volume.call("verify")
    made = subject.survey.left_since(before)
    judge.holds(not made, "nothing new", ", ".join(map(str, made[:3])), call)


@rule(
    "ES-VERIFY-04",
    Level.SHOULD,
    source="derived: the one script that can tell that a node is not ready",
    profile=Profile.STANDARD,
)
def test_missing_tools_are_found(subject: Subject) -> None:
    """Verify exits non-zero on a node where create fails because it finds no programs in PATH."""
    hide = partial(without_tools, subject)
    volume = subject.volume()
    if subject.run(hide(volume.prepare("create"))).succeeded:
        raise NotApplicable("create does not need programs in PATH")
    if volume.call("create").failed:
        raise Blocked("create fails with all programs there, too", subject.calls[-1])
    judge.fails(subject.run(hide(volume.prepare("verify"))), "create fails on such a node")


@rule("ES-VERIFY-05", Level.SHOULD, source=_MAN)
def test_unknown_checks_are_refused(subject: Subject) -> None:
    """Verify exits non-zero when its argument names no check that it knows."""
    invocation = subject.volume().prepare("verify").with_arguments("no-such-check")
    judge.fails(subject.run(invocation), "there is no such check")
