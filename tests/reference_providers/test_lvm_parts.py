"""What of the LVM provider needs no kernel: names, tags, reports, blocks of the area."""

from __future__ import annotations

import ctypes.util
import string

import pytest

from extstorage.provider import InvalidInputError
from lvm import names, tags
from lvm.area import BLOCK
from lvm.group import LogicalVolume
from lvm.holds import ROOM, Block, unpack
from lvm.provider import Lvm
from lvm.sanlock import Sanlock

GANETI = "0b7c2c55-8a4e-4f0e-8a0e-3f5a3a1f2c77.ext.disk0"
RESERVED = (
    "_cdata", "_cmeta", "_corig", "_imeta", "_iorig", "_mimage", "_mlog", "_pmspare", "_rimage",
    "_rmeta", "_tdata", "_tmeta", "_vdata", "_vorigin", "_wcorig",
)  # fmt: skip


@pytest.mark.parametrize("name", [GANETI, f"{GANETI}.snap", "disk1", "A.b-c", "a-snapshot"])
def test_a_name_that_lvm_takes_stays(name: str) -> None:
    assert names.logical_volume("vg", "lvm", name) == f"{name}+lvm"


@pytest.mark.parametrize("word", RESERVED)
@pytest.mark.parametrize("pattern", ["{}", "a{}", "a{}_0", "{}b"])
def test_no_reserved_word_is_left(word: str, pattern: str) -> None:
    assert "_" not in names.logical_volume("vg", "my_lvm", pattern.format(word))


def test_no_two_volumes_have_one_name() -> None:
    volumes = [
        "snapshot", "_snapshot", "usnapshot", "u_snapshot", "snapshot_", "snapshotu", "pvmove0",
        "_pvmove0", "a_b", "aub", "a_ub", "au_b", "a__b", "a-b", "a.b", "psnapshot",
    ]  # fmt: skip
    providers = ["lvm", "copy", "u", "ub", "a_b"]
    found = [names.logical_volume("vg", each, one) for each in providers for one in volumes]
    others = [
        each(name) for each in (names.frozen, names.unfinished, names.removed) for name in found
    ]
    made = [*found, names.AREA, *others]
    assert len(set(made)) == 4 * len(volumes) * len(providers) + 1
    assert not any(name.startswith(("snapshot", "pvmove", "-", ".")) for name in found)


def test_a_mapping_is_what_device_mapper_calls_it() -> None:
    assert names.mapping("my-vg", "a-b.c") == "my--vg-a--b.c"


def test_a_name_without_room_is_refused_before_anything_is_done() -> None:
    assert names.logical_volume("vg", "lvm", "v" * 110)
    with pytest.raises(InvalidInputError, match="118 characters in group vg"):
        names.logical_volume("vg", "lvm", "v" * 111)
    with pytest.raises(InvalidInputError, match="counting twice"):
        names.logical_volume("vg", "lvm", "a-" * 40)


def test_a_row_of_the_report() -> None:
    row = LogicalVolume(
        "  x|AAAAAA-1111-2222-3333-4444-5555-BBBBBB|8388608|Vwi---tz-k|"
        "extstorage.provider=lvm,extstorage.maker=3.17|CCCCCC-1111-2222-3333-4444-5555-DDDDDD"
        "|1073741824|4194304|pool"
    )
    assert row.uuid == "LVM-CCCCCC11112222333344445555DDDDDDAAAAAA11112222333344445555BBBBBB"
    assert (row.name, row.size, row.free, row.extent) == ("x", 8 << 20, 1 << 30, 4 << 20)
    assert row.pool == "pool"
    assert (row.is_thin, row.is_copied, row.maker) == (True, False, "3.17")


@pytest.mark.skipif(
    ctypes.util.find_library("sanlock_client") is None,
    reason="needs sanlock's client library: apt-get install libsanlock-client1",
)
def test_an_answer_of_the_system_is_no_unknown_error() -> None:
    assert Sanlock().reason(-104) == "Connection reset by peer (-104): is sanlock running?"
    assert Sanlock().reason(-2).endswith("(-2): is sanlock running?")
    assert Sanlock().reason(-17) == "File exists (-17)"
    assert Sanlock().reason(-202).endswith("(-202)")
    assert "Unknown" not in Sanlock().reason(-202)


@pytest.mark.parametrize("text", ["originstname+web.example.com", "x" * 128, "-_+.aZ9"])
def test_whatever_setinfo_is_given_fits_in_a_tag(text: str) -> None:
    tag = tags.info(text)
    assert tags.is_info(tag)
    assert len(tag) < 1024
    assert set(tag) <= {*string.ascii_letters, *string.digits, *"_+.-/=!:&#"}


def test_a_block_says_what_was_put_in_it() -> None:
    uses = {number * 2**40: 1 + number % 3 for number in range(ROOM)}
    packed = Block("node1.example.com", 7, uses).packed()
    assert len(packed) <= BLOCK
    found = unpack(packed + bytes(BLOCK - len(packed)), 7)
    assert found is not None
    assert (found.name, found.uses) == ("node1.example.com", uses)


def test_a_block_of_an_earlier_generation_counts_for_nothing() -> None:
    found = unpack(Block("node1", 7, {1: 3}).packed() + bytes(100), 8)
    assert found is not None
    assert found.uses == {}


def test_a_block_that_nobody_has_written_counts_for_nothing() -> None:
    found = unpack(bytes(BLOCK), 1)
    assert found is not None
    assert found.uses == {}


@pytest.mark.parametrize("place", [84, 90, 95])
def test_a_damaged_block_is_not_taken_for_an_empty_one(place: int) -> None:
    block = bytearray(Block("node1", 7, {1: 3}).packed())
    block[place] ^= 1
    assert unpack(bytes(block), 7) is None


@pytest.mark.parametrize("value", ["-x", ".x", "a/b", "a b", "a;b", "@tag", "a*"])
def test_a_group_whose_name_lvm_would_take_for_something_else(value: str) -> None:
    with pytest.raises(InvalidInputError, match="parameter group: expected a name"):
        Lvm("lvm", {"EXTP_GROUP": value})
