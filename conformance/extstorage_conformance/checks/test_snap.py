"""Rules about snapshot: the script that gnt-backup export takes a running instance with."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from extstorage_conformance import judge, stamps
from extstorage_conformance.life import ordinary, snapshot_of, through
from extstorage_conformance.rules import Level, Profile, rule
from extstorage_conformance.violation import Blocked, NotApplicable

if TYPE_CHECKING:
    from extstorage_conformance.subject import Subject
    from extstorage_conformance.volume import Volume

_SNAPSHOT = "lib/storage/extstorage.py ExtStorageDevice.Snapshot"
_EXPORT = "lib/masterd/instance.py ExportInstanceHelper.CreateSnapshots"
_NEEDS = ("snapshot", "device")
_QUIET_MOMENT_S = 0.05  # a provider that copies has to find the origin idle now and then


def _taken(volume: Volume) -> Volume:
    """Return the snapshot of ``volume``, taken as a given step."""
    through(volume, "snapshot")
    return snapshot_of(volume)


def _generations(snapshot: Volume, origin: Volume) -> set[int]:
    """Return the generations of the origin's stamps that the attached snapshot shows."""
    try:
        blocks = [stamps.read_block(snapshot.path, offset) for offset in origin.offsets()]
    except OSError as error:
        raise Blocked(f"reading {snapshot.path} failed: {error}") from None
    found = [stamps.Stamp.from_block(block) for block in blocks]
    return {stamp.generation for stamp in found if stamp and stamp.volume == origin.name}


@rule(
    "ES-SNAP-01",
    Level.MUST,
    source=f"{_EXPORT}; Ganeti issue 1251",
    since="2.13",
    needs=_NEEDS,
)
def test_snapshot_is_a_volume_of_its_own_name(subject: Subject) -> None:
    """After snapshot, attach of VOL_SNAPSHOT_NAME gives a device, beside the origin's.

    Ganeti knows a snapshot as one more volume: no script is told that it is one.
    """
    origin = subject.attached()
    snapshot = _taken(origin)
    call = snapshot.call("attach")
    path = judge.block_device(call)
    numbers = [Path(device).stat().st_rdev for device in (path, origin.path)]
    judge.holds(numbers[0] != numbers[1], "a device of its own", f"the origin's, {path}", call)


@rule(
    "ES-SNAP-02",
    Level.MUST,
    source="Ganeti issue 1251 (the origin was exported in place of its snapshot)",
    since="2.13",
    profile=Profile.STANDARD,
    needs=_NEEDS,
)
def test_snapshot_is_frozen(subject: Subject) -> None:
    """What is written to the origin after the snapshot was taken does not show in the snapshot.

    The instance goes on writing during an export; a backup that changes while
    it is read is worth nothing.
    """
    origin = subject.attached()
    origin.stamp(generation=1)
    snapshot = _taken(origin)
    snapshot.attach()
    origin.stamp(generation=2)
    shown = _generations(snapshot, origin)
    judge.holds(
        2 not in shown,  # noqa: PLR2004 - the generation written after the snapshot
        "the snapshot as it was taken",
        f"{snapshot.path} shows what was written to the origin later",
        subject.calls[-1],
    )


@rule(
    "ES-SNAP-03",
    Level.MUST,
    source="derived: gnt-backup export --noshutdown leaves the instance running",
    since="2.13",
    profile=Profile.STANDARD,
    needs=_NEEDS,
)
def test_origin_keeps_working(subject: Subject) -> None:
    """Snapshot leaves the origin attached at the same path, unchanged and writable."""
    origin = subject.attached()
    origin.stamp(generation=1)
    _taken(origin)
    taken = subject.calls[-1]
    origin.judge_stamps(taken, generation=1)
    call = origin.call("attach")
    path = judge.block_device(call)
    judge.holds(path == origin.path, f"{origin.path}, as before", path, call)
    origin.judge_io(taken, generation=2)


@rule(
    "ES-SNAP-04",
    Level.MUST,
    source="lib/masterd/instance.py ExportInstanceHelper._RemoveSnapshot; ExtStorageDevice.Remove",
    since="2.13",
    profile=Profile.STANDARD,
    needs=_NEEDS,
)
def test_snapshot_is_removed_as_any_volume(subject: Subject) -> None:
    """Attach, detach and remove of VOL_SNAPSHOT_NAME remove the snapshot and leave the origin.

    Its name is always VOL_NAME.snap: one that stays makes the next export fail.
    """
    origin = subject.attached()
    origin.stamp()
    snapshot = _taken(origin)
    snapshot.attach()
    for method in ("detach", "remove"):
        judge.succeeds(snapshot.call(method), "the snapshot is a volume as any other")
    origin.judge_stamps(subject.calls[-1])
    call = snapshot.call("attach")
    judge.fails(call, "the snapshot has been removed")
    call = origin.call("attach")
    path = judge.block_device(call)
    judge.holds(path == origin.path, f"the origin still at {origin.path}", path, call)


