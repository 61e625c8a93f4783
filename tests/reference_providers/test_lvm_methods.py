"""Each method, on a real kernel with device-mapper."""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING

import pytest

from tests.reference_providers.lvm import (
    GROUP,
    MIB,
    LvmNode,
    at_once,
    new_volume,
    open_,
    slow_to_wipe,
)

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def node(pair: list[LvmNode]) -> LvmNode:
    return pair[0]


def created(node: LvmNode, mib: int = 8, volume: str = "") -> tuple[str, str]:
    """Create and attach; return the volume's name and its device."""
    volume = volume or new_volume()
    node.do("create", volume, VOL_SIZE=str(mib))
    return volume, node.do("attach", volume)


def test_a_volume_from_create_to_remove(node: LvmNode) -> None:
    volume, device = created(node, 10)
    assert node.report(volume, "lv_size") == str(12 * MIB)  # extents have 4 MiB
    assert node.size(device) == 12 * MIB
    assert node.do("attach", volume) == device
    node.write(device, "data")
    node.do("detach", volume)
    assert node.mappings() == []
    node.do("detach", volume)
    assert node.read(node.do("attach", volume)) == "data"
    node.do("detach", volume)
    node.do("remove", volume)
    node.do("remove", volume)
    assert node.volumes() == []
    assert "no such volume" in node.refuse("attach", volume)


def test_names_that_begin_alike_are_different_volumes(node: LvmNode) -> None:
    short, long = "disk1", "disk10"
    for volume in (short, long):
        node.write(created(node, 4, volume)[1], volume)
    node.do("detach", short)
    assert ["disk10" in name for name in node.mappings()] == [True]
    node.do("remove", short)
    assert node.volumes() == [long]
    assert node.read(node.do("attach", long)) == long


@pytest.mark.parametrize(
    "volume",
    [
        "snapshot1",
        "x_rimage_0",
        *(
            pytest.param(volume, marks=pytest.mark.whole)
            for volume in ("snapshot", "pvmove0", "a_tmeta", "_mlog", "a--b.c-d", "a_b", "a-b")
        ),
    ],
)
def test_names_that_lvm_reserves_or_escapes(node: LvmNode, volume: str) -> None:
    _, device = created(node, 4, volume)
    node.write(device, volume)
    node.do("snapshot", volume, VOL_SNAPSHOT_NAME=f"{volume}.snap", VOL_SNAPSHOT_SIZE="4")
    node.do("detach", volume)
    assert node.read(node.do("attach", f"{volume}.snap")) == volume
    assert node.read(node.do("attach", volume)) == volume


def test_a_name_without_room_in_device_mapper_is_refused(node: LvmNode) -> None:
    line = node.refuse("create", "v" * 120, VOL_SIZE="4")
    assert "expected at most 117" in line
    assert node.volumes() == []


def test_create_over_any_volume_of_that_name_is_refused(node: LvmNode) -> None:
    volume, device = created(node)
    node.write(device, "kept")
    assert f"the volume exists: {GROUP}/{volume}" in node.refuse("create", volume, VOL_SIZE="8")
    node.shell(f"lvcreate --yes -an -Zn -Wn --size 8m --name foreign+lvm {GROUP}")
    assert "the volume exists" in node.refuse("create", "foreign", VOL_SIZE="8")
    assert node.read(device) == "kept"


def test_what_somebody_else_made_is_never_touched(node: LvmNode) -> None:
    make = "lvcreate --yes -an -Zn -Wn --size 8m --name"
    node.shell(f"{make} foreign {GROUP}; {make} other+lvm {GROUP}")  # the second has no tag
    calls = {
        "grow": {"VOL_SIZE": "8", "VOL_NEW_SIZE": "16"},
        "setinfo": {"VOL_METADATA": "x"},
        "snapshot": {"VOL_SNAPSHOT_NAME": "copy", "VOL_SNAPSHOT_SIZE": "8"},
    }
    for method, variables in calls.items():
        assert "no such volume" in node.refuse(method, "foreign", **variables)
        assert "was not made by this provider" in node.refuse(method, "other", **variables)
    assert "no such volume" in node.refuse("attach", "foreign")
    for volume in ("foreign", "other"):
        node.do("remove", volume)  # there is no such volume of this provider's
    assert node.volumes() == ["foreign", "other"]


def test_two_providers_in_one_group_have_volumes_of_their_own(node: LvmNode, shared: Path) -> None:
    copy = shared / "other-lvm"
    shutil.copytree(node.provider, copy)
    try:
        other = LvmNode(node.guest, node.number, copy)
        volume, device = created(node, 4)
        _, second = created(other, 8, volume)
        assert (node.size(device), node.size(second)) == (4 * MIB, 8 * MIB)
        other.do("detach", volume)
        other.do("remove", volume)
        assert node.do("attach", volume) == device
    finally:
        shutil.rmtree(copy)


