"""Two nodes on one group: metadata, migration, failover, and what each knows of the other."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.reference_providers.lvm import (
    AREA,
    GROUP,
    MIB,
    at_once,
    new_volume,
    open_,
    slow_to_wipe,
    stopped_at,
)

if TYPE_CHECKING:
    from tests.reference_providers.lvm import LvmNode

EXCLUSIVE = {"VOL_OPEN_EXCLUSIVE": "True"}


def created(node: LvmNode, mib: int = 8) -> tuple[str, str]:
    """Create and attach; return the volume's name and its device."""
    volume = new_volume()
    node.do("create", volume, VOL_SIZE=str(mib))
    return volume, node.do("attach", volume)


def test_creates_on_two_nodes_at_once_lose_nothing(pair: list[LvmNode]) -> None:
    volumes = [new_volume() for _ in range(8)]
    calls = [(pair[n % 2], "create", v, {"VOL_SIZE": "4"}) for n, v in enumerate(volumes)]
    answers = at_once(*calls)
    assert [answer.exit_code for answer in answers] == [0] * 8, answers
    for node in pair:
        assert node.volumes() == sorted(volumes)


@pytest.mark.whole
def test_different_changes_at_once_lose_nothing(pair: list[LvmNode]) -> None:
    grown, noted, gone = (created(pair[0], 4)[0] for _ in range(3))
    pair[0].do("detach", gone)
    made = new_volume()
    answers = at_once(
        (pair[0], "grow", grown, {"VOL_SIZE": "4", "VOL_NEW_SIZE": "12"}),
        (pair[1], "setinfo", noted, {"VOL_METADATA": "originstname+x"}),
        (pair[1], "remove", gone, {}),
        (pair[0], "create", made, {"VOL_SIZE": "4"}),
        (
            pair[0],
            "snapshot",
            noted,
            {"VOL_SNAPSHOT_NAME": f"{noted}.snap", "VOL_SNAPSHOT_SIZE": "4"},
        ),
    )
    assert [answer.exit_code for answer in answers] == [0] * 5, answers
    assert pair[1].volumes() == sorted([grown, noted, made, f"{noted}.snap"])
    assert pair[1].report(grown, "lv_size") == str(12 * MIB)
    assert "originstname+x" in pair[0].report(noted, "lv_tags")


def test_attach_goes_on_while_another_node_changes_the_group(pair: list[LvmNode]) -> None:
    volume, _ = created(pair[0], 4)
    pair[0].shell(
        f"(while ! test -e /run/enough; do lvchange -q --addtag x {GROUP}/{volume}+lvm;"
        f" lvchange -q --deltag x {GROUP}/{volume}+lvm; done) >/dev/null 2>&1 &"
    )
    try:
        for _ in range(4):
            pair[1].do("attach", volume)
            pair[1].do("detach", volume)
    finally:
        pair[0].shell("touch /run/enough; sleep 1; rm /run/enough")


def test_live_migration_in_ganetis_order(pair: list[LvmNode]) -> None:
    source, target = pair
    volume, device = created(source)
    open_(source, volume, exclusive=True)
    source.write(device, "before")
    target.do("attach", volume)
    target.do("close", volume)
    source.do("attach", volume)
    open_(source, volume, exclusive=False)
    target.do("attach", volume)
    open_(target, volume, exclusive=False)
    source.write(device, "last words")
    assert target.read(device) == "last words"
    target.write(device, "first words")
    source.do("attach", volume)
    source.do("close", volume)
    target.do("attach", volume)
    open_(target, volume, exclusive=True)
    source.do("attach", volume)
    source.do("detach", volume)
    assert source.mappings() == []
    assert target.read(device) == "first words"
    open_(target, volume, exclusive=True)


@pytest.mark.whole
def test_a_migration_that_is_called_off(pair: list[LvmNode]) -> None:
    source, target = pair
    volume, device = created(source)
    open_(source, volume, exclusive=True)
    target.do("attach", volume)
    target.do("close", volume)
    open_(source, volume, exclusive=False)
    open_(target, volume, exclusive=False)
    target.do("close", volume)
    target.do("detach", volume)
    open_(source, volume, exclusive=True)
    source.write(device, "goes on")


