"""Rules about remove: gone when it says so, there when it does not."""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING

from extstorage_conformance import judge
from extstorage_conformance.life import given_attach_tells
from extstorage_conformance.neighbours import neighbours
from extstorage_conformance.rules import Level, Profile, rule
from extstorage_conformance.violation import Blocked

if TYPE_CHECKING:
    from extstorage.host.call import Call
    from extstorage_conformance.subject import Subject
    from extstorage_conformance.volume import Volume

_MAN = "man ganeti-extstorage-interface(7) remove"
_RETRIES = "lib/backend.py BlockdevRemove (every 3 s for 30 s)"


def _given_remove_works(subject: Subject) -> None:
    """Make sure that remove of a volume that nobody uses does its work; raises Blocked."""
    volume = subject.created()
    call = volume.given("remove")
    if volume.call("attach").succeeded:
        raise Blocked("what was removed is attached, which ES-REMOVE-01 judges", call)


def _judge_gone(volume: Volume, removed: Call) -> None:
    """Judge that the volume of which remove said that it is gone is so."""
    attached = volume.call("attach").succeeded
    judge.holds(not attached, "no volume after exit 0", "one that can be attached", removed)


def _removed_as_ganeti_does(volume: Volume) -> Call:
    volume.given("attach")
    volume.given("detach")
    return judge.succeeds(volume.call("remove"))


@rule("ES-REMOVE-01", Level.MUST, source=_MAN)
def test_volume_is_gone(subject: Subject) -> None:
    """After remove the volume cannot be attached, and nothing of its name is left in the back end.

    Ganeti forgets the volume: what is still there is never found again.
    """
    given_attach_tells(subject)
    volume = subject.created()
    call = _removed_as_ganeti_does(volume)
    _judge_gone(volume, call)
    left = [item for item in subject.left() if volume.name in item.text]
    judge.holds(not left, "nothing left of it", "; ".join(map(str, left[:3])), call)


@rule(
    "ES-REMOVE-02",
    Level.MUST,
    source=f"derived: Ganeti believes the exit status; {_RETRIES}",
    profile=Profile.STANDARD,
    needs=("device",),
)
def test_truth_is_told_about_an_attached_volume(subject: Subject) -> None:
    """Remove of an attached volume either fails and leaves it intact, or really removes it.

    Ganeti detaches first. The order here makes many back ends refuse, and shows
    whether remove passes that on.
    """
    _given_remove_works(subject)
    volume = subject.attached()
    volume.stamp()
    call = judge.ended(volume.call("remove"))
    if call.exit_code == 0:
        subject.excused = True  # Ganeti never does that: what is left of the mapping is no leak
        _judge_gone(volume, call)
        volume.call("detach")
    else:
        volume.judge_attach()
        volume.judge_stamps(call)


@rule("ES-REMOVE-03", Level.SHOULD, source=_RETRIES, profile=Profile.STANDARD)
def test_unknown_volume_is_no_error(subject: Subject) -> None:
    """Remove of a volume that is gone, or never was, exits 0.

    Ganeti repeats a remove that failed half-way; an error for what is done already never ends.
    """
    volume = subject.created()
    volume.given("remove")
    judge.succeeds(volume.call("remove"), "it is removed already")
    judge.succeeds(subject.volume().call("remove"), "it never was")


@rule("ES-REMOVE-04", Level.MUST, source=_RETRIES, profile=Profile.STANDARD, needs=("device",))
def test_remove_is_repeated_after_a_failure(subject: Subject) -> None:
    """A volume that could not be removed while it was in use is removed once it is free.

    Ganeti attaches, detaches and removes again until it works: the first failure must not leave
    half a volume that none of these accepts. Until then the volume has its data: it may be in use
    because the remove was a mistake.
    """
    _given_remove_works(subject)
    volume = subject.attached()
    volume.stamp()
    volume.attach_again()
    with volume.held():
        first = judge.ended(volume.call("remove"))
    if first.exit_code == 0:
        subject.excused = True  # as above: Ganeti stops when detach fails
        _judge_gone(volume, first)
        volume.call("detach")
        return
    judge.succeeds(volume.call("attach"), "remove failed, so the volume is there")
    volume.judge_stamps(first)
    judge.succeeds(volume.call("detach"), "the device is no longer in use")
    _judge_gone(volume, judge.succeeds(volume.call("remove"), "the volume is no longer in use"))