def test_a_create_that_does_not_fit_leaves_nothing(node: LvmNode) -> None:
    assert "insufficient free space" in node.refuse("create", new_volume(), VOL_SIZE="9999")
    assert node.volumes() == []


def test_a_device_in_use_stays_and_its_user_is_named(node: LvmNode) -> None:
    volume, device = created(node)
    node.shell(f"sleep 60 < {device} >/dev/null 2>&1 & echo $! > /run/sleeper")
    try:
        line = node.refuse("detach", volume)
        assert "is in use (process" in line
        assert "sleep" in line
        assert node.do("attach", volume) == device
        assert "attached on this node" in node.refuse("remove", volume)
    finally:
        node.shell("kill $(cat /run/sleeper)")
    node.do("detach", volume)


def test_grow_is_seen_at_once_and_never_shrinks(node: LvmNode) -> None:
    volume, device = created(node, 8)
    node.write(device, "before", mib=7)
    node.do("grow", volume, VOL_SIZE="8", VOL_NEW_SIZE="13")
    assert node.size(device) == 16 * MIB
    node.do("grow", volume, VOL_SIZE="8", VOL_NEW_SIZE="13")
    assert "never shrinks" in node.refuse("grow", volume, VOL_SIZE="16", VOL_NEW_SIZE="12")
    assert node.size(device) == 16 * MIB
    assert node.read(device, mib=7) == "before"
    line = node.refuse("grow", volume, VOL_SIZE="16", VOL_NEW_SIZE="9999")
    assert "nsufficient" in line
    assert node.size(device) == 16 * MIB


def test_setinfo_replaces_one_tag_and_keeps_the_others(node: LvmNode) -> None:
    volume, _ = created(node)
    node.shell(f"lvchange --addtag admins.own {GROUP}/{volume}+lvm")
    for text in ("originstname+one.example", "x" * 128, "originstname+two.example"):
        node.do("setinfo", volume, VOL_METADATA=text)
    tags = node.report(volume, "lv_tags").split(",")
    assert sorted(tags) == [
        "admins.own", "extstorage.info=originstname+two.example", "extstorage.provider=lvm",
    ]  # fmt: skip


def test_a_snapshot_is_what_the_volume_was(node: LvmNode) -> None:
    volume, device = created(node, 8)
    snapshot = f"{volume}.snap"
    node.write(device, "before", mib=3)
    node.do("snapshot", volume, VOL_SNAPSHOT_NAME=snapshot, VOL_SNAPSHOT_SIZE="8")
    assert node.volumes() == [volume, snapshot]
    assert "exists" in node.refuse(
        "snapshot", volume, VOL_SNAPSHOT_NAME=snapshot, VOL_SNAPSHOT_SIZE="8"
    )
    node.write(device, "after", mib=3)
    copy = node.do("attach", snapshot)
    assert (node.read(copy, mib=3), node.size(copy)) == ("before", 8 * MIB)
    node.do("detach", snapshot)
    assert node.do("attach", volume) == device
    node.do("remove", snapshot)
    assert node.read(device, mib=3) == "after"


def test_a_snapshot_is_frozen_while_the_volume_is_written_to(node: LvmNode) -> None:
    volume, device = created(node, 16)
    # Two blocks, always written in this order: a copy may have the second one older, never newer.
    node.shell(
        f"""cat > /run/writer.py <<'END'
import mmap, os
device = os.open("{device}", os.O_RDWR | os.O_DIRECT)
buffer = mmap.mmap(-1, 4096)
count = 0
while not os.path.exists("/run/enough"):
    count += 1
    buffer[:8] = b"%08d" % count
    os.pwritev(device, [buffer], 0)
    os.pwritev(device, [buffer], 15 << 20)
END
/usr/bin/python3 /run/writer.py >/dev/null 2>&1 &"""
    )
    try:
        snapshot = f"{volume}.snap"
        node.do("snapshot", volume, VOL_SNAPSHOT_NAME=snapshot, VOL_SNAPSHOT_SIZE="16")
    finally:
        node.shell("touch /run/enough; sleep 0.3; rm /run/enough")
    copy = node.do("attach", snapshot)
    first, last = int(node.read(copy)), int(node.read(copy, mib=15))
    assert first - last in (0, 1)
    assert first < int(node.read(device)), "nothing was written after the snapshot"


@pytest.mark.whole
def test_a_snapshot_for_which_there_is_no_room_leaves_nothing(node: LvmNode) -> None:
    volume, device = created(node, 600)
    line = node.refuse("snapshot", volume, VOL_SNAPSHOT_NAME="copy", VOL_SNAPSHOT_SIZE="600")
    assert "nsufficient" in line
    assert node.volumes() == [volume]
    assert node.do("attach", volume) == device