@pytest.mark.parametrize(
    ("held", "wanted", "exit_code"),
    [
        ("True", "True", 1),
        pytest.param("True", "False", 1, marks=pytest.mark.whole),
        pytest.param("False", "True", 1, marks=pytest.mark.whole),
        ("False", "False", 0),
    ],
)
def test_who_may_open_beside_whom(
    pair: list[LvmNode], held: str, wanted: str, exit_code: int
) -> None:
    volume, _ = created(pair[0])
    pair[0].do("open", volume, VOL_OPEN_EXCLUSIVE=held)
    pair[1].do("attach", volume)
    answer = pair[1].call("open", volume, VOL_OPEN_EXCLUSIVE=wanted)
    assert answer.exit_code == exit_code
    pair[0].do("detach", volume)
    pair[1].do("open", volume, VOL_OPEN_EXCLUSIVE=wanted)


def test_of_two_exclusive_opens_at_once_one_succeeds(pair: list[LvmNode]) -> None:
    volume, _ = created(pair[0])
    pair[1].do("attach", volume)
    for _ in range(3):
        answers = at_once(*[(node, "open", volume, EXCLUSIVE) for node in pair])
        assert sorted(answer.exit_code for answer in answers) == [0, 1], answers
        for node in pair:
            node.do("close", volume)


def test_grow_is_seen_by_the_other_nodes_next_attach(pair: list[LvmNode]) -> None:
    volume, device = created(pair[0])
    assert pair[1].do("attach", volume) == device
    pair[1].write(device, "kept", mib=7)
    pair[0].do("grow", volume, VOL_SIZE="8", VOL_NEW_SIZE="16")
    assert pair[1].do("attach", volume) == device
    assert pair[1].size(device) == 16 * MIB
    assert pair[1].read(device, mib=7) == "kept"


def test_a_volume_that_is_being_wiped_is_not_removed_elsewhere(pair: list[LvmNode]) -> None:
    volume, _ = created(pair[0], 4)
    pair[0].do("detach", volume)
    with slow_to_wipe(pair[0], volume):
        line = pair[1].refuse("remove", volume)
        assert "node node1.example.com has it attached" in line
    assert pair[0].mappings() == []
    pair[1].do("remove", volume)


def test_a_volume_that_another_node_may_be_wiping_is_not_grown(pair: list[LvmNode]) -> None:
    volume, _ = created(pair[0], 4)
    pair[0].do("detach", volume)
    pair[1].parameters["EXTP_WIPE"] = "yes"
    with slow_to_wipe(pair[0], volume):
        for size in ("8", "12"):
            line = pair[1].refuse("grow", volume, VOL_SIZE="4", VOL_NEW_SIZE=size)
            assert "node node1.example.com has it attached, and may be writing zeros" in line
        assert pair[1].mappings() == []
    assert pair[1].report(volume, "lv_size") == str(8 * MIB)
    pair[1].do("grow", volume, VOL_SIZE="4", VOL_NEW_SIZE="12")


def test_remove_is_refused_while_another_node_has_it(pair: list[LvmNode]) -> None:
    volume, _ = created(pair[0])
    pair[0].do("detach", volume)
    pair[1].do("attach", volume)
    assert "node node2.example.com has it attached" in pair[0].refuse("remove", volume)
    pair[1].do("detach", volume)
    pair[0].do("remove", volume)


def test_of_a_remove_and_an_attach_elsewhere_at_once_one_fails(pair: list[LvmNode]) -> None:
    here, there = pair
    volume, device = created(there)
    there.write(device, "kept")
    there.do("detach", volume)
    # After it has looked who has the volume.
    with stopped_at("preadv2", here, "remove", volume) as ended:
        there.do("attach", volume)
    assert ended[0] == "1", ended
    assert "node node2.example.com has it attached: detach it there first" in ended[1]
    assert there.volumes() == [volume]
    assert there.read(there.do("attach", volume)) == "kept"
    there.do("detach", volume)
    here.do("remove", volume)
    assert here.volumes() == []


def test_what_a_killed_remove_left_goes_with_the_next_one(pair: list[LvmNode]) -> None:
    volume, device = created(pair[1])
    pair[1].write(device, "kept")
    rename = f"lvrename -q {GROUP} {volume}+lvm {volume}+lvm+.old"
    pair[0].shell(rename)  # as far as it may have come before it saw that the other node has it
    assert "node2.example.com has it attached" in pair[0].refuse("remove", volume)
    assert pair[1].do("attach", volume) == device
    assert pair[1].read(device) == "kept"
    pair[1].do("detach", volume)
    pair[0].shell(rename)
    assert "no such volume" in pair[1].refuse("attach", volume)
    pair[1].do("remove", volume)
    assert pair[0].volumes() == []


