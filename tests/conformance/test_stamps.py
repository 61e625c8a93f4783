"""Stamped blocks: each tells where it belongs, and nothing passes for what it is not."""

from __future__ import annotations

import threading
import time
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from extstorage_conformance import stamps
from extstorage_conformance.devices import Devices
from extstorage_conformance.node_side.side import NodeSide
from tests.conformance.loop import MIB, loop_device

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

VOLUME = "e5000000-0000-4001-8e57-000000000000.ext.disk0"
STAMP = stamps.Stamp(VOLUME, 8192, 3)
SIDE = NodeSide(before=[])
DEVICES = Devices(lambda method, *arguments: getattr(SIDE, method)(*arguments))


@pytest.fixture
def device(tmp_path: Path) -> Iterator[str]:
    with loop_device(tmp_path / "image") as path:
        yield path


def test_block_is_full_and_tells_its_stamp() -> None:
    block = STAMP.to_block()

    assert len(block) == stamps.BLOCK_BYTES
    assert stamps.Stamp.from_block(block) == STAMP


@pytest.mark.parametrize(
    "change", [{"volume": VOLUME[:-1] + "1"}, {"offset": 4096}, {"generation": 4}]
)
def test_blocks_of_different_stamps_differ(change: dict[str, str | int]) -> None:
    assert replace(STAMP, **change).to_block() != STAMP.to_block()  # type: ignore[arg-type]


@pytest.mark.parametrize("at", [100, 511, 512, 4095])
def test_torn_block_is_no_stamp(at: int) -> None:
    newer = replace(STAMP, generation=4).to_block()
    torn = newer[:at] + STAMP.to_block()[at:]

    assert torn in {newer, STAMP.to_block()} or stamps.Stamp.from_block(torn) is None


def test_half_written_block_is_no_stamp() -> None:
    torn = replace(STAMP, generation=4).to_block()[:2048] + STAMP.to_block()[2048:]

    assert stamps.Stamp.from_block(torn) is None
    assert stamps.describe(torn) == "data that no test wrote, or a torn block"


def test_names_of_real_length_stay_apart() -> None:
    names = [VOLUME, VOLUME + "0", VOLUME + ".snap", VOLUME + "0.snap"]

    blocks = {stamps.Stamp(name, 0, 1).to_block() for name in names}

    assert len(blocks) == len(names)


def test_description_tells_zeros_from_stamps() -> None:
    assert stamps.describe(bytes(stamps.BLOCK_BYTES)) == "zeros"
    assert stamps.describe(STAMP.to_block()) == f"volume {VOLUME}, byte 8192, generation 3"


@pytest.mark.parametrize("size", [MIB, 4 * MIB, 1023 * MIB, 4096 * 3])
@pytest.mark.parametrize("count", [2, 16, 64])
def test_spread_has_first_and_last_block(size: int, count: int) -> None:
    offsets = stamps.spread(size, count)

    assert offsets[0] == 0
    assert offsets[-1] == size - stamps.BLOCK_BYTES
    assert len(offsets) <= count
    assert all(offset % stamps.BLOCK_BYTES == 0 for offset in offsets)


def test_what_is_written_is_found(device: str) -> None:
    offsets = stamps.spread(DEVICES.size_bytes(device))

    DEVICES.write(device, VOLUME, offsets, 2)

    assert DEVICES.mismatches(device, VOLUME, offsets, 2) == []
    assert DEVICES.nonzero_blocks(device, [*offsets, offsets[1] + stamps.BLOCK_BYTES]) == offsets


def test_what_is_missing_is_told(device: str) -> None:
    DEVICES.write(device, VOLUME, [0, 8192], 1)
    DEVICES.write(device, VOLUME + "0", [8192], 1)

    found = DEVICES.mismatches(device, VOLUME, [0, 4096, 8192], 1)

    assert found == [
        "block at byte 4096 holds zeros",
        f"block at byte 8192 holds volume {VOLUME}0, byte 8192, generation 1",
    ]


def test_writing_through_the_cache_reaches_the_device(device: str) -> None:
    DEVICES.write_through_cache(device, VOLUME, [4096], 5)

    assert DEVICES.mismatches(device, VOLUME, [4096], 5) == []


def test_discard_empties_its_range_only(device: str) -> None:
    offsets = [0, MIB, 2 * MIB]
    DEVICES.write(device, VOLUME, offsets)

    DEVICES.discard(device, MIB, MIB)

    assert DEVICES.nonzero_blocks(device, offsets) == [0, 2 * MIB]


def test_probe_changes_nothing(device: str) -> None:
    DEVICES.write(device, VOLUME, [0])

    DEVICES.probe(device)

    assert DEVICES.mismatches(device, VOLUME, [0]) == []


def test_writing_beyond_the_end_is_an_error(device: str) -> None:
    with pytest.raises(OSError, match=r".+"):
        DEVICES.write(device, VOLUME, [DEVICES.size_bytes(device)])


def test_stream_writes_until_it_is_stopped(device: str) -> None:
    with DEVICES.stream(device, VOLUME, [0, 4096]) as stream:
        first = DEVICES.stamps(device, [0, 4096])
        time.sleep(0.05)

    assert any(first)
    assert stream.errors == []
    assert stream.longest_s > 0
    assert stream.rounds > 2
    assert not [thread for thread in threading.enumerate() if "stream-" in thread.name]
    assert set(stream.written) == {0, 4096}
    assert DEVICES.stale(device, VOLUME, stream.written) == []
    assert len(DEVICES.stale(device, VOLUME, {0: stream.rounds + 9})) == 1


def test_stream_notes_errors(tmp_path: Path) -> None:
    with DEVICES.stream(str(tmp_path / "missing"), VOLUME, [0]) as stream:
        pass

    assert "I/O at byte 0" in stream.errors[0]