@pytest.mark.parametrize("attached", [True, False])
def test_a_snapshot_needs_no_attach_and_changes_none(node: LvmNode, attached: bool) -> None:  # noqa: FBT001
    volume, _ = created(node)
    if not attached:
        node.do("detach", volume)
    node.do("snapshot", volume, VOL_SNAPSHOT_NAME="copy", VOL_SNAPSHOT_SIZE="8")
    assert len(node.mappings()) == int(attached)


@pytest.mark.parametrize("method", ["snapshot", "remove"])
def test_what_a_power_cut_in_lvcreate_left_of_a_snapshot_goes(node: LvmNode, method: str) -> None:
    volume, device = created(node)
    node.write(device, "kept")
    tags = "--addtag extstorage.provider=lvm --addtag extstorage.maker=1.0"  # before it crashed
    node.shell(f"lvcreate -q --yes -an -Zn -Wn --size 8m {tags} -n {volume}+lvm+.copy {GROUP}")
    if method == "snapshot":
        node.do("snapshot", volume, VOL_SNAPSHOT_NAME="copy", VOL_SNAPSHOT_SIZE="8")
        assert node.volumes() == sorted([volume, "copy"])
        assert node.read(node.do("attach", "copy")) == "kept"
    else:
        node.do("detach", volume)
        node.do("remove", volume)
        assert node.volumes() == []


def test_what_a_killed_snapshot_left_goes_with_the_snapshot(node: LvmNode) -> None:
    volume, _device = created(node, 64)
    snapshot = f"{volume}.snap"
    mappings = node.mappings()
    node.shell(
        f"cd {node.provider}; EXTP_GROUP={GROUP} VOL_NAME={volume} VOL_SNAPSHOT_NAME={snapshot}"
        f" VOL_SNAPSHOT_SIZE=64 {node.provider}/snapshot >/dev/null 2>&1 & script=$!;"
        " until ls /dev/mapper | grep -q 'copy$'; do sleep 0.01; done;"
        " kill -9 $script; while pgrep -x lvcreate; do sleep 0.1; done"
    )
    assert len(node.volumes()) == 3
    node.do("remove", snapshot)
    assert node.volumes() == [volume]
    assert node.mappings() == mappings
    assert node.shell(f"find /run/ganeti-extstorage -name '*{volume}*'") == ""


def test_a_device_that_cannot_be_told_is_not_taken_for_none(node: LvmNode) -> None:
    volume, device = created(node, 4)
    number = node.shell(f"stat -L -c '$((0x%t)):$((0x%T))' {device}").strip()
    name = node.shell(f'echo "/sys/dev/block/{number}/dm/name"').strip()
    assert node.shell(f"cat {name}")
    fault = f"strace -f -qq -o /dev/null -P {name} -e inject=openat:error=EIO"
    status = node.shell(
        f"cd {node.provider}; {fault} env EXTP_GROUP={GROUP} VOL_NAME={volume} ./detach;"
        ' echo "status $?"'
    )
    assert f"{name}: Input/output error\nstatus 1" in status
    assert node.size(device) == 4 * MIB


@pytest.mark.parametrize(
    "method",
    [
        pytest.param("attach", marks=pytest.mark.whole),
        pytest.param("close", marks=pytest.mark.whole),
        "detach",
        "snapshot",
    ],
)
def test_a_device_that_a_killed_command_left_suspended_is_resumed(
    node: LvmNode, method: str
) -> None:
    volume, device = created(node, 4)
    node.write(device, "before")
    node.shell(f"dmsetup suspend --noflush {device}")
    snapshot = {"VOL_SNAPSHOT_NAME": f"{volume}.snap", "VOL_SNAPSHOT_SIZE": "4"}
    node.do(method, volume, **(snapshot if method == "snapshot" else {}))
    # Resumed by the test, so that nothing waits for ever where the provider has failed.
    before = node.shell(f"dmsetup info {device} | grep ^State; dmsetup resume {device} || :")
    assert "SUSPENDED" not in before
    assert node.read(node.do("attach", volume)) == "before"


def test_close_stops_writes_and_open_allows_them(node: LvmNode) -> None:
    volume, device = created(node)
    open_(node, volume, exclusive=True)
    node.write(device, "one")
    node.do("close", volume)
    node.shell(f"! dd if=/dev/zero of={device} bs=4096 count=1 oflag=direct conv=notrunc")
    node.do("grow", volume, VOL_SIZE="8", VOL_NEW_SIZE="12")
    assert node.size(device) == 12 * MIB
    node.shell(f"! dd if=/dev/zero of={device} bs=4096 count=1 oflag=direct conv=notrunc")
    open_(node, volume, exclusive=False)
    node.write(device, "two")
    assert "not attached" in node.refuse("open", new_volume(), VOL_OPEN_EXCLUSIVE="True")


