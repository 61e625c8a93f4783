"""Rules about several disks, and several providers, at once."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from extstorage_conformance import judge
from extstorage_conformance.checks.patterns import SNAPSHOT, Pattern
from extstorage_conformance.life import given_lone_life, ordinary, snapshot_of, through
from extstorage_conformance.rules import Level, Profile, rule
from extstorage_conformance.violation import Blocked

if TYPE_CHECKING:
    from collections.abc import Iterator

    from extstorage.host.call import Call
    from extstorage_conformance.subject import Subject
    from extstorage_conformance.volume import Volume

_NAMES = "lib/cmdlib/instance_storage.py _GenerateUniqueNames"
_IDENTITY = "lib/storage/extstorage.py (a disk is its provider and its name)"
_MOST_DISKS = 16
_OTHER_NAME = "second_copy"
_METADATA = "originstname+{}.example.test"
_LIFE = Pattern(
    "a life with every method",
    "create attach open setinfo attach grow attach snapshot snapshot.attach snapshot.open "
    "snapshot.detach snapshot.remove close detach remove verify",
)


@rule(
    "ES-MULTI-01",
    Level.MUST,
    source=_NAMES,
    profile=Profile.STANDARD,
    needs=("device",),
)
def test_the_number_in_a_name_says_nothing(subject: Subject) -> None:
    """Disks of different instances, and of one, may have the same number in their names.

    Each name begins with a UUID of its own, and the number is the disk's place when it was made:
    it says neither which disk it is now nor to what instance it belongs.
    """
    given_lone_life(subject)
    volumes = [subject.volume(index=index) for index in (1, 1, 0, 1)]
    for volume in volumes:
        judge.succeeds(volume.call("create"), f"{volume.name} is a volume of its own")
    for volume in reversed(volumes):
        volume.judge_attach()
        volume.stamp()
    for volume in volumes:
        volume.judge_stamps(subject.calls[-1])
    first, *others = volumes
    call = judge.succeeds(first.call("detach"))
    for other in others:
        other.judge_stamps(call)
    call = judge.succeeds(first.call("remove"))
    for other in others:
        other.judge_attach()
        other.judge_stamps(call)


@rule(
    "ES-MULTI-02",
    Level.MUST,
    source=_IDENTITY,
    profile=Profile.STANDARD,
    needs=("device",),
)
def test_copies_of_a_provider_leave_each_other_alone(subject: Subject) -> None:
    """Two copies of a provider, under two names, work beside each other for one instance.

    With the same parameters, as when a new release of the provider is tried on the same array:
    each makes, attaches, detaches and removes its own volumes, and those of the other stay.
    """
    given_lone_life(subject)
    uuid = subject.uuid()
    own = subject.volume(uuid=uuid, index=1)
    with subject.second_copy(_OTHER_NAME) as copy:
        others = copy.volume(uuid=uuid, index=10)
        _beside_each_other(own, others)
        _beside_each_other(others, own)


def _beside_each_other(volume: Volume, bystander: Volume) -> None:
    """Judge that a whole life of ``volume`` leaves the other provider's volume alone."""
    for each in (volume, bystander):
        judge.succeeds(each.call("create"))
        each.judge_attach()
    for each in (volume, bystander):
        each.stamp()
    for each in (volume, bystander):
        each.judge_stamps(each.subject.calls[-1])
    for method in ("detach", "remove"):
        call = judge.succeeds(volume.call(method))
        bystander.judge_stamps(call)
    bystander.judge_attach()
    bystander.judge_stamps(call)
    for method in ("detach", "remove"):
        judge.succeeds(bystander.call(method))


