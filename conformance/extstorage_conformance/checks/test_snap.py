"""Rules about snapshot: the script that gnt-backup export takes a running instance with."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from extstorage_conformance import judge, stamps
from extstorage_conformance.life import given_attach_tells, ordinary, snapshot_of, through
from extstorage_conformance.rules import Level, Profile, rule
from extstorage_conformance.violation import Blocked, NotApplicable

if TYPE_CHECKING:
    from extstorage.host.call import Call
    from extstorage_conformance.subject import Subject
    from extstorage_conformance.volume import Volume

_SNAPSHOT = "lib/storage/extstorage.py ExtStorageDevice.Snapshot"
_EXPORT = "lib/masterd/instance.py ExportInstanceHelper.CreateSnapshots"
_NEEDS = ("snapshot", "device")
_MOST_OVERWRITTEN_MIB = 256  # where the smallest volume is large, to keep the rule cheap
_NOT_SENT = ("VOL_UUID", "VOL_CNAME", "VOL_SIZE")


def _taken(volume: Volume) -> Volume:
    """Return the snapshot of ``volume``, taken and attached as given steps."""
    through(volume, "snapshot")
    snapshot = snapshot_of(volume)
    snapshot.attach()
    if snapshot.device_number() == volume.device_number():
        raise Blocked(
            f"the snapshot's device is the origin's, {volume.path}", volume.subject.calls[-1]
        )
    return snapshot


def _with_more(origin: Volume) -> Call:
    """Take a snapshot with variables that Ganeti sends to other methods, but not to snapshot."""
    more = dict(zip(_NOT_SENT, (origin.disk.uuid, "data", str(origin.size_mib)), strict=True))
    return origin.subject.run(ordinary(origin, "snapshot").with_variables(more))


def _generations(snapshot: Volume, origin: Volume) -> set[int]:
    """Return the generations of the origin's stamps that the attached snapshot shows."""
    try:
        found = snapshot.devices.stamps(snapshot.path, origin.offsets())
    except OSError as error:
        raise Blocked(f"reading {snapshot.path} failed: {error}") from None
    return {stamp.generation for stamp in found if stamp and stamp.volume == origin.name}


@rule(
    "ES-SNAP-01",
    Level.MUST,
    source=f"{_EXPORT}; Ganeti issue 1251",
    since="2.13",
    needs=_NEEDS,
)
def test_snapshot_is_a_volume_of_its_own_name(subject: Subject) -> None:
    """Snapshot of an attached volume succeeds, and attach of VOL_SNAPSHOT_NAME gives a device.

    Ganeti knows a snapshot as one more volume: no script is told that it is one.
    """
    origin = subject.attached()
    call = subject.run(ordinary(origin, "snapshot"))
    if call.failed and _with_more(origin).succeeded:
        raise Blocked("snapshot wants more than Ganeti sends, which another rule is about", call)
    judge.succeeds(call)
    snapshot_of(origin).judge_attach()


@rule(
    "ES-SNAP-02",
    Level.MUST,
    source=f"{_EXPORT}; Ganeti issue 1251 (the origin was exported in place of its snapshot)",
    since="2.13",
    profile=Profile.STANDARD,
    needs=_NEEDS,
)
def test_snapshot_is_the_origin_as_it_was(subject: Subject) -> None:
    """The snapshot has a device of its own, that shows what the origin held when it was taken.

    All that was written and synced before, up to the end of the device, and nothing of what the
    instance writes while it is exported, though it be all of the disk. Sizes are whatever the
    user has said (here no multiple of anything), and a volume that was grown is exported with
    what it was grown by.
    """
    size_mib = subject.configuration.sizes["default"] + 1
    origin = subject.attached(size_mib=size_mib + 1 - size_mib % 2)
    offsets = _up_to_the_end(origin)
    origin.stamp(1, offsets[::2])
    origin.stamp_through_cache(1, offsets[1::2])
    through(origin, "snapshot")
    taken = subject.calls[-1]
    origin.stamp(2, offsets)  # what is copied no sooner than at its first attach shows this
    snapshot = snapshot_of(origin)
    snapshot.attach()
    own = snapshot.device_number() != origin.device_number()
    judge.holds(own, "a device of its own", f"the origin's, {origin.path}", subject.calls[-1])
    origin.stamp(3, offsets)
    _judge_copy(snapshot, origin, offsets, taken)
    _overwrite(origin)
    snapshot.detach()
    snapshot.judge_attach()
    _judge_copy(snapshot, origin, offsets, taken)
    _judge_snapshot_once_grown(subject.attached(size_mib=origin.size_mib))


def _up_to_the_end(origin: Volume) -> list[int]:
    """Return offsets over all of the attached device, more of them in its last MiB."""
    end = int(origin.device_mib() * stamps.MIB) // stamps.BLOCK_BYTES * stamps.BLOCK_BYTES
    last = {end - stamps.MIB + at for at in stamps.spread(stamps.MIB)}
    return sorted({*stamps.spread(end), *last})


