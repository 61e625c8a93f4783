"""What the reference model says that calls owe."""

from __future__ import annotations

import pytest

from extstorage_conformance.model.expected import Claims, Known, Owes, owed
from extstorage_conformance.model.step import Step


def known(*, size_mib: int = 0, attached: bool = False) -> Known:
    return Known("v", bool(size_mib), size_mib, {0: "/dev/loop0"} if attached else {})


MISSING, THERE, ATTACHED = known(), known(size_mib=32), known(size_mib=32, attached=True)


@pytest.mark.parametrize(
    ("verb", "volume", "owes"),
    [
        ("attach", MISSING, Owes.FAILURE),
        ("attach", THERE, Owes.SUCCESS),
        ("attach", ATTACHED, Owes.SUCCESS),
        ("detach", MISSING, Owes.EITHER),
        ("detach", THERE, Owes.SUCCESS),
        ("remove", MISSING, Owes.EITHER),
        ("remove", THERE, Owes.SUCCESS),
        ("remove", ATTACHED, Owes.EITHER),
        ("grow", MISSING, Owes.FAILURE),
        ("grow", THERE, Owes.EITHER),
        ("grow", ATTACHED, Owes.SUCCESS),
        ("snapshot", MISSING, Owes.FAILURE),
        ("snapshot", ATTACHED, Owes.SUCCESS),
        ("open", THERE, Owes.EITHER),
        ("open", ATTACHED, Owes.SUCCESS),
        ("close", ATTACHED, Owes.SUCCESS),
    ],
)
def test_call_owes_what_its_volume_lets_it(verb: str, volume: Known, owes: Owes) -> None:
    assert owed(Step(verb, 0, size_mib=64), volume, MISSING, Claims()) is owes


@pytest.mark.parametrize(
    ("size_mib", "may_repeat", "owes"),
    [
        (64, False, Owes.FAILURE),
        (32, False, Owes.FAILURE),
        (32, True, Owes.SUCCESS),
        (16, False, Owes.EITHER),
    ],
)
def test_create_of_a_volume_that_is_there(size_mib: int, may_repeat: bool, owes: Owes) -> None:  # noqa: FBT001
    claims = Claims(create_may_repeat=may_repeat)

    assert owed(Step("create", 0, size_mib=size_mib), THERE, MISSING, claims) is owes


@pytest.mark.parametrize(
    ("verb", "owes"),
    [("snapshot", Owes.EITHER), ("open", Owes.EITHER), ("grow", Owes.SUCCESS)],
)
def test_what_another_node_uses_may_be_refused(verb: str, owes: Owes) -> None:
    used = Known("v", exists=True, size_mib=32, attached={0: "/dev/x", 1: "/dev/x"}, open_on={1})

    assert owed(Step(verb, 0, size_mib=64), used, MISSING, Claims()) is owes


def test_mistake_owes_failure_whatever_is_there() -> None:
    assert owed(Step("grow", 0, fault="x"), ATTACHED, MISSING, Claims()) is Owes.FAILURE


def test_snapshot_under_a_name_that_is_taken_may_fail() -> None:
    assert owed(Step("snapshot", 0), ATTACHED, THERE, Claims()) is Owes.EITHER


def test_second_node_may_be_refused_while_the_first_has_it_open() -> None:
    open_elsewhere = Known("v", exists=True, size_mib=32, attached={0: "a", 1: "b"}, open_on={1})

    assert owed(Step("open", 0), open_elsewhere, MISSING, Claims()) is Owes.EITHER
