"""``gnt-instance list``: unknown fields, lists of nothing (GenericList in ``lib/cli.py``)."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.cluster.replay import NAME

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.cluster.replay import Stage

_UNKNOWN_FIELD = 14
_WARNING = "Warning: Queried for unknown fields "


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ("-o nope", f"{_WARNING}nope\nnope\n??\n"),
        ("-o nope --no-headers", f"{_WARNING}nope\n??\n"),
        (
            "-o nope,name,other",
            f"{_WARNING}nope, other\nnope Instance           other\n??   {NAME} ??\n",
        ),
        ("-o nope,name --separator=:", f"{_WARNING}nope\nnope:Instance\n??:{NAME}\n"),
    ],
)
def test_fields_that_are_unknown(acting: Callable[..., Stage], options: str, said: str) -> None:
    outcome = acting("3.0", up=False).run(f"gnt-instance list {options}")

    assert (outcome.status, outcome.output) == (_UNKNOWN_FIELD, said)


def test_an_unknown_field_of_no_instance(stage: Stage) -> None:
    outcome = stage.run("gnt-instance list -o name,nope")

    assert (outcome.status, outcome.output) == (
        _UNKNOWN_FIELD,
        f"{_WARNING}nope\nInstance nope\n",
    )


def test_no_instance_and_no_headers(stage: Stage) -> None:
    outcome = stage.run("gnt-instance list --no-headers")

    assert (outcome.status, outcome.output) == (0, "")