def _overwrite(origin: Volume) -> None:
    """Write to each block of the device: a place for what changes under a snapshot fills up."""
    end = int(min(origin.device_mib(), _MOST_OVERWRITTEN_MIB) * stamps.MIB) - stamps.BLOCK_BYTES
    origin.stamp_through_cache(4, range(0, end + 1, stamps.BLOCK_BYTES))


def _judge_snapshot_once_grown(origin: Volume) -> None:
    size_mib = 2 * origin.size_mib + 1
    origin.given("grow", new_size_mib=size_mib)
    origin.disk = replace(origin.disk, size_mib=size_mib)
    origin.attach()
    offsets = _up_to_the_end(origin)
    origin.stamp(1, offsets)
    through(origin, "snapshot")
    taken = origin.subject.calls[-1]
    snapshot = snapshot_of(origin)
    snapshot.attach()
    _judge_copy(snapshot, origin, offsets, taken)


def _judge_copy(snapshot: Volume, origin: Volume, offsets: list[int], taken: Call) -> None:
    """Judge that the attached snapshot holds generation 1; one too small is for ES-SNAP-09."""
    try:
        size = snapshot.devices.size_bytes(snapshot.path)
        is_too_small = size < snapshot.size_mib * stamps.MIB
        there = [at for at in offsets if at < size or not is_too_small]
        found = snapshot.devices.mismatches(snapshot.path, origin.name, there)
    except OSError as error:
        found = [f"reading {snapshot.path} failed: {error}"]
    judge.holds(not found, "the origin as it was (generation 1)", "; ".join(found[:3]), taken)


@rule(
    "ES-SNAP-03",
    Level.MUST,
    source="derived: gnt-backup export --noshutdown leaves the instance running",
    since="2.13",
    profile=Profile.STANDARD,
    needs=_NEEDS,
)
def test_origin_keeps_working(subject: Subject) -> None:
    """Snapshot leaves the origin attached at the same path, unchanged and writable.

    What is written to it from then on is there when it is detached and attached again.
    """
    origin = subject.attached()
    origin.attach_again()
    origin.stamp(generation=1)
    through(origin, "snapshot")
    taken = subject.calls[-1]
    origin.judge_stamps(taken, generation=1)
    call = origin.call("attach")
    path = judge.block_device(call)
    judge.holds(path == origin.path, f"{origin.path}, as before", path, call)
    origin.judge_io(taken, generation=2)
    _judge_for_good(origin, taken, generation=2)