@rule("ES-SNAP-05", Level.MUST, source=_SNAPSHOT, since="2.13", needs=_NEEDS)
def test_snapshot_needs_no_more_than_ganeti_sends(subject: Subject) -> None:
    """Snapshot succeeds with VOL_NAME, VOL_SNAPSHOT_NAME, VOL_SNAPSHOT_SIZE and the parameters.

    It is the one method that gets neither VOL_UUID nor VOL_CNAME.
    """
    origin = subject.attached()
    invocation = ordinary(origin, "snapshot")
    unsent = ("VOL_UUID", "VOL_CNAME", "VOL_SIZE", "VOL_NEW_SIZE", "VOL_METADATA")
    judge.succeeds(subject.run(invocation.without(*unsent)))


@rule(
    "ES-SNAP-06",
    Level.MUST,
    source="lib/cmdlib/backup.py LUBackupExport (--noshutdown)",
    since="2.13",
    profile=Profile.STANDARD,
    needs=_NEEDS,
)
def test_snapshot_of_a_busy_origin(subject: Subject) -> None:
    """Snapshot succeeds while the origin is open and being written, and no write fails."""
    origin = subject.attached()
    through(origin, "open")
    stream = stamps.Stream(origin.path, origin.name, origin.offsets(), pause_s=_QUIET_MOMENT_S)
    with stream.running():
        call = subject.run(ordinary(origin, "snapshot"))
    judge.succeeds(call, "the instance runs on during an export")
    judge.holds(not stream.errors, "undisturbed I/O", "; ".join(stream.errors[:3]), call)


@rule(
    "ES-SNAP-07",
    Level.MUST,
    source="derived: an export without data would be told as a success",
    since="2.13",
    needs=("snapshot",),
)
def test_snapshot_of_nothing_is_refused(subject: Subject) -> None:
    """Snapshot of a volume that does not exist fails and makes no snapshot."""
    origin = subject.volume()
    call = subject.run(ordinary(origin, "snapshot"))
    judge.fails(call, "there is no such volume")
    judge.fails(snapshot_of(origin).call("attach"), "no snapshot was made")
    left = subject.left()
    judge.holds(not left, "nothing made", "; ".join(map(str, left[:3])), call)


@rule(
    "ES-SNAP-08",
    Level.MUST,
    source=f"{_SNAPSHOT} (the name is always VOL_NAME.snap)",
    since="2.13",
    profile=Profile.STANDARD,
    needs=_NEEDS,
)
def test_existing_snapshot_is_never_passed_off_as_new(subject: Subject) -> None:
    """Snapshot under a name that exists fails, or puts the origin's data of now in its place.

    An export that was cut short leaves its snapshot behind, and the next export
    uses the same name.
    """
    origin = subject.attached()
    origin.stamp(generation=1)
    snapshot = _taken(origin)
    origin.stamp(generation=2)
    call = judge.ended(subject.run(ordinary(origin, "snapshot")))
    if call.failed:
        return
    snapshot.attach()
    judge.holds(
        1 not in _generations(snapshot, origin),
        "a non-zero exit, or a snapshot of the origin as it is now",
        "exit 0, and the snapshot still holds the older data",
        call,
    )


@rule(
    "ES-SNAP-09",
    Level.SHOULD,
    source="man ganeti-extstorage-interface(7) snapshot",
    since="2.13",
    profile=Profile.STANDARD,
    needs=_NEEDS,
)
def test_snapshot_has_its_size(subject: Subject) -> None:
    """The snapshot's device has at least VOL_SNAPSHOT_SIZE MiB."""
    snapshot = _taken(subject.attached())
    taken = subject.calls[-1]
    snapshot.attach()
    found = snapshot.device_mib()
    judge.holds(
        found >= snapshot.size_mib, f"{snapshot.size_mib} MiB or more", f"{found:g} MiB", taken
    )


@rule(
    "ES-SNAP-10",
    Level.MUST,
    source="lib/storage/extstorage.py _ExtStorageAction (a missing optional script is success)",
    since="2.13",
)
def test_no_snapshot_without_the_script(subject: Subject) -> None:
    """Without a snapshot script, attach of VOL_NAME.snap fails.

    Ganeti takes the missing script for success and exports whatever this attach
    names.
    """
    if subject.provides("snapshot"):
        raise NotApplicable("the provider has a snapshot script")
    call = snapshot_of(subject.created()).call("attach")
    judge.fails(call, "there is no snapshot")


@rule(
    "ES-SNAP-11",
    Level.MUST,
    source=f"derived: {_EXPORT} exports the snapshot as the instance's data",
    since="2.13",
    profile=Profile.STANDARD,
    needs=_NEEDS,
)
def test_snapshot_holds_what_was_written_before(subject: Subject) -> None:
    """The snapshot holds all that was written and synced to the origin before it was taken."""
    origin = subject.attached()
    offsets = origin.offsets()
    origin.stamp(offsets=offsets[::2])
    try:
        stamps.write_through_cache(origin.path, origin.name, offsets[1::2])
    except OSError as error:
        raise Blocked(f"writing to {origin.path} failed: {error}") from None
    snapshot = _taken(origin)
    taken = subject.calls[-1]
    path = snapshot.attach()
    try:
        found = stamps.mismatches(path, origin.name, offsets)
    except OSError as error:
        found = [f"reading {path} failed: {error}"]
    judge.holds(not found, "the origin's data", "; ".join(found[:3]), taken)