@rule(
    "ES-MULTI-03",
    Level.SHOULD,
    source="src/Ganeti/HTools/Types.hs maxDisks, lib/constants.py MAX_DISKS (16)",
    profile=Profile.STANDARD,
    needs=("device",),
)
def test_as_many_disks_as_ganeti_allows(subject: Subject) -> None:
    """Sixteen volumes of one instance, the most that Ganeti allows, are attached at once."""
    uuid = subject.uuid()
    smallest = subject.configuration.rounded_mib(subject.configuration.sizes["minimum"])
    volumes = []
    for index in range(_MOST_DISKS):
        volume = subject.created(uuid=uuid, index=index, size_mib=smallest)
        judge.succeeds(volume.call("attach"), f"disk {index + 1} of {_MOST_DISKS}")
        volume.attach()
        volumes.append(volume)
    numbers = {volume.device_number() for volume in volumes}
    call = subject.calls[-1]
    judge.holds(
        len(numbers) == _MOST_DISKS, f"{_MOST_DISKS} devices", f"{len(numbers)} devices", call
    )


@rule(
    "ES-MULTI-04",
    Level.SHOULD,
    source="lib/cmdlib/instance_set_params.py (disk detach and attach); Ganeti issue 1583",
    profile=Profile.STANDARD,
    needs=("device",),
)
def test_disk_moves_to_another_instance(subject: Subject) -> None:
    """A disk that is detached from one instance and attached to another keeps its data.

    It keeps its name, and gets other metadata and another VOL_UUID.
    """
    volume = subject.attached()
    volume.stamp_for_good()
    volume.given("setinfo", metadata=_METADATA.format("first"))
    volume.detach()
    volume.disk = replace(volume.disk, uuid=subject.uuid())
    volume.judge_attach()
    call = judge.succeeds(volume.call("setinfo", metadata=_METADATA.format("second")))
    volume.judge_stamps(call)
    judge.succeeds(volume.call("detach"))
    volume.judge_attach()
    volume.judge_stamps(call)


@rule(
    "ES-MULTI-05",
    Level.SHOULD,
    source="lib/backend.py BlockdevConvert (copies the device); LUInstanceSetParams conversion",
    profile=Profile.STANDARD,
    needs=("device",),
)
def test_device_is_copied_to_another_provider(subject: Subject) -> None:
    """A new volume of the recorded size takes all of the device of one that was grown to it.

    Converting a disk to another provider copies its whole device into a new volume of the size
    that Ganeti has on record; grow must not round where create does not.
    """
    old = subject.attached()
    size_mib = old.size_mib + 1
    old.given("grow", new_size_mib=size_mib)
    old.attach()
    old.stamp()
    with subject.second_copy(_OTHER_NAME) as copy:
        new = copy.volume(size_mib=size_mib)
        judge.succeeds(new.call("create"))
        new.judge_attach()
        call = subject.calls[-1]
        new.make_ready()
        _copy(old, new, call)
        found = new.judge_read(call, lambda on, at: on.mismatches(at, old.name, old.offsets()))
        judge.holds(not found, "the old volume's data", "; ".join(found[:3]), call)


def _copy(old: Volume, new: Volume, call: Call) -> None:
    try:
        new.devices.copy(old.path, new.path)
    except OSError as error:
        sizes = f"{old.device_mib():g} MiB to {new.device_mib():g} MiB"
        judge.holds(
            condition=False, expected="a copy of the device", got=f"{sizes}: {error}", call=call
        )


@rule(
    "ES-MULTI-06",
    Level.SHOULD,
    source=_IDENTITY,
    profile=Profile.STANDARD,
    needs=("device",),
)
def test_copies_of_a_provider_have_names_of_their_own(subject: Subject) -> None:
    """Two copies of a provider, under two names, keep volumes of the same name apart.

    Ganeti gives a name once only; but it takes provider and name together for what a disk is.
    """
    given_lone_life(subject)
    own = subject.volume()
    with subject.second_copy(_OTHER_NAME) as copy:
        others = copy.volume(name=own.name)
        try:
            _beside_each_other(own, others)
        finally:
            for method in ("detach", "remove"):
                others.call(method)


