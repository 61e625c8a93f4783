"""Thin volumes, and what is missing or full: on the second disk, which one node has for itself."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.reference_providers.lvm import GROUP, MIB, new_volume, open_

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.reference_providers.lvm import LvmNode

THIN_GROUP = "thin-group"
POOL_MIB = 64


@pytest.fixture
def node(pair: list[LvmNode]) -> Iterator[LvmNode]:
    """A node with a thin pool in a group that no other node uses."""
    node = pair[0]
    node.shell(f"vgcreate --quiet {THIN_GROUP} /dev/ubdc")
    node.shell(f"lvcreate --quiet --type thin-pool -L {POOL_MIB}m -n pool {THIN_GROUP}")
    node.parameters = {
        "EXTP_GROUP": THIN_GROUP, "EXTP_THIN_POOL": "pool", "EXTP_LOCK": "none",
    }  # fmt: skip
    yield node
    for name in node.mappings():
        if "pool" not in name:
            node.shell(f"dmsetup remove --retry {name} || true")
    # The directory has links of what dmsetup has removed, which vgcreate would mind.
    node.shell(
        f"vgremove --yes --force {THIN_GROUP} && pvremove --quiet /dev/ubdc &&"
        f" rm -rf /dev/{THIN_GROUP}"
    )


def volumes(node: LvmNode) -> list[str]:
    """Return the thin volumes that there are."""
    text = node.shell(f"lvs --noheadings -o lv_name -S segtype=thin {THIN_GROUP}")
    return sorted(text.split())


def test_a_thin_volume_from_create_to_remove(node: LvmNode) -> None:
    node.do("verify", "")
    volume = new_volume()
    node.do("create", volume, VOL_SIZE="200")  # more than the pool has
    device = node.do("attach", volume)
    assert node.size(device) == 200 * MIB
    assert node.read(device, mib=150) == ""
    open_(node, volume, exclusive=True)
    node.write(device, "before", mib=150)
    snapshot = f"{volume}.snap"
    node.do("snapshot", volume, VOL_SNAPSHOT_NAME=snapshot, VOL_SNAPSHOT_SIZE="200")
    node.write(device, "after", mib=150)
    copy = node.do("attach", snapshot)  # in spite of LVM's flag that says "not now"
    assert node.read(copy, mib=150) == "before"
    node.do("grow", volume, VOL_SIZE="200", VOL_NEW_SIZE="210")
    assert node.size(device) == 212 * MIB
    node.do("setinfo", volume, VOL_METADATA="originstname+x")
    node.do("detach", volume)
    node.do("remove", volume)  # the snapshot is independent
    assert node.read(copy, mib=150) == "before"
    node.do("detach", snapshot)
    node.do("remove", snapshot)
    assert volumes(node) == []


def test_a_full_pool_is_told_and_harms_no_other_volume(node: LvmNode) -> None:
    first, second = new_volume(1), new_volume(2)
    for volume in (first, second):
        node.do("create", volume, VOL_SIZE="100")
    device = node.do("attach", first)
    node.write(device, "kept", mib=1)
    filled = node.do("attach", second)
    node.shell(f"lvchange --errorwhenfull y {THIN_GROUP}/pool")
    node.shell(f"! dd if=/dev/zero of={filled} bs=1M count=90 oflag=direct conv=notrunc")
    assert node.read(device, mib=1) == "kept"
    for volume in (second, first):
        node.do("detach", volume)
    node.do("remove", second)
    assert node.read(node.do("attach", first), mib=1) == "kept"
    node.write(node.do("attach", first), "goes on", mib=2)


@pytest.mark.whole
def test_a_pool_that_is_not_there_or_is_none(node: LvmNode) -> None:
    node.parameters["EXTP_THIN_POOL"] = "nothere"
    assert "nothere" in node.refuse("create", new_volume(), VOL_SIZE="8")
    node.shell(f"lvcreate --quiet -an -Zn -Wn -L 4m -n plain {THIN_GROUP}")
    node.parameters["EXTP_THIN_POOL"] = "plain"
    node.refuse("create", new_volume(), VOL_SIZE="8")
    assert "is no thin pool" in node.refuse("verify", "")
    assert volumes(node) == []


def test_a_pool_needs_lvmlockd_in_a_group_that_nodes_share(pair: list[LvmNode]) -> None:
    pair[0].parameters["EXTP_THIN_POOL"] = "pool"
    line = pair[0].refuse("create", new_volume(), VOL_SIZE="8")
    assert "only lvmlockd keeps them from it" in line


@pytest.mark.whole
def test_a_missing_physical_volume_is_told(pair: list[LvmNode]) -> None:
    node = pair[0]
    node.shell(f"vgextend --quiet {GROUP} /dev/ubdc")
    try:
        volume = new_volume()
        node.do("create", volume, VOL_SIZE="900")
        lost = new_volume(2)
        node.do("create", lost, VOL_SIZE="300")  # reaches over to the second disk
        node.do("attach", volume)
        missing = 'devices { filter=["r|ubdc|"] }'
        node.shell(f"printf '%s\\n' '{missing}' >> /etc/lvm/lvmlocal.conf")
        assert "1 physical volumes of group" in node.refuse("verify", "")
        assert "ubdc" not in node.refuse("attach", lost)
        node.refuse("create", new_volume(), VOL_SIZE="4")
        node.do("attach", volume)
        node.do("detach", volume)
    finally:
        node.shell("sed -i '/ubdc/d' /etc/lvm/lvmlocal.conf")
        for name in (volume, lost):
            node.do("detach", name)
            node.do("remove", name)
        node.shell(f"vgreduce --quiet {GROUP} /dev/ubdc && pvremove --quiet /dev/ubdc")
    assert node.volumes() == []
