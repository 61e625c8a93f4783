"""Rules about attach: the script that Ganeti calls before nearly everything."""

from __future__ import annotations

import os

from extstorage_conformance import judge, stamps
from extstorage_conformance.inventory.block import mapping_of
from extstorage_conformance.rules import Level, Profile, rule
from extstorage_conformance.subject import Subject
from extstorage_conformance.violation import Violation

_ATTACH = "lib/storage/extstorage.py ExtStorageDevice.Attach"
_REPEATS = 10
_LONGEST_STALL_S = 2.0


@rule(
    "ES-ATTACH-01",
    Level.MUST,
    source=f"{_ATTACH}; man ganeti-extstorage-interface(7) attach",
    needs=("device",),
)
def test_first_line_is_the_device_path(subject: Subject) -> None:
    """The first line of attach's output is the absolute path of the device."""
    call = subject.created().call("attach")
    judge.succeeds(call)
    line = call.stdout.split("\n")[0]
    judge.holds(line.startswith("/"), "an absolute path on the first line", repr(line[:80]), call)


@rule("ES-ATTACH-02", Level.MUST, source=f"{_ATTACH} (os.stat, S_ISBLK)", needs=("device",))
def test_path_is_a_block_device_at_once(subject: Subject) -> None:
    """The path that attach prints is a block device at the moment that attach exits.

    Ganeti looks at the path right away; a device that udev makes a moment later
    is "not attached".
    """
    judge.block_device(subject.created().call("attach"))


@rule("ES-ATTACH-03", Level.MUST, source="lib/backend.py _RecursiveFindBD, BlockdevRemove")
def test_unknown_volume_is_refused(subject: Subject) -> None:
    """Attach of a volume that does not exist fails and prints no device.

    Ganeti takes an attach that succeeds for proof that the volume exists.
    """
    call = subject.volume().call("attach")
    judge.fails(call, "there is no such volume")
    judge.holds(not call.stdout.strip(), "nothing on stdout", repr(call.stdout[:80]), call)


@rule("ES-ATTACH-04", Level.MUST, source="man ganeti-extstorage-interface(7) attach")
def test_attached_volume_is_attached_again(subject: Subject) -> None:
    """Attach of an attached volume prints the same path and makes no second mapping."""
    volume = subject.attached()
    before = subject.suite.survey.take()
    for _ in range(_REPEATS):
        call = volume.call("attach")
        path = judge.block_device(call)
        judge.holds(path == volume.path, f"{volume.path}, as the first time", path, call)
    made = sorted(subject.suite.survey.take() - before)
    judge.holds(not made, "no new mapping", ", ".join(map(str, made[:3])), call)


@rule("ES-ATTACH-05", Level.MUST, source="lib/backend.py _RecursiveFindBD", profile=Profile.STANDARD)
def test_attach_again_leaves_io_alone(subject: Subject) -> None:
    """Attach of an attached volume does not disturb I/O that is going on.

    Ganeti attaches before every operation on a disk, whatever the instance is doing.
    """
    volume = subject.attached()
    with stamps.Stream(volume.path, volume.name, volume.offsets()).running() as stream:
        for _ in range(_REPEATS):
            call = volume.call("attach")
            judge.succeeds(call)
    judge.holds(not stream.errors, "undisturbed I/O", "; ".join(stream.errors[:3]), call)
    judge.holds(
        stream.longest_s < _LONGEST_STALL_S,
        f"no I/O to wait longer than {_LONGEST_STALL_S:.0f} s",
        f"a wait of {stream.longest_s:.1f} s",
        call,
    )


@rule("ES-ATTACH-13", Level.MUST, source="derived: the name is the only identity that Ganeti gives")
def test_names_are_matched_exactly(subject: Subject) -> None:
    """Volumes whose names are prefixes of each other get devices of their own, with their own data.

    disk1 answered with disk10's device is the worst fault that real providers have.
    """
    uuid = subject.uuid()
    volumes = [subject.attached(uuid=uuid, index=index) for index in (10, 1, 11)]
    for volume in volumes:
        volume.stamp()
    for volume in volumes:
        call = volume.call("attach")
        volume.path = judge.block_device(call)
        volume.judge_stamps(call)
    numbers = {os.stat(volume.path).st_rdev for volume in volumes}
    judge.holds(len(numbers) == len(volumes), "a device for each volume", f"{len(numbers)}", call)


@rule("ES-ATTACH-15", Level.MUST, source="derived: Ganeti reuses the name in recreate-disks")
def test_a_removed_volumes_mapping_is_not_returned(subject: Subject) -> None:
    """A volume that was removed and created again is attached with its new, not its old storage."""
    volume = subject.attached()
    volume.stamp()
    volume.given("detach")
    volume.given("remove")
    volume.given("create")
    call = volume.call("attach")
    path = judge.block_device(call)
    if "(deleted)" in mapping_of(path):
        raise Violation("a device of the new volume", f"{path} maps a deleted file", call)