def _judge_for_good(origin: Volume, call: Call, generation: int) -> None:
    """Judge that the origin has its data when it is detached and attached again."""
    origin.given("detach")
    origin.judge_attach()
    origin.judge_stamps(call, generation)


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

    Its name is always VOL_NAME.snap: one that stays makes the next export fail. The origin has
    what was written to it meanwhile, also when it is detached and attached again.
    """
    given_attach_tells(subject)
    origin = subject.attached()
    origin.attach_again()
    origin.stamp(generation=1)
    snapshot = _taken(origin)
    origin.stamp(generation=2)
    for method in ("detach", "remove"):
        judge.succeeds(snapshot.call(method), "the snapshot is a volume as any other")
    removed = subject.calls[-1]
    origin.judge_stamps(removed, generation=2)
    call = snapshot.call("attach")
    judge.fails(call, "the snapshot has been removed")
    call = origin.call("attach")
    path = judge.block_device(call)
    judge.holds(path == origin.path, f"the origin still at {origin.path}", path, call)
    _judge_for_good(origin, removed, generation=2)


@rule("ES-SNAP-05", Level.MUST, source=_SNAPSHOT, since="2.13", needs=_NEEDS)
def test_snapshot_needs_no_more_than_ganeti_sends(subject: Subject) -> None:
    """Snapshot succeeds with VOL_NAME, VOL_SNAPSHOT_NAME, VOL_SNAPSHOT_SIZE and the parameters.

    It is the one method that gets neither VOL_UUID nor VOL_CNAME.
    """
    origin = subject.attached()
    call = subject.run(ordinary(origin, "snapshot").without(*_NOT_SENT))
    if call.failed and _with_more(origin).failed:
        raise Blocked("snapshot fails whatever is sent", call)
    judge.succeeds(call, f"Ganeti does not send {', '.join(_NOT_SENT)}")


@rule(
    "ES-SNAP-06",
    Level.MUST,
    source="lib/cmdlib/backup.py LUBackupExport (--noshutdown)",
    since="2.13",
    profile=Profile.STANDARD,
    needs=_NEEDS,
)
def test_snapshot_of_a_busy_origin(subject: Subject) -> None:
    """Snapshot of an origin that is being written succeeds, and shows it at one moment.

    Of the instance's writes, each made when the one before had ended, the snapshot has all up to
    one of them: what a file system needs to recover as after a power cut. No write fails.
    """
    _snapshot_of_an_idle_origin(subject)
    origin = subject.attached()
    through(origin, "open")
    inner = origin.offsets(18)[1:-1]
    offsets = [at for both in zip(inner[:8], inner[8:], strict=True) for at in both]
    with origin.stream(offsets, idles=True) as stream:
        call = subject.run(ordinary(origin, "snapshot"))
    judge.succeeds(call, "the instance runs on during an export")
    judge.holds(not stream.errors, "undisturbed I/O", "; ".join(stream.errors[:3]), call)
    snapshot = snapshot_of(origin)
    snapshot.attach()
    lost = _lost_writes(snapshot, origin, offsets)
    judge.holds(not lost, "the origin at one moment", "; ".join(lost[:3]), call)


def _lost_writes(snapshot: Volume, origin: Volume, offsets: list[int]) -> list[str]:
    """Return in words the writes that the snapshot lacks although it has later ones.

    The origin's stream wrote generation after generation, each to the next of ``offsets``. Where
    the one after the latest went, half of it may be.
    """
    try:
        size = snapshot.devices.size_bytes(snapshot.path)
        found = snapshot.devices.stamps(snapshot.path, offsets)
    except OSError as error:
        raise Blocked(f"reading {snapshot.path} failed: {error}") from None
    own = [stamp.generation if stamp and stamp.volume == origin.name else 0 for stamp in found]
    latest, number = max(own), len(offsets)
    due = {latest - back: (latest - back) % number for back in range(min(latest, number - 1))}
    return [
        f"write {latest} is there, and write {generation} at byte {offsets[place]} is not"
        for generation, place in due.items()
        if own[place] != generation and offsets[place] < size
    ]


def _snapshot_of_an_idle_origin(subject: Subject) -> None:
    """Take one and write to its origin as given steps: other rules speak of their faults."""
    idle = subject.attached()
    through(idle, "snapshot")
    idle.stamp()


@rule(
    "ES-SNAP-07",
    Level.MUST,
    source="derived: an export without data would be told as a success",
    since="2.13",
    needs=("snapshot",),
)
def test_snapshot_of_nothing_is_refused(subject: Subject) -> None:
    """Snapshot of a volume that does not exist fails and makes no snapshot."""
    given_attach_tells(subject)
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
    through(origin, "snapshot")
    origin.stamp(generation=2)
    call = judge.ended(subject.run(ordinary(origin, "snapshot")))
    if call.failed:
        return
    snapshot = snapshot_of(origin)
    snapshot.attach()
    older = 1 in _generations(snapshot, origin)
    wrong = snapshot.judge_read(
        call, lambda on, at: on.mismatches(at, origin.name, origin.offsets(), generation=2)
    )
    judge.holds(
        not wrong,
        "a non-zero exit, or a snapshot of the origin as it is now",
        f"exit 0, and {'the snapshot still holds the older data' if older else wrong[:1]}",
        call,
    )


@rule(
    "ES-SNAP-09",
    Level.MUST,
    source="man ganeti-extstorage-interface(7) snapshot; what is cut off is not in the backup",
    since="2.13",
    profile=Profile.STANDARD,
    needs=_NEEDS,
)
def test_snapshot_has_its_size(subject: Subject) -> None:
    """The snapshot's device has at least VOL_SNAPSHOT_SIZE MiB."""
    origin = subject.attached()
    through(origin, "snapshot")
    taken = subject.calls[-1]
    snapshot = snapshot_of(origin)
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
    Level.SHOULD,
    source="derived: an instance can fail over while it is exported, and its snapshot stays",
    since="2.13",
    profile=Profile.STANDARD,
    needs=_NEEDS,
    nodes=2,
)
def test_snapshot_is_shared_by_all_nodes(subject: Subject) -> None:
    """A snapshot that was taken on one node is attached, read and removed on another."""
    origin = subject.attached()
    origin.stamp()
    through(origin, "snapshot")
    taken = subject.calls[-1]
    snapshot = snapshot_of(origin).on(subject.nodes[1])
    snapshot.judge_attach()
    _judge_copy(snapshot, origin, origin.offsets(), taken)
    for method in ("detach", "remove"):
        judge.succeeds(snapshot.call(method), f"on {snapshot.node.name}")


@rule(
    "ES-SNAP-12",
    Level.MUST,
    source="derived: an export that fails leaves VOL_NAME.snap behind, and instances are migrated",
    since="2.13",
    profile=Profile.STANDARD,
    needs=_NEEDS,
    nodes=2,
)
def test_origin_with_a_snapshot_is_shared_by_all_nodes(subject: Subject) -> None:
    """What is written to a volume that has a snapshot is there on every node, to the last.

    Each node writes, detaches, and leaves the volume to the other. Where the writes since the
    snapshot lie is nothing that only the node knows where it was taken.
    """
    here = subject.attached()
    there = here.on(subject.nodes[1])
    here.stamp()
    through(here, "snapshot")
    taken = subject.calls[-1]
    here.stamp(generation=2)
    here.given("detach")
    there.judge_attach()
    there.judge_stamps(taken, generation=2)
    there.stamp(generation=3)
    there.given("detach")
    removed = judge.succeeds(snapshot_of(here).call("remove"), "nothing uses the snapshot")
    for node in (here, there):
        node.judge_attach()
        node.judge_stamps(removed, generation=3)
        node.given("detach")
