"""Writers that keep a device busy while a script runs."""

from __future__ import annotations

import subprocess
import time
from typing import TYPE_CHECKING

from extstorage_conformance.node_side import streams
from extstorage_conformance.node_side.devices import Devices
from extstorage_conformance.node_side.guard import DeviceGuard
from extstorage_conformance.node_side.streams import Stream
from tests.conformance.loop import loop_device

if TYPE_CHECKING:
    from pathlib import Path

    import pytest


def a_stream(device: str, *, idles: bool = False) -> Stream:
    return Stream(Devices(DeviceGuard([])), device, "disk0", [0], idles=idles)


def test_what_a_call_did_last_is_met(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(streams, "_PAUSE_S", 1)
    with loop_device(tmp_path / "image", 1) as device:
        stream = a_stream(device)
        stream.start()
        subprocess.run(["blockdev", "--setro", device], check=True)  # during the pause
        stream.stop()
        subprocess.run(["blockdev", "--setrw", device], check=True)
    (error,) = stream.progress()["errors"]
    assert error == "I/O at byte 0: [Errno 1] Operation not permitted"


def test_only_a_stream_that_idles_leaves_time_to_copy(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(streams, "_EAGER_S", 0)
    with loop_device(tmp_path / "image", 1) as device:
        rounds = []
        for idles in (True, False):
            stream = a_stream(device, idles=idles)
            stream.start()
            time.sleep(0.6)
            stream.stop()
            assert stream.progress()["errors"] == []
            rounds.append(stream.progress()["rounds"])
    assert rounds[0] <= 4
    assert rounds[1] > 10
