"""What the master refuses before anything is done: Ganeti's own code, and the runtime's."""

from __future__ import annotations

import json
import random
import subprocess
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from extstorage.cluster import containers, names
from extstorage.cluster.errors import OpExecError, OpPrereqError
from extstorage.cluster.model import ClusterDisk

if TYPE_CHECKING:
    from collections.abc import Callable

Request = list[Any]
Answer = Any  # what was returned, or a list of what was raised: type and arguments
_NAMES = ("a", "b", "c", None, "none", "7", " 7", "uuid0")


@pytest.fixture(scope="module")
def ask(ganeti_directory: Path) -> Callable[[list[Request]], list[Answer]]:
    """Return what asks Ganeti's code."""

    def ask(requests: list[Request]) -> list[Answer]:
        done = subprocess.run(
            ["/usr/bin/python3", "-B", Path(__file__).with_name("master.py"), ganeti_directory],
            input=json.dumps(requests),
            check=True,
            stdout=subprocess.PIPE,
            text=True,
        )
        answers: list[Answer] = json.loads(done.stdout)
        return answers

    return ask


def _raised(act: Callable[[], object]) -> Answer:
    try:
        return act()
    except OpPrereqError as error:
        return ["OpPrereqError", str(error), *([error.code] if error.code else [])]
    except OpExecError as error:
        return ["OpExecError", str(error)]


def _as_told(answer: Answer) -> Answer:
    """Return an answer as the user is told of it: _EncodeOpError in ``lib/jqueue``."""
    if answer is None or answer[0] == "OpPrereqError":
        return answer
    return ["OpExecError", answer[1]]


def test_names_of_instances(ask: Callable[[list[Request]], list[Answer]]) -> None:
    given = [
        "",
        ".",
        "..",
        "a",
        "a.",
        "a..",
        "a..b",
        ".a",
        "../x",
        "a/b",
        "a b",
        "UPPER.example.test",
    ]
    given += [
        "-a",
        "_a",
        "7",
        "\u212a",
        "\u0130",
        "\u00e9",
        "a" * 240,
        "a" * 256,
        "a\0",
        "a:b",
        "a,b",
    ]

    answers = ask([["hostname", name] for name in given])

    assert [_raised(partial(names.normalized, name)) for name in given] == answers


def test_names_that_are_known(ask: Callable[[list[Request]], list[Answer]]) -> None:
    known = ["a", "a.b", "b.c", "c.d", "c.e", "d.e.f", "UP.x"]
    given = [
        "a",
        "A",
        "A.B",
        "b",
        "B.c",
        "c",
        "c.D",
        "d.E",
        "d.e.",
        "e",
        "",
        ".",
        "up",
        "UP.X",
        "u",
    ]

    answers = ask([["matched", name, known] for name in given])

    assert [names.matched(name, known) for name in given] == answers


def _changes(chance: random.Random) -> list[Any]:
    """Draw disks and changes; only such as pass the checks of a change by itself."""
    names = [chance.choice(_NAMES[:4]) for _ in range(chance.choice((0, 1, 2, 3, 3, 15, 16)))]
    changes = []
    for _ in range(chance.randint(1, 4)):
        action = chance.choice(containers.ACTIONS)
        identifier = chance.choice(("-1", "-1", "0", "1", "2", "3", "a", "b", "uuid1", "-2", "x"))
        name = chance.choice(_NAMES)
        parameters: dict[str, object] = {} if name is None else {"name": name}
        if name == "none" and action in (containers.ADD, containers.MODIFY):
            parameters["name"] = None  # as _VerifyDiskModification has made of it by then
        if action == containers.ADD:
            parameters["size"] = 4
        if action in (containers.REMOVE, containers.DETACH):
            parameters = {}
        changes.append([action, identifier, parameters])
    return ["changes", names, changes]


def _rehearsed(names: list[str | None], changes: list[list[Any]]) -> Answer:
    disks = [
        ClusterDisk(f"uuid{n}", f"v{n}", 4, {"provider": "p"}, name=name)
        for n, name in enumerate(names)
    ]

    def rehearse() -> None:
        found = [(act, containers.lookup(disks, which), given) for act, which, given in changes]
        containers.rehearse(disks, found)

    return _raised(rehearse)


def test_changes_of_disks(ask: Callable[[list[Request]], list[Answer]]) -> None:
    chance = random.Random(20)  # noqa: S311 - no secret
    requests = [_changes(chance) for _ in range(600)]

    answers = [_as_told(answer) for answer in ask(requests)]

    assert [_rehearsed(*request[1:]) for request in requests] == answers
    assert len({answer and answer[1] for answer in answers}) > 8, "too little was drawn"
