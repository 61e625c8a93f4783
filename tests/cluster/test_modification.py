"""``gnt-instance modify --disk``, several at a time: all of them are made, or none.

Expected is what Ganeti 3.0.2 does, which ``tests/ganeti/test_checks.py`` asks itself.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.cluster.replay import NAME

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.cluster.replay import Outcome, Stage

NEW = "size=4M,provider=trace,pool=p1"


@pytest.fixture
def stage_of(acting: Callable[..., Stage]) -> Callable[[list[str | None]], Stage]:
    """Return what makes a stage with a stopped instance whose disks have these names."""

    def make(names: list[str | None]) -> Stage:
        stage = acting("3.1", disks=len(names), up=False)
        instance = stage.state.instance(NAME)
        for disk, name in zip(instance.disks, names, strict=True):
            disk.name = name
        stage.given(instance)
        return stage

    return make


def _modify(stage: Stage, *changes: str) -> Outcome:
    options = " ".join(f"--disk {change}" for change in changes)
    return stage.run(f"gnt-instance modify --no-hotplug {options} {NAME}")


def _names(stage: Stage) -> list[str | None]:
    return [disk.name for disk in stage.state.instance(NAME).disks]


_EXECUTION = "Failure: command execution error:\n"
_WRONG = (
    "Failure: prerequisites not met for this operation:\nerror type: wrong_input, error details:\n"
)
_TAKEN = (
    "Failure: prerequisites not met for this operation:\n"
    "error type: resource_not_unique, error details:\n"
)
_NUMERIC = f"{_WRONG}Invalid name '7'. Purely numeric disk names are not allowed\n"


@pytest.mark.parametrize(
    ("names", "changes", "said"),
    [
        (["zz"], ["zz:remove", "zz:remove"], f"{_EXECUTION}list index out of range\n"),
        ([None, "b"], ["1:remove", "1:remove"], f"{_EXECUTION}list index out of range\n"),
        (
            ["a", "b"],
            ["0:remove", "0:remove", "1:remove"],
            f"{_EXECUTION}Got disk index 1, but there are only 0\n",
        ),
        (
            ["a"],
            ["0:remove", "-2:remove"],
            f"{_EXECUTION}Not accepting negative indices other than -1\n",
        ),
        (
            ["a"],
            ["0:remove", f"2:add,{NEW}"],
            f"{_EXECUTION}Got disk index 2, but there are only 0\n",
        ),
        (
            ["a"],
            [f"add:{NEW},name=b", "b:modify,name=c"],
            "Failure: prerequisites not met for this operation:\nLookup of disk 'b' failed\n",
        ),
        (
            [None],
            [f"add:{NEW}", "1:modify,name=nn"],
            f"{_EXECUTION}'dict' object has no attribute 'name'\n",
        ),
        (["zz"], [f"add:{NEW},name=zz"], f"{_TAKEN}disk name 'zz' already used\n"),
        (["a", "b"], ["1:modify,name=a"], f"{_TAKEN}disk name 'a' already used\n"),
        (
            ["a"],
            [f"add:{NEW},name=b", f"add:{NEW},name=b"],
            f"{_TAKEN}disk name 'b' already used\n",
        ),
        (["a"], [f"add:{NEW},name=7"], _NUMERIC),
        (["a"], ["0:modify,name=7"], _NUMERIC),
        (
            ["a"],
            ["0:detach", "0:attach,name=nosuch"],
            f"{_WRONG}No disk was found with this name: nosuch\n",
        ),
        (
            ["a"],
            ["0:detach", "0:attach,uuid=nosuch"],
            f"{_WRONG}No disk was found with this UUID: nosuch\n",
        ),
    ],
)
def test_nothing_is_done_if_one_is_refused(
    stage_of: Callable[[list[str | None]], Stage],
    names: list[str | None],
    changes: list[str],
    said: str,
) -> None:
    stage = stage_of(names)

    outcome = _modify(stage, *changes)

    assert (outcome.status, outcome.output) == (1, said)
    assert outcome.calls == []
    assert _names(stage) == names
    assert stage.state.detached_disks() == []


@pytest.mark.parametrize(
    ("names", "changes", "after"),
    [
        # The second one means the disk that has come into the first one's place.
        (["a", "b"], ["0:remove", "0:remove"], []),
        # A name means the disk's place before all changes.
        (["a", "b", "c"], ["a:remove", "b:remove"], ["b"]),
        (["a", "b"], ["0:remove", f"1:add,{NEW},name=a"], ["b", "a"]),
        (["a"], [f"add:{NEW},name=b", f"0:add,{NEW},name=c"], ["c", "a", "b"]),
        (["a", "b"], ["0:modify,name=c", "1:modify,name=a"], ["c", "a"]),
        (["a", "b"], ["0:modify,name=None", f"add:{NEW},name=a"], [None, "b", "a"]),
        # Ganeti's check forgets the name of a disk that is changed in another way.
        (["a"], ["0:modify,mode=ro", f"add:{NEW},name=a"], ["a", "a"]),
        ([None], [f"add:{NEW}", "1:remove"], [None]),
    ],
)
def test_each_change_finds_what_those_before_it_left(
    stage_of: Callable[[list[str | None]], Stage],
    names: list[str | None],
    changes: list[str],
    after: list[str | None],
) -> None:
    stage = stage_of(names)

    outcome = _modify(stage, *changes)

    assert outcome.status == 0, outcome.output
    assert _names(stage) == after


def test_sixteen_disks_are_as_many_as_there_may_be(
    stage_of: Callable[[list[str | None]], Stage],
) -> None:
    stage = stage_of([None] * 15)

    outcome = _modify(stage, f"add:{NEW}", f"add:{NEW}")

    assert outcome.status == 1
    assert "Instance has too many disks (16), cannot add more" in outcome.output
    assert outcome.calls == []
    assert _modify(stage, f"add:{NEW}").status == 0


@pytest.mark.parametrize(
    ("names", "said"),
    [
        (("zz", "zz"), f"{_TAKEN}disk name 'zz' already used\n"),
        (("a", "7"), _NUMERIC),
    ],
)
def test_names_of_a_new_instance_s_disks(
    acting: Callable[..., Stage], names: tuple[str, ...], said: str
) -> None:
    stage = acting("3.0")
    disks = " ".join(f"--disk {n}:{NEW},name={name}" for n, name in enumerate(names))

    outcome = stage.run(f"gnt-instance add -t ext -n node1 {disks} --no-start new.example.test")

    assert (outcome.status, outcome.output) == (1, said)
    assert outcome.calls == []
    assert not stage.state.has_instance("new.example.test")


def test_a_disk_that_an_instance_has_is_not_attached_again(
    stage_of: Callable[[list[str | None]], Stage],
) -> None:
    stage = stage_of(["a"])

    outcome = _modify(stage, "0:detach", "attach:name=a")

    assert outcome.status == 0, outcome.output
    assert _names(stage) == ["a"]
    assert _modify(stage, "attach:name=a").output.startswith(_TAKEN)