@rule(
    "ES-MULTI-07",
    Level.MUST,
    source="lib/masterd/instance.py ExportInstanceHelper; lib/cmdlib/backup.py LUBackupExport",
    since="2.13",
    profile=Profile.STANDARD,
    needs=("snapshot", "device"),
)
def test_export_chain(subject: Subject) -> None:
    """A running instance is exported again and again, each time as it was when the export began.

    In Ganeti's order: attach, snapshot, for each disk; attach, open; and for each disk attach,
    open, read, attach, detach and remove the snapshot. The instance writes on. The names of the
    snapshots of its disks, 1 and 10, differ in little.
    """
    uuid = subject.uuid()
    origins = [subject.attached(uuid=uuid, index=index) for index in (1, 10)]
    for origin in origins:
        origin.make_ready()
    for generation in (1, 2):
        _export(origins, generation)


def _export(origins: list[Volume], generation: int) -> None:
    running = origins[0]
    fixed, busy = running.offsets(64)[1::2], running.offsets(64)[::2]
    for origin in origins:
        origin.stamp(generation, fixed)
    with running.stream(busy, idles=True) as stream:
        for origin in origins:
            origin.attach()
            judge.succeeds(origin.run(ordinary(origin, "snapshot")), f"export {generation}")
        taken = running.subject.calls[-1]
        for origin in origins:
            origin.stamp(generation + 100, fixed)
            origin.attach()
        for origin in origins:
            _judge_exported(origin, fixed, generation)
    if stream.errors:
        raise Blocked(f"I/O failed: {stream.errors[0]}, which ES-SNAP-06 judges", taken)
    for origin in origins:
        origin.judge_stamps(taken, generation + 100, fixed)


def _judge_exported(origin: Volume, offsets: list[int], generation: int) -> None:
    """Judge that the snapshot of ``origin`` is that of this export, and that it can go."""
    snapshot = snapshot_of(origin)
    call = snapshot.judge_attach()
    if origin.subject.uses("open"):
        judge.succeeds(snapshot.call("open", exclusive=True))
    found = snapshot.judge_read(
        call, lambda on, at: on.mismatches(at, origin.name, offsets, generation)
    )
    judge.holds(not found, f"the data of export {generation}", "; ".join(found[:3]), call)
    snapshot.judge_attach()
    for method in ("detach", "remove"):
        judge.succeeds(snapshot.call(method), f"export {generation}")


@rule(
    "ES-MULTI-08",
    Level.MUST,
    source="derived: a node has disks of many instances, and each call is for one of them",
    profile=Profile.STANDARD,
    needs=("device",),
)
def test_no_call_is_for_other_volumes(subject: Subject) -> None:
    """No call for one volume, whatever the method, ends the mapping or the life of another.

    One is attached and not in use at that moment, as when its instance is about to start, and one
    is detached. What flushes unused maps, or tidies up what nobody seems to own, takes them.
    """
    uuid = subject.uuid()
    idle, stored = (subject.attached(uuid=uuid, index=index) for index in (10, 11))
    stored.stamp()
    stored.detach()
    idle.stamp_for_good()
    size = idle.device_mib()
    call = None
    for call in _life(subject.volume(uuid=uuid, index=1)):
        idle.judge_stamps(call)
    found = idle.device_mib()
    judge.holds(found == size, f"{size:g} MiB, as before", f"{found:g} MiB", call)
    idle.given("detach")
    for other in (idle, stored):
        other.judge_attach()
        other.judge_stamps(call)


def _life(volume: Volume) -> Iterator[Call]:
    """Yield each call of a life with every method, all of them given steps."""
    subject = volume.subject
    snapshot = snapshot_of(volume)
    for step in _LIFE.steps:
        method = step.removeprefix(SNAPSHOT)
        if subject.uses(method) and (step == method or subject.uses("snapshot")):
            target = volume if step == method else snapshot
            through(target, method)
            if method == "grow":
                volume.disk = replace(volume.disk, size_mib=2 * volume.size_mib)
            yield subject.calls[-1]