def test_wipe_zeroes_new_space_and_grown_space(node: LvmNode) -> None:
    volume, device = created(node, 8)
    for mib in (0, 5):
        node.write(device, "old", mib=mib)
    node.do("detach", volume)
    node.do("remove", volume)
    volume, device = created(node, 8)
    assert node.read(device) == "old"  # what wipe=no means
    node.do("detach", volume)
    node.do("remove", volume)
    node.parameters["EXTP_WIPE"] = "yes"
    volume, device = created(node, 4)
    node.do("grow", volume, VOL_SIZE="4", VOL_NEW_SIZE="8")
    assert (node.read(device), node.read(device, mib=5)) == ("", "")
    assert [name for name in node.volumes() if "+" in name] == []


def test_a_grow_that_is_repeated_while_zeros_are_written_is_refused(node: LvmNode) -> None:
    volume, device = created(node, 4)
    node.parameters["EXTP_WIPE"] = "yes"
    with slow_to_wipe(node, volume):
        line = node.refuse("grow", volume, VOL_SIZE="4", VOL_NEW_SIZE="8")
        assert "another call is at work on" in line
        assert "try again later" in line
        assert "in use" in node.refuse("detach", volume)
        assert node.do("attach", volume) == device  # a guest that runs is not held up
    node.do("grow", volume, VOL_SIZE="4", VOL_NEW_SIZE="8")
    assert node.size(device) == 8 * MIB


@pytest.mark.parametrize("attached", [True, False])
def test_a_wipe_that_fails_changes_no_attach(node: LvmNode, attached: bool) -> None:  # noqa: FBT001
    volume, _ = created(node, 4)
    if not attached:
        node.do("detach", volume)
    before = node.mappings()
    status = node.shell(
        f"cd {node.provider}; strace -qq -o /dev/null -e inject=fsync:error=EIO:when=1"
        f" env EXTP_GROUP={GROUP} EXTP_WIPE=yes VOL_NAME={volume} VOL_SIZE=4 VOL_NEW_SIZE=8 ./grow;"
        ' echo "status $?"'
    )
    assert "Input/output error\nstatus 1" in status
    assert node.mappings() == before


def test_nothing_is_grown_where_no_zeros_can_be_written(node: LvmNode) -> None:
    volume, device = created(node, 4)
    node.do("close", volume)
    node.parameters["EXTP_WIPE"] = "yes"
    assert "closed on this node" in node.refuse("grow", volume, VOL_SIZE="4", VOL_NEW_SIZE="8")
    assert node.report(volume, "lv_size") == str(4 * MIB)
    open_(node, volume, exclusive=True)
    node.do("grow", volume, VOL_SIZE="4", VOL_NEW_SIZE="8")
    assert node.size(device) == 8 * MIB


@pytest.mark.whole
def test_striped_over_two_disks(node: LvmNode) -> None:
    node.shell(f"vgextend --quiet {GROUP} /dev/ubdc")
    try:
        node.parameters["EXTP_STRIPES"] = "2"
        volume, device = created(node, 9)
        assert node.report(volume, "stripes") == "2"
        assert node.size(device) == 16 * MIB
        node.do("grow", volume, VOL_SIZE="9", VOL_NEW_SIZE="16")
        node.do("grow", volume, VOL_SIZE="9", VOL_NEW_SIZE="17")
        assert node.size(device) == 24 * MIB
        node.do("detach", volume)
        node.do("remove", volume)
    finally:
        node.shell(f"vgreduce --quiet {GROUP} /dev/ubdc && pvremove --quiet /dev/ubdc")


def test_verify_names_what_is_missing(node: LvmNode) -> None:
    node.do("verify", "")
    node.parameters["EXTP_GROUP"] = "nothere"
    assert "group: this node does not see group nothere" in node.refuse("verify", "")
    node.parameters["EXTP_GROUP"] = GROUP
    node.parameters["EXTP_THIN_POOL"] = "nopool"
    line = node.refuse("verify", "")
    assert f"pool: parameter thin_pool: {GROUP}/nopool is no thin pool" in line
    assert "protection: parameter thin_pool: two nodes" in line


@pytest.mark.whole
def test_what_the_callers_environment_says_about_lvm_changes_nothing(node: LvmNode) -> None:
    volume = new_volume()
    node.do("create", volume, VOL_SIZE="4", LVM_VG_NAME="nothere", LVM_COMMAND_PROFILE="nothere")
    assert node.volumes() == [volume]


def test_three_attaches_at_once(node: LvmNode) -> None:
    volume = new_volume()
    node.do("create", volume, VOL_SIZE="4")
    answers = at_once(*[(node, "attach", volume, {})] * 3)
    assert len({answer.stdout for answer in answers}) == 1
    assert [answer.exit_code for answer in answers] == [0, 0, 0], answers
