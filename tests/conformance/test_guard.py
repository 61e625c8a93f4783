"""The suite never writes to a device that is not the provider's to give."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from extstorage_conformance.node_side.devices import Devices
from extstorage_conformance.node_side.guard import DeviceGuard
from extstorage_conformance.node_side.side import NodeSide
from tests.conformance.loop import loop_device

if TYPE_CHECKING:
    from pathlib import Path

    from tests.conformance.conftest import Workbench


def test_device_that_was_there_before_is_refused(tmp_path: Path) -> None:
    with loop_device(tmp_path / "before.img", 1) as path:
        guard = DeviceGuard()
        guard.learn(path)

        with pytest.raises(PermissionError, match="before the run"):
            Devices(guard).write(path, "volume", [0], 1)

        assert Devices(guard).nonzero_blocks(path, [0]) == []


def test_device_that_is_another_now_is_refused(tmp_path: Path) -> None:
    guard = DeviceGuard()
    backing_file = tmp_path / "one.img"
    with loop_device(backing_file, 1) as path:
        guard.learn(path)
        backing_file.rename(tmp_path / "another.img")

        with pytest.raises(PermissionError, match="another device"):
            guard.check(path)

        (tmp_path / "another.img").rename(backing_file)


def test_device_that_attach_gave_is_written_to(tmp_path: Path) -> None:
    guard = DeviceGuard()
    with loop_device(tmp_path / "new.img", 1) as path:
        guard.learn(path)

        Devices(guard).write(path, "volume", [0], 1)

        assert not Devices(guard).mismatches(path, "volume", [0], 1)


def test_what_was_there_before_a_boot_stays_refused(tmp_path: Path) -> None:
    with loop_device(tmp_path / "before.img", 1) as path:
        before = NodeSide().guarded()
    assert before
    with loop_device(tmp_path / "before.img", 1) as again:
        if again == path:  # else somebody else has taken the number
            with pytest.raises(PermissionError, match="before the run"):
                NodeSide(before).write(path, "volume", [0], 1)


@pytest.mark.slow
@pytest.mark.parametrize("profile", ["core", pytest.param("standard", marks=pytest.mark.whole)])
def test_attach_that_names_a_foreign_device_harms_nobody(
    workbench: Workbench, tmp_path: Path, profile: str
) -> None:
    with loop_device(tmp_path / "foreign.img", 40) as path:
        workbench.replace_script("attach", f"#!/bin/sh\necho {path}\n")

        run = workbench.run(f"--extstorage-profile={profile}")

        assert run.exit_code == 1
        assert not any((tmp_path / "foreign.img").read_bytes())