@rule(
    "ES-REMOVE-06",
    Level.MUST,
    source="derived: the name is the only identity that Ganeti gives",
    needs=("device",),
)
def test_other_volumes_keep_their_data(subject: Subject) -> None:
    """Remove of one volume leaves all others as they are, even if their names begin with its own.

    disk10 must not go with disk1, attached or not; nor disk1.snap, unless remove_with_snapshots
    says so.
    """
    independent = subject.configuration.capabilities["remove_with_snapshots"] == "independent"
    volume, others = neighbours(subject, snapshot=independent)
    volume.detach()
    for other in others:
        other.stamp_for_good()
        other.detach()
    call = volume.given("remove")
    for other in others:
        other.judge_attach()
        other.judge_stamps(call)
    if volume.call("create").succeeded:  # else the name is not free, which ES-REMOVE-08 judges
        _judge_attached_ones(others, volume.given("remove"))


def _judge_attached_ones(others: list[Volume], call: Call) -> None:
    """Judge that attached volumes are still attached since ``call``, and there afterwards."""
    for other in others:
        other.judge_stamps(call)
        other.call("detach")
        other.judge_attach()
        other.judge_stamps(call)


@rule(
    "ES-REMOVE-07",
    Level.SHOULD,
    source="derived: gnt-backup export leaves VOL_NAME.snap behind when it fails",
    since="2.13",
    profile=Profile.STANDARD,
    needs=("snapshot", "device"),
)
def test_snapshot_is_treated_as_declared(subject: Subject) -> None:
    """Remove of a volume that has a snapshot does what remove_with_snapshots declares.

    Neither may be left in a state that no script can end.
    """
    declared = subject.configuration.capabilities["remove_with_snapshots"]
    volume = subject.attached()
    volume.stamp_for_good()
    snapshot = subject.volume(name=f"{volume.name}.snap")
    volume.given("snapshot", snapshot_name=snapshot.name, snapshot_size_mib=snapshot.size_mib)
    volume.detach()
    _given_content(snapshot, volume)
    call = volume.call("remove")
    if declared == "refuses":
        judge.fails(call, "remove_with_snapshots is refuses")
        _judge_intact(volume, volume)
    else:
        judge.succeeds(call, f"remove_with_snapshots is {declared}")
    if declared == "cascades":
        _judge_gone(snapshot, call)
    else:
        _judge_intact(snapshot, volume)


def _given_content(snapshot: Volume, written: Volume) -> None:
    """Make sure that ``snapshot`` holds what was written to ``written``; raises Blocked."""
    written.path = snapshot.attach()
    written.given_stamps()
    snapshot.given("detach")


def _judge_intact(volume: Volume, written: Volume) -> None:
    """Judge that ``volume`` is there with what was written to ``written``."""
    call = volume.judge_attach()
    written.path = volume.path
    written.judge_stamps(call)
    volume.given("detach")


@rule(
    "ES-REMOVE-08",
    Level.MUST,
    source="derived: gnt-instance recreate-disks makes the disks' names again, and each gnt-backup "
    "export VOL_NAME.snap",
    profile=Profile.STANDARD,
)
def test_name_is_free_again(subject: Subject) -> None:
    """The name of a removed volume is free for a new one at once."""
    volume = subject.created()
    volume.given("remove")
    judge.succeeds(volume.call("create"), "the name is free")
    judge.succeeds(volume.call("attach"), "the volume was created again")


@rule(
    "ES-REMOVE-05",
    Level.SHOULD,
    source="derived: migrate --cleanup and a failed failover leave volumes attached elsewhere",
    profile=Profile.STANDARD,
    needs=("device",),
    nodes=2,
)
def test_volume_that_another_node_has_attached(subject: Subject) -> None:
    """Remove of a volume that another node has attached is refused, or harms no later volume.

    A mapping that outlives its volume must not lead to what the array gives to the next one.
    """
    _given_remove_works(subject)
    volume = subject.attached()
    other = volume.on(subject.nodes[1])
    other.attach()
    other.stamp()
    volume.detach()
    call = judge.ended(volume.call("remove"))
    if call.exit_code != 0:
        other.judge_attach()
        other.judge_stamps(call)
        return
    subject.excused = True  # what is left of the mapping there is no leak of a detach
    later = subject.attached()
    later.stamp()
    with suppress(OSError):  # its storage may be gone: then nothing can be harmed
        other.devices.write(other.path, other.name, other.offsets(), generation=2)
    later.judge_stamps(call)
