"""The administrator's command: what it makes, what it refuses, and that it can be repeated."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.reference_providers.lvm import AREA, GROUP, IO_TIMEOUT_S, new_volume, open_

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.reference_providers.lvm import LvmNode

SPARE = "spare"
TOO_LONG = "g" * 38
"""The name of a group; with it, that of the lockspace has more than 48 characters."""


@pytest.fixture
def spare(pair: list[LvmNode]) -> Iterator[LvmNode]:
    """A node with a second group, which has no area."""
    node = pair[1]
    node.shell(f"vgcreate --quiet {SPARE} /dev/ubdc")
    yield node
    node.shell(
        "vgremove -q --yes --force $(pvs --noheadings -o vg_name /dev/ubdc); pvremove -q /dev/ubdc"
    )


def area(node: LvmNode, *words: object) -> str:
    """Run the command, which must succeed."""
    return node.shell(f"{node.provider}/area {' '.join(map(str, words))}")


def refused(node: LvmNode, *words: object) -> str:
    """Run the command, which must fail with one line; return that line."""
    output = node.shell(
        f"{node.provider}/area {' '.join(map(str, words))}; test $? = 1 && echo refused"
    )
    assert output.endswith("\nrefused\n"), output
    line = output.removesuffix("refused\n")
    assert line.startswith("area: "), output
    assert line.count("\n") == 1, output
    return line


def stop_sanlock(node: LvmNode) -> None:
    node.shell("sanlock client shutdown -f 1; while pgrep -x sanlock; do sleep 0.05; done")


def test_a_node_with_volumes_attached_does_not_leave(pair: list[LvmNode]) -> None:
    node, other = pair
    volume, second = new_volume(1), new_volume(2)
    for each in (volume, second):
        node.do("create", each, VOL_SIZE="4")
        node.do("attach", each)
    open_(node, volume, exclusive=True)
    line = refused(node, "leave", GROUP)
    assert f"expected no volume of group {GROUP} attached on this node, found 2" in line
    assert f"{volume}+lvm" in line
    # As a restart of the systemd unit does.
    area(node, "join", GROUP, node.number, IO_TIMEOUT_S)
    other.do("attach", volume)
    assert "open exclusive" in other.refuse("open", volume, VOL_OPEN_EXCLUSIVE="True")
    for each in (volume, second):
        node.do("detach", each)
    area(node, "leave", GROUP)
    try:
        other.do("open", volume, VOL_OPEN_EXCLUSIVE="True")
    finally:
        area(node, "join", GROUP, node.number, IO_TIMEOUT_S)
    node.do("verify", "")


def test_a_node_that_has_joined_says_so(pair: list[LvmNode]) -> None:
    node = pair[0]
    area(node, "join", GROUP, node.number, IO_TIMEOUT_S)
    line = refused(node, "join", GROUP, 9, IO_TIMEOUT_S)
    assert "has this node joined under another number?" in line
    assert "is sanlock running?" not in line
    node.do("verify", "")


def test_an_area_that_could_not_be_made_can_be_made_then(spare: LvmNode) -> None:
    stop_sanlock(spare)
    try:
        assert "is sanlock running?" in refused(spare, "make", SPARE, IO_TIMEOUT_S)
        assert "is sanlock running?" in refused(spare, "join", GROUP, 2, IO_TIMEOUT_S)
        assert AREA not in spare.shell(f"lvs {SPARE}")
    finally:
        spare.join()
    area(spare, "make", SPARE, IO_TIMEOUT_S)
    assert "already exists" in refused(spare, "make", SPARE, IO_TIMEOUT_S)
    assert AREA in spare.shell(f"lvs {SPARE}")
    area(spare, "join", SPARE, 3, IO_TIMEOUT_S)
    area(spare, "leave", SPARE)


def test_an_area_whose_making_fails_half_way_leaves_nothing(spare: LvmNode) -> None:
    status = spare.shell(
        f"strace -f -qq -o /dev/null -e trace=pwritev2 -e inject=pwritev2:error=EIO:when=7"
        f' {spare.provider}/area make {SPARE} 2>&1; echo "status $?"'
    )
    assert "area: [Errno 5] Input/output error\nstatus 1" in status
    assert AREA not in spare.shell(f"lvs {SPARE}")
    area(spare, "make", SPARE, IO_TIMEOUT_S)


def test_a_group_whose_name_has_no_room_in_a_lockspace(spare: LvmNode) -> None:
    spare.shell(f"vgrename -q {SPARE} {TOO_LONG}")
    assert "too long for a lease" in refused(spare, "make", TOO_LONG)
    assert AREA not in spare.shell(f"lvs {TOO_LONG}")


def test_a_group_without_an_area_gives_no_traceback(spare: LvmNode) -> None:
    assert AREA in refused(spare, "join", SPARE, 1)