def test_what_a_killed_remove_left_is_not_the_volume_that_was_made_since(
    pair: list[LvmNode],
) -> None:
    volume, _ = created(pair[0])
    pair[0].do("detach", volume)
    pair[0].shell(f"lvrename -q {GROUP} {volume}+lvm {volume}+lvm+.old")
    pair[0].do("create", volume, VOL_SIZE="4")
    assert len(pair[0].volumes()) == 2
    pair[0].do("remove", volume)
    assert pair[0].volumes() == []


def test_a_snapshot_is_refused_where_another_node_writes(pair: list[LvmNode]) -> None:
    volume, _ = created(pair[0])
    open_(pair[0], volume, exclusive=True)
    pair[1].do("attach", volume)
    snapshot = {"VOL_SNAPSHOT_NAME": "copy", "VOL_SNAPSHOT_SIZE": "8"}
    line = pair[1].refuse("snapshot", volume, **snapshot)
    assert "node node1.example.com has it open exclusive: a snapshot can be made there" in line
    pair[0].do("snapshot", volume, **snapshot)
    pair[1].do("attach", "copy")
    pair[1].do("detach", volume)


def test_a_device_of_an_older_volume_of_that_name_is_not_handed_out(pair: list[LvmNode]) -> None:
    volume, device = created(pair[0])
    pair[0].do("detach", volume)
    pair[1].do("attach", volume)
    pair[1].write(device, "old")
    # As an administrator might, who knows nothing of the other node.
    pair[0].shell(f"lvremove --yes {GROUP}/{volume}+lvm")
    pair[0].do("create", new_volume(), VOL_SIZE="8")  # takes the old one's blocks
    assert "no such volume" in pair[1].refuse("attach", volume)
    pair[0].do("create", volume, VOL_SIZE="12")
    assert pair[1].do("attach", volume) == device
    assert pair[1].size(device) == 12 * MIB
    assert pair[1].read(device) != "old"


def test_the_device_of_an_older_volume_of_that_name_is_detached(pair: list[LvmNode]) -> None:
    volume, _ = created(pair[1])
    pair[0].shell(f"lvremove --yes {GROUP}/{volume}+lvm")
    pair[0].do("create", volume, VOL_SIZE="8")
    pair[1].do("detach", volume)
    assert pair[1].mappings() == []


def test_without_protection_the_provider_refuses(pair: list[LvmNode]) -> None:
    volume, device = created(pair[1])
    pair[1].write(device, "data")
    pair[1].shell(f"dmsetup info -c --noheadings -o open $(basename {device}) | grep -q ' *0'")
    pair[1].shell("sanlock client shutdown -f 1; while pgrep -x sanlock; do sleep 0.05; done")
    try:
        refused = pair[1].refuse("create", new_volume(), VOL_SIZE="4")
        assert f"nothing keeps the nodes from spoiling group {GROUP}" in refused
        assert "sanlock" in pair[1].refuse("verify", "")
        pair[1].do("detach", volume)  # always possible
        pair[1].parameters["EXTP_LOCK"] = "none"
        assert pair[1].do("attach", volume) == device
        pair[1].do("detach", volume)
    finally:
        pair[1].join()


def test_storage_that_is_slow_for_a_moment_fails_no_call(pair: list[LvmNode]) -> None:
    node = pair[0]
    area = f"{GROUP.replace('-', '--')}-{AREA}"
    # Longer than sanlock waits for one I/O, and less than makes it give up the node.
    node.shell(
        f"dmsetup suspend --noflush {area} && (sleep 4; dmsetup resume {area}) >/dev/null 2>&1 &"
    )
    volume = new_volume()
    node.do("create", volume, VOL_SIZE="4")
    assert pair[1].volumes() == [volume]


@pytest.mark.whole
def test_a_killed_call_keeps_its_lease_until_its_command_ends(pair: list[LvmNode]) -> None:
    volume = new_volume()
    node = pair[0]
    # LVM's own lock on the group, so that the command has to wait.
    status = node.shell(
        f"flock /run/lock/lvm/V_{GROUP} sleep 12 >/dev/null 2>&1 & sleep 0.3; cd {node.provider};"
        f" EXTP_GROUP={GROUP} VOL_NAME={volume} VOL_SIZE=4 {node.provider}/create >/dev/null 2>&1 &"
        " script=$!; until pgrep -x lvcreate >/dev/null; do sleep 0.1; done;"
        " kill -9 $script; sleep 1; sanlock client status; pgrep -x lvcreate"
    )
    assert f"r extstorage.{GROUP}:metadata" in status
    pair[1].do("create", new_volume(), VOL_SIZE="4")
    assert volume in pair[1].volumes()
