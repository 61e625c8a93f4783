"""Every recorded operation of a real cluster, carried out again: the same calls, the same words."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.cluster import recordings, scenes, table

if TYPE_CHECKING:
    from tests.cluster.recordings import Row
    from tests.cluster.replay import Stage

CLAIMED = [
    (number, row)
    for number, row in enumerate(recordings.rows())
    if scenes.why_not(number, row) is None
]


@pytest.mark.parametrize(
    ("number", "row"), CLAIMED, ids=[f"{number}-{row['operation']}" for number, row in CLAIMED]
)
def test_operation(number: int, row: Row, stage: Stage) -> None:
    known = scenes.prepare(stage, number, row)

    outcome = stage.run(row["command"], scenes.ENVIRONMENTS.get(number))

    assert recordings.calls(outcome.row, known) == recordings.calls(row, known)
    assert outcome.status == scenes.STATUS.get(number, row["rc"]), outcome.output
    assert scenes.place(stage, number, row) == row["pnode_after"]
    after = recordings.after(row["operation"])
    if after and row["pnode_after"]:
        assert scenes.instances(stage) == after
    if number not in scenes.OTHER_WORDS:
        said = recordings.text(scenes.words(outcome.output, stage), known)
        assert said == recordings.text(scenes.words(row["output"], stage), known)


def test_the_page_says_what_is_compared() -> None:
    assert table.PAGE.read_text(encoding="utf-8") == table.page(), (
        "run: python -m tests.cluster.table"
    )
